// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"

#include <gtest/gtest.h>

#include <array>

namespace ciclo {
namespace {

TEST(Random, a_seed_gives_the_same_numbers_everywhere) {
  // xoshiro256** with its state from splitmix64(42), computed apart from this program.
  SeededRandom random(42);
  EXPECT_EQ(random.next(), 1546998764402558742U);
  EXPECT_EQ(random.next(), 6990951692964543102U);
  EXPECT_EQ(random.next(), 12544586762248559009U);
}

TEST(Random, uniform_lies_in_its_interval_and_has_its_mean) {
  SeededRandom random(7);
  double sum = 0;
  for (int i = 0; i < 100'000; ++i) {
    const double draw = random.uniform();
    ASSERT_GE(draw, 0);
    ASSERT_LT(draw, 1);
    sum += draw;
  }
  // The mean of n draws has standard deviation 1 / sqrt(12 n) = 0.0009.
  EXPECT_NEAR(sum / 100'000, 0.5, 0.005);
}

TEST(Random, below_is_even) {
  SeededRandom random(7);
  std::array<int, 3> counts{};
  for (int i = 0; i < 30'000; ++i) ++counts[random.below(3)];
  // Each count has standard deviation sqrt(30000 · 1/3 · 2/3) = 82.
  for (const int count : counts) EXPECT_NEAR(count, 10'000, 410);
}

TEST(Random, normal_has_mean_zero_and_variance_one) {
  SeededRandom random(7);
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < 100'000; ++i) {
    const double draw = random.normal();
    sum += draw;
    squares += draw * draw;
  }
  EXPECT_NEAR(sum / 100'000, 0, 0.02);
  EXPECT_NEAR(squares / 100'000, 1, 0.03);
}

TEST(Random, the_systems_numbers_differ) {
  SystemRandom random;
  EXPECT_NE(random.next(), random.next());
}

}  // namespace
}  // namespace ciclo
