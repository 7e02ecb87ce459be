// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

// Large immutable values by the BLAKE3 hash of their bytes. Everything streams; nothing is held
// whole in memory. A value that `commit` has acknowledged survives kill -9 and power loss; a value
// that was not committed never shows. The same bytes are stored once. Safe to share between
// threads.

namespace ciclo::blob {

// 64 lower-case hexadecimal digits.
using Hash = std::string;

// A value being written. Destroyed without commit, it leaves nothing behind.
class Writer {
 public:
  virtual ~Writer() = default;
  virtual Result<void> write(std::string_view bytes) = 0;
  struct Committed {
    Hash hash;
    std::uint64_t size = 0;
  };
  // Makes the value durable and visible. Called once, last.
  virtual Result<Committed> commit() = 0;
};

class Store {
 public:
  virtual ~Store() = default;

  virtual Result<std::unique_ptr<Writer>> create() = 0;

  // The size in bytes; not_found when there is no such value.
  virtual Result<std::uint64_t> size(const Hash& hash) = 0;

  // Calls `piece` for the bytes from `offset` on, at most `length` of them, in order. An error of
  // `piece` ends the reading and is returned.
  virtual Result<void> read(const Hash& hash, std::uint64_t offset, std::uint64_t length,
                            const std::function<Result<void>(std::string_view)>& piece) = 0;

  // A local file that holds the value, for engines that read files by name (DuckDB). Must not be
  // changed. Valid as long as the store.
  virtual Result<std::string> local_path(const Hash& hash) = 0;

  // Removes a value; nothing happens when there is none.
  virtual Result<void> remove(const Hash& hash) = 0;

  // Convenience over the functions above.
  Result<Writer::Committed> put(std::string_view bytes);
  Result<Writer::Committed> put_file(const std::string& path);
  Result<std::string> get(const Hash& hash, std::uint64_t bytes_max = 64 << 20);
};

// A store in a local directory, made when it is missing: objects/ab/cdef…, written to tmp/ first,
// then fsync, rename, fsync of the directory. Leftovers of a crash in tmp/ are removed at opening.
Result<std::unique_ptr<Store>> open_local(const std::string& directory);

// "file:DIR".
Result<std::unique_ptr<Store>> open(std::string_view url);

}  // namespace ciclo::blob
