// SPDX-License-Identifier: Apache-2.0
#include "evaluate/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <thread>

namespace ciclo::evaluate {
namespace {

// splitmix64 (Steele, Lea, Flood 2014). SeededRandom takes a lock for each number, which would cost
// more than all the rest here.
class Draws {
 public:
  Draws(std::uint64_t seed, std::uint64_t resample) : state_(seed) {
    state_ = next() ^ (resample * 0xd1342543de82ef95);
  }
  // Uniform in [0, n), from 53 bits.
  std::size_t below(std::size_t n) {
    const double uniform = static_cast<double>(next() >> 11) * 0x1.0p-53;
    return static_cast<std::size_t>(uniform * static_cast<double>(n));
  }

 private:
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  std::uint64_t state_;
};

void resample(const std::vector<const Measurer*>& measurers, std::uint64_t seed,
              std::uint64_t number, std::vector<double>& weights, std::span<double> out) {
  const std::size_t rows = measurers.front()->rows();
  const auto& own = measurers.front()->weights();
  std::fill(weights.begin(), weights.end(), 0.0);
  Draws draws(seed, number);
  for (std::size_t i = 0; i < rows; ++i) {
    const std::size_t row = draws.below(rows);
    weights[row] += own[row];
  }
  std::size_t at = 0;
  for (const auto* measurer : measurers) {
    for (const double value : measurer->measure(weights)) out[at++] = value;
  }
}

std::size_t threads_for(int asked, std::size_t work) {
  constexpr std::size_t kWorthAThread = 2'000'000;
  const std::size_t cores = asked > 0 ? static_cast<std::size_t>(asked)
                                      : std::max(1U, std::thread::hardware_concurrency());
  return std::clamp<std::size_t>(work / kWorthAThread, 1, cores);
}

}  // namespace

int resamples_for(const Bootstrap& bootstrap, std::size_t rows) {
  if (bootstrap.resamples > 0) return bootstrap.resamples;
  constexpr double kRowsInAll = 2e7;
  return static_cast<int>(
      std::clamp(kRowsInAll / static_cast<double>(std::max<std::size_t>(rows, 1)), 200.0, 1000.0));
}

std::vector<double> bootstrap_values(const std::vector<const Measurer*>& measurers,
                                     const Bootstrap& bootstrap) {
  const std::size_t rows = measurers.front()->rows();
  const auto resamples = static_cast<std::size_t>(resamples_for(bootstrap, rows));
  std::size_t width = 0;
  for (const auto* measurer : measurers) width += measurer->metrics();
  std::vector<double> values(resamples * width);
  if (rows == 0) {
    std::fill(values.begin(), values.end(), std::nan(""));
    return values;
  }
  const std::size_t threads = threads_for(bootstrap.threads, rows * resamples);
  const auto work = [&](std::size_t first) {
    std::vector<double> weights(rows);
    for (std::size_t r = first; r < resamples; r += threads) {
      resample(measurers, bootstrap.seed, r, weights, std::span(values).subspan(r * width, width));
    }
  };
  std::vector<std::jthread> others;
  for (std::size_t i = 1; i < threads; ++i) others.emplace_back([&, i] { work(i); });
  work(0);
  others.clear();
  return values;
}

double quantile(const std::vector<double>& sorted, double level) {
  const double at = level * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  if (below + 1 >= sorted.size()) return sorted.back();
  const double part = at - static_cast<double>(below);
  return sorted[below] + part * (sorted[below + 1] - sorted[below]);
}

}  // namespace ciclo::evaluate
