// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <string_view>
#include <utility>

#include "base/hash.h"
#include "base/result.h"
#include "blob/store.h"

// Files that hold values, as the local store keeps them and as other stores keep copies of them.

namespace ciclo::blob {

// invalid_argument for anything but 64 lower-case hexadecimal digits: nothing else becomes part of
// a path or of an object's key.
Result<void> check_hash(const Hash& hash);

class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  ~Descriptor();
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

// A file that its writer holds locked, so that whoever opens the folder meanwhile can tell it from
// what a crash has left. Its name goes with the object, unless it was given another place.
class Temporary {
 public:
  static Result<Temporary> create(const std::filesystem::path& folder);
  Temporary(Temporary&& other) noexcept = default;
  Temporary& operator=(Temporary&&) = delete;
  ~Temporary();

  const std::filesystem::path& path() const { return path_; }
  int descriptor() const { return file_.get(); }
  Result<void> append(std::string_view bytes);
  Result<void> make_read_only();
  // Gives it another name, which it replaces.
  Result<void> move_to(const std::filesystem::path& target);

 private:
  Temporary(std::filesystem::path path, Descriptor file)
      : path_(std::move(path)), file_(std::move(file)) {}
  void start_write_back();

  std::filesystem::path path_;
  Descriptor file_;  // closed: moved from, or given its place
  std::int64_t size_ = 0;
  std::int64_t started_ = 0;  // so much is on its way to the disk
};

// What no writer holds locked and nobody wrote to since `before_ms`.
Store::Leftovers sweep_temporary(const std::filesystem::path& folder, std::int64_t before_ms,
                                 Store::Sweep sweep);
constexpr std::int64_t kAnyTime = std::numeric_limits<std::int64_t>::max();

// The time of modification, in ms since 1970.
std::int64_t modified_ms(const struct stat& status);

// Opens a value's file for reading; not_found, in the words of the stores, when there is none.
Result<Descriptor> open_value(const std::filesystem::path& path, const Hash& hash,
                              std::uint64_t& size);

// What Store::read promises, of a file. Checked against the hash when it is read whole.
Result<void> read_value(const Descriptor& file, const Hash& hash, std::uint64_t size,
                        std::uint64_t offset, std::uint64_t length,
                        const std::function<Result<void>(std::string_view)>& piece);

Error no_such_value(const Hash& hash);
Error changed_value(const Hash& hash, const Hash& found);

}  // namespace ciclo::blob
