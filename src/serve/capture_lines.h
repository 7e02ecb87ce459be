// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

// The lines of captured files, taken apart.

namespace ciclo::serve {

// Cuts a stream of bytes into lines. Used by one thread at a time.
class LineCutter {
 public:
  using OnLine = std::function<Result<void>(std::string_view line)>;

  // Calls `on_line` for each line that the piece ends, without its newline. One that is too long to
  // be ours is passed over and counted.
  Result<void> cut(std::string_view piece, const OnLine& on_line);

  std::uint64_t passed_over() const { return passed_over_; }
  // Whether something came after the last newline.
  bool has_rest() const { return !rest_.empty(); }

 private:
  std::string rest_;
  bool is_skipping_ = false;
  std::uint64_t passed_over_ = 0;
};

// Which files: by what a line is about.
inline constexpr std::string_view kCapturedFolder = "captured";
inline constexpr std::string_view kLabelsFolder = "labels";

// Reads a line of a file in this folder. False, and nothing called, for one that is none of ours.
bool read_line(std::string_view folder, std::string_view line,
               const std::function<void(json::View root, std::string_view inference_id,
                                        std::int64_t time_ms)>& on_row);

}  // namespace ciclo::serve
