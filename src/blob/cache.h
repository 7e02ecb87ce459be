// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "base/clock.h"
#include "base/result.h"
#include "blob/files.h"
#include "blob/store.h"

namespace ciclo::blob {

// Copies of values in a directory of this machine: objects/ab/cdef… as in the local store, tmp/ for
// what is being brought. The copies that were not asked for for longest go when there are more
// bytes than the limit; but what was asked for a short while ago stays, because its reader may not
// have opened it yet. One process uses a directory at a time. Safe to share between threads.
//
// Whoever needs the room may remove copies meanwhile; they are brought again.
//
// Nothing here needs to survive power loss, so nothing is synced: a copy that was here before the
// cache was opened is checked against its hash before it is given out for the first time.
struct CacheLimits {
  std::uint64_t bytes_max = 0;
  std::int64_t kept_ms = 0;  // after it was asked for, whatever the bytes
};

class Cache {
 public:
  // `clock` must outlive the cache.
  static Result<std::unique_ptr<Cache>> open(const std::filesystem::path& directory,
                                             const CacheLimits& limits, Clock& clock);

  // A file to write a value to, which `put` may take.
  Result<Temporary> create() const;

  // The path of a value's copy, when there is one.
  Result<std::optional<std::string>> find(const Hash& hash);

  // The path of a value's copy; `bring` fills it when there is none. Threads that ask for the same
  // value wait for the first.
  Result<std::string> get(const Hash& hash, const std::function<Result<void>(Temporary&)>& bring);

  // Takes a file that holds the value.
  Result<std::string> put(const Hash& hash, Temporary file);

  void remove(const Hash& hash);

  // What writers that ended early have left.
  Store::Leftovers sweep(std::int64_t before_ms, Store::Sweep sweep) const;

  std::uint64_t bytes() const;

 private:
  struct Entry {
    std::uint64_t size = 0;
    std::int64_t asked_ns = 0;        // 0: not since the cache was opened
    bool is_checked = true;           // its bytes are known to have the hash
    std::list<Hash>::iterator place;  // in order_
  };

  Cache(const std::filesystem::path& directory, const CacheLimits& limits, Clock& clock)
      : objects_(directory / "objects"),
        temporary_(directory / "tmp"),
        limits_(limits),
        clock_(clock) {}

  std::filesystem::path path_of(const Hash& hash) const;
  void take_stock();
  // With the mutex held. `known` forgets a copy that somebody else has removed.
  Entry* known(const Hash& hash);
  std::string give_out(const Hash& hash, Entry& entry);
  void make_room();
  void drop(const Hash& hash);
  Result<bool> is_sound(const Hash& hash) const;

  const std::filesystem::path objects_;
  const std::filesystem::path temporary_;
  const CacheLimits limits_;
  Clock& clock_;

  mutable std::mutex mutex_;
  std::condition_variable brought_;
  std::unordered_map<Hash, Entry> entries_;  // guarded by mutex_
  std::list<Hash> order_;                    // guarded by mutex_; longest not asked for first
  std::unordered_set<Hash> under_way_;       // guarded by mutex_; being brought or checked
  std::uint64_t bytes_ = 0;                  // guarded by mutex_
};

}  // namespace ciclo::blob
