// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "base/random.h"
#include "tracking/point_codec.h"
#include "tracking/test_services.h"

// Histories over rows and chunks, against a plain set of points.

namespace ciclo::tracking {
namespace {

// What a series should hold.
using Model = std::set<Point>;

Point point_of(const Metric& metric) {
  const bool is_nan = std::isnan(metric.value);
  return {metric.timestamp_ms, metric.step, is_nan ? 0 : metric.value + 0.0, is_nan};
}

std::string text_of(const Point& point) {
  return std::to_string(point.timestamp_ms) + "/" + std::to_string(point.step) + "/" +
         (point.is_nan ? "nan" : std::to_string(point.value));
}

std::string text_of(const std::vector<Point>& points) {
  std::string text;
  for (const auto& point : points) text += text_of(point) + " ";
  return text;
}

std::vector<Point> in_order(const Model& model) { return {model.begin(), model.end()}; }

// The samples as the words of sampled_metric_history have them.
std::vector<Point> samples_of(const Model& model, std::int64_t step_min, std::int64_t step_max,
                              std::int64_t points_max) {
  std::vector<Point> points;
  for (const auto& point : model) {
    if (step_min <= point.step && point.step <= step_max) points.push_back(point);
  }
  std::stable_sort(points.begin(), points.end(),
                   [](const Point& a, const Point& b) { return a.step < b.step; });
  const std::int64_t total = std::ssize(points);
  if (total <= points_max) return points;
  std::vector<Point> out;
  std::int64_t start = 0;
  for (std::int64_t k = 0; k + 1 < points_max; ++k) {
    out.push_back(points[static_cast<std::size_t>(start)]);
    start += total / points_max + (k < total % points_max ? 1 : 0);
  }
  out.push_back(points.back());
  return out;
}

class HistoryTest : public TrackingTest {
 protected:
  void log_all(const RunId& run, const std::vector<Metric>& metrics) {
    const auto logged = tracking.log_metrics(context, run, metrics);
    ASSERT_TRUE(logged.ok()) << logged.error().message;
  }

  std::vector<Point> history(const RunId& run, const std::string& key) {
    std::vector<Point> points;
    const auto read = tracking.stream_metric_history(context, run, key,
                                                     [&](const Metric& metric) -> Result<void> {
                                                       EXPECT_EQ(metric.key, key);
                                                       points.push_back(point_of(metric));
                                                       return {};
                                                     });
    EXPECT_TRUE(read.ok()) << read.error().message;
    return points;
  }

  std::vector<Point> paged(const RunId& run, const std::string& key, std::int64_t page_size) {
    std::vector<Point> points;
    HistoryQuery query{.run_id = run, .key = key, .max_results = page_size};
    do {
      const auto page = tracking.metric_history(context, query);
      EXPECT_TRUE(page.ok()) << page.error().message;
      if (!page.ok()) break;
      EXPECT_LE(std::ssize(page->items), page_size);
      for (const auto& metric : page->items) points.push_back(point_of(metric));
      query.page_token = page->next_page_token;
    } while (!query.page_token.empty());
    return points;
  }

  std::vector<Point> sampled(const RunId& run, const std::string& key, std::int64_t step_min,
                             std::int64_t step_max, std::int64_t points_max) {
    const auto sample =
        tracking.sampled_metric_history(context, run, key, step_min, step_max, points_max);
    EXPECT_TRUE(sample.ok()) << sample.error().message;
    std::vector<Point> points;
    if (sample.ok()) {
      for (const auto& metric : *sample) points.push_back(point_of(metric));
    }
    return points;
  }

  std::int64_t number(std::string_view statement) {
    const auto found = database->view([&](sql::Reader& reader) {
      return reader.query_one(statement, {}, [](const sql::Row& row) { return row.integer(0); });
    });
    EXPECT_TRUE(found.ok()) << found.error().message;
    return found.ok() ? found->value_or(-1) : -1;
  }
  std::int64_t rows() { return number("SELECT COUNT(*) FROM metric_points"); }
  std::int64_t chunks() { return number("SELECT COUNT(*) FROM metric_chunks"); }

  // All ways to read agree with the model.
  void expect_history(const RunId& run, const std::string& key, const Model& model) {
    const auto wanted = in_order(model);
    ASSERT_EQ(text_of(history(run, key)), text_of(wanted));
    const std::int64_t page = 1 + static_cast<std::int64_t>(random.below(wanted.size() + 2));
    ASSERT_EQ(text_of(paged(run, key, std::max<std::int64_t>(page, std::ssize(wanted) / 7))),
              text_of(wanted));
    std::int64_t low = 0;
    std::int64_t high = 0;
    for (const auto& point : model) {
      low = std::min(low, point.step);
      high = std::max(high, point.step);
    }
    const std::int64_t middle = low + (high - low) / 3;
    for (const auto& [first, last] : {std::pair{low, high}, {middle, high - (high - low) / 4}}) {
      for (const std::int64_t points_max : {1, 2, 7, 320, 2'500}) {
        ASSERT_EQ(text_of(sampled(run, key, first, last, points_max)),
                  text_of(samples_of(model, first, last, points_max)))
            << first << " to " << last << ", " << points_max;
      }
    }
  }
};

std::vector<Metric> growing(int first, int count, const std::string& key = "loss") {
  std::vector<Metric> metrics;
  for (int i = first; i < first + count; ++i) {
    metrics.push_back({.key = key, .value = 1.0 / (1 + i), .timestamp_ms = 1'000 + i, .step = i});
  }
  return metrics;
}

void add(Model& model, const std::vector<Metric>& metrics) {
  for (const auto& metric : metrics) model.insert(point_of(metric));
}

TEST_P(HistoryTest, rows_are_folded_into_a_chunk_once_they_are_many) {
  const RunId run = new_run();
  Model model;
  for (int i = 0; i < 1'100; ++i) {
    const auto one = growing(i, 1);
    log_all(run, one);
    add(model, one);
  }
  // Folded with the points 512 and 1,024, counted from 0: the one that makes a series is not
  // counted.
  EXPECT_EQ(rows(), 75);
  EXPECT_EQ(chunks(), 2);
  EXPECT_EQ(number("SELECT MAX(points) FROM metric_chunks"), 1'024);
  expect_history(run, "loss", model);
}

TEST_P(HistoryTest, batches_of_one_series_never_become_rows) {
  const RunId run = new_run();
  Model model;
  for (int batch = 0; batch < 5; ++batch) {
    log_all(run, growing(batch * 1'000, 1'000));
    add(model, growing(batch * 1'000, 1'000));
  }
  EXPECT_EQ(rows(), 0);
  EXPECT_EQ(chunks(), 5);
  expect_history(run, "loss", model);
}

TEST_P(HistoryTest, small_batches_fill_one_chunk_after_the_other) {
  const RunId run = new_run();
  Model model;
  for (int batch = 0; batch < 40; ++batch) {
    log_all(run, growing(batch * 100, 100));
    add(model, growing(batch * 100, 100));
  }
  EXPECT_EQ(rows(), 0);
  EXPECT_EQ(chunks(), 4);
  expect_history(run, "loss", model);
}

TEST_P(HistoryTest, what_was_logged_before_is_dropped_from_rows_and_chunks) {
  const RunId run = new_run();
  Model model;
  for (int round = 0; round < 3; ++round) {
    for (int batch = 0; batch < 3; ++batch) {
      log_all(run, growing(batch * 900, 900));
      add(model, growing(batch * 900, 900));
      log_all(run, growing(batch * 900 + 880, 30));
      add(model, growing(batch * 900 + 880, 30));
    }
    expect_history(run, "loss", model);
  }
  EXPECT_EQ(model.size(), 2'710U);
  EXPECT_LE(number("SELECT SUM(points) FROM metric_chunks"), 2'710);
}

TEST_P(HistoryTest, a_history_logged_from_its_end_to_its_beginning) {
  const RunId run = new_run();
  Model model;
  for (int batch = 11; batch >= 0; --batch) {
    log_all(run, growing(batch * 300, 300));
    add(model, growing(batch * 300, 300));
  }
  expect_history(run, "loss", model);
  EXPECT_LE(chunks(), 8);
}

TEST_P(HistoryTest, nan_infinity_and_both_zeros_go_through_a_chunk_as_through_a_row) {
  const RunId run = new_run();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  auto metrics = growing(0, 100);
  metrics[10].value = kInfinity;
  metrics[11].value = -kInfinity;
  metrics[12].value = std::numeric_limits<double>::quiet_NaN();
  metrics[13].value = -0.0;
  metrics[14].value = std::numeric_limits<double>::denorm_min();
  const RunId single = new_run();
  for (const auto& metric : metrics) log_all(single, {metric});
  log_all(run, metrics);
  EXPECT_EQ(chunks(), 1);
  EXPECT_EQ(rows(), 100);
  const auto from_chunk = history(run, "loss");
  EXPECT_EQ(text_of(from_chunk), text_of(history(single, "loss")));
  EXPECT_EQ(from_chunk[10].value, std::numeric_limits<double>::max());
  EXPECT_EQ(from_chunk[11].value, std::numeric_limits<double>::lowest());
  EXPECT_TRUE(from_chunk[12].is_nan);
  EXPECT_FALSE(std::signbit(from_chunk[13].value));
  EXPECT_EQ(from_chunk[14].value, std::numeric_limits<double>::denorm_min());
}

TEST_P(HistoryTest, the_latest_point_is_right_whatever_the_order) {
  const RunId run = new_run();
  log_all(run, growing(1'000, 700));
  log_all(run, growing(0, 700));
  EXPECT_EQ(latest(run, "loss"), 1.0 / 1'700);
}

// Random batches: some go on in time, some come late, some repeat, steps grow or start again.
TEST_P(HistoryTest, any_mixture_of_batches_gives_what_a_plain_set_gives) {
  const int rounds = GetParam() == sql::Engine::kSqlite ? 4 : 2;
  for (int round = 0; round < rounds; ++round) {
    const RunId run = new_run();
    std::map<std::string, Model> models_of;
    std::vector<Metric> logged;
    std::int64_t now_ms = 1'000;
    for (int batch = 0; batch < 30; ++batch) {
      std::vector<Metric> metrics;
      const std::uint64_t kind = random.below(6);
      const std::size_t count = std::vector<std::size_t>{1, 20, 70, 300, 1'000, 1'500}[kind];
      for (std::size_t i = 0; i < count; ++i) {
        const std::uint64_t choice = random.below(10);
        if (choice == 0 && !logged.empty()) {
          metrics.push_back(logged[random.below(logged.size())]);
          continue;
        }
        now_ms += static_cast<std::int64_t>(random.below(3));
        const bool is_late = round % 2 == 1 && random.below(20) == 0;
        const std::int64_t time_ms =
            is_late ? static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(now_ms)))
                    : now_ms;
        const std::int64_t step = round % 4 < 2 ? time_ms / 2 : time_ms % 777 - 100;
        const double value = random.below(50) == 0 ? std::numeric_limits<double>::quiet_NaN()
                                                   : static_cast<double>(random.below(5));
        metrics.push_back({.key = random.below(4) == 0 ? "b" : "a",
                           .value = value,
                           .timestamp_ms = time_ms,
                           .step = step});
      }
      log_all(run, metrics);
      for (const auto& metric : metrics) models_of[metric.key].insert(point_of(metric));
      logged.insert(logged.end(), metrics.begin(), metrics.end());
    }
    for (const auto& [key, model] : models_of) expect_history(run, key, model);
    EXPECT_GT(chunks(), 0);
  }
}

// Each fold meets more chunks than it may write; the rest waits as rows and has its turn.
TEST_P(HistoryTest, points_spread_over_a_long_history_are_folded_bit_by_bit) {
  const RunId run = new_run();
  Model model;
  for (int batch = 0; batch < 30; ++batch) {
    log_all(run, growing(batch * 1'000, 1'000));
    add(model, growing(batch * 1'000, 1'000));
  }
  for (int batch = 0; batch < 12; ++batch) {
    std::vector<Metric> spread;
    for (int i = 0; i < 100; ++i) {
      spread.push_back({.key = "loss",
                        .value = -1.0 * batch,
                        .timestamp_ms = 1'000 + static_cast<std::int64_t>(random.below(30'000)),
                        .step = i});
    }
    log_all(run, spread);
    add(model, spread);
  }
  EXPECT_GT(rows(), 0);
  EXPECT_LT(rows(), 1'000);
  expect_history(run, "loss", model);
}

// Rows in far chunks have their turn although each batch brings enough for the near ones.
TEST_P(HistoryTest, no_row_waits_for_ever) {
  const RunId run = new_run();
  Model model;
  for (int batch = 0; batch < 30; ++batch) {
    log_all(run, growing(batch * 1'000, 1'000));
    add(model, growing(batch * 1'000, 1'000));
  }
  const auto spread = [&](int first, int count, int apart, double value) {
    std::vector<Metric> metrics;
    for (int i = 0; i < count; ++i) {
      metrics.push_back({.key = "loss",
                         .value = value,
                         .timestamp_ms = 1'000 + first + std::int64_t{i} * apart,
                         .step = i});
    }
    log_all(run, metrics);
    add(model, metrics);
  };
  constexpr std::string_view kFarRows =
      "SELECT COUNT(*) FROM metric_points WHERE timestamp_ms >= 15000";
  spread(15'000, 15, 1'000, -1);
  ASSERT_EQ(number(kFarRows), 15);
  for (int batch = 0; batch < 8; ++batch) spread(500, 70, 150, -2 - batch);
  EXPECT_EQ(number(kFarRows), 0);
  expect_history(run, "loss", model);
}

TEST_P(HistoryTest, late_points_are_folded_too) {
  const RunId run = new_run();
  Model model;
  log_all(run, growing(5'000, 1));
  add(model, growing(5'000, 1));
  for (int batch = 0; batch < 30; ++batch) {
    log_all(run, growing(batch * 20, 20));
    add(model, growing(batch * 20, 20));
  }
  EXPECT_LT(rows(), 512);
  expect_history(run, "loss", model);
}

TEST_P(HistoryTest, samples_where_steps_start_again_with_a_chunk) {
  const RunId run = new_run();
  Model model;
  for (int epoch = 0; epoch < 3; ++epoch) {
    auto metrics = growing(epoch * 1'000, 1'000);
    for (auto& metric : metrics) metric.step %= 1'000;
    log_all(run, metrics);
    add(model, metrics);
  }
  expect_history(run, "loss", model);
}

TEST_P(HistoryTest, samples_where_rows_lie_among_chunks_or_repeat_them) {
  for (const Metric& row :
       {Metric{.key = "loss", .value = 1, .timestamp_ms = 1'500, .step = 999},
        Metric{.key = "loss", .value = 1.0 / 1'000, .timestamp_ms = 1'999, .step = 999}}) {
    const RunId run = new_run();
    Model model;
    log_all(run, growing(0, 1'000));
    add(model, growing(0, 1'000));
    log_all(run, {row});
    add(model, {row});
    expect_history(run, "loss", model);
  }
}

// A range in which no number of points can be held is read in several passes.
TEST_P(HistoryTest, samples_of_a_long_history_whose_steps_are_mixed) {
  const RunId run = new_run();
  const int count = GetParam() == sql::Engine::kSqlite ? 150'000 : 70'000;
  Model model;
  std::vector<Metric> metrics;
  for (int i = 0; i < count; ++i) {
    // Half of all have the step 3, a few are far away from all others.
    const std::int64_t step = i % 2 == 0        ? 3
                              : i % 10'001 == 0 ? std::numeric_limits<std::int64_t>::max() - i
                                                : i * 7'919LL % 100'000;
    metrics.push_back({.key = "m", .value = 1.0 * i, .timestamp_ms = 10 + i, .step = step});
  }
  log_all(run, metrics);
  add(model, metrics);
  for (const std::int64_t points_max : {1, 320, 2'500}) {
    constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();
    EXPECT_EQ(text_of(sampled(run, "m", -kLast, kLast, points_max)),
              text_of(samples_of(model, -kLast, kLast, points_max)));
  }
  EXPECT_EQ(text_of(sampled(run, "m", 3, 3, 50)), text_of(samples_of(model, 3, 3, 50)));
}

TEST_P(HistoryTest, an_index_leads_to_every_row_and_chunk) {
  const RunId run = new_run();
  log_all(run, growing(0, 3'000));
  log_all(run, growing(3'000, 10));
  const auto before = database->stats().full_scan_rows;
  log_all(run, growing(2'000, 100));
  log_all(run, growing(3'010, 10));
  EXPECT_EQ(paged(run, "loss", 700).size(), 3'020U);
  EXPECT_EQ(sampled(run, "loss", 0, 2'900, 320).size(), 320U);
  log_all(run, growing(10, 1));
  EXPECT_EQ(sampled(run, "loss", 0, 2'900, 320).size(), 320U);
  EXPECT_EQ(database->stats().full_scan_rows, before);
}

// Rows as a database has them that was written before there were chunks.
TEST_P(HistoryTest, rows_of_an_older_database_are_read_and_then_folded) {
  const RunId run = new_run();
  Model model;
  log_all(run, growing(0, 1));
  add(model, growing(0, 10'000));
  ASSERT_TRUE(database
                  ->transaction([&](sql::Txn& txn) -> Result<void> {
                    TRY(txn.execute(R"(
                        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)
                        INSERT INTO metric_points (series, timestamp_ms, step, value, is_nan)
                        SELECT s.series, 1000 + i, i, 1.0 / (1 + i), 0 FROM n, metric_series s)"));
                    return {};
                  })
                  .ok());
  ASSERT_EQ(rows(), 10'000);
  expect_history(run, "loss", model);
  for (int batch = 0; batch < 3; ++batch) {
    log_all(run, growing(10'000 + batch * 100, 100));
    add(model, growing(10'000 + batch * 100, 100));
    expect_history(run, "loss", model);
  }
  EXPECT_EQ(rows(), 0);
}

TEST_P(HistoryTest, a_damaged_chunk_is_data_loss_and_takes_no_new_points) {
  const RunId run = new_run();
  log_all(run, growing(0, 100));
  ASSERT_TRUE(database
                  ->transaction([&](sql::Txn& txn) -> Result<void> {
                    const std::vector<std::byte> bytes(20, std::byte{1});
                    TRY(txn.execute("UPDATE metric_chunks SET data = $1",
                                    {std::span<const std::byte>(bytes)}));
                    return {};
                  })
                  .ok());
  const auto page = tracking.metric_history(context, {.run_id = run, .key = "loss"});
  EXPECT_EQ(page.error().code, Code::kDataLoss);
  EXPECT_EQ(tracking.log_metrics(context, run, growing(100, 100)).error().code, Code::kDataLoss);
}

// Two that write one series at the same time, with points of their own and common ones.
TEST_P(HistoryTest, two_writers_of_one_series_lose_and_double_nothing) {
  const RunId run = new_run();
  Model model;
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 2; ++writer) {
    writers.emplace_back([&, writer] {
      for (int batch = 0; batch < 25; ++batch) {
        auto metrics = growing(batch * 80, batch % 3 == 0 ? 80 : 10);
        for (std::size_t i = 0; i < metrics.size(); i += 2) metrics[i].value = -writer;
        Result<void> logged = conflict("not tried");
        while (!logged.ok() && logged.error().code == Code::kConflict) {
          logged = tracking.log_metrics(context, run, metrics);
        }
        EXPECT_TRUE(logged.ok()) << logged.error().message;
      }
    });
    for (int batch = 0; batch < 25; ++batch) {
      auto metrics = growing(batch * 80, batch % 3 == 0 ? 80 : 10);
      for (std::size_t i = 0; i < metrics.size(); i += 2) metrics[i].value = -writer;
      add(model, metrics);
    }
  }
  for (auto& writer : writers) writer.join();
  expect_history(run, "loss", model);
  EXPECT_GT(chunks(), 0);
}

INSTANTIATE_TEST_SUITE_P(Engines, HistoryTest, testing::ValuesIn(sql::available_engines()),
                         sql::engine_test_name);

}  // namespace
}  // namespace ciclo::tracking
