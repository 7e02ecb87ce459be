// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/json_fields.h"
#include "data/engine.h"
#include "monitor/training_windows.h"
#include "steps/data_set.h"
#include "steps/job.h"

namespace ciclo::steps {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kDayMs = 86'400'000;

// A model of a small table with a time, and the step that cuts its rows, as the pipeline would
// start them.
struct WindowStep : testing::Test {
  TemporaryDirectory directory;
  SystemClock clock;
  data::Engine engine{clock};

  // 20 rows a day; `time` is an expression of the row's number i.
  void write_part(const std::string& part, const std::string& rows, const std::string& time) const {
    const auto to = directory.path() / part;
    fs::create_directories(to);
    const auto written =
        engine.write_parquet(Context(), {},
                             "SELECT sin(i) AS a, cos(i) AS b, sin(i) > 0.2 AS y, " + time +
                                 " AS at FROM " + rows + " t(i)",
                             (to / kDataFile).string());
    ASSERT_TRUE(written.ok()) << written.error().message;
  }

  Result<void> run(const std::string& kind, json::Value parameters, const std::string& port,
                   bool with_model) const {
    const fs::path root = directory.path();
    json::Value inputs = json::Value::object(
        {{"train", (root / "train").string()}, {"validation", (root / "validation").string()}});
    if (with_model) inputs["model"] = (root / "model").string();
    fs::create_directories(root / port);
    fs::create_directories(root / ("work-" + kind));
    const json::Value spec = json::Value::object(
        {{"kind", kind},
         {"parameters", std::move(parameters)},
         {"inputs", std::move(inputs)},
         {"outputs", json::Value::object({{port, (root / port).string()}})},
         {"work", (root / ("work-" + kind)).string()},
         {"context", json::Value::object({{"workspace", "default"}, {"execution_id", kind}})}});
    const auto file = root / ("spec-" + kind + ".json");
    TRY(write_file_durably(file, json::dump(spec)));
    return run_job(file);
  }

  Result<monitor::TrainingWindows> windows(const std::string& time) const {
    write_part("train", "range(300)", time);
    write_part("validation", "range(300, 400)", time);
    json::Value columns = json::Value::array();
    columns.push_back("a");
    columns.push_back("b");
    TRY(run("train",
            json::Value::object(
                {{"target", "y"},
                 {"task", "binary"},
                 {"columns", std::move(columns)},
                 {"learner", "xgboost"},
                 {"parameters", json::Value::object({{"rounds", 3}, {"max_depth", 2}})}}),
            "model", false));
    TRY(run("window", json::Value::object({{"time", "at"}, {"window_ms", kDayMs}}), "windows",
            true));
    TRY(const std::string text,
        read_file(directory.path() / "windows" / monitor::kTrainingWindowsFile));
    return json::read<monitor::TrainingWindows>(text);
  }
};

double rows_of(const monitor::TrainingWindows::Column& column) {
  double rows = 0;
  for (const auto& window : column.windows) {
    for (const double bucket : window.buckets) rows += bucket;
  }
  return rows;
}

TEST_F(WindowStep, cuts_features_of_training_and_predictions_of_validation_rows) {
  const auto cut = windows("TIMESTAMP '2024-01-01' + to_days((i // 20)::INTEGER)");
  ASSERT_TRUE(cut.ok()) << cut.error().message;
  EXPECT_EQ(cut->window_ms, kDayMs);
  ASSERT_EQ(cut->columns.size(), 3u);
  EXPECT_EQ(cut->columns[0].name, "a");
  EXPECT_EQ(cut->columns[0].windows.size(), 15u);
  EXPECT_EQ(rows_of(cut->columns[0]), 300);
  EXPECT_EQ(cut->columns[2].name, "prediction:probability");
  EXPECT_EQ(cut->columns[2].windows.size(), 5u);
  EXPECT_EQ(rows_of(cut->columns[2]), 100);
}

TEST_F(WindowStep, dates_are_times) {
  const auto cut = windows("DATE '2024-01-01' + (i // 20)::INTEGER");
  ASSERT_TRUE(cut.ok()) << cut.error().message;
  ASSERT_EQ(cut->columns.size(), 3u);
  EXPECT_EQ(cut->columns[0].windows.size(), 15u);
}

TEST_F(WindowStep, numbers_to_split_by_give_no_windows) {
  for (const char* time : {"i // 20", "i / 20.0"}) {
    const auto cut = windows(time);
    ASSERT_TRUE(cut.ok()) << time << ": " << cut.error().message;
    EXPECT_TRUE(cut->columns.empty()) << time;
  }
}

TEST_F(WindowStep, rows_without_a_time_are_in_no_window) {
  const auto cut = windows(
      "CASE i % 20 WHEN 0 THEN NULL WHEN 1 THEN TIMESTAMP 'infinity' "
      "ELSE TIMESTAMP '2024-01-01' + to_days((i // 20)::INTEGER) END");
  ASSERT_TRUE(cut.ok()) << cut.error().message;
  ASSERT_EQ(cut->columns.size(), 3u);
  EXPECT_EQ(cut->columns[0].windows.size(), 15u);
  EXPECT_EQ(rows_of(cut->columns[0]), 270);
  EXPECT_EQ(rows_of(cut->columns[2]), 90);
}

}  // namespace
}  // namespace ciclo::steps
