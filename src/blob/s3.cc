// SPDX-License-Identifier: Apache-2.0
#include "blob/s3.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/random.h"
#include "base/text.h"
#include "blob/cache.h"
#include "blob/files.h"
#include "blob/remote.h"
#include "blob/s3_direct.h"
#include "blob/s3_parts.h"
#include "blob/s3_text.h"

namespace ciclo::blob {
namespace {

constexpr std::size_t kBufferBytesMax = 1 << 18;  // of a value that is gathered in memory
constexpr std::uint64_t kPartBytesMin = 5 << 20;  // of all parts but the last
constexpr std::int64_t kSweepEveryMs = 86'400'000;
constexpr std::int64_t kSecondMs = 1'000;  // what the service's times are rounded to
constexpr int kWritesMax = 10;             // of one value, before the service is not believed

class S3Store final : public Store, public Remote {
 public:
  S3Store(const S3Location& location, const OpenOptions& options, std::unique_ptr<Clock> clock,
          std::unique_ptr<Cache> cache)
      : clock_(std::move(clock)),
        client_(location.client, *clock_, random_),
        prefix_(location.prefix),
        parts_(client_, std::max(options.part_bytes, kPartBytesMin),
               std::max(1, options.parallel_max)),
        removal_time_max_ms_(options.removal_time_max.count()),
        upload_age_max_ms_(options.upload_age_max.count()),
        direct_(client_, parts_, random_, prefix_,
                [this](const std::string& key, const Hash& hash, std::uint64_t size) {
                  return adopt(key, hash, size);
                }),
        is_direct_(options.is_direct),
        cache_(std::move(cache)) {}

  Result<std::unique_ptr<Writer>> create() override;
  Result<std::uint64_t> size(const Hash& hash) override;
  Result<void> read(const Hash& hash, std::uint64_t offset, std::uint64_t length,
                    const std::function<Result<void>(std::string_view)>& piece) override;
  Result<std::string> local_path(const Hash& hash) override;
  Result<std::optional<std::string>> copy_at_hand(const Hash& hash) override;
  Result<void> remove(const Hash& hash) override;
  Result<std::uint64_t> touch(const Hash& hash) override;
  Result<void> list(const std::function<Result<void>(const Stored&)>& on_value) override;
  Result<bool> remove_untouched(const Hash& hash, std::int64_t before_ms) override;
  Result<Leftovers> sweep_leftovers(std::int64_t before_ms, Sweep sweep) override;
  Direct* direct() override { return is_direct_ ? &direct_ : nullptr; }

  // Asks for what every use needs, so that a wrong setting shows at once.
  Result<void> check_bucket();
  // Gives up uploads that nobody will complete, unless it was done a short while ago. The right to
  // see uploads is needed for nothing else, so that a store without it works, too.
  void abort_old_uploads_daily();

  Result<Temporary> spool() const { return cache_->create(); }
  Result<void> put_bytes(const Hash& hash, std::string_view bytes);
  Result<void> put_spooled(const Hash& hash, Temporary file, std::uint64_t size);

 private:
  std::string key_of(const Hash& hash) const {
    return prefix_ + "objects/" + hash.substr(0, 2) + "/" + hash.substr(2);
  }
  // Below this are the markers of the value, which its removals write before they look at its age
  // (blob/store.h). Each removal has one of its own: one that is over must not take away what still
  // speaks for another.
  std::string markers_of(const Hash& hash) const { return condemned() + hash + "-"; }
  std::string condemned() const { return prefix_ + "condemned/"; }
  // not_found in the words that all stores use.
  Error named(const Error& error, const Hash& hash) const {
    return error.code == Code::kNotFound ? no_such_value(hash) : error;
  }
  // As `read`, from the bucket.
  Result<void> fetch(const Hash& hash, std::uint64_t offset, std::uint64_t length,
                     const std::function<Result<void>(std::string_view)>& piece);
  // An object of the bucket becomes the value with this hash.
  Result<void> adopt(const std::string& key, const Hash& hash, std::uint64_t size);
  // Uploads that were never completed, what clients completed and nobody named, and markers that
  // count for nothing any more.
  Result<Leftovers> sweep_bucket(std::int64_t before_ms, Sweep sweep);
  Result<void> sweep_objects(const std::string& prefix, std::int64_t before_ms, Sweep sweep,
                             Leftovers& left);
  struct Object {
    std::string key;
    std::uint64_t size = 0;
    std::int64_t modified_ms = 0;  // by our clock, to a second
  };
  Result<Object> look(const std::string& key);
  std::int64_t age_ms(const Object& object) const { return clock_->now_ms() - object.modified_ms; }
  // Sends a value until it is there to stay. unavailable when the service keeps losing it.
  Result<void> write(const Hash& hash, std::uint64_t size,
                     const std::function<Result<void>()>& send);
  // A value that was just written, if it is there and no removal of it is under way. Otherwise it
  // has to be written again, after a moment that this waits for.
  Result<std::optional<Object>> spared(const Hash& hash);
  // Whether a removal of the value may be under way.
  Result<bool> is_condemned(const Hash& hash);
  // The part of a removal between marker and marker.
  struct Removal {
    Result<bool> is_removed;
    bool is_pending = false;  // the deletion was sent, and may still be carried out
  };
  Removal remove_marked(const Hash& hash, std::int64_t before_ms, std::int64_t begun_ns);
  // Calls `on_object` for all objects below a prefix.
  Result<void> list_objects(const std::string& prefix,
                            const std::function<Result<void>(const Object&)>& on_object);

  const std::unique_ptr<Clock> clock_;
  SystemRandom random_;
  S3Client client_;
  const std::string prefix_;
  const S3Parts parts_;
  const std::int64_t removal_time_max_ms_;
  const std::int64_t upload_age_max_ms_;
  S3Direct direct_;
  const bool is_direct_;
  const std::unique_ptr<Cache> cache_;
  std::atomic<std::int64_t> swept_ms_{0};
};

// Gathers a value until its hash is known.
class S3Writer final : public Writer {
 public:
  explicit S3Writer(S3Store& store) : store_(store) {}

  Result<void> write(std::string_view bytes) override {
    const auto written = append(bytes);
    is_broken_ = is_broken_ || !written.ok();
    return written;
  }

  Result<Committed> commit() override {
    CHECK(!is_committed_);
    if (is_broken_) return internal("a blob whose writing failed cannot be committed");
    Committed committed{hasher_.digest(), size_};
    if (spool_) {
      TRY(store_.put_spooled(committed.hash, *std::exchange(spool_, std::nullopt), size_));
    } else {
      TRY(store_.put_bytes(committed.hash, buffer_));
    }
    is_committed_ = true;
    return committed;
  }

 private:
  Result<void> append(std::string_view bytes) {
    hasher_.update(bytes);
    size_ += bytes.size();
    if (!spool_ && buffer_.size() + bytes.size() <= kBufferBytesMax) {
      buffer_.append(bytes);
      return {};
    }
    if (!spool_) {
      TRY(Temporary made, store_.spool());
      spool_.emplace(std::move(made));
      TRY(spool_->append(buffer_));
      buffer_ = {};
    }
    return spool_->append(bytes);
  }

  S3Store& store_;
  Hasher hasher_;
  std::uint64_t size_ = 0;
  std::string buffer_;  // everything, or empty once there is a spool
  std::optional<Temporary> spool_;
  bool is_broken_ = false;
  bool is_committed_ = false;
};

Result<std::unique_ptr<Writer>> S3Store::create() {
  return std::unique_ptr<Writer>(new S3Writer(*this));
}

// A value that is there already is not sent again, unless it has not the size that it must have.
// One that was just sent may need to be touched: there are services (Amazon's) that give an object
// which came in parts the time at which its upload was begun, and a large one may take hours.
Result<void> S3Store::write(const Hash& hash, std::uint64_t size,
                            const std::function<Result<void>()>& send) {
  for (int sent = 0;; ++sent) {
    const auto known = touch(hash);
    if (known.ok() && *known == size) return {};
    if (!known.ok() && known.error().code != Code::kNotFound) return known.error();
    if (sent == kWritesMax) break;
    TRY(send());
    TRY(const auto kept, spared(hash));
    if (kept && kept->size == size && age_ms(*kept) < kTouchSlackMs) return {};
  }
  return unavailable(client_.name() + " does not keep what it acknowledges: blob " + hash +
                     " was sent " + std::to_string(kWritesMax) + " times and is not there whole");
}

Result<void> S3Store::put_bytes(const Hash& hash, std::string_view bytes) {
  return write(hash, bytes.size(), [&]() -> Result<void> {
    TRY(client_.call({.method = "PUT", .key = key_of(hash), .body = bytes}));
    return {};
  });
}

Result<void> S3Store::put_spooled(const Hash& hash, Temporary file, std::uint64_t size) {
  const std::string key = key_of(hash);
  const bool is_large = size > parts_.part_bytes();
  if (is_large) abort_old_uploads_daily();
  TRY(write(hash, size, [&]() -> Result<void> {
    if (is_large) return parts_.put(key, file.descriptor(), size);
    TRY(client_.call({.method = "PUT", .key = key, .file = file.descriptor(), .file_bytes = size}));
    return {};
  }));
  TRY(cache_->put(hash, std::move(file)));
  return {};
}

Result<void> S3Store::adopt(const std::string& key, const Hash& hash, std::uint64_t size) {
  return write(hash, size, [&] { return parts_.copy(key, key_of(hash), size); });
}

// Where there is no prefix, what others keep in the bucket is not ours to tidy up.
Result<Store::Leftovers> S3Store::sweep_bucket(std::int64_t before_ms, Sweep sweep) {
  Leftovers left;
  for (const auto* const folder : {"objects/", "uploads/"}) {
    TRY(const auto some, parts_.sweep(prefix_ + folder, before_ms, sweep));
    left.count += some.count;
    left.bytes += some.bytes;
  }
  TRY(sweep_objects(prefix_ + "uploads/", before_ms, sweep, left));
  const std::int64_t expired_ms = clock_->now_ms() - removal_time_max_ms_ - kSecondMs;
  TRY(sweep_objects(condemned(), std::min(before_ms, expired_ms), sweep, left));
  return left;
}

Result<void> S3Store::sweep_objects(const std::string& prefix, std::int64_t before_ms, Sweep sweep,
                                    Leftovers& left) {
  return list_objects(prefix, [&](const Object& object) -> Result<void> {
    if (object.modified_ms >= before_ms) return {};
    if (sweep == Sweep::kRemove) TRY(client_.call({.method = "DELETE", .key = object.key}));
    ++left.count;
    left.bytes += object.size;
    return {};
  });
}

Result<S3Store::Object> S3Store::look(const std::string& key) {
  TRY(const auto found, client_.call({.method = "HEAD", .key = key}));
  const auto bytes = parse_int(found.header("content-length"));
  const auto modified_ms = time_of_header(found.header("last-modified"));
  if (!bytes || *bytes < 0 || !modified_ms) {
    return internal(client_.name() + " does not tell an object's size and time");
  }
  return Object{key, static_cast<std::uint64_t>(*bytes), client_.local_time(found, *modified_ms)};
}

Result<std::uint64_t> S3Store::size(const Hash& hash) {
  TRY(check_hash(hash));
  const auto found = look(key_of(hash));
  if (!found.ok()) return named(found.error(), hash);
  return found->size;
}

Result<std::uint64_t> S3Store::touch(const Hash& hash) {
  TRY(check_hash(hash));
  const std::string key = key_of(hash);
  while (true) {
    const auto found = look(key);
    if (!found.ok()) return named(found.error(), hash);
    if (age_ms(*found) >= kTouchSlackMs) {
      const auto renewed = parts_.copy(key, key, found->size);
      if (!renewed.ok()) return named(renewed.error(), hash);
    }
    TRY(const auto kept, spared(hash));
    if (kept) return kept->size;
  }
}

// A removal that began before the value was written and ended before this looks for its marker has
// taken the value with it; one that begins later sees a young object. So the object is looked for
// after the marker.
Result<std::optional<S3Store::Object>> S3Store::spared(const Hash& hash) {
  constexpr std::chrono::milliseconds kMoment(50);
  TRY(const bool is_condemned, this->is_condemned(hash));
  if (is_condemned) {
    client_.pause(kMoment);
    return std::optional<Object>();
  }
  auto object = look(key_of(hash));
  if (object.ok()) return std::optional(std::move(object).value());
  if (object.error().code == Code::kNotFound) return std::optional<Object>();
  return object.error();
}

Result<bool> S3Store::is_condemned(const Hash& hash) {
  bool is_condemned = false;
  TRY(list_objects(markers_of(hash), [&](const Object& marker) -> Result<void> {
    is_condemned = is_condemned || age_ms(marker) <= removal_time_max_ms_;
    return {};
  }));
  return is_condemned;
}

Result<bool> S3Store::remove_untouched(const Hash& hash, std::int64_t before_ms) {
  TRY(check_hash(hash));
  const std::int64_t begun_ns = clock_->monotonic_ns();
  const std::string marker = markers_of(hash) + std::to_string(random_.next());
  TRY(client_.call({.method = "PUT", .key = marker}));
  const Removal removal = remove_marked(hash, before_ms, begun_ns);
  // A deletion that is carried out after the marker is gone would undo a commit. So this marker
  // stays, and holds up who writes the value, until it is too old to count.
  if (removal.is_pending) return removal.is_removed;
  TRY(client_.call({.method = "DELETE", .key = marker}));
  return removal.is_removed;
}

// The deletion is sent once and in time: one that arrived after the marker counts for nothing would
// undo a commit.
S3Store::Removal S3Store::remove_marked(const Hash& hash, std::int64_t before_ms,
                                        std::int64_t begun_ns) {
  const auto found = look(key_of(hash));
  if (!found.ok() && found.error().code == Code::kNotFound) return {false};
  if (!found.ok()) return {found.error()};
  if (found->modified_ms + kSecondMs >= before_ms) return {false};
  if ((clock_->monotonic_ns() - begun_ns) / 1'000'000 > removal_time_max_ms_ / 2) {
    return {deadline_exceeded(client_.name() + " is too slow to remove a blob safely")};
  }
  const auto deleted = client_.call_once({.method = "DELETE", .key = key_of(hash)});
  if (!deleted.ok()) {
    const Code code = deleted.error().code;
    return {deleted.error(), code == Code::kUnavailable || code == Code::kDeadlineExceeded};
  }
  cache_->remove(hash);
  return {true};
}

Result<void> S3Store::list_objects(const std::string& prefix,
                                   const std::function<Result<void>(const Object&)>& on_object) {
  std::string more;
  do {
    S3Request list{.query = {{"list-type", "2"}, {"prefix", prefix}}};
    if (!more.empty()) list.query.emplace_back("continuation-token", more);
    TRY(const auto listed, client_.call(list));
    for (const auto found : xml_elements(listed.body, "Contents")) {
      const auto key = xml_text(found, "Key");
      const auto size = parse_int(xml_text(found, "Size").value_or(""));
      const auto time = time_of_listing(xml_text(found, "LastModified").value_or(""));
      if (!key || !key->starts_with(prefix) || !size || *size < 0 || !time) continue;
      TRY(on_object({*key, static_cast<std::uint64_t>(*size), client_.local_time(listed, *time)}));
    }
    const std::string next = xml_text(listed.body, "NextContinuationToken").value_or("");
    if (!next.empty() && next == more) {
      return internal(client_.name() + " lists its objects in a circle");
    }
    more = next;
  } while (!more.empty());
  return {};
}

Result<void> S3Store::list(const std::function<Result<void>(const Stored&)>& on_value) {
  const std::string prefix = prefix_ + "objects/";
  return list_objects(prefix, [&](const Object& object) -> Result<void> {
    const std::string name = object.key.substr(prefix.size());
    if (name.size() != 65 || name[2] != '/') return {};
    const Hash hash = name.substr(0, 2) + name.substr(3);
    if (!check_hash(hash).ok()) return {};
    return on_value({hash, object.size, object.modified_ms});
  });
}

// The spools of this machine, and what was begun in the bucket by whomever.
Result<Store::Leftovers> S3Store::sweep_leftovers(std::int64_t before_ms, Sweep sweep) {
  TRY(auto left, sweep_bucket(before_ms, sweep));
  const Leftovers local = cache_->sweep(before_ms, sweep);
  left.count += local.count;
  left.bytes += local.bytes;
  return left;
}

Result<void> S3Store::read(const Hash& hash, std::uint64_t offset, std::uint64_t length,
                           const std::function<Result<void>(std::string_view)>& piece) {
  TRY(const auto copy, copy_at_hand(hash));
  std::uint64_t size = 0;
  if (!copy) return fetch(hash, offset, length, piece);
  const auto file = open_value(*copy, hash, size);
  // Somebody made room on the disk.
  if (!file.ok() && file.error().code == Code::kNotFound) return fetch(hash, offset, length, piece);
  if (!file.ok()) return file.error();
  auto read = read_value(*file, hash, size, offset, length, piece);
  // The disk has damaged the copy; the next reader shall have the value of the bucket.
  if (!read.ok() && read.error().code == Code::kDataLoss) cache_->remove(hash);
  return read;
}

Result<void> S3Store::fetch(const Hash& hash, std::uint64_t offset, std::uint64_t length,
                            const std::function<Result<void>(std::string_view)>& piece) {
  if (length == 0) {
    TRY(size(hash));
    return {};
  }
  std::uint64_t whole = 0;
  std::uint64_t got = 0;
  Hasher hasher;
  const auto done = client_.read(
      key_of(hash), offset, length, [&](std::uint64_t size) { whole = size; },
      [&](std::string_view bytes) {
        got += bytes.size();
        if (offset == 0) hasher.update(bytes);
        return piece(bytes);
      });
  // It ends before the offset.
  if (!done.ok() && done.error().code == Code::kInvalidArgument && got == 0) return {};
  if (!done.ok()) return named(done.error(), hash);
  if (got < std::min(length, whole - std::min(whole, offset))) {
    return data_loss("blob " + hash + " became shorter while it was read");
  }
  if (offset == 0 && got == whole && hasher.digest() != hash) {
    return changed_value(hash, hasher.digest());
  }
  return {};
}

Result<std::string> S3Store::local_path(const Hash& hash) {
  return cache_->get(hash, [&](Temporary& file) {
    return fetch(hash, 0, std::numeric_limits<std::uint64_t>::max(),
                 [&](std::string_view bytes) { return file.append(bytes); });
  });
}

Result<std::optional<std::string>> S3Store::copy_at_hand(const Hash& hash) {
  return cache_->find(hash);
}

Result<void> S3Store::remove(const Hash& hash) {
  TRY(check_hash(hash));
  const auto removed = client_.call({.method = "DELETE", .key = key_of(hash)});
  if (!removed.ok() && removed.error().code != Code::kNotFound) return removed.error();
  cache_->remove(hash);
  return {};
}

Result<void> S3Store::check_bucket() {
  TRY(client_.call({.query = {{"list-type", "2"}, {"max-keys", "1"}, {"prefix", prefix_}}}));
  return {};
}

void S3Store::abort_old_uploads_daily() {
  const std::int64_t now_ms = clock_->now_ms();
  std::int64_t before = swept_ms_;
  if (now_ms - before < kSweepEveryMs || !swept_ms_.compare_exchange_strong(before, now_ms)) {
    return;
  }
  if (const auto swept = sweep_bucket(now_ms - upload_age_max_ms_, Sweep::kRemove); !swept.ok()) {
    log::warn("uploads in parts that nobody completed are not looked for",
              {{"error", swept.error().message}});
  }
}

}  // namespace

Result<std::unique_ptr<Store>> open_s3(std::string_view url, const OpenOptions& options) {
  TRY(const auto location, parse_s3_url(url, options));
  auto clock = std::make_unique<SystemClock>();
  const CacheLimits limits{options.cache_bytes_max, options.cache_kept.count()};
  TRY(auto cache, Cache::open(options.cache_directory, limits, *clock));
  auto store = std::make_unique<S3Store>(location, options, std::move(clock), std::move(cache));
  TRY(store->check_bucket());
  store->abort_old_uploads_daily();
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace ciclo::blob
