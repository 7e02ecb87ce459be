// SPDX-License-Identifier: Apache-2.0
#include "base/utc.h"

#include <gtest/gtest.h>

namespace ciclo {
namespace {

TEST(ParseUtc, reads_iso_8601) {
  EXPECT_EQ(parse_utc("1970-01-01"), 0);
  EXPECT_EQ(parse_utc("2013-06-01T00:00:00Z"), 1'370'044'800'000);
  EXPECT_EQ(parse_utc("2013-06-01 02:00:00.1239+02:00"), 1'370'044'800'123);
  EXPECT_EQ(parse_utc("2013-05-31T20:00-0400"), 1'370'044'800'000);
  EXPECT_EQ(parse_utc("2013-06-01T01:00+01"), 1'370'044'800'000);
  for (const auto* bad :
       {"", "2013", "2013-13-01", "2013-02-30", "2013-06-01T", "2013-06-01T25:00",
        "2013-06-01T10:00:00X", "2013-06-01T10:00:00.Z", "2013-06-01T10:00:00Zx"}) {
    EXPECT_EQ(parse_utc(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace ciclo
