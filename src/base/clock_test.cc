// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <gtest/gtest.h>

namespace ciclo {
namespace {

TEST(Clock, simulated_time_moves_only_when_told) {
  SimClock clock(1000);
  EXPECT_EQ(clock.now_ms(), 1000);
  EXPECT_EQ(clock.now_ms(), 1000);
  clock.advance_ms(250);
  EXPECT_EQ(clock.now_ms(), 1250);
  EXPECT_EQ(clock.monotonic_ns(), 1'250'000'000);
}

TEST(Clock, the_systems_monotonic_time_never_steps_back) {
  SystemClock clock;
  const auto first = clock.monotonic_ns();
  EXPECT_GE(clock.monotonic_ns(), first);
  EXPECT_GT(clock.now_ms(), 1'600'000'000'000);
}

TEST(Clock, utc_text_leaves_out_a_zero_fraction) {
  EXPECT_EQ(format_utc(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_utc(1'359'608'829'120), "2013-01-31T05:07:09.120Z");
  EXPECT_EQ(format_utc(951'782'400'000), "2000-02-29T00:00:00Z");
  EXPECT_EQ(format_utc(-1), "1969-12-31T23:59:59.999Z");
}

}  // namespace
}  // namespace ciclo
