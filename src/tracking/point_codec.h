// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/result.h"

// Points of a metric as few bytes: how a chunk of a history stands in the database (decision 4).

namespace ciclo::tracking {

// A point as it is stored: a value that is NaN is 0 with a mark, so that points have a total order,
// which is the order of histories.
struct Point {
  std::int64_t timestamp_ms = 0;
  std::int64_t step = 0;
  double value = 0;
  bool is_nan = false;

  friend bool operator==(const Point&, const Point&) = default;
  friend bool operator<(const Point& a, const Point& b) {
    return std::tie(a.timestamp_ms, a.step, a.value, a.is_nan) <
           std::tie(b.timestamp_ms, b.step, b.value, b.is_nan);
  }
};

// The most points that bytes can hold.
inline constexpr std::size_t kEncodedPointsMax = 65'536;

// Layout: version 1; packing (0 none, 1 zstd); varint count; with zstd, varint bytes of the body;
// the body, packed; 8 hexadecimal digits of the BLAKE3 hash of all before. The body: the
// timestamps, then the steps, each as its first number and the changes of the difference from one
// to the next (zigzag varints, modulo 2^64); then the values as the highest bytes of all, the
// second highest of all, and so on, NaN being a quiet NaN.
//
// Keeps the memory that zstd needs from one call to the next. Not safe to share between threads.
class PointCodec {
 public:
  PointCodec();
  ~PointCodec();
  PointCodec(PointCodec&&) noexcept;
  PointCodec& operator=(PointCodec&&) noexcept;

  // At most kEncodedPointsMax points in any order; each value is 0 where is_nan, and not NaN. All
  // come back as they were, to the bit.
  std::string encode(std::span<const Point> points);

  // data_loss for bytes that encode did not make.
  Result<std::vector<Point>> decode(std::string_view bytes);

 private:
  struct Contexts;
  Contexts& contexts();
  std::unique_ptr<Contexts> contexts_;
};

// The last part of the layout. For tests that damage what stands before it.
std::string seal_of(std::string_view bytes);

}  // namespace ciclo::tracking
