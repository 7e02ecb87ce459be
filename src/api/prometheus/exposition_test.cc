// SPDX-License-Identifier: Apache-2.0
#include "api/prometheus/exposition.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

namespace ciclo::api::prometheus {
namespace {

TEST(Exposition, WritesFamiliesSamplesAndEscapes) {
  Exposition out;
  out.family("requests_total", Kind::kCounter, "All of them.");
  out.sample({{"path", "a\"b\\c\nd"}, {"status", "200"}}, std::uint64_t{1} << 63);
  out.family("load", Kind::kGauge, "Now.");
  out.sample({}, 0.25);
  out.sample({{"cpu", "1"}}, std::numeric_limits<double>::infinity());
  EXPECT_EQ(out.text(),
            "# HELP requests_total All of them.\n"
            "# TYPE requests_total counter\n"
            "requests_total{path=\"a\\\"b\\\\c\\nd\",status=\"200\"} 9223372036854775808\n"
            "# HELP load Now.\n"
            "# TYPE load gauge\n"
            "load 0.25\n"
            "load{cpu=\"1\"} +Inf\n");
}

TEST(Exposition, AddsUpTheClassesOfAHistogram) {
  Exposition out;
  out.family("seconds", Kind::kHistogram, "Time.");
  out.histogram({{"route", "/a"}}, std::array{0.0005, 0.5}, std::array<std::uint64_t, 3>{2, 0, 5},
                7.5);
  EXPECT_EQ(out.text(),
            "# HELP seconds Time.\n"
            "# TYPE seconds histogram\n"
            "seconds_bucket{route=\"/a\",le=\"0.0005\"} 2\n"
            "seconds_bucket{route=\"/a\",le=\"0.5\"} 2\n"
            "seconds_bucket{route=\"/a\",le=\"+Inf\"} 7\n"
            "seconds_sum{route=\"/a\"} 7.5\n"
            "seconds_count{route=\"/a\"} 7\n");
}

}  // namespace
}  // namespace ciclo::api::prometheus
