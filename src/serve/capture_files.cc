// SPDX-License-Identifier: Apache-2.0
#include "serve/capture_files.h"

#include <fcntl.h>
#include <sys/stat.h>
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
    return std::shared_ptr<AppendFile>(new AppendFile(std::move(path), fd, 0));
  }
  static Result<std::shared_ptr<AppendFile>> open(fs::path path) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0) return file_error("open", path, errno);
    struct stat status {};
    if (::fstat(fd, &status) != 0) {
      const int error_number = errno;
      ::close(fd);
      return file_error("look at", path, error_number);
    }
    const auto size = static_cast<std::size_t>(status.st_size);
    return std::shared_ptr<AppendFile>(new AppendFile(std::move(path), fd, size));
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
  const fs::path& path() const { return path_; }

 private:
  AppendFile(fs::path path, int fd, std::size_t size)
      : path_(std::move(path)), fd_(fd), size_(size) {}

  const fs::path path_;
  const int fd_;
  std::size_t size_;
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

void AppendFiles::abandon() {
  files_.clear();
  closed_.clear();
}

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
  if (files_.size() >= limits_.open_max) close_least_used();
  TRY(auto file, open_again(directory));
  if (!file || file->size() >= limits_.file_bytes_max) {
    TRY(file, create(directory));
  }
  AppendFile* const opened = file.get();
  files_.insert_or_assign(directory, Entry{std::move(file), ++uses_});
  return opened;
}

// The file that was closed for others to be open; null when there is none.
Result<std::shared_ptr<AppendFile>> AppendFiles::open_again(const fs::path& directory) {
  const auto known = closed_.find(directory);
  if (known == closed_.end()) return std::shared_ptr<AppendFile>();
  const fs::path path = std::move(known->second);
  closed_.erase(known);
  auto file = AppendFile::open(path);
  // Somebody has removed it.
  if (!file.ok() && file.error().code == Code::kNotFound) return std::shared_ptr<AppendFile>();
  return file;
}

Result<std::shared_ptr<AppendFile>> AppendFiles::create(const fs::path& directory) {
  std::error_code error;
  fs::create_directory(directory, error);
  if (error) return file_error("create", directory, error.value());
  const auto existing = numbered_files(directory);
  const std::int64_t number = existing.empty() ? 1 : file_number(existing.back()).value_or(0) + 1;
  char name[32];
  std::snprintf(name, sizeof name, "%06lld.jsonl", static_cast<long long>(number));
  TRY(auto file, AppendFile::create(directory / name));
  // The directory may be there and not durable yet, after a sync that failed or a crash.
  unsynced_.directories.insert(directory.parent_path());
  unsynced_.directories.insert(directory);
  return file;
}

void AppendFiles::close_least_used() {
  const auto oldest =
      std::min_element(files_.begin(), files_.end(),
                       [](const auto& a, const auto& b) { return a.second.used < b.second.used; });
  // Those that are forgotten are followed by a new number.
  if (closed_.size() >= limits_.closed_max) closed_.clear();
  closed_.insert_or_assign(oldest->first, oldest->second.file->path());
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

std::vector<fs::path> all_files(const fs::path& directory) {
  std::vector<fs::path> others;
  std::error_code error;
  for (auto entry = fs::recursive_directory_iterator(directory, error);
       !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (entry.depth() == 1 && entry->path().extension() == ".jsonl") others.push_back(*entry);
  }
  std::sort(others.begin(), others.end());
  std::vector<fs::path> files = numbered_files(directory);
  files.insert(files.end(), others.begin(), others.end());
  return files;
}

}  // namespace ciclo::serve
