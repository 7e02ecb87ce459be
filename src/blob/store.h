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
//
// **How values are collected.** A value lives until `ciclo gc` finds that no row of the database
// names it. Three rules make that safe beside writers, in this process and in others:
//
// 1. A value has a *touched* time, by the clock of the machine that asks. `commit` and `touch`
// renew it, and do
//    so also when the value is there already: a commit that finds equal bytes is not a commit
//    without effect. A store may leave a touched time that is younger than `kTouchSlackMs`.
// 2. Whoever writes a row that names a value has committed or touched the value before, and not
//    longer ago than the collector's grace period; or it copies the name from another row in one
//    transaction. So a value that is asked for by hash and found is touched, not just looked at.
// 3. The collector lists the values first, then reads in one snapshot what all rows need, and
//    removes of the others only those that were touched last before the list began minus the grace
//    period, by `remove_untouched`. That looks at the touched time again and removes in one step:
//    no commit or touch that has returned success, and none that returns later, is undone by it.
//
// A row that is not in the snapshot was written after the list began, so its value was touched
// within the grace period before, and stays. A collector that is killed has removed only values
// that nothing needed; the next one removes the rest.
//
// How a store keeps rule 3: the local one renames a commit into place, touches, and removes under a
// file lock of the object's folder (shared, shared, exclusive), which all processes see. A store
// whose service has no such lock and no delete on condition of a time (S3) keeps it by markers,
// with reads and lists that see every finished write:
//
// - `remove_untouched` writes a marker of its own below `condemned/HASH-`, then looks at the
//   object's time, then deletes the object when it is old, then its marker. Where it cannot tell
//   whether the deletion is still to be carried out, it leaves the marker.
// - `commit` and `touch` write or renew the object, then look for markers, of any removal, and then
//   for the object. While there is a marker they wait and begin anew; they also begin anew when the
//   object is gone.
//
// A removal whose marker was there when the other side looked is waited for. One whose marker came
// later looks at the object later still, and finds it young. One whose marker was gone has deleted
// the object before that, if at all, and so its last look tells: looking for the object before the
// marker would miss the removal that ends in between. A marker older than the time limit of a
// removal was left by a crash, and counts as none.

namespace ciclo::blob {

// How old a touched time may be that a commit or a touch leaves as it is. Grace periods are longer.
constexpr std::int64_t kTouchSlackMs = 60'000;

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

  // Removes a value; nothing happens when there is none. For values that no row can name: it takes
  // no notice of other writers of the same bytes.
  virtual Result<void> remove(const Hash& hash) = 0;

  // The size in bytes, after renewing the touched time; not_found when there is no such value.
  virtual Result<std::uint64_t> touch(const Hash& hash) = 0;

  struct Stored {
    Hash hash;
    std::uint64_t size = 0;
    std::int64_t touched_ms = 0;  // since 1970, by the clock of this machine, to a second
  };
  // Calls `on_value` for the values in no particular order; an error of it ends the listing and is
  // returned. Values that come or go meanwhile may show or not.
  virtual Result<void> list(const std::function<Result<void>(const Stored&)>& on_value) = 0;

  // Removes the value if it was touched last before `before_ms`, as rule 3 above demands. False,
  // and nothing removed, when it was touched since or is not there.
  virtual Result<bool> remove_untouched(const Hash& hash, std::int64_t before_ms) = 0;

  struct Leftovers {
    std::uint64_t count = 0;
    std::uint64_t bytes = 0;
  };
  enum class Sweep { kCount, kRemove };
  // What writers have left that ended without commit or destructor, as kill -9 does: temporary
  // files, uploads that nobody finishes. Nothing that was written to since `before_ms`, nothing
  // whose writer is known to live.
  virtual Result<Leftovers> sweep_leftovers(std::int64_t before_ms, Sweep sweep) = 0;

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
