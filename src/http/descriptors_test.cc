// SPDX-License-Identifier: Apache-2.0
#include "http/descriptors.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace ciclo::http {
namespace {

TEST(Descriptors, the_soft_limit_is_raised_to_the_hard_one) {
  struct rlimit before {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  struct rlimit low = before;
  low.rlim_cur = 64;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  const std::size_t limit = raise_descriptor_limit();
  struct rlimit after {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &after), 0);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
  EXPECT_GE(limit, after.rlim_cur);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST(Descriptors, connections_leave_room_for_the_rest) {
  EXPECT_EQ(connections_below(1'048'576, 20'000), 20'000U);
  EXPECT_EQ(connections_below(1024, 20'000), 768U);
  EXPECT_EQ(connections_below(1024, 100), 100U);
  EXPECT_EQ(connections_below(64, 20'000), 32U);
  EXPECT_EQ(connections_below(1, 20'000), 1U);
}

}  // namespace
}  // namespace ciclo::http
