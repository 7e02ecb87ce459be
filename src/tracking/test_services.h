// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "base/clock.h"
#include "base/context.h"
#include "base/id.h"
#include "base/random.h"
#include "sql/test_database.h"
#include "tracking/logged_models.h"
#include "tracking/tracking.h"

// For tests: the services over an empty database of each engine, with a clock that stands still.

namespace ciclo::tracking {

class TrackingTest : public testing::TestWithParam<sql::Engine> {
 protected:
  TrackingTest() {
    const auto migrated = sql::migrate(*database, schema());
    EXPECT_TRUE(migrated.ok()) << migrated.error().message;
  }

  RunId new_run(const std::string& name = {}, const ExperimentId& experiment = ExperimentId("0")) {
    clock.advance_ms(1);
    auto run = tracking.create_run(context, {.experiment_id = experiment, .name = name});
    EXPECT_TRUE(run.ok()) << run.error().message;
    return run->info.run_id;
  }

  // Names of the runs found, joined by spaces; "error: …" for an error.
  std::string found(const std::string& filter, std::vector<std::string> order_by = {},
                    ViewType view = ViewType::kActiveOnly) {
    auto page = tracking.search_runs(context, {.experiment_ids = {ExperimentId("0")},
                                               .filter = filter,
                                               .order_by = std::move(order_by),
                                               .view = view});
    if (!page.ok()) return "error: " + page.error().message;
    std::string names;
    for (const auto& run : page->items) names += (names.empty() ? "" : " ") + run.info.name;
    return names;
  }

  void log(const RunId& run, const std::string& key, double value, std::int64_t timestamp_ms = 1,
           std::int64_t step = 0) {
    const Metric metric{.key = key, .value = value, .timestamp_ms = timestamp_ms, .step = step};
    const auto logged = tracking.log_metrics(context, run, std::span(&metric, 1));
    EXPECT_TRUE(logged.ok()) << logged.error().message;
  }

  double latest(const RunId& run, const std::string& key) {
    const auto loaded = tracking.run(context, run);
    EXPECT_TRUE(loaded.ok());
    for (const auto& metric : loaded->metrics) {
      if (metric.key == key) return metric.value;
    }
    return std::numeric_limits<double>::quiet_NaN();
  }

  Context context;
  SimClock clock;
  SeededRandom random{1};
  IdSource ids{clock, random};
  sql::TestDatabase database{GetParam()};
  Tracking tracking{*database, clock, ids, random};
  LoggedModels models{*database, clock, ids, random};
};

}  // namespace ciclo::tracking
