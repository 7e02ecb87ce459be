// SPDX-License-Identifier: Apache-2.0
#include "client/ring.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace ciclo::client {
namespace {

struct Numbered {
  std::uint32_t producer = 0;
  std::uint32_t number = 0;
};

bool push(Ring<Numbered>& ring, std::uint32_t producer, std::uint32_t number) {
  return ring.try_push([&](Numbered& item) { item = {producer, number}; });
}

TEST(Ring, gives_back_what_was_pushed_in_order_until_it_is_empty) {
  Ring<Numbered> ring(4);
  for (std::uint32_t i = 0; i < 3; ++i) EXPECT_TRUE(push(ring, 0, i));
  for (std::uint32_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(ring.try_pop([&](const Numbered& item) { EXPECT_EQ(item.number, i); }));
  }
  EXPECT_FALSE(ring.try_pop([](const Numbered&) { ADD_FAILURE() << "the ring is empty"; }));
}

TEST(Ring, refuses_a_push_when_full_and_takes_it_after_a_pop) {
  Ring<Numbered> ring(3);
  ASSERT_EQ(ring.capacity(), 4u);
  for (std::uint32_t i = 0; i < 4; ++i) EXPECT_TRUE(push(ring, 0, i));
  EXPECT_FALSE(push(ring, 0, 4));
  EXPECT_EQ(ring.pushed(), 4u);
  EXPECT_TRUE(ring.try_pop([](const Numbered&) {}));
  EXPECT_TRUE(push(ring, 0, 4));
  EXPECT_FALSE(push(ring, 0, 5));
}

TEST(Ring, keeps_its_order_over_many_rounds) {
  Ring<Numbered> ring(8);
  std::uint32_t expected = 0;
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    ASSERT_TRUE(push(ring, 0, i));
    if (i % 5 != 4) continue;
    while (ring.try_pop([&](const Numbered& item) { ASSERT_EQ(item.number, expected); })) {
      ++expected;
    }
  }
  EXPECT_EQ(expected, 10'000u);
}

// The test for the thread sanitizer: four threads push through a ring that is mostly full.
TEST(Ring, loses_and_doubles_nothing_of_four_threads_and_keeps_the_order_of_each) {
  constexpr std::uint32_t kProducers = 4;
  constexpr std::uint32_t kEach = 50'000;
  Ring<Numbered> ring(64);
  std::vector<std::jthread> producers;
  for (std::uint32_t producer = 0; producer < kProducers; ++producer) {
    producers.emplace_back([&ring, producer] {
      for (std::uint32_t i = 0; i < kEach; ++i) {
        while (!push(ring, producer, i)) std::this_thread::yield();
      }
    });
  }
  std::vector<std::uint32_t> next(kProducers, 0);
  std::uint32_t popped = 0;
  std::uint32_t out_of_order = 0;
  while (popped < kProducers * kEach) {
    const bool some = ring.try_pop([&](const Numbered& item) {
      if (item.number != next[item.producer]++) ++out_of_order;
    });
    if (some) {
      ++popped;
    } else {
      std::this_thread::yield();
    }
  }
  EXPECT_EQ(out_of_order, 0u);
  EXPECT_FALSE(ring.try_pop([](const Numbered&) {}));
  EXPECT_EQ(ring.popped(), std::uint64_t{kProducers} * kEach);
}

}  // namespace
}  // namespace ciclo::client
