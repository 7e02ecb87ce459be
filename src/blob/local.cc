// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <limits>
#include <system_error>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "blob/store.h"

namespace ciclo::blob {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPieceBytes = 1 << 18;

class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  int get() const { return number_; }
  bool is_open() const { return number_ >= 0; }

 private:
  int number_;
};

// Nothing but a hash becomes part of a path.
Result<void> check_hash(const Hash& hash) {
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (hash.size() == 64 && std::ranges::all_of(hash, is_digit)) return {};
  return invalid_argument("blob hash " + ciclo::quoted(hash) +
                          ": expected 64 lower-case hexadecimal digits");
}

// A file in tmp/ that its writer holds locked, so that a store that opens meanwhile can tell it
// from what a crash has left.
struct Temporary {
  fs::path path;
  Descriptor file;
};

Result<Temporary> create_temporary(const fs::path& folder) {
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

std::int64_t touched_ms_of(const struct stat& status) {
  return std::int64_t{status.st_mtim.tv_sec} * 1000 + status.st_mtim.tv_nsec / 1'000'000;
}

// What no writer holds locked.
Store::Leftovers sweep_temporary(const fs::path& folder, std::int64_t before_ms,
                                 Store::Sweep sweep) {
  Store::Leftovers left;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const Descriptor file(::open(entry.path().c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    struct stat status {};
    if (!file.is_open() || ::flock(file.get(), LOCK_EX | LOCK_NB) != 0) continue;
    if (::fstat(file.get(), &status) != 0 || touched_ms_of(status) >= before_ms) continue;
    if (sweep == Store::Sweep::kRemove && ::unlink(entry.path().c_str()) != 0) continue;
    ++left.count;
    left.bytes += static_cast<std::uint64_t>(status.st_size);
  }
  return left;
}

// Held while an object of the folder comes, is touched (both shared) or goes (exclusive). Other
// threads and processes see it; the end of a process ends it.
Result<Descriptor> lock_folder(const fs::path& folder, int operation) {
  Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.is_open()) return file_error("open", folder, errno);
  while (::flock(directory.get(), operation) != 0) {
    if (errno != EINTR) return file_error("lock", folder, errno);
  }
  return directory;
}

class LocalStore final : public Store {
 public:
  explicit LocalStore(const fs::path& directory)
      : objects_(directory / "objects"), temporary_(directory / "tmp") {}

  Result<std::unique_ptr<Writer>> create() override;
  Result<std::uint64_t> size(const Hash& hash) override;
  Result<void> read(const Hash& hash, std::uint64_t offset, std::uint64_t length,
                    const std::function<Result<void>(std::string_view)>& piece) override;
  Result<std::string> local_path(const Hash& hash) override;
  Result<void> remove(const Hash& hash) override;
  Result<std::uint64_t> touch(const Hash& hash) override;
  Result<void> list(const std::function<Result<void>(const Stored&)>& on_value) override;
  Result<bool> remove_untouched(const Hash& hash, std::int64_t before_ms) override;
  Result<Leftovers> sweep_leftovers(std::int64_t before_ms, Sweep sweep) override {
    return sweep_temporary(temporary_, before_ms, sweep);
  }

  // Gives a written and synced file its place. Durable when it returns success.
  Result<void> place(const Temporary& temporary, const Hash& hash);

 private:
  fs::path folder_of(const Hash& hash) const { return objects_ / hash.substr(0, 2); }
  fs::path path_of(const Hash& hash) const { return folder_of(hash) / hash.substr(2); }
  Result<Descriptor> open_object(const Hash& hash, std::uint64_t& size) const;
  Result<void> make_folder(const Hash& hash);

  const fs::path objects_;
  const fs::path temporary_;
  std::array<std::atomic<bool>, 256> has_folder_{};  // by the hash's first byte: made and synced
};

class LocalWriter final : public Writer {
 public:
  LocalWriter(LocalStore& store, Temporary temporary)
      : store_(store), temporary_(std::move(temporary)) {}
  ~LocalWriter() override {
    if (!is_placed_) ::unlink(temporary_.path.c_str());
  }

  Result<void> write(std::string_view bytes) override {
    hasher_.update(bytes);
    size_ += bytes.size();
    while (!bytes.empty()) {
      const ssize_t written = ::write(temporary_.file.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) {
        is_broken_ = true;
        return file_error("write", temporary_.path, errno);
      }
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
  }

  Result<Committed> commit() override {
    CHECK(!is_placed_);
    if (is_broken_) return internal("a blob whose writing failed cannot be committed");
    Committed committed{hasher_.digest(), size_};
    if (::fchmod(temporary_.file.get(), 0444) != 0) {
      return file_error("set the mode of", temporary_.path, errno);
    }
    if (::fsync(temporary_.file.get()) != 0) return file_error("sync", temporary_.path, errno);
    TRY(store_.place(temporary_, committed.hash));
    is_placed_ = true;
    return committed;
  }

 private:
  LocalStore& store_;
  Temporary temporary_;
  Hasher hasher_;
  std::uint64_t size_ = 0;
  bool is_broken_ = false;
  bool is_placed_ = false;
};

Result<std::unique_ptr<Writer>> LocalStore::create() {
  TRY(auto temporary, create_temporary(temporary_));
  return std::unique_ptr<Writer>(new LocalWriter(*this, std::move(temporary)));
}

// The rename replaces an equal value when there is one: its bytes are the same, and whoever reads
// the old file goes on reading it. The touched time is the file's time of modification, set anew
// because the last piece may have been written long ago.
Result<void> LocalStore::place(const Temporary& temporary, const Hash& hash) {
  TRY(make_folder(hash));
  const fs::path target = path_of(hash);
  {
    TRY(const Descriptor lock, lock_folder(folder_of(hash), LOCK_SH));
    if (::futimens(temporary.file.get(), nullptr) != 0) {
      return file_error("set the time of", temporary.path, errno);
    }
    if (::rename(temporary.path.c_str(), target.c_str()) != 0) {
      return file_error("rename to", target, errno);
    }
  }
  return sync_directory(folder_of(hash));
}

Result<void> LocalStore::make_folder(const Hash& hash) {
  auto& has_folder = has_folder_[std::stoul(hash.substr(0, 2), nullptr, 16)];
  if (has_folder) return {};
  TRY(make_directories_durably(folder_of(hash)));
  has_folder = true;
  return {};
}

Result<Descriptor> LocalStore::open_object(const Hash& hash, std::uint64_t& size) const {
  TRY(check_hash(hash));
  const fs::path path = path_of(hash);
  // A link in the place of a value leads to bytes that nobody stored.
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.is_open() && errno == ENOENT) return not_found("blob " + hash + " is not in the store");
  if (!file.is_open() && errno == ELOOP) return data_loss("blob " + hash + " is a symbolic link");
  if (!file.is_open()) return file_error("open", path, errno);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return file_error("look at", path, errno);
  size = static_cast<std::uint64_t>(status.st_size);
  return file;
}

Result<std::uint64_t> LocalStore::size(const Hash& hash) {
  std::uint64_t bytes = 0;
  TRY(open_object(hash, bytes));
  return bytes;
}

// A value that is read whole is also checked against its hash.
Result<void> LocalStore::read(const Hash& hash, std::uint64_t offset, std::uint64_t length,
                              const std::function<Result<void>(std::string_view)>& piece) {
  std::uint64_t size = 0;
  TRY(const Descriptor file, open_object(hash, size));
  const bool is_whole = offset == 0 && length >= size;
  std::uint64_t left = offset >= size ? 0 : std::min(length, size - offset);
  Hasher hasher;
  std::vector<char> buffer(std::min<std::uint64_t>(kPieceBytes, left));
  while (left > 0) {
    const auto wanted = std::min<std::uint64_t>(buffer.size(), left);
    const ssize_t got = ::pread(file.get(), buffer.data(), wanted, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_error("read", path_of(hash), errno);
    if (got == 0) return data_loss("blob " + hash + " became shorter while it was read");
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
    if (is_whole) hasher.update(bytes);
    offset += bytes.size();
    left -= bytes.size();
    TRY(piece(bytes));
  }
  if (is_whole && hasher.digest() != hash) {
    return data_loss("the bytes of blob " + hash + " have the hash " + hasher.digest());
  }
  return {};
}

Result<std::string> LocalStore::local_path(const Hash& hash) {
  TRY(size(hash));
  return path_of(hash).string();
}

Result<void> LocalStore::remove(const Hash& hash) {
  TRY(check_hash(hash));
  const fs::path path = path_of(hash);
  if (::unlink(path.c_str()) == 0) return sync_directory(folder_of(hash));
  if (errno == ENOENT) return {};
  return file_error("remove", path, errno);
}

Result<std::uint64_t> LocalStore::touch(const Hash& hash) {
  std::uint64_t bytes = 0;
  TRY(open_object(hash, bytes));
  TRY(const Descriptor lock, lock_folder(folder_of(hash), LOCK_SH));
  TRY(const Descriptor file, open_object(hash, bytes));
  if (::futimens(file.get(), nullptr) != 0) return file_error("touch", path_of(hash), errno);
  return bytes;
}

Result<void> LocalStore::list(const std::function<Result<void>(const Stored&)>& on_value) {
  std::error_code failure;
  for (fs::recursive_directory_iterator entry(objects_, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    const fs::path& path = entry->path();
    Stored stored;
    stored.hash = path.parent_path().filename().string() + path.filename().string();
    struct stat status {};
    if (!check_hash(stored.hash).ok() || ::lstat(path.c_str(), &status) != 0) continue;
    if (!S_ISREG(status.st_mode)) continue;
    stored.size = static_cast<std::uint64_t>(status.st_size);
    stored.touched_ms = touched_ms_of(status);
    TRY(on_value(stored));
  }
  if (failure) return file_error("list", objects_, failure.value());
  return {};
}

Result<bool> LocalStore::remove_untouched(const Hash& hash, std::int64_t before_ms) {
  std::uint64_t bytes = 0;
  if (const auto there = open_object(hash, bytes); !there.ok()) {
    if (there.error().code == Code::kNotFound) return false;
    return there.error();
  }
  const fs::path path = path_of(hash);
  {
    TRY(const Descriptor lock, lock_folder(folder_of(hash), LOCK_EX));
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) {
      if (errno == ENOENT) return false;
      return file_error("look at", path, errno);
    }
    if (touched_ms_of(status) >= before_ms) return false;
    if (::unlink(path.c_str()) != 0) return file_error("remove", path, errno);
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<Store>> open_local(const std::string& directory) {
  std::error_code failure;
  const fs::path root = fs::absolute(directory, failure);
  if (failure) return file_error("find", directory, failure.value());
  // Also when it is there already: its name may not be synced yet, and its folders would hide that.
  TRY(make_directories_durably(root));
  TRY(make_directories_durably(root / "objects"));
  TRY(make_directories_durably(root / "tmp"));
  constexpr auto kAnyTime = std::numeric_limits<std::int64_t>::max();
  sweep_temporary(root / "tmp", kAnyTime, Store::Sweep::kRemove);
  return std::unique_ptr<Store>(new LocalStore(root));
}

}  // namespace ciclo::blob
