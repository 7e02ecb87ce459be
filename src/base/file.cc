// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <system_error>
#include <vector>

#include "base/check.h"

namespace ciclo {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return number_; }

 private:
  int number_;
};

Result<void> write_all(int descriptor, std::string_view content,
                       const std::filesystem::path& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(descriptor, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return file_error("write", path, errno);
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace

Error file_error(std::string_view action, const std::filesystem::path& path, int error_number) {
  Code code = Code::kInternal;
  if (error_number == ENOENT || error_number == ENOTDIR) code = Code::kNotFound;
  if (error_number == EACCES || error_number == EPERM || error_number == EROFS) {
    code = Code::kPermissionDenied;
  }
  if (error_number == ENOSPC || error_number == EDQUOT || error_number == EMFILE) {
    code = Code::kResourceExhausted;
  }
  return {code, "cannot " + std::string(action) + " " + path.string() + ": " +
                    std::generic_category().message(error_number)};
}

Result<void> read_file_in_pieces(const std::filesystem::path& path,
                                 const std::function<Result<void>(std::string_view)>& piece) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return file_error("open", path, errno);
  std::vector<char> buffer(1 << 18);
  while (true) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_error("read", path, errno);
    if (got == 0) return {};
    TRY(piece({buffer.data(), static_cast<std::size_t>(got)}));
  }
}

Result<std::string> read_file(const std::filesystem::path& path, std::size_t bytes_max) {
  std::string content;
  TRY(read_file_in_pieces(path, [&](std::string_view piece) -> Result<void> {
    if (content.size() + piece.size() > bytes_max) {
      return resource_exhausted(path.string() + " is larger than " + std::to_string(bytes_max) +
                                " bytes");
    }
    content.append(piece);
    return {};
  }));
  return content;
}

Result<void> write_file_durably(const std::filesystem::path& path, std::string_view content) {
  const auto directory = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  TRY(make_directories_durably(directory));
  std::string temporary = (directory / ("." + path.filename().string() + ".XXXXXX")).string();
  {
    const Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));
    if (file.get() < 0) return file_error("create", temporary, errno);
    Result<void> written = write_all(file.get(), content, temporary);
    if (written.ok() && ::fchmod(file.get(), 0644) != 0) {
      written = file_error("set the mode of", temporary, errno);
    }
    if (written.ok() && ::fsync(file.get()) != 0) written = file_error("sync", temporary, errno);
    if (!written.ok()) {
      ::unlink(temporary.c_str());
      return written;
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const Error error = file_error("rename to", path, errno);
    ::unlink(temporary.c_str());
    return error;
  }
  return sync_directory(directory);
}

Result<void> make_directories_durably(const std::filesystem::path& directory) {
  // "a/b/" and "a/b" are the same directory, but the first has "a/b" as its parent.
  const auto path = directory.has_filename() ? directory : directory.parent_path();
  if (path.empty()) return {};
  std::error_code failure;
  const auto parent = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  if (std::filesystem::is_directory(path, failure)) {
    // Whoever made it, now or before a crash, may not have synced its name yet; those of its
    // parents were synced before it was made.
    const auto synced = sync_directory(parent);
    const bool is_anothers = !synced.ok() && synced.error().code == Code::kPermissionDenied;
    return is_anothers ? Result<void>() : synced;
  }
  TRY(make_directories_durably(parent));
  if (::mkdir(path.c_str(), 0777) != 0) {
    // Made by another in between; a file of the name stays an error.
    const int error_number = errno;
    if (error_number != EEXIST || !std::filesystem::is_directory(path, failure)) {
      return file_error("make directory", path, error_number);
    }
  }
  return sync_directory(parent);
}

Result<void> sync_directory(const std::filesystem::path& directory) {
  const Descriptor handle(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (handle.get() < 0) return file_error("open", directory, errno);
  if (::fsync(handle.get()) != 0) return file_error("sync", directory, errno);
  return {};
}

TemporaryDirectory::TemporaryDirectory(const std::filesystem::path& parent) {
  const auto base = parent.empty() ? std::filesystem::temp_directory_path() : parent;
  std::string name = (base / "ciclo.XXXXXX").string();
  CHECK(::mkdtemp(name.data()) != nullptr);
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace ciclo
