// SPDX-License-Identifier: Apache-2.0
#include "lineage/tree.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"

namespace ciclo::lineage {
namespace {

namespace fs = std::filesystem;

// A hard link costs nothing; another file system, or one without links, gets a copy.
Result<void> link_or_copy(const fs::path& blob, const fs::path& target) {
  if (::link(blob.c_str(), target.c_str()) == 0) return {};
  if (errno != EXDEV && errno != EPERM && errno != EMLINK && errno != EOPNOTSUPP) {
    return file_error("make", target, errno);
  }
  std::error_code failure;
  fs::copy_file(blob, target, failure);
  if (failure) return file_error("copy to", target, failure.value());
  constexpr auto kReadOnly = fs::perms::owner_read | fs::perms::group_read | fs::perms::others_read;
  fs::permissions(target, kReadOnly, failure);
  if (failure) return file_error("set the mode of", target, failure.value());
  return {};
}

}  // namespace

Result<void> check_relative_path(std::string_view path) {
  const auto refuse = [&](std::string_view why) {
    return invalid_argument("path " + ciclo::quoted(path) + " of an artifact's file " +
                            std::string(why));
  };
  if (path.empty()) return refuse("is empty");
  if (path.front() == '/') return refuse("is absolute; it must be relative");
  if (path.size() > 1024) return refuse("is longer than 1024 bytes");
  if (path.find('\0') != std::string_view::npos) return refuse("holds a NUL character");
  if (!is_utf8(path)) return refuse("is not UTF-8");
  for (const auto part : split(path, '/')) {
    if (part.empty() || part == "." || part == "..") {
      return refuse("has a part " + ciclo::quoted(part) + "; parts must be names");
    }
  }
  return {};
}

Result<std::vector<std::string>> list_files(const fs::path& directory, std::size_t files_max) {
  std::vector<std::string> paths;
  std::error_code failure;
  fs::recursive_directory_iterator entries(directory, failure);
  if (failure) return file_error("read directory", directory, failure.value());
  for (; entries != fs::recursive_directory_iterator(); entries.increment(failure)) {
    const auto& entry = *entries;
    const auto type = entry.symlink_status(failure).type();
    if (failure) return file_error("look at", entry.path(), failure.value());
    if (type == fs::file_type::directory) continue;
    const std::string path = entry.path().lexically_relative(directory).generic_string();
    if (type != fs::file_type::regular) {
      return invalid_argument(
          ciclo::quoted(path) + " in " + directory.string() +
          " is neither a plain file nor a directory; an artifact holds only those");
    }
    if (paths.size() == files_max) {
      return resource_exhausted(directory.string() + " holds more than " +
                                std::to_string(files_max) + " files, the limit of an artifact");
    }
    paths.push_back(path);
  }
  if (failure) return file_error("read directory", directory, failure.value());
  std::ranges::sort(paths);
  return paths;
}

Result<Tree> make_tree(std::vector<File> files) {
  std::ranges::sort(files, {}, &File::path);
  Hasher hasher;
  std::string_view previous;
  for (const auto& file : files) {
    TRY(check_relative_path(file.path));
    if (file.path == previous) {
      return invalid_argument("path " + ciclo::quoted(file.path) + " appears twice in an artifact");
    }
    previous = file.path;
    hasher.field(file.path).field(file.hash);
  }
  return Tree{hasher.digest(), std::move(files)};
}

Result<void> write_tree(blob::Store& blobs, const Tree& tree, const fs::path& directory,
                        const std::function<Result<void>()>& before_each) {
  for (const auto& file : tree.files) {
    TRY(before_each());
    TRY(check_relative_path(file.path));
    const fs::path target = directory / file.path;
    std::error_code failure;
    fs::create_directories(target.parent_path(), failure);
    if (failure) return file_error("make directory", target.parent_path(), failure.value());
    TRY(const std::string blob, blobs.local_path(file.hash));
    TRY(link_or_copy(blob, target));
  }
  return {};
}

}  // namespace ciclo::lineage
