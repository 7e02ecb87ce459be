// SPDX-License-Identifier: Apache-2.0
#include "tracking/metric_calls.h"

#include <gtest/gtest.h>

#include <latch>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tracking/limits.h"
#include "tracking/test_services.h"

namespace ciclo::tracking {
namespace {

Metric metric_of(const std::string& key, std::int64_t step = 0) {
  return {.key = key, .value = 1, .timestamp_ms = 1, .step = step};
}

// Calls of which the first is held while the others come.
class MetricCallsTest : public testing::Test {
 protected:
  // What was written, one text a write: "first", "a,b". Refuses what holds "bad".
  Result<void> write(std::span<const Metric> metrics) {
    std::string keys;
    bool is_bad = false;
    for (const auto& metric : metrics) {
      keys += (keys.empty() ? "" : ",") + metric.key;
      is_bad = is_bad || metric.key == "bad";
    }
    {
      const std::lock_guard lock(mutex_);
      written_.push_back(keys);
    }
    if (keys == "first") {
      began_.count_down();
      others_wait_.wait();
    }
    if (broken_) return Error{*broken_, "broken"};
    if (keys.find("throws") != std::string::npos) throw std::runtime_error("thrown");
    return is_bad ? Result<void>(invalid_argument("bad")) : Result<void>();
  }

  Result<void> log(const std::string& run, const std::string& key) {
    const Metric metric = metric_of(key);
    return calls_.log(run, std::span(&metric, 1), [this](auto metrics) { return write(metrics); });
  }

  // The results of the first call and of the others, which come in their order while it is written.
  std::vector<Result<void>> log_behind_first(const std::vector<std::string>& keys) {
    std::vector<Result<void>> results(keys.size() + 1);
    std::vector<std::thread> threads;
    threads.emplace_back([&] { results[0] = log("run", "first"); });
    began_.wait();
    for (std::size_t i = 0; i < keys.size(); ++i) {
      threads.emplace_back([&, i] { results[i + 1] = log("run", keys[i]); });
      while (calls_.waiting("run") < i + 1) std::this_thread::yield();
    }
    others_wait_.count_down();
    for (auto& thread : threads) thread.join();
    return results;
  }

  MetricCalls calls_;
  std::optional<Code> broken_;
  std::latch began_{1};
  std::latch others_wait_{1};
  std::mutex mutex_;
  std::vector<std::string> written_;  // guarded by mutex_
};

using Texts = std::vector<std::string>;

TEST_F(MetricCallsTest, one_call_after_the_other_is_written_alone) {
  EXPECT_TRUE(log("run", "a").ok());
  EXPECT_TRUE(log("run", "b").ok());
  EXPECT_EQ(written_, (Texts{"a", "b"}));
}

TEST_F(MetricCallsTest, those_that_come_meanwhile_are_written_together) {
  for (const auto& result : log_behind_first({"a", "b", "c"})) EXPECT_TRUE(result.ok());
  EXPECT_EQ(written_, (Texts{"first", "a,b,c"}));
}

TEST_F(MetricCallsTest, one_that_is_refused_takes_no_other_with_it) {
  const auto results = log_behind_first({"a", "bad", "c"});
  EXPECT_TRUE(results[1].ok());
  ASSERT_FALSE(results[2].ok());
  EXPECT_EQ(results[2].error().message, "bad");
  EXPECT_TRUE(results[3].ok());
  EXPECT_EQ(written_, (Texts{"first", "a,bad,c", "a", "bad", "c"}));
}

TEST_F(MetricCallsTest, a_database_that_fails_is_not_asked_once_for_each) {
  broken_ = Code::kUnavailable;
  for (const auto& result : log_behind_first({"a", "b"})) {
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code, Code::kUnavailable);
  }
  EXPECT_EQ(written_, (Texts{"first", "a,b"}));
}

TEST_F(MetricCallsTest, nobody_waits_for_a_write_that_throws) {
  const auto results = log_behind_first({"a", "throws"});
  EXPECT_TRUE(results[0].ok());
  EXPECT_FALSE(results[1].ok());
  EXPECT_FALSE(results[2].ok());
  EXPECT_TRUE(log("run", "after").ok());
}

TEST_F(MetricCallsTest, another_run_does_not_wait) {
  std::thread first([&] { EXPECT_TRUE(log("run", "first").ok()); });
  began_.wait();
  EXPECT_TRUE(log("other", "a").ok());
  others_wait_.count_down();
  first.join();
  EXPECT_EQ(written_, (Texts{"first", "a"}));
}

TEST_F(MetricCallsTest, no_more_than_a_batch_is_written_together) {
  std::vector<Metric> many;
  for (std::size_t i = 0; i < kBatchMetricsMax; ++i)
    many.push_back(metric_of("m", std::ssize(many)));
  std::vector<std::size_t> sizes;
  const auto count = [&](std::span<const Metric> metrics) -> Result<void> {
    sizes.push_back(metrics.size());
    if (sizes.size() == 1) {
      began_.count_down();
      others_wait_.wait();
    }
    return {};
  };
  std::vector<std::thread> threads;
  threads.emplace_back(
      [&] { EXPECT_TRUE(calls_.log("run", std::span(many).first(1), count).ok()); });
  began_.wait();
  for (std::size_t i = 0; i < 3; ++i) {
    threads.emplace_back([&] { EXPECT_TRUE(calls_.log("run", many, count).ok()); });
    while (calls_.waiting("run") < i + 1) std::this_thread::yield();
  }
  others_wait_.count_down();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(sizes, (std::vector<std::size_t>{1, 1'000, 1'000, 1'000}));
}

class MetricCallsOnEngines : public TrackingTest {};

TEST_P(MetricCallsOnEngines, threads_that_log_to_one_run_lose_nothing) {
  constexpr int kThreads = 8;
  constexpr int kSteps = 50;
  const RunId run = new_run();
  const RunId gone = new_run();
  ASSERT_TRUE(tracking.delete_run(context, gone).ok());
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int step = 0; step < kSteps; ++step) {
        const Metric metric = metric_of("m", thread * kSteps + step);
        const auto logged = tracking.log_metrics(context, run, std::span(&metric, 1));
        EXPECT_TRUE(logged.ok()) << logged.error().message;
        const auto refused = tracking.log_metrics(context, gone, std::span(&metric, 1));
        EXPECT_TRUE(!refused.ok() && refused.error().code == Code::kFailedPrecondition);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const auto page = tracking.metric_history(
      context, {.run_id = run, .key = "m", .max_results = kThreads * kSteps});
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->items.size(), std::size_t{kThreads * kSteps});
  std::int64_t next = 0;
  for (const auto& metric : page->items) EXPECT_EQ(metric.step, next++);
}

INSTANTIATE_TEST_SUITE_P(Engines, MetricCallsOnEngines, testing::ValuesIn(sql::available_engines()),
                         sql::engine_test_name);

}  // namespace
}  // namespace ciclo::tracking
