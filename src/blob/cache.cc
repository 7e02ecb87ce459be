// SPDX-License-Identifier: Apache-2.0
#include "blob/cache.h"

#include <unistd.h>

#include <algorithm>
#include <limits>
#include <system_error>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/hash.h"

namespace ciclo::blob {

namespace fs = std::filesystem;

Result<std::unique_ptr<Cache>> Cache::open(const fs::path& directory, const CacheLimits& limits,
                                           Clock& clock) {
  std::error_code failure;
  for (const auto* const name : {"objects", "tmp"}) {
    fs::create_directories(directory / name, failure);
    if (failure) return file_error("make directory", directory / name, failure.value());
  }
  std::unique_ptr<Cache> cache(new Cache(fs::absolute(directory), limits, clock));
  sweep_temporary(cache->temporary_, kAnyTime, Store::Sweep::kRemove);
  cache->take_stock();
  return cache;
}

// What an earlier process has left here, the oldest first.
void Cache::take_stock() {
  std::vector<std::pair<fs::file_time_type, Hash>> found;
  const std::lock_guard lock(mutex_);
  std::error_code ignored;
  for (const auto& file : fs::recursive_directory_iterator(objects_, ignored)) {
    if (!file.is_regular_file(ignored)) continue;
    const Hash hash =
        file.path().parent_path().filename().string() + file.path().filename().string();
    if (!check_hash(hash).ok()) continue;
    found.emplace_back(file.last_write_time(ignored), hash);
    Entry entry;
    entry.size = file.file_size(ignored);
    entry.is_checked = false;
    bytes_ += entry.size;
    entries_.emplace(hash, entry);
  }
  std::sort(found.begin(), found.end());
  for (const auto& [time, hash] : found) {
    entries_.at(hash).place = order_.insert(order_.end(), hash);
  }
  make_room();
}

fs::path Cache::path_of(const Hash& hash) const {
  return objects_ / hash.substr(0, 2) / hash.substr(2);
}

Result<Temporary> Cache::create() const { return Temporary::create(temporary_); }

Result<std::optional<std::string>> Cache::find(const Hash& hash) {
  TRY(check_hash(hash));
  std::unique_lock lock(mutex_);
  Entry* const found = known(hash);
  if (found == nullptr) return std::nullopt;
  if (found->is_checked) return std::optional(give_out(hash, *found));
  lock.unlock();
  // Found at opening: `get` checks it, and there is nothing to bring unless it is broken.
  auto checked = get(hash, [&](Temporary&) -> Result<void> { return not_found(hash); });
  if (checked.ok()) return std::optional(std::move(checked).value());
  if (checked.error().code == Code::kNotFound) return std::nullopt;
  return checked.error();
}

Result<std::string> Cache::get(const Hash& hash,
                               const std::function<Result<void>(Temporary&)>& bring) {
  TRY(check_hash(hash));
  std::unique_lock lock(mutex_);
  brought_.wait(lock, [&] { return !under_way_.contains(hash); });
  Entry* const found = known(hash);
  if (found != nullptr && found->is_checked) return give_out(hash, *found);
  under_way_.insert(hash);
  lock.unlock();
  Result<std::string> got = [&]() -> Result<std::string> {
    TRY(const bool sound, is_sound(hash));
    if (sound) {
      const std::lock_guard again(mutex_);
      const auto entry = entries_.find(hash);
      if (entry != entries_.end()) {
        entry->second.is_checked = true;
        return give_out(hash, entry->second);
      }
    }
    TRY(auto file, create());
    TRY(bring(file));
    return put(hash, std::move(file));
  }();
  lock.lock();
  under_way_.erase(hash);
  brought_.notify_all();
  return got;
}

// Whether there is a copy with the right bytes.
Result<bool> Cache::is_sound(const Hash& hash) const {
  const auto found = hash_file(path_of(hash));
  if (found.ok()) return *found == hash;
  if (found.error().code == Code::kNotFound) return false;
  return found.error();
}

Result<std::string> Cache::put(const Hash& hash, Temporary file) {
  TRY(check_hash(hash));
  const fs::path target = path_of(hash);
  std::error_code failure;
  fs::create_directories(target.parent_path(), failure);
  if (failure) return file_error("make directory", target.parent_path(), failure.value());
  const std::uint64_t size = fs::file_size(file.path(), failure);
  if (failure) return file_error("look at", file.path(), failure.value());
  TRY(file.make_read_only());
  const std::lock_guard lock(mutex_);
  // Whoever reads the file that this one replaces goes on reading it.
  TRY(file.move_to(target));
  auto [entry, is_new] = entries_.try_emplace(hash);
  if (is_new) {
    entry->second.place = order_.insert(order_.end(), hash);
  } else {
    bytes_ -= entry->second.size;
  }
  entry->second.size = size;
  entry->second.is_checked = true;
  bytes_ += size;
  std::string path = give_out(hash, entry->second);
  make_room();
  return path;
}

Cache::Entry* Cache::known(const Hash& hash) {
  const auto found = entries_.find(hash);
  if (found == entries_.end()) return nullptr;
  if (::access(path_of(hash).c_str(), F_OK) == 0) return &found->second;
  drop(hash);
  return nullptr;
}

std::string Cache::give_out(const Hash& hash, Entry& entry) {
  entry.asked_ns = clock_.monotonic_ns();
  order_.splice(order_.end(), order_, entry.place);
  return path_of(hash).string();
}

void Cache::make_room() {
  const std::int64_t now_ns = clock_.monotonic_ns();
  while (bytes_ > limits_.bytes_max && !order_.empty()) {
    const Hash hash = order_.front();
    const std::int64_t asked_ns = entries_.at(hash).asked_ns;
    if (asked_ns != 0 && now_ns - asked_ns < limits_.kept_ms * 1'000'000) return;
    drop(hash);
  }
}

void Cache::drop(const Hash& hash) {
  const auto entry = entries_.find(hash);
  ::unlink(path_of(hash).c_str());
  bytes_ -= entry->second.size;
  order_.erase(entry->second.place);
  entries_.erase(entry);
}

void Cache::remove(const Hash& hash) {
  const std::lock_guard lock(mutex_);
  if (entries_.contains(hash)) drop(hash);
}

Store::Leftovers Cache::sweep(std::int64_t before_ms, Store::Sweep sweep) const {
  return sweep_temporary(temporary_, before_ms, sweep);
}

std::uint64_t Cache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace ciclo::blob
