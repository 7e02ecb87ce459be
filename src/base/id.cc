// SPDX-License-Identifier: Apache-2.0
#include "base/id.h"

#include <algorithm>
#include <cstdint>
#include <mutex>

#include "base/clock.h"
#include "base/random.h"

namespace ciclo {

struct IdSource::State {
  std::mutex mutex;
  std::int64_t last_ms = 0;    // guarded by mutex
  std::uint32_t sequence = 0;  // guarded by mutex; 26 bits, counts within last_ms
};

IdSource::IdSource(Clock& clock, Random& random)
    : clock_(clock), random_(random), state_(std::make_unique<State>()) {}

IdSource::~IdSource() = default;

namespace {

void append_hex(std::string& out, std::uint64_t value, int digits) {
  constexpr char kDigits[] = "0123456789abcdef";
  for (int i = digits - 1; i >= 0; --i) out.push_back(kDigits[(value >> (4 * i)) & 15]);
}

}  // namespace

std::string IdSource::next() {
  constexpr std::uint32_t kSequenceMax = (1U << 26) - 1;
  const std::int64_t now = clock_.now_ms();
  const std::uint64_t noise = random_.next();
  std::int64_t ms = 0;
  std::uint32_t sequence = 0;
  {
    std::lock_guard lock(state_->mutex);
    if (now > state_->last_ms) {
      state_->last_ms = now;
      // Starts low in the range, so that thousands fit in the millisecond before it wraps.
      state_->sequence = static_cast<std::uint32_t>(noise >> 40) & (kSequenceMax >> 2);
    } else if (state_->sequence == kSequenceMax) {
      ++state_->last_ms;
      state_->sequence = 0;
    } else {
      ++state_->sequence;
    }
    ms = state_->last_ms;
    sequence = state_->sequence;
  }
  std::string id;
  id.reserve(32);
  append_hex(id, static_cast<std::uint64_t>(ms), 12);
  id.push_back('7');
  append_hex(id, sequence >> 14, 3);
  append_hex(id, 0x8000U | (sequence & 0x3fffU), 4);
  append_hex(id, random_.next(), 12);
  return id;
}

}  // namespace ciclo
