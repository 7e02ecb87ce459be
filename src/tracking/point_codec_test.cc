// SPDX-License-Identifier: Apache-2.0
#include "tracking/point_codec.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "base/random.h"

namespace ciclo::tracking {
namespace {

constexpr std::int64_t kInt64Min = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kInt64Max = std::numeric_limits<std::int64_t>::max();

// Bit by bit, so that -0 is not 0.
void expect_same(const std::vector<Point>& got, const std::vector<Point>& wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].timestamp_ms, wanted[i].timestamp_ms) << i;
    EXPECT_EQ(got[i].step, wanted[i].step) << i;
    EXPECT_EQ(std::bit_cast<std::uint64_t>(got[i].value),
              std::bit_cast<std::uint64_t>(wanted[i].value))
        << i;
    EXPECT_EQ(got[i].is_nan, wanted[i].is_nan) << i;
  }
}

void expect_kept(const std::vector<Point>& points) {
  const auto decoded = PointCodec().decode(PointCodec().encode(points));
  ASSERT_TRUE(decoded.ok()) << decoded.error().message;
  expect_same(*decoded, points);
}

// `count` points of a training: regular steps and times, a curve of 32-bit floats.
std::vector<Point> curve(int count) {
  SeededRandom random(7);
  std::vector<Point> points;
  std::int64_t time_ms = 1'700'000'000'000;
  for (int i = 0; i < count; ++i) {
    time_ms += 90 + static_cast<std::int64_t>(random.below(20));
    const auto value = static_cast<float>(2.0 / (1 + i) + random.uniform() / 20);
    points.push_back({time_ms, i, value, false});
  }
  return points;
}

// The error of bytes whose seal is right, whatever stands before it.
std::string error_of(std::string bytes) {
  bytes += seal_of(bytes);
  const auto decoded = PointCodec().decode(bytes);
  if (decoded.ok()) return "no error";
  EXPECT_EQ(decoded.error().code, Code::kDataLoss);
  return decoded.error().message.substr(decoded.error().message.find(": ") + 2);
}

TEST(PointCodecTest, keeps_no_point_one_point_and_many) {
  expect_kept({});
  expect_kept({{1, 2, 3.5, false}});
  for (const int count : {2, 3, 63, 64, 65, 1'024, 4'097}) expect_kept(curve(count));
}

TEST(PointCodecTest, keeps_the_mark_of_nan) {
  expect_kept({{1, 1, 0, true}, {1, 1, 0, false}, {2, 2, 1, false}, {3, 3, 0, true}});
}

TEST(PointCodecTest, keeps_every_kind_of_double) {
  using Limits = std::numeric_limits<double>;
  std::vector<Point> points;
  for (const double value :
       {0.0, -0.0, 1.0, -1.0, Limits::max(), Limits::lowest(), Limits::min(), Limits::denorm_min(),
        -Limits::denorm_min(), Limits::infinity(), -Limits::infinity(), Limits::epsilon(), 0.1}) {
    points.push_back({0, 0, value, false});
  }
  expect_kept(points);
}

TEST(PointCodecTest, keeps_steps_and_times_of_any_size_and_order) {
  std::vector<Point> points;
  const std::vector<std::int64_t> numbers = {kInt64Min, kInt64Min + 1,  -1,  0,  1, kInt64Max - 1,
                                             kInt64Max, -5'000'000'000, 127, 128};
  for (const auto a : numbers) {
    for (const auto b : numbers) points.push_back({a, b, 1, false});
  }
  expect_kept(points);
}

TEST(PointCodecTest, keeps_random_points) {
  SeededRandom random(3);
  for (int round = 0; round < 300; ++round) {
    std::vector<Point> points(random.below(200));
    for (auto& point : points) {
      point.timestamp_ms = static_cast<std::int64_t>(random.next() >> random.below(64));
      point.step = static_cast<std::int64_t>(random.next() >> random.below(64));
      point.value = std::bit_cast<double>(random.next());
      point.is_nan = point.value != point.value;
      if (point.is_nan) point.value = 0;
    }
    expect_kept(points);
  }
}

TEST(PointCodecTest, a_training_takes_few_bytes) {
  EXPECT_LT(PointCodec().encode(curve(1'024)).size(), 1'024 * 5);
  std::vector<Point> constant = curve(1'024);
  for (auto& point : constant) point.value = 0.001;
  EXPECT_LT(PointCodec().encode(constant).size(), 1'024);
}

TEST(PointCodecTest, any_changed_or_missing_byte_is_found) {
  const std::string bytes = PointCodec().encode(curve(40));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_EQ(PointCodec().decode(bytes.substr(0, i)).error().code, Code::kDataLoss) << i;
    for (const int bit : {0, 3, 7}) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      EXPECT_EQ(PointCodec().decode(changed).error().code, Code::kDataLoss) << i;
    }
  }
  EXPECT_EQ(PointCodec().decode(bytes + "x").error().code, Code::kDataLoss);
}

TEST(PointCodecTest, what_is_wrong_behind_a_right_seal_is_told) {
  using namespace std::string_literals;
  EXPECT_EQ(error_of(""), "its version is unknown");
  EXPECT_EQ(error_of("\2\0\0"s), "its version is unknown");
  EXPECT_EQ(error_of("\1\2\0"s), "its packing is unknown");
  EXPECT_EQ(error_of("\1\0"s), "its number of points is wrong");
  EXPECT_EQ(error_of("\1\0\xff\xff\xff\x7f"s), "its number of points is wrong");
  EXPECT_EQ(error_of("\1\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"s),
            "its number of points is wrong");
  EXPECT_EQ(error_of("\1\0\2\2\2\2"s), "its numbers end too early");
  EXPECT_EQ(error_of("\1\0\1\2\2seven77"s), "its values have a wrong length");
  EXPECT_EQ(error_of("\1\0\1\2\2nine99999"s), "its values have a wrong length");
  EXPECT_EQ(error_of("\1\1\1\x1d"s), "its body has a wrong length");
  EXPECT_EQ(error_of("\1\1\1\x0azstd?"s), "its body cannot be unpacked");
  EXPECT_EQ(error_of("\1\0\1\2\2eight888"s), "no error");
}

}  // namespace
}  // namespace ciclo::tracking
