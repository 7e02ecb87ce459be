// SPDX-License-Identifier: Apache-2.0
#include "serve/capture_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "base/text.h"

namespace ciclo::serve {

namespace fs = std::filesystem;

class AppendFile {
 public:
  static Result<std::shared_ptr<AppendFile>> create(fs::path path) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0) return file_error("create", path, errno);
    return std::shared_ptr<AppendFile>(new AppendFile(std::move(path), fd));
  }
  ~AppendFile() { ::close(fd_); }
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  Result<void> append(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
      if (written < 0) {
        if (errno == EINTR) continue;
        return file_error("write", path_, errno);
      }
      size_ += static_cast<std::size_t>(written);
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
  }

  Result<void> sync() const {
    if (::fdatasync(fd_) != 0) return file_error("sync", path_, errno);
    return {};
  }

  std::size_t size() const { return size_; }

 private:
  AppendFile(fs::path path, int fd) : path_(std::move(path)), fd_(fd) {}

  const fs::path path_;
  const int fd_;
  std::size_t size_ = 0;
};

namespace {

std::optional<std::int64_t> file_number(const fs::path& path) {
  if (path.extension() != ".jsonl") return std::nullopt;
  return parse_int(path.stem().string());
}

}  // namespace

AppendFiles::AppendFiles(Limits limits) : limits_(limits) {}
AppendFiles::~AppendFiles() = default;

Result<void> AppendFiles::append(const fs::path& directory, std::string_view lines) {
  TRY(AppendFile* const file, open(directory));
  auto& dirty = unsynced_.files;
  const auto& shared = files_.find(directory)->second.file;
  if (std::find(dirty.begin(), dirty.end(), shared) == dirty.end()) dirty.push_back(shared);
  const auto written = file->append(lines);
  if (!written.ok()) files_.erase(directory);
  return written;
}

Unsynced AppendFiles::take_unsynced() { return std::exchange(unsynced_, {}); }

void AppendFiles::abandon() { files_.clear(); }

Result<void> sync(const Unsynced& unsynced) {
  Result<void> first;
  for (const auto& file : unsynced.files) {
    const auto synced = file->sync();
    if (first.ok()) first = synced;
  }
  for (const auto& directory : unsynced.directories) {
    const auto synced = sync_directory(directory);
    if (first.ok()) first = synced;
  }
  return first;
}

Result<AppendFile*> AppendFiles::open(const fs::path& directory) {
  const auto found = files_.find(directory);
  if (found != files_.end()) {
    if (found->second.file->size() < limits_.file_bytes_max) {
      found->second.used = ++uses_;
      return found->second.file.get();
    }
    files_.erase(found);
  }
  // Files that wait for a sync stay open; their number is bounded too.
  if (unsynced_.files.size() >= 2 * limits_.open_max) TRY(sync(take_unsynced()));
  if (files_.size() >= limits_.open_max) close_least_used();
  TRY(make_directories(directory));
  const auto existing = numbered_files(directory);
  const std::int64_t number = existing.empty() ? 1 : file_number(existing.back()).value_or(0) + 1;
  char name[32];
  std::snprintf(name, sizeof name, "%06lld.jsonl", static_cast<long long>(number));
  TRY(auto file, AppendFile::create(directory / name));
  unsynced_.directories.insert(directory);
  AppendFile* const opened = file.get();
  files_.insert_or_assign(directory, Entry{std::move(file), ++uses_});
  return opened;
}

// Makes the directory with its parents; each that is new is to be made durable in its parent.
Result<void> AppendFiles::make_directories(const fs::path& directory) {
  std::error_code error;
  if (fs::is_directory(directory, error)) return {};
  const fs::path parent = directory.has_parent_path() ? directory.parent_path() : fs::path(".");
  if (directory.has_parent_path()) TRY(make_directories(parent));
  fs::create_directory(directory, error);
  if (error) return file_error("create", directory, error.value());
  unsynced_.directories.insert(parent);
  return {};
}

void AppendFiles::close_least_used() {
  const auto oldest =
      std::min_element(files_.begin(), files_.end(),
                       [](const auto& a, const auto& b) { return a.second.used < b.second.used; });
  files_.erase(oldest);
}

std::vector<fs::path> numbered_files(const fs::path& directory) {
  std::vector<fs::path> files;
  std::error_code error;
  for (auto entry = fs::directory_iterator(directory, error);
       !error && entry != fs::directory_iterator(); entry.increment(error)) {
    if (file_number(entry->path())) files.push_back(entry->path());
  }
  std::sort(files.begin(), files.end(),
            [](const fs::path& a, const fs::path& b) { return *file_number(a) < *file_number(b); });
  return files;
}

}  // namespace ciclo::serve
