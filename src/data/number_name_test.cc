// SPDX-License-Identifier: Apache-2.0
#include "data/number_name.h"

#include <gtest/gtest.h>

namespace ciclo::data {
namespace {

TEST(NumberName, writes_whole_numbers_without_exponent_and_others_so_that_they_read_back) {
  EXPECT_EQ(number_name(100'000), "100000");
  EXPECT_EQ(number_name(-5e15), "-5000000000000000");
  EXPECT_EQ(number_name(-0.0), "0");
  EXPECT_EQ(number_name(0.5), "0.5");
  EXPECT_EQ(number_name(1e22), "1e+22");
}

}  // namespace
}  // namespace ciclo::data
