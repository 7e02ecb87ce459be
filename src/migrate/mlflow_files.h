// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"

// The files in which MLflow's file store keeps an object: meta.yaml, and folders in which each file
// is a key and what is in it the value. Symbolic links are refused (failed_precondition), for they
// may lead to what was never logged.

namespace ciclo::migrate {

// What a meta.yaml says. Its values are texts: MLflow writes them by YAML 1.1, and so is a digest
// such as 12345e67 kept.
class MetaFile {
 public:
  // nullopt when there is none. failed_precondition for one that is not as MLflow writes it.
  static Result<std::optional<MetaFile>> read(const std::filesystem::path& folder);

  // "" and 0 where it says nothing.
  std::string text(std::string_view key) const;
  std::optional<std::string> optional_text(std::string_view key) const;
  // failed_precondition, naming the file, for what is no whole number.
  Result<std::int64_t> number(std::string_view key) const;
  Result<std::optional<std::int64_t>> optional_number(std::string_view key) const;
  // The members of a mapping, "tags"; none where there is none.
  std::vector<std::pair<std::string, std::string>> pairs(std::string_view key) const;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  json::Value document_;
};

// The folders in a folder, by name; none when it is not there.
Result<std::vector<std::string>> subfolders(const std::filesystem::path& folder);

// The files below a folder, by their path in it, which is a key: "loss", "val/loss".
Result<std::vector<std::string>> keys_in(const std::filesystem::path& folder);

// Keys with what is in their files.
Result<std::vector<std::pair<std::string, std::string>>> values_in(
    const std::filesystem::path& folder);

// Calls `on_line` for each line of a file, without its end, holding one at a time.
Result<void> each_line(const std::filesystem::path& file,
                       const std::function<Result<void>(std::string_view)>& on_line);

}  // namespace ciclo::migrate
