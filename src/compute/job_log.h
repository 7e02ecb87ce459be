// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "compute/descriptor.h"

namespace ciclo::compute {

// A log file of bounded size: the first bytes up to the limit, then the last kLogTailBytes, with a
// line between. What the disk does not take counts as dropped.
class JobLog {
 public:
  // Makes or empties the file; discards everything when `path` is empty.
  static Result<JobLog> open(const std::string& path, std::uint64_t bytes_max);

  void write(std::string_view bytes);
  // Adds the tail. Once, last.
  void finish();

  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t bytes_dropped() const { return bytes_dropped_; }

 private:
  void append(std::string_view bytes);

  Descriptor file_;
  std::uint64_t bytes_max_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t bytes_dropped_ = 0;
  std::string tail_;
};

}  // namespace ciclo::compute
