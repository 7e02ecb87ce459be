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
  // What a removal of the value writes before it looks at its age (blob/store.h).
  std::string marker_of(const Hash& hash) const { return prefix_ + "condemned/" + hash; }
  // not_found in the words that all stores use.
  Error named(const Error& error, const Hash& hash) const {
    return error.code == Code::kNotFound ? no_such_value(hash) : error;
  }
  // As `read`, from the bucket.
  Result<void> fetch(const Hash& hash, std::uint64_t offset, std::uint64_t length,
                     const std::function<Result<void>(std::string_view)>& piece);
  // An object of the bucket becomes the value with this hash.
  Result<void> adopt(const std::string& key, const Hash& hash, std::uint64_t size);
  // Uploads that were never completed, and what clients completed and nobody named.
  Result<Leftovers> sweep_bucket(std::int64_t before_ms, Sweep sweep);
  // An object's size, and how long ago it was written, by the clock of the service.
  struct Look {
    std::uint64_t size = 0;
    std::int64_t modified_ms = 0;
    std::int64_t age_ms = 0;
  };
  Result<Look> look(const std::string& key);
  // Whether a value that was just written is there and no removal of it is under way. Otherwise it
  // has to be written again, after a moment that this waits for.
  Result<bool> is_spared(const Hash& hash);
  // Calls `on_object` for all objects below a prefix.
  Result<void> list_objects(const std::string& prefix,
                            const std::function<Result<void>(std::string_view object)>& on_object);

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

// A value that is there already is not sent again: there are services that keep an empty object
// when a PUT is cut off, and so would lose what was acknowledged. The size tells one from the
// other.
Result<void> S3Store::put_bytes(const Hash& hash, std::string_view bytes) {
  for (bool spared = false; !spared;) {
    const auto known = touch(hash);
    if (known.ok() && *known == bytes.size()) break;
    if (!known.ok() && known.error().code != Code::kNotFound) return known.error();
    TRY(client_.call({.method = "PUT", .key = key_of(hash), .body = bytes}));
    TRY(spared, is_spared(hash));
  }
  return {};
}

Result<void> S3Store::put_spooled(const Hash& hash, Temporary file, std::uint64_t size) {
  const std::string key = key_of(hash);
  const bool is_large = size > parts_.part_bytes();
  if (is_large) abort_old_uploads_daily();
  for (bool spared = false; !spared;) {
    const auto known = touch(hash);
    if (known.ok() && *known == size) break;
    if (!known.ok() && known.error().code != Code::kNotFound) return known.error();
    if (is_large) {
      TRY(parts_.put(key, file.descriptor(), size));
    } else {
      TRY(client_.call(
          {.method = "PUT", .key = key, .file = file.descriptor(), .file_bytes = size}));
    }
    TRY(spared, is_spared(hash));
  }
  TRY(cache_->put(hash, std::move(file)));
  return {};
}

Result<void> S3Store::adopt(const std::string& key, const Hash& hash, std::uint64_t size) {
  for (bool spared = false; !spared;) {
    const auto known = touch(hash);
    if (known.ok() && *known == size) return {};
    if (!known.ok() && known.error().code != Code::kNotFound) return known.error();
    TRY(parts_.copy(key, key_of(hash), size));
    TRY(spared, is_spared(hash));
  }
  return {};
}

Result<Store::Leftovers> S3Store::sweep_bucket(std::int64_t before_ms, Sweep sweep) {
  TRY(auto left, parts_.sweep(prefix_, before_ms, sweep));
  TRY(list_objects(prefix_ + "uploads/", [&](std::string_view object) -> Result<void> {
    const auto key = xml_text(object, "Key");
    const auto size = parse_int(xml_text(object, "Size").value_or(""));
    const auto time = time_of_listing(xml_text(object, "LastModified").value_or(""));
    if (!key || !size || *size < 0 || !time || *time >= before_ms) return {};
    if (sweep == Sweep::kRemove) TRY(client_.call({.method = "DELETE", .key = *key}));
    ++left.count;
    left.bytes += static_cast<std::uint64_t>(*size);
    return {};
  }));
  return left;
}

Result<S3Store::Look> S3Store::look(const std::string& key) {
  TRY(const auto found, client_.call({.method = "HEAD", .key = key}));
  const auto bytes = parse_int(found.header("content-length"));
  const auto modified_ms = time_of_header(found.header("last-modified"));
  if (!bytes || *bytes < 0 || !modified_ms) {
    return internal(client_.name() + " does not tell an object's size and time");
  }
  const auto now_ms = time_of_header(found.header("date")).value_or(clock_->now_ms());
  return Look{static_cast<std::uint64_t>(*bytes), *modified_ms, now_ms - *modified_ms};
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
    if (found->age_ms >= kTouchSlackMs) {
      const auto renewed = parts_.copy(key, key, found->size);
      if (!renewed.ok()) return named(renewed.error(), hash);
    }
    TRY(const bool spared, is_spared(hash));
    if (spared) return found->size;
  }
}

// A removal that began before the value was written and ended before this looks for its marker has
// taken the value with it; one that begins later sees a young object. So the object is looked for
// after the marker.
Result<bool> S3Store::is_spared(const Hash& hash) {
  constexpr std::chrono::milliseconds kMoment(50);
  const auto marker = look(marker_of(hash));
  const bool is_marked = marker.ok() && marker->age_ms <= removal_time_max_ms_;
  if (!marker.ok() && marker.error().code != Code::kNotFound) return marker.error();
  if (is_marked) {
    client_.pause(kMoment);
    return false;
  }
  const auto object = look(key_of(hash));
  if (!object.ok() && object.error().code != Code::kNotFound) return object.error();
  return object.ok();
}

// The deletion is sent once and in time: one that arrived after the marker counts for nothing would
// undo a commit.
Result<bool> S3Store::remove_untouched(const Hash& hash, std::int64_t before_ms) {
  TRY(check_hash(hash));
  const std::int64_t begun_ns = clock_->monotonic_ns();
  const std::string marker = marker_of(hash);
  TRY(client_.call({.method = "PUT", .key = marker}));
  const auto removed = [&]() -> Result<bool> {
    const auto found = look(key_of(hash));
    if (!found.ok() && found.error().code == Code::kNotFound) return false;
    if (!found.ok()) return found.error();
    // Times have whole seconds: this one may be that of any moment of its second.
    if (found->modified_ms + 999 >= before_ms) return false;
    if ((clock_->monotonic_ns() - begun_ns) / 1'000'000 > removal_time_max_ms_ / 2) {
      return deadline_exceeded(client_.name() + " is too slow to remove a blob safely");
    }
    TRY(client_.call_once({.method = "DELETE", .key = key_of(hash)}));
    cache_->remove(hash);
    return true;
  }();
  TRY(client_.call({.method = "DELETE", .key = marker}));
  return removed;
}

Result<void> S3Store::list_objects(
    const std::string& prefix,
    const std::function<Result<void>(std::string_view object)>& on_object) {
  std::string more;
  do {
    S3Request list{.query = {{"list-type", "2"}, {"prefix", prefix}}};
    if (!more.empty()) list.query.emplace_back("continuation-token", more);
    TRY(const auto listed, client_.call(list));
    for (const auto object : xml_elements(listed.body, "Contents")) TRY(on_object(object));
    more = xml_text(listed.body, "NextContinuationToken").value_or("");
  } while (!more.empty());
  return {};
}

Result<void> S3Store::list(const std::function<Result<void>(const Stored&)>& on_value) {
  const std::string prefix = prefix_ + "objects/";
  return list_objects(prefix, [&](std::string_view object) -> Result<void> {
    const std::string key = xml_text(object, "Key").value_or("");
    const auto size = parse_int(xml_text(object, "Size").value_or(""));
    const auto time = time_of_listing(xml_text(object, "LastModified").value_or(""));
    if (!key.starts_with(prefix) || !size || *size < 0 || !time) return {};
    const std::string name = key.substr(prefix.size());
    if (name.size() != 65 || name[2] != '/') return {};
    const Hash hash = name.substr(0, 2) + name.substr(3);
    if (!check_hash(hash).ok()) return {};
    return on_value({hash, static_cast<std::uint64_t>(*size), *time});
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
  if (copy) {
    std::uint64_t size = 0;
    TRY(const Descriptor file, open_value(*copy, hash, size));
    return read_value(file, hash, size, offset, length, piece);
  }
  return fetch(hash, offset, length, piece);
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
