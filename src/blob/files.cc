// SPDX-License-Identifier: Apache-2.0
#include "blob/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>
#include <vector>

#include "base/file.h"
#include "base/text.h"

namespace ciclo::blob {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPieceBytes = 1 << 18;
constexpr std::int64_t kWriteBackBytes = 8 << 20;

}  // namespace

Result<void> check_hash(const Hash& hash) {
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (hash.size() == 64 && std::ranges::all_of(hash, is_digit)) return {};
  return invalid_argument("blob hash " + ciclo::quoted(hash) +
                          ": expected 64 lower-case hexadecimal digits");
}

Error no_such_value(const Hash& hash) { return not_found("blob " + hash + " is not in the store"); }

Error changed_value(const Hash& hash, const Hash& found) {
  return data_loss("the bytes of blob " + hash + " have the hash " + found);
}

Descriptor::~Descriptor() {
  if (number_ >= 0) ::close(number_);
}

Result<Temporary> Temporary::create(const fs::path& folder) {
  while (true) {
    std::string name = (folder / "XXXXXX").string();
    Descriptor file(::mkostemp(name.data(), O_CLOEXEC));
    if (!file.is_open()) return file_error("create", name, errno);
    struct stat status {};
    if (::flock(file.get(), LOCK_EX) != 0) return file_error("lock", name, errno);
    if (::fstat(file.get(), &status) != 0) return file_error("look at", name, errno);
    // Taken for a leftover between its making and its locking.
    if (status.st_nlink == 0) continue;
    return Temporary{std::move(name), std::move(file)};
  }
}

Temporary::~Temporary() {
  if (file_.is_open()) ::unlink(path_.c_str());
}

Result<void> Temporary::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return file_error("write", path_, errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
    size_ += written;
  }
  start_write_back();
  return {};
}

// The disk begins while more bytes come, so that the fsync at the end waits for the last ones only.
// What fails here fails there again.
void Temporary::start_write_back() {
  if (size_ - started_ < kWriteBackBytes) return;
  ::sync_file_range(file_.get(), started_, size_ - started_, SYNC_FILE_RANGE_WRITE);
  started_ = size_;
}

Result<void> Temporary::make_read_only() {
  if (::fchmod(file_.get(), 0444) != 0) return file_error("set the mode of", path_, errno);
  return {};
}

Result<void> Temporary::move_to(const fs::path& target) {
  if (::rename(path_.c_str(), target.c_str()) != 0) return file_error("rename to", target, errno);
  const Descriptor closed = std::move(file_);
  return {};
}

std::int64_t modified_ms(const struct stat& status) {
  return std::int64_t{status.st_mtim.tv_sec} * 1000 + status.st_mtim.tv_nsec / 1'000'000;
}

Store::Leftovers sweep_temporary(const fs::path& folder, std::int64_t before_ms,
                                 Store::Sweep sweep) {
  Store::Leftovers left;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const Descriptor file(::open(entry.path().c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    struct stat status {};
    if (!file.is_open() || ::flock(file.get(), LOCK_EX | LOCK_NB) != 0) continue;
    if (::fstat(file.get(), &status) != 0 || modified_ms(status) >= before_ms) continue;
    if (sweep == Store::Sweep::kRemove && ::unlink(entry.path().c_str()) != 0) continue;
    ++left.count;
    left.bytes += static_cast<std::uint64_t>(status.st_size);
  }
  return left;
}

Result<Descriptor> open_value(const fs::path& path, const Hash& hash, std::uint64_t& size) {
  // A link in the place of a value leads to bytes that nobody stored.
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.is_open() && errno == ENOENT) return no_such_value(hash);
  if (!file.is_open() && errno == ELOOP) return data_loss("blob " + hash + " is a symbolic link");
  if (!file.is_open()) return file_error("open", path, errno);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return file_error("look at", path, errno);
  size = static_cast<std::uint64_t>(status.st_size);
  return file;
}

Result<void> read_value(const Descriptor& file, const Hash& hash, std::uint64_t size,
                        std::uint64_t offset, std::uint64_t length,
                        const std::function<Result<void>(std::string_view)>& piece) {
  const bool is_whole = offset == 0 && length >= size;
  std::uint64_t left = offset >= size ? 0 : std::min(length, size - offset);
  Hasher hasher;
  std::vector<char> buffer(std::min<std::uint64_t>(kPieceBytes, left));
  while (left > 0) {
    const auto wanted = std::min<std::uint64_t>(buffer.size(), left);
    const ssize_t got = ::pread(file.get(), buffer.data(), wanted, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_error("read", "blob " + hash, errno);
    if (got == 0) return data_loss("blob " + hash + " became shorter while it was read");
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
    if (is_whole) hasher.update(bytes);
    offset += bytes.size();
    left -= bytes.size();
    TRY(piece(bytes));
  }
  if (is_whole && hasher.digest() != hash) return changed_value(hash, hasher.digest());
  return {};
}

}  // namespace ciclo::blob
