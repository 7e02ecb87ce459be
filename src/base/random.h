// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <mutex>

// Randomness is a port, like time. All sources are safe to share between threads.

namespace ciclo {

class Random {
 public:
  virtual ~Random() = default;
  // 64 random bits.
  virtual std::uint64_t next() = 0;

  // Uniform in [0, 1), with 53 bits.
  double uniform();
  // Uniform in [0, n), without bias; n > 0.
  std::uint64_t below(std::uint64_t n);
  // Standard normal (Box and Muller, one of the pair).
  double normal();
};

// From the operating system; fit for tokens and ids.
class SystemRandom final : public Random {
 public:
  std::uint64_t next() override;
};

// xoshiro256** (Blackman, Vigna 2018) seeded by splitmix64: the same seed gives the same numbers on
// every machine.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed);
  std::uint64_t next() override;

 private:
  std::mutex mutex_;
  std::array<std::uint64_t, 4> state_;  // guarded by mutex_
};

}  // namespace ciclo
