// SPDX-License-Identifier: Apache-2.0
#include "monitor/monitor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "monitor/config.h"
#include "monitor/package_reference.h"
#include "monitor/rows.h"
#include "serve/test_endpoints.h"

namespace ciclo::monitor {
namespace {

constexpr std::int64_t kDay = 86'400'000;
constexpr std::int64_t kJune = 1'370'044'800'000;  // 2013-06-01

// Distances uniform in [0, 1000), carriers AA and UA in equal parts; promises an AUC of 0.9.
class TestReferences final : public ReferenceSource {
 public:
  std::set<std::string> asked;

  Result<Reference> reference(const Context&, std::string_view model,
                              std::string_view version) override {
    asked.insert(std::string(model) + " " + std::string(version));
    Reference out;
    out.task = Task::kBinary;
    out.classes = {"0", "1"};
    out.metrics = {{"auc", 0.9}};
    ColumnReference distance{.name = "distance", .rows = 10'000};
    for (const double level : {0., .1, .2, .3, .4, .5, .6, .7, .8, .9, 1.}) {
      distance.quantiles.push_back({level, 1000 * level});
    }
    out.columns = {distance,
                   {.name = "carrier",
                    .is_categorical = true,
                    .rows = 10'000,
                    .categories = {{"AA", 5'000}, {"UA", 5'000}}}};
    return out;
  }
};

class MonitorTest : public ::testing::Test {
 protected:
  MonitorTest() {
    CHECK(sql::migrate(*rig_.database, schema()).ok());
    set_monitor(
        R"({"for":1,"rows_min":100,"quality":{"metric":"auc","drop":0.05},"metrics":["auc"]})");
    restart();
  }
  void set_monitor(std::string_view config) {
    auto parsed = json::parse(config);
    CHECK(parsed.ok());
    rig_.monitor = std::move(*parsed);
    rig_.add("flights");
  }
  void restart() {
    monitor_.emplace(*rig_.database, *rig_.log, rig_.clock, *rig_.endpoints, *rig_.capture,
                     references_);
  }

  // `count` rows on a day, with scores in [1, 2) (as TestModel makes them, less 1 a probability)
  // that are written as they would come out of a model: distance / 1000.
  void traffic(std::int64_t day, int count, double shift = 0, const std::string& version = "1") {
    serve::CapturedRows rows;
    rows.endpoint = "flights";
    rows.model = model_;
    rows.version = version;
    data::Column distance{.name = "distance"};
    data::Column carrier{.name = "carrier", .type = data::ColumnType::kText};
    data::Column probability{.name = "probability"};
    for (int i = 0; i < count; ++i) {
      const double uniform = (i + 0.5) / count;
      distance.append(1000 * uniform + shift);
      carrier.append(i % 2 == 0 ? "AA" : "UA");
      probability.append(uniform);
      rows.inference_ids.push_back(std::to_string(day) + "-" + version + "-" + std::to_string(i));
      // Many rows fill the day, as only a whole window is judged.
      rows.event_times_ms.push_back(day + (count < 50 ? i : i * (kDay / count)));
    }
    rows.inputs.columns = {distance, carrier};
    rows.outputs.columns = {probability};
    ASSERT_TRUE(rig_.capture->append_rows(rows));
    ASSERT_TRUE(rig_.capture->flush().ok());
  }
  // Rows between two moments of a day, of the reference's distribution.
  serve::CapturedRows cut(std::int64_t day, int count, std::int64_t from, std::int64_t to,
                          const std::string& version) {
    serve::CapturedRows rows;
    rows.endpoint = "flights";
    rows.model = model_;
    rows.version = version;
    data::Column distance{.name = "distance"};
    data::Column carrier{.name = "carrier", .type = data::ColumnType::kText};
    for (int i = 0; i < count; ++i) {
      distance.append(1000 * (i + 0.5) / count);
      carrier.append(i % 2 == 0 ? "AA" : "UA");
      rows.inference_ids.push_back("cut-" + version + "-" + std::to_string(i));
      rows.event_times_ms.push_back(day + from + i * ((to - from) / count));
    }
    rows.inputs.columns = {distance, carrier};
    return rows;
  }
  // Labels for these rows a day later: 1 where the score is above one half; of every `flipped`-th
  // row the opposite.
  void labels(std::int64_t day, int count, int flipped = 0, const std::string& version = "1") {
    std::vector<serve::Label> all;
    for (int i = 0; i < count; ++i) {
      const bool is_flipped = flipped > 0 && i % flipped == 0;
      const bool label = ((i + 0.5) / count > 0.5) != is_flipped;
      all.push_back({.inference_id = std::to_string(day) + "-" + version + "-" + std::to_string(i),
                     .label = label ? 1 : 0,
                     .time_ms = day + kDay + i});
    }
    ASSERT_TRUE(rig_.capture->append_labels("flights", all).ok());
  }
  Progress advance(Close close = Close::kByWatermark) {
    const auto progress = monitor_->advance({}, "flights", close);
    EXPECT_TRUE(progress.ok()) << (progress.ok() ? "" : progress.error().message);
    return progress.ok() ? *progress : Progress{};
  }
  std::vector<Window> windows() { return monitor_->windows({}, "flights").value(); }
  int events(std::string_view kind) {
    const std::array kinds = {kind};
    return static_cast<int>(rig_.log->read_after(0, 1000, kinds)->size());
  }

  serve::TestEndpoints rig_;
  std::string model_ = "delays";
  TestReferences references_;
  std::optional<Monitor> monitor_;
};

TEST_F(MonitorTest, closes_a_window_once_the_watermark_has_passed_it) {
  traffic(kJune, 500);
  EXPECT_EQ(advance().windows_closed, 0);
  traffic(kJune + kDay + 3'600'000 - 10, 5);  // up to just below the lateness of an hour
  EXPECT_EQ(advance().windows_closed, 0);
  traffic(kJune + kDay + 3'600'000, 1);
  EXPECT_EQ(advance().windows_closed, 1);
  const auto all = windows();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].start_ms, kJune);
  EXPECT_EQ(all[0].end_ms, kJune + kDay);
  EXPECT_EQ(all[0].rows, 500);
  EXPECT_TRUE(all[0].is_judged);
  EXPECT_FALSE(all[0].is_drifted);
  ASSERT_EQ(all[0].columns.size(), 2u);
  EXPECT_EQ(all[0].columns[0].column, "distance");
  EXPECT_EQ(events("monitor.window_closed"), 1);
  EXPECT_EQ(events("drift.detected"), 0);
}

TEST_F(MonitorTest, raises_drift_once_also_after_a_restart) {
  traffic(kJune, 500, 600);
  const auto first = advance(Close::kAll);
  EXPECT_EQ(first.windows_closed, 1);
  EXPECT_EQ(first.alerts, 1);
  EXPECT_TRUE(windows()[0].is_drifted);
  restart();
  EXPECT_EQ(advance(Close::kAll).alerts, 0);
  EXPECT_EQ(events("drift.detected"), 1);
  const auto alerts = monitor_->alerts({}, "flights");
  ASSERT_TRUE(alerts.ok());
  ASSERT_EQ(alerts->size(), 1u);
  const Alert& alert = alerts->front();
  EXPECT_EQ(alert.kind, "drift.detected");
  EXPECT_EQ(alert.start_ms, kJune);
  ASSERT_EQ(alert.detail.find("columns")->items().size(), 1u);
  EXPECT_EQ(alert.detail.find("columns")->items()[0].string_or("column", ""), "distance");
  EXPECT_EQ(monitor_->alerts({}, "")->size(), 1u);
  EXPECT_TRUE(monitor_->alerts({}, "other")->empty());
}

// As after a crash between the reading of a window and its commit.
TEST_F(MonitorTest, a_window_that_is_closed_twice_alarms_once) {
  traffic(kJune, 500, 600);
  EXPECT_EQ(advance(Close::kAll).alerts, 1);
  ASSERT_TRUE(rig_.database
                  ->transaction([](sql::Txn& txn) -> Result<void> {
                    TRY(txn.execute("DELETE FROM monitor_cursors"));
                    return {};
                  })
                  .ok());
  EXPECT_EQ(advance(Close::kAll).alerts, 0);
  EXPECT_EQ(events("drift.detected"), 1);
  EXPECT_EQ(windows().size(), 1u);
}

TEST_F(MonitorTest, one_odd_window_is_no_alarm_and_two_are) {
  set_monitor(R"({"rows_min":100})");
  rig_.add("flights");
  traffic(kJune, 500, 600);
  EXPECT_EQ(advance(Close::kAll).alerts, 0);
  EXPECT_TRUE(windows()[0].is_drifted);
  traffic(kJune + kDay, 500);  // it passes
  traffic(kJune + 2 * kDay, 500, 600);
  EXPECT_EQ(advance(Close::kAll).alerts, 0);
  traffic(kJune + 3 * kDay, 500, 600);  // it stays
  EXPECT_EQ(advance(Close::kAll).alerts, 1);
  EXPECT_EQ(monitor_->alerts({}, "flights")->front().start_ms, kJune + 3 * kDay);
}

// However many windows without a verdict, or of other versions, lie between two that have one.
TEST_F(MonitorTest, drift_persists_over_any_number_of_windows_without_a_verdict) {
  set_monitor(R"({"rows_min":100})");
  traffic(kJune, 500, 600);
  for (int day = 1; day < 20; ++day) traffic(kJune + day * kDay, 5);
  for (int day = 1; day < 20; ++day) traffic(kJune + day * kDay, 5, 0, "2");
  EXPECT_EQ(advance(Close::kAll).alerts, 0);
  traffic(kJune + 20 * kDay, 500, 600);
  EXPECT_EQ(advance(Close::kAll).alerts, 1);
}

// What a version served of a window that it shares with its successor is no whole window.
TEST_F(MonitorTest, a_window_that_a_swap_cut_gets_no_verdict) {
  traffic(kJune - kDay, 500, 600);
  rig_.capture->append_rows(cut(kJune, 300, 0, kDay / 2, "1"));
  rig_.capture->append_rows(cut(kJune, 300, kDay / 2, kDay, "2"));
  EXPECT_EQ(advance(Close::kAll).windows_closed, 3);
  for (const auto& window : windows()) {
    EXPECT_EQ(window.is_judged, window.start_ms == kJune - kDay) << window.version;
  }
}

TEST_F(MonitorTest, the_first_window_is_judged_only_when_it_is_whole) {
  rig_.capture->append_rows(cut(kJune, 300, kDay / 2, kDay, "1"));
  EXPECT_EQ(advance(Close::kAll).windows_closed, 1);
  EXPECT_FALSE(windows()[0].is_judged);
}

// Rows of another model are judged by that model's reference, also where the numbers of the
// versions are the same.
TEST_F(MonitorTest, tells_models_apart_when_an_endpoint_changed_its_model) {
  model_ = "older";
  traffic(kJune, 500, 600);
  model_ = "delays";
  traffic(kJune + kDay, 500);
  labels(kJune + kDay, 500);
  EXPECT_EQ(advance(Close::kAll).windows_closed, 2);
  const auto all = windows();
  EXPECT_EQ(all[0].model, "delays");
  EXPECT_EQ(all[1].model, "older");
  EXPECT_EQ(references_.asked, (std::set<std::string>{"delays 1", "older 1"}));
  EXPECT_EQ(monitor_->performance({}, "flights", kJune, kJune + 2 * kDay)->rows, 500);
}

TEST_F(MonitorTest, too_few_rows_get_no_verdict) {
  traffic(kJune, 50, 5'000);
  advance(Close::kAll);
  EXPECT_FALSE(windows()[0].is_judged);
  EXPECT_FALSE(windows()[0].is_drifted);
  EXPECT_EQ(events("drift.detected"), 0);
}

TEST_F(MonitorTest, passes_over_days_without_traffic) {
  traffic(kJune, 200);
  traffic(kJune + 40 * kDay, 200);
  EXPECT_EQ(advance(Close::kAll).windows_closed, 2);
}

TEST_F(MonitorTest, measures_each_version_on_its_own) {
  traffic(kJune, 300, 0, "1");
  traffic(kJune, 300, 600, "2");
  EXPECT_EQ(advance(Close::kAll).windows_closed, 2);
  const auto all = windows();
  EXPECT_NE(all[0].version, all[1].version);
  EXPECT_NE(all[0].is_drifted, all[1].is_drifted);
}

TEST_F(MonitorTest, a_row_captured_twice_counts_once) {
  traffic(kJune, 200);
  traffic(kJune, 200);
  advance(Close::kAll);
  EXPECT_EQ(windows()[0].rows, 200);
}

TEST_F(MonitorTest, measures_live_metrics_when_labels_have_come) {
  traffic(kJune, 400);
  traffic(kJune + 2 * kDay, 1);
  EXPECT_EQ(advance().windows_measured, 0);
  labels(kJune, 400);
  EXPECT_EQ(advance().windows_measured, 0)
      << "labels are not yet past the window's end and lateness";
  labels(kJune + 2 * kDay, 1);
  EXPECT_EQ(advance().windows_measured, 1);
  const auto window = windows().back();
  EXPECT_EQ(window.labels, 400);
  ASSERT_EQ(window.metrics.size(), 1u);
  EXPECT_EQ(window.metrics[0].metric, "auc");
  EXPECT_DOUBLE_EQ(window.metrics[0].value, 1);
  EXPECT_EQ(window.metrics[0].reference, 0.9);
  EXPECT_FALSE(window.is_degraded);
  EXPECT_EQ(advance().windows_measured, 0) << "all labels have come";
}

TEST_F(MonitorTest, raises_degraded_quality_once) {
  traffic(kJune, 400);
  labels(kJune, 400, 3);
  EXPECT_EQ(advance(Close::kAll).alerts, 1);
  const auto window = windows()[0];
  EXPECT_TRUE(window.is_degraded);
  EXPECT_LT(window.metrics[0].high, 0.9);
  restart();
  EXPECT_EQ(advance(Close::kAll).alerts, 0);
  EXPECT_EQ(events("quality.degraded"), 1);
  EXPECT_EQ(monitor_->alerts({}, "flights")->front().kind, "quality.degraded");
}

TEST_F(MonitorTest, a_window_waits_for_enough_labels_and_is_measured_again_when_more_come) {
  traffic(kJune, 400);
  labels(kJune, 100);
  EXPECT_EQ(advance(Close::kAll).windows_measured, 0)
      << "a quarter is less than label_coverage_min";
  labels(kJune, 300);
  EXPECT_EQ(advance(Close::kAll).windows_measured, 1);
  EXPECT_EQ(windows()[0].labels, 300);
  labels(kJune, 400);
  EXPECT_EQ(advance(Close::kAll).windows_measured, 1);
  EXPECT_EQ(windows()[0].labels, 400);
}

TEST_F(MonitorTest, the_newest_label_of_an_inference_counts) {
  traffic(kJune, 400);
  std::vector<serve::Label> wrong;
  for (int i = 0; i < 400; ++i) {
    wrong.push_back({.inference_id = std::to_string(kJune) + "-1-" + std::to_string(i),
                     .label = i < 200,
                     .time_ms = kJune + 1000});
  }
  ASSERT_TRUE(rig_.capture->append_labels("flights", wrong).ok());
  labels(kJune, 400);
  advance(Close::kAll);
  EXPECT_DOUBLE_EQ(windows()[0].metrics[0].value, 1);
}

TEST_F(MonitorTest, tells_the_performance_of_any_range) {
  traffic(kJune, 200);
  traffic(kJune + kDay, 200);
  labels(kJune, 200);
  labels(kJune + kDay, 100);
  const auto both = monitor_->performance({}, "flights", kJune, kJune + 2 * kDay);
  ASSERT_TRUE(both.ok()) << both.error().message;
  EXPECT_EQ(both->rows, 400);
  EXPECT_EQ(both->labels, 300);
  EXPECT_EQ(both->metrics.size(), 1u);
  const auto none = monitor_->performance({}, "flights", 0, kJune);
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(none->rows, 0);
  EXPECT_TRUE(none->metrics.empty());
}

TEST_F(MonitorTest, leaves_endpoints_without_a_monitor_alone) {
  rig_.monitor = {};
  rig_.add("flights");
  traffic(kJune, 500, 600);
  EXPECT_EQ(advance(Close::kAll).windows_closed, 0);
  EXPECT_EQ(monitor_->advance({}, "none").error().code, Code::kNotFound);
}

TEST_F(MonitorTest, watches_on_its_own) {
  traffic(kJune, 500, 600);
  traffic(kJune + 2 * kDay, 1);
  monitor_->start();
  while (events("drift.detected") == 0) std::this_thread::yield();
  monitor_->stop();
  EXPECT_EQ(windows().size(), 1u);
}

TEST_F(MonitorTest, pages_windows_by_start) {
  for (int day = 0; day < 5; ++day) traffic(kJune + day * kDay, 10);
  advance(Close::kAll);
  const auto page = monitor_->windows({}, "flights", 0, 2);
  ASSERT_EQ(page->size(), 2u);
  EXPECT_EQ((*page)[0].start_ms, kJune + 4 * kDay);
  EXPECT_EQ(monitor_->windows({}, "flights", (*page)[1].start_ms, 10)->size(), 3u);
  EXPECT_EQ(monitor_->window({}, (*page)[0].id).value()->start_ms, kJune + 4 * kDay);
  EXPECT_FALSE(monitor_->window({}, "none")->has_value());
}

TEST(ParseConfig, has_defaults_and_names_what_is_wrong) {
  EXPECT_EQ(parse_config({})->window, "1d");
  const auto read = [](std::string_view text) { return parse_config(*json::parse(text)); };
  const auto config = read(
      R"({"window":"7d","lateness":"1d","drift":{"psi":0.1},"quality":{"metric":"auc","drop":0.03}})");
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(config->drift.psi, 0.1);
  ASSERT_EQ(config->quality.size(), 1u);
  EXPECT_EQ(config->quality[0].drop, 0.03);
  for (const auto* bad :
       {R"({"windows":"7d"})", R"({"window":"7"})", R"({"window":"90m"})", R"({"window":"0d"})",
        R"({"drift":{"alpha":2}})", R"({"drift":{"psy":0.2}})", R"({"rows_min":0})",
        R"({"quality":[{"drop":0.1}]})", R"({"quality":{"metric":"auc","drop":-1}})", R"([])"}) {
    EXPECT_EQ(read(bad).error().code, Code::kInvalidArgument) << bad;
  }
}

TEST(ColumnReferenceOf, follows_the_kind_of_the_column) {
  data::ColumnStatistics number{.name = "x", .rows = 100, .nulls = 10, .distinct = 80};
  number.quantiles.assign(data::kQuantileLevels.size(), 1.0);
  const auto numeric = column_reference(number);
  ASSERT_TRUE(numeric);
  EXPECT_FALSE(numeric->is_categorical);
  EXPECT_EQ(numeric->quantiles.size(), data::kQuantileLevels.size());
  EXPECT_EQ(numeric->nulls, 10);

  data::ColumnStatistics code{
      .name = "code", .rows = 100, .distinct = 2, .top = {{"1", 60}, {"2", 40}}};
  EXPECT_TRUE(column_reference(code)->is_categorical);
  EXPECT_EQ(column_reference(code)->other, 0);

  data::ColumnStatistics text{.name = "city",
                              .type = data::ColumnType::kText,
                              .rows = 100,
                              .distinct = 50,
                              .top = {{"Rome", 60}}};
  EXPECT_EQ(column_reference(text)->other, 40);

  data::ColumnStatistics unique{
      .name = "id", .type = data::ColumnType::kText, .rows = 100, .distinct = 100};
  EXPECT_FALSE(column_reference(unique));
  data::ColumnStatistics time{.name = "at", .type = data::ColumnType::kTimestamp, .rows = 100};
  EXPECT_FALSE(column_reference(time));
}

}  // namespace
}  // namespace ciclo::monitor
