// SPDX-License-Identifier: Apache-2.0
#include "http/request_counts.h"

#include <gtest/gtest.h>

#include <numeric>
#include <thread>

namespace ciclo::http {
namespace {

void ignore(Request&, const Reply&) {}

struct Fixture {
  Fixture() {
    router.add("GET", "/a", ignore);
    router.add("POST", "/b/{id}", ignore);
    router.add("GET", "/never", ignore);
  }
  const Router::Route* route(std::string_view method, std::string_view path) {
    return router.match(method, path).route;
  }
  Router router;
};

TEST(RequestCounts, AreKeptByRouteStatusAndDuration) {
  Fixture f;
  RequestCounts counts(f.router);
  counts.record(f.route("POST", "/b/7"), 201, 500);
  counts.record(f.route("POST", "/b/8"), 404, 501);
  counts.record(f.route("POST", "/b/9"), 404, 20'000'000);
  counts.record(f.route("GET", "/a"), 299, 0);
  counts.record(nullptr, 400, 1);
  const auto all = counts.read();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].path, "/a");
  EXPECT_EQ(all[0].statuses, (std::vector<std::pair<int, std::uint64_t>>{{0, 1}}));
  EXPECT_EQ(all[1].method, "POST");
  EXPECT_EQ(all[1].path, "/b/{id}");
  EXPECT_EQ(all[1].statuses, (std::vector<std::pair<int, std::uint64_t>>{{201, 1}, {404, 2}}));
  EXPECT_EQ(all[1].durations[0], 1U) << "a bound belongs to its class";
  EXPECT_EQ(all[1].durations[1], 1U);
  EXPECT_EQ(all[1].durations.back(), 1U);
  EXPECT_DOUBLE_EQ(all[1].seconds, 20.001001);
  EXPECT_EQ(all[2].path, "");
  EXPECT_EQ(all[2].statuses, (std::vector<std::pair<int, std::uint64_t>>{{400, 1}}));
}

TEST(RequestCounts, LoseNothingAmongThreads) {
  Fixture f;
  RequestCounts counts(f.router);
  const auto* const route = f.route("GET", "/a");
  constexpr int kEach = 10'000;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&counts, route] {
        for (int i = 0; i < kEach; ++i) counts.record(route, 200, i);
      });
    }
  }
  const auto all = counts.read();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].statuses.front().second, 4U * kEach);
  EXPECT_EQ(std::accumulate(all[0].durations.begin(), all[0].durations.end(), std::uint64_t{0}),
            4U * kEach);
}

}  // namespace
}  // namespace ciclo::http
