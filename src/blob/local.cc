// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "base/hash.h"
#include "blob/files.h"
#include "blob/store.h"

namespace ciclo::blob {
namespace {

namespace fs = std::filesystem;

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

  // Gives a written file its place. Durable when it returns success.
  Result<void> place(Temporary& temporary, const Hash& hash);

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

  Result<void> write(std::string_view bytes) override {
    hasher_.update(bytes);
    size_ += bytes.size();
    const auto written = temporary_.append(bytes);
    is_broken_ = is_broken_ || !written.ok();
    return written;
  }

  Result<Committed> commit() override {
    CHECK(!is_placed_);
    if (is_broken_) return internal("a blob whose writing failed cannot be committed");
    Committed committed{hasher_.digest(), size_};
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
  TRY(auto temporary, Temporary::create(temporary_));
  return std::unique_ptr<Writer>(new LocalWriter(*this, std::move(temporary)));
}

// The rename replaces an equal value when there is one: its bytes are the same, and whoever reads
// the old file goes on reading it. The touched time is the file's time of modification, set anew
// because the last piece may have been written long ago.
Result<void> LocalStore::place(Temporary& temporary, const Hash& hash) {
  TRY(temporary.make_read_only());
  if (::fsync(temporary.descriptor()) != 0) return file_error("sync", temporary.path(), errno);
  TRY(make_folder(hash));
  {
    TRY(const Descriptor lock, lock_folder(folder_of(hash), LOCK_SH));
    if (::futimens(temporary.descriptor(), nullptr) != 0) {
      return file_error("set the time of", temporary.path(), errno);
    }
    TRY(temporary.move_to(path_of(hash)));
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
  return open_value(path_of(hash), hash, size);
}

Result<std::uint64_t> LocalStore::size(const Hash& hash) {
  std::uint64_t bytes = 0;
  TRY(open_object(hash, bytes));
  return bytes;
}

Result<void> LocalStore::read(const Hash& hash, std::uint64_t offset, std::uint64_t length,
                              const std::function<Result<void>(std::string_view)>& piece) {
  std::uint64_t size = 0;
  TRY(const Descriptor file, open_object(hash, size));
  return read_value(file, hash, size, offset, length, piece);
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
    stored.touched_ms = modified_ms(status);
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
    if (modified_ms(status) >= before_ms) return false;
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
  sweep_temporary(root / "tmp", kAnyTime, Store::Sweep::kRemove);
  return std::unique_ptr<Store>(new LocalStore(root));
}

}  // namespace ciclo::blob
