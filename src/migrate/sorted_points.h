// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/file.h"
#include "base/result.h"

namespace ciclo::migrate {

// The points of one history, sorted by (time, step, value), each once. As many as `held_max` are
// held in memory; more go sorted into a temporary file, and are merged from there. One thread.
class SortedPoints {
 public:
  struct Point {
    std::int64_t timestamp_ms = 0;
    std::int64_t step = 0;
    double value = 0;  // as tracking::store::stored gives it
    bool is_nan = false;

    friend bool operator==(const Point&, const Point&) = default;
    friend bool operator<(const Point& a, const Point& b);
  };

  // 32 MB.
  explicit SortedPoints(std::size_t held_max = 1'000'000) : held_max_(held_max) {}

  Result<void> add(double value, std::int64_t timestamp_ms, std::int64_t step);
  // Once, after all have been added.
  Result<void> each(const std::function<Result<void>(const Point&)>& use);

 private:
  Result<void> spill();
  Result<void> merge(const std::function<Result<void>(const Point&)>& use);

  const std::size_t held_max_;
  std::vector<Point> points_;
  std::unique_ptr<TemporaryDirectory> folder_;  // from the first spill on
  std::size_t spilled_ = 0;                     // files in it
};

}  // namespace ciclo::migrate
