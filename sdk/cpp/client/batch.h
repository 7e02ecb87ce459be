// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace ciclo::client {

inline constexpr std::size_t kKeyBytesMax = 250;

// A run that values are logged to.
struct Run {
  std::string id;
  std::atomic<bool> has_ended{false};
};

enum class Kind : std::uint8_t { kMetric, kParam, kTag };

// A value on its way through the ring, in 293 bytes, of which logging a metric touches those in
// use.
struct Item {
  const Run* run = nullptr;
  double value = 0;
  std::int64_t step = 0;
  std::int64_t timestamp_ms = 0;
  std::unique_ptr<std::string> text;  // of a param or tag
  std::uint16_t key_length = 0;
  Kind kind = Kind::kMetric;
  std::array<char, kKeyBytesMax> key;  // the first key_length of it

  void set_key(std::string_view name);
  // Becomes the other one, which keeps no text.
  void take(Item& other);
  std::string_view key_view() const { return {key.data(), key_length}; }
};

// invalid_argument for what MLflow would refuse, as the key of a `what` ("metric", "param", "tag").
Result<void> check_key(std::string_view what, std::string_view key);

// The values of one run that go into one request to log-batch. MLflow takes at most 1,000 metrics,
// 100 params, 100 tags, and no param or tag twice; a body stays below about 1 MB.
class Batch {
 public:
  Batch(const Run& run, std::int64_t began_ns) : run_(&run), began_ns_(began_ns) {}

  const Run& run() const { return *run_; }
  std::int64_t began_ns() const { return began_ns_; }  // on the monotonic clock
  std::size_t size() const { return values_.size(); }

  // Whether the value can be added.
  bool has_room_for(const Item& item) const;
  void add(const Item& item);

  // The body of the request.
  std::string body() const;
  // The first half of the values, and the rest, in their order.
  std::pair<Batch, Batch> halves() const;

 private:
  struct Value {
    Kind kind;
    std::string key;
    std::string text;
    double value;
    std::int64_t step;
    std::int64_t timestamp_ms;
  };

  void add(const Value& value);
  std::size_t& count_of(Kind kind) { return counts_[static_cast<std::size_t>(kind)]; }

  const Run* run_;
  std::int64_t began_ns_;
  std::vector<Value> values_;
  std::array<std::size_t, 3> counts_{};  // by kind
  std::size_t bytes_ = 0;                // of keys and texts
};

}  // namespace ciclo::client
