// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

// Ids have types, so that a run's cannot be passed where a model's is meant:
//   using RunId = Id<struct RunTag>;
// The text is opaque to callers.

namespace ciclo {

class Clock;
class Random;

template <class Tag>
class Id {
 public:
  Id() = default;
  explicit Id(std::string text) : text_(std::move(text)) {}

  const std::string& str() const { return text_; }
  bool empty() const { return text_.empty(); }

  friend auto operator<=>(const Id&, const Id&) = default;
  friend bool operator==(const Id&, const Id&) = default;

 private:
  std::string text_;
};

// Makes ids of 32 lower-case hexadecimal digits in the layout of a version 7 UUID (RFC 9562): 48
// bits of milliseconds, then random bits. Ids of one source increase strictly, also within a
// millisecond and when the clock steps back. Safe to share between threads.
class IdSource {
 public:
  // Both must outlive the source.
  IdSource(Clock& clock, Random& random);
  ~IdSource();

  std::string next();
  template <class IdType>
  IdType next_id() {
    return IdType(next());
  }

 private:
  struct State;
  Clock& clock_;
  Random& random_;
  std::unique_ptr<State> state_;
};

}  // namespace ciclo

template <class Tag>
struct std::hash<ciclo::Id<Tag>> {
  std::size_t operator()(const ciclo::Id<Tag>& id) const noexcept {
    return std::hash<std::string>()(id.str());
  }
};
