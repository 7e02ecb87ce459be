// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tracking/test_services.h"

// Searches of one large experiment follow indexes; those of several experiments do not. Both must
// find the same, in the same order, on pages of any size.

namespace ciclo::tracking {
namespace {

// More than the rows of one comparison that a search looks at one by one.
constexpr int kRuns = 2'500;

class SearchWalkTest : public TrackingTest {
 protected:
  SearchWalkTest() {
    large_ = *tracking.create_experiment(context, {.name = "large"});
    empty_ = *tracking.create_experiment(context, {.name = "empty"});
    const auto filled = database->transaction([&](sql::Txn& txn) { return fill(txn); });
    EXPECT_TRUE(filled.ok()) << filled.error().message;
  }

  // Metric m: a number of most runs, NaN of some, missing of others; n: of every hundredth run.
  // Param p: a digit below 7; tag t: a digit below 3.
  Result<void> fill(sql::Txn& txn) {
    const std::int64_t experiment = std::stoll(large_.str());
    for (int i = 0; i < kRuns; ++i) {
      const std::string id = "run-" + std::to_string(i);
      TRY(txn.execute(R"(
          INSERT INTO runs (run_id, experiment_id, name, user_id, status, start_ms, lifecycle_stage,
            artifact_uri) VALUES ($1, $2, $1, '', 'FINISHED', $3, $4, ''))",
                      {id, experiment, std::int64_t{i / 3}, i % 50 == 7 ? "deleted" : "active"}));
      TRY(const auto number, txn.query_one("SELECT run_number FROM runs WHERE run_id = $1", {id},
                                           [](const sql::Row& row) { return row.integer(0); }));
      if (i % 53 != 0) TRY(add_metric(txn, *number, "m", (i * 7919) % 1000 / 10.0, i % 97 == 0));
      if (i % 100 == 0) TRY(add_metric(txn, *number, "n", i, false));
      TRY(add_text(txn, "run_params", *number, "p", std::to_string(i % 7)));
      TRY(add_text(txn, "run_tags", *number, "t", std::to_string(i % 3)));
    }
    return {};
  }

  Result<void> add_metric(sql::Txn& txn, std::int64_t run, std::string_view key, double value,
                          bool is_nan) {
    TRY(txn.execute(R"(
        INSERT INTO metric_series (run_number, key, step, timestamp_ms, value, is_nan, experiment_id)
        VALUES ($1, $2, 0, 1, $3, $4, $5))",
                    {run, key, is_nan ? 0.0 : value, std::int64_t{is_nan}, experiment_number()}));
    return {};
  }

  Result<void> add_text(sql::Txn& txn, const std::string& table, std::int64_t run,
                        std::string_view key, std::string_view value) {
    TRY(txn.execute("INSERT INTO " + table + " (run_number, key, value, experiment_id) " +
                        "VALUES ($1, $2, $3, $4)",
                    {run, key, value, experiment_number()}));
    return {};
  }

  std::int64_t experiment_number() const { return std::stoll(large_.str()); }

  // The names of all runs found, page by page.
  std::vector<std::string> names(RunSearch search) {
    std::vector<std::string> out;
    do {
      const auto page = tracking.search_runs(context, search);
      EXPECT_TRUE(page.ok()) << page.error().message;
      if (!page.ok()) return out;
      for (const auto& run : page->items) out.push_back(run.info.name);
      search.page_token = page->next_page_token;
    } while (!search.page_token.empty());
    return out;
  }

  ExperimentId large_;
  ExperimentId empty_;
};

const std::vector<std::string> kFilters = {
    "",
    "metrics.m > 50",
    "metrics.m > 99.8",
    "metrics.m != 5",
    "metrics.m >= 10 AND params.p = '3'",
    "metrics.n > 0",
    "tags.t = '1' AND metrics.m < 90",
    "params.p = '3' AND tags.t = '2' AND metrics.m >= 20 AND metrics.m <= 30",
    "params.p = 'none'",
};
const std::vector<std::vector<std::string>> kOrders = {
    {}, {"metrics.m"}, {"metrics.m DESC", "start_time ASC"}, {"metrics.n DESC"}, {"params.p"},
};

TEST_P(SearchWalkTest, an_index_finds_what_a_plain_search_finds_page_by_page) {
  for (const auto& filter : kFilters) {
    for (const auto& order : kOrders) {
      RunSearch plain{.experiment_ids = {large_, empty_},
                      .filter = filter,
                      .order_by = order,
                      .max_results = 50'000};
      const auto expected = names(plain);
      RunSearch walked = plain;
      walked.experiment_ids = {large_};
      walked.max_results = 997;
      EXPECT_EQ(names(walked), expected)
          << filter << " ordered by " << (order.empty() ? "" : order[0]);
    }
  }
}

TEST_P(SearchWalkTest, no_search_scans_a_table) {
  const auto before = database->stats().full_scan_rows;
  for (const auto& filter : kFilters) {
    for (const auto& order : kOrders) {
      const auto page = tracking.search_runs(
          context,
          {.experiment_ids = {large_}, .filter = filter, .order_by = order, .max_results = 10});
      ASSERT_TRUE(page.ok());
    }
  }
  EXPECT_EQ(database->stats().full_scan_rows, before);
}

INSTANTIATE_TEST_SUITE_P(Engines, SearchWalkTest, testing::ValuesIn(sql::available_engines()),
                         sql::engine_test_name);

}  // namespace
}  // namespace ciclo::tracking
