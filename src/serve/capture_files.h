// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

// Append-only files in numbered order, by directory: what captures and labels are written through.
// A directory's files are 000001.jsonl, 000002.jsonl, …; of those that are there already none is
// continued but what the same object has made. Used by one thread at a time.

namespace ciclo::serve {

class AppendFile;

// What was appended and is not durable yet: files, and directories that got a new name.
struct Unsynced {
  std::vector<std::shared_ptr<AppendFile>> files;
  std::set<std::filesystem::path> directories;
};
// Makes it durable, without touching the AppendFiles it comes from, so that appending goes on
// meanwhile. The first error is returned; the others are tried too.
Result<void> sync(const Unsynced& unsynced);

class AppendFiles {
 public:
  struct Limits {
    std::size_t file_bytes_max = 64 << 20;
    std::size_t open_max = 32;
    std::size_t closed_max = 1 << 14;  // of those that may be opened again
  };
  explicit AppendFiles(Limits limits);
  ~AppendFiles();

  // Appends whole lines to the newest file of the directory, which is made when it is missing; its
  // parent must be there. When it returns, the lines are the kernel's: they survive the end of this
  // process, however it ends. After a failure the file is not continued, so that what it may have
  // left half-written stays its last line. Waits for no sync.
  Result<void> append(const std::filesystem::path& directory, std::string_view lines);

  // Whether an append to the directory finds its file open.
  bool is_open(const std::filesystem::path& directory) const { return files_.contains(directory); }
  // Whether so many files wait for a sync, open until then, that the caller should sync before it
  // appends to a directory that is not open.
  bool is_full() const { return unsynced_.files.size() >= 2 * limits_.open_max; }

  // Hands over what was appended since the last call.
  Unsynced take_unsynced();
  // After a failed sync the kernel may have dropped pages: none of the files is continued.
  void abandon();

 private:
  struct Entry {
    std::shared_ptr<AppendFile> file;  // shared with those who sync it
    std::uint64_t used = 0;            // order of the last use
  };
  Result<AppendFile*> open(const std::filesystem::path& directory);
  Result<std::shared_ptr<AppendFile>> open_again(const std::filesystem::path& directory);
  Result<std::shared_ptr<AppendFile>> create(const std::filesystem::path& directory);
  void close_least_used();

  const Limits limits_;
  std::map<std::filesystem::path, Entry> files_;                   // open, by directory
  std::map<std::filesystem::path, std::filesystem::path> closed_;  // the last file of a directory
  Unsynced unsynced_;
  std::uint64_t uses_ = 0;
};

// The numbered files of a directory, ascending; empty when there is no such directory.
std::vector<std::filesystem::path> numbered_files(const std::filesystem::path& directory);

// Those, and the ones below that other servers have handed over (serve/shared_capture.h), of which
// each server has a folder.
std::vector<std::filesystem::path> all_files(const std::filesystem::path& directory);

}  // namespace ciclo::serve
