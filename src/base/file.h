// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

// Small files, whole and durable. Large values go through blob::Store.

namespace ciclo {

// resource_exhausted when the file is larger than `bytes_max`.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t bytes_max = 64 << 20);

// Calls `piece` for one buffer after the other; an error of it ends the reading.
Result<void> read_file_in_pieces(const std::filesystem::path& path,
                                 const std::function<Result<void>(std::string_view)>& piece);

// Replaces the file so that a crash leaves the old content or the new, never a mixture: temporary
// file in the same directory, fsync, rename, fsync of the directory. Parent directories are made.
Result<void> write_file_durably(const std::filesystem::path& path, std::string_view content);

// Makes the directory and the parents that it lacks, so that they survive power loss: the name of
// each one that is made is synced into its parent. So is the name of the first one that is there
// already, since another caller may be between making and syncing it, but for a parent that this
// process may not read, as /home is for some. Costs one sync at least: remember that it was done
// where it is asked for often.
Result<void> make_directories_durably(const std::filesystem::path& directory);

// fsync of a directory: makes renames, creations and removals in it durable.
Result<void> sync_directory(const std::filesystem::path& directory);

// A directory that is removed with all that is in it at the end of the object's life.
class TemporaryDirectory {
 public:
  // Below the system's folder for temporary files, or below `parent` when one is given.
  explicit TemporaryDirectory(const std::filesystem::path& parent = {});
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// The text of an errno value with the path: "cannot open /x: No such file or directory". The code
// is not_found, permission_denied, resource_exhausted (disk full, quota) or internal.
Error file_error(std::string_view action, const std::filesystem::path& path, int error_number);

}  // namespace ciclo
