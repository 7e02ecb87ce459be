// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

// Append-only files in numbered order, by directory: what captures and labels are written through.
// A directory's files are 000001.jsonl, 000002.jsonl, …; each opening begins a new one. Used by one
// thread at a time.

namespace ciclo::serve {

class AppendFile;

class AppendFiles {
 public:
  struct Limits {
    std::size_t file_bytes_max = 64 << 20;
    std::size_t open_max = 32;
  };
  explicit AppendFiles(Limits limits);
  ~AppendFiles();

  // Appends whole lines to the newest file of the directory, which is made when it is missing.
  // After a failure the file is not continued, so that what it may have left half-written stays its
  // last line.
  Result<void> append(const std::filesystem::path& directory, std::string_view lines);

  // Makes all that was appended durable. The first error is returned; the others are tried too.
  Result<void> sync();

 private:
  struct Entry {
    std::unique_ptr<AppendFile> file;
    std::uint64_t used = 0;  // order of the last use
  };
  Result<AppendFile*> open(const std::filesystem::path& directory);
  Result<void> close_least_used();

  const Limits limits_;
  std::map<std::filesystem::path, Entry> files_;
  std::uint64_t uses_ = 0;
};

// The numbered files of a directory, ascending; empty when there is no such directory.
std::vector<std::filesystem::path> numbered_files(const std::filesystem::path& directory);

}  // namespace ciclo::serve
