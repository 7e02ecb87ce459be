// SPDX-License-Identifier: Apache-2.0
#include "base/id.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "base/random.h"

namespace ciclo {
namespace {

class SteppingClock final : public Clock {
 public:
  std::int64_t now_ms() override { return now; }
  std::int64_t monotonic_ns() override { return now * 1'000'000; }
  std::int64_t now = 1'700'000'000'000;
};

TEST(IdSource, ids_have_the_layout_of_a_version_7_uuid) {
  SimClock clock(0x0123456789ab);
  SeededRandom random(1);
  IdSource ids(clock, random);
  const std::string id = ids.next();
  ASSERT_EQ(id.size(), 32U);
  EXPECT_EQ(id.substr(0, 13), "0123456789ab7");
  EXPECT_NE(std::string("89ab").find(id[16]), std::string::npos) << id;
  EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
}

TEST(IdSource, ids_increase_also_when_the_clock_stands_or_steps_back) {
  SteppingClock clock;
  SeededRandom random(2);
  IdSource ids(clock, random);
  std::string last = ids.next();
  for (int i = 0; i < 10'000; ++i) {
    if (i == 3000) clock.now -= 5000;
    if (i == 6000) clock.now += 5001;
    std::string id = ids.next();
    ASSERT_LT(last, id);
    last = std::move(id);
  }
}

TEST(IdSource, threads_never_get_the_same_id) {
  SystemClock clock;
  SystemRandom random;
  IdSource ids(clock, random);
  std::vector<std::vector<std::string>> made(4);
  {
    std::vector<std::jthread> threads;
    for (auto& mine : made) {
      threads.emplace_back([&ids, &mine] {
        for (int i = 0; i < 2000; ++i) mine.push_back(ids.next());
      });
    }
  }
  std::unordered_set<std::string> all;
  for (const auto& mine : made) {
    EXPECT_TRUE(std::is_sorted(mine.begin(), mine.end()));
    all.insert(mine.begin(), mine.end());
  }
  EXPECT_EQ(all.size(), 8000U);
}

TEST(Id, ids_of_different_things_do_not_mix) {
  using RunId = Id<struct RunTag>;
  using ModelId = Id<struct ModelTag>;
  static_assert(!std::is_convertible_v<RunId, ModelId>);
  static_assert(!std::is_convertible_v<std::string, RunId>);
  EXPECT_LT(RunId("a"), RunId("b"));
  EXPECT_TRUE(RunId().empty());
}

}  // namespace
}  // namespace ciclo
