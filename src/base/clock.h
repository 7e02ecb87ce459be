// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

// Time is a port: everything that asks for it takes a Clock, so that the scheduler, leases and
// windows run in simulated time. All clocks are safe to share between threads.

namespace ciclo {

class Clock {
 public:
  virtual ~Clock() = default;
  // Milliseconds since 1970-01-01 UTC. May step back.
  virtual std::int64_t now_ms() = 0;
  // Nanoseconds from an arbitrary start; never steps back. For durations and deadlines.
  virtual std::int64_t monotonic_ns() = 0;
};

class SystemClock final : public Clock {
 public:
  std::int64_t now_ms() override;
  std::int64_t monotonic_ns() override;
};

// Stands still until it is told to advance.
class SimClock final : public Clock {
 public:
  explicit SimClock(std::int64_t start_ms = 1'700'000'000'000) : now_ns_(start_ms * 1'000'000) {}
  std::int64_t now_ms() override { return now_ns_ / 1'000'000; }
  std::int64_t monotonic_ns() override { return now_ns_; }
  void advance_ms(std::int64_t ms) { now_ns_ += ms * 1'000'000; }

 private:
  std::atomic<std::int64_t> now_ns_;
};

// "2013-01-31T05:07:09.120Z"; the fraction is left out when it is zero.
std::string format_utc(std::int64_t ms);

}  // namespace ciclo
