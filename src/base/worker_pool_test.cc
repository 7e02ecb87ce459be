// SPDX-License-Identifier: Apache-2.0
#include "base/worker_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <stdexcept>

namespace ciclo {
namespace {

TEST(WorkerPool, the_end_runs_what_is_queued) {
  std::atomic<int> done = 0;
  {
    WorkerPool pool("test", 3, 1000);
    for (int i = 0; i < 500; ++i) ASSERT_TRUE(pool.try_submit([&] { ++done; }));
  }
  EXPECT_EQ(done, 500);
}

TEST(WorkerPool, a_full_queue_refuses) {
  std::latch started(1);
  std::latch release(1);
  {
    WorkerPool pool("test", 1, 2);
    ASSERT_TRUE(pool.try_submit([&] {
      started.count_down();
      release.wait();
    }));
    started.wait();
    EXPECT_TRUE(pool.try_submit([] {}));
    EXPECT_TRUE(pool.try_submit([] {}));
    EXPECT_EQ(pool.queued(), 2U);
    EXPECT_FALSE(pool.try_submit([] {}));
    release.count_down();
  }
}

TEST(WorkerPool, one_thread_keeps_the_order) {
  std::vector<int> order;
  {
    WorkerPool pool("test", 1, 10);
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(pool.try_submit([&order, i] { order.push_back(i); }));
  }
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST(WorkerPool, a_task_that_throws_harms_no_other) {
  std::atomic<int> done = 0;
  {
    WorkerPool pool("test", 1, 10);
    ASSERT_TRUE(pool.try_submit([] { throw std::runtime_error("expected by this test"); }));
    ASSERT_TRUE(pool.try_submit([&] { ++done; }));
  }
  EXPECT_EQ(done, 1);
}

}  // namespace
}  // namespace ciclo
