// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json_fields.h"
#include "serve/capture.h"
#include "steps/data_set.h"
#include "steps/job.h"
#include "train/task.h"

namespace ciclo::steps {
namespace {

constexpr std::int64_t kJune = 1'370'044'800'000;  // 2013-06-01
constexpr std::int64_t kHour = 3'600'000;

// A base table of two rows with a text target, and an endpoint's capture beside it.
class CollectStep : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* part : {"base", "out", "work"}) {
      ASSERT_TRUE(std::filesystem::create_directory(folder_.path() / part));
    }
    data::Batch base;
    base.columns = {{.name = "x", .type = data::ColumnType::kNumber},
                    {.name = "late", .type = data::ColumnType::kText},
                    {.name = "moment", .type = data::ColumnType::kTimestamp}};
    for (int row = 0; row < 2; ++row) {
      base.columns[0].append(row);
      base.columns[1].append(row == 0 ? "no" : "yes");
      base.columns[2].append(static_cast<double>(kJune + row * kHour));
    }
    const data::Engine engine(clock_, {});
    ASSERT_TRUE(
        engine.write_parquet({}, base, (folder_.path() / "base" / kDataFile).string()).ok());
  }

  void capture(const std::string& id, double x, std::int64_t event_ms) {
    serve::CapturedRows rows;
    rows.endpoint = "flights";
    rows.model = "flights";
    rows.version = "1";
    rows.inference_ids = {id};
    rows.event_times_ms = {event_ms};
    rows.inputs.columns = {{.name = "x", .type = data::ColumnType::kNumber}};
    rows.inputs.columns[0].append(x);
    ASSERT_TRUE(capture_.append_rows(rows));
    ASSERT_TRUE(capture_.flush().ok());
  }
  void label(const std::string& id, json::Value value, std::int64_t time_ms) {
    ASSERT_TRUE(
        capture_
            .append_labels("flights",
                           {{.inference_id = id, .label = std::move(value), .time_ms = time_ms}})
            .ok());
  }

  // The collected rows, in the order of their times.
  data::Batch collected() {
    const json::Value spec = json::Value::object(
        {{"kind", "collect"},
         {"parameters", json::Value::object(
                            {{"endpoint", "flights"},
                             {"from_ms", kJune},
                             {"to_ms", kJune + 48 * kHour},
                             {"columns", json::to_value(std::vector<std::string>{"x"})},
                             {"target", "late"},
                             {"time", "moment"},
                             {"task", "binary"},
                             {"classes", json::to_value(std::vector<std::string>{"no", "yes"})}})},
         {"inputs", json::Value::object({{"base", (folder_.path() / "base").string()}})},
         {"outputs", json::Value::object({{"dataset", (folder_.path() / "out").string()}})},
         {"work", (folder_.path() / "work").string()},
         {"context", json::Value::object({{"capture_root", capture_.root().string()}})}});
    const auto file = folder_.path() / "spec.json";
    EXPECT_TRUE(write_file_durably(file, json::dump(spec)).ok());
    const auto done = run_job(file);
    EXPECT_TRUE(done.ok()) << done.error().message;
    const data::Engine engine(clock_, {});
    auto rows = engine.query_all({}, {data_set_table(folder_.path() / "out", "t")},
                                 "SELECT * FROM t ORDER BY moment");
    EXPECT_TRUE(rows.ok());
    return rows.ok() ? std::move(*rows) : data::Batch();
  }

  TemporaryDirectory folder_;
  SimClock clock_{kJune};
  serve::Capture capture_{{.root = folder_.path() / "capture"}, clock_};
};

TEST_F(CollectStep, joins_labelled_predictions_to_the_base_rows) {
  capture("a", 7, kJune + 5 * kHour);
  capture("b", 8, kJune + 6 * kHour);
  label("a", "yes", kJune + 30 * kHour);
  const data::Batch rows = collected();
  ASSERT_EQ(rows.rows(), 3u);  // "b" has no label
  EXPECT_EQ(rows.find("x")->numbers, (std::vector<double>{0, 1, 7}));
  EXPECT_EQ(rows.find("late")->texts, (std::vector<std::string>{"no", "yes", "yes"}));
}

TEST_F(CollectStep, a_label_that_does_not_fit_spoils_no_other) {
  capture("a", 7, kJune + 5 * kHour);
  capture("b", 8, kJune + 6 * kHour);
  capture("c", 9, kJune + 7 * kHour);
  label("a", "yes", kJune + 30 * kHour);
  label("b", 17, kJune + 30 * kHour);
  label("c", "perhaps", kJune + 30 * kHour);
  label("c", "no", kJune + 31 * kHour);
  const data::Batch rows = collected();
  ASSERT_EQ(rows.rows(), 4u);
  const auto space = train::label_space(*rows.find("late"), train::Task::kBinary);
  ASSERT_TRUE(space.ok()) << space.error().message;
  EXPECT_EQ(rows.find("x")->numbers, (std::vector<double>{0, 1, 7, 9}));
}

}  // namespace
}  // namespace ciclo::steps
