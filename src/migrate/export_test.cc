// SPDX-License-Identifier: Apache-2.0
#include "migrate/export.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "migrate/mlflow_database.h"
#include "migrate/test_platform.h"
#include "tracking/logged_models.h"

namespace ciclo::migrate {
namespace {

class ExportTest : public PlatformTest {
 protected:
  ExportTest() {
    target = sql::open(mlflow.url()).value();
    // What is written only.
    mlflow.run_all(R"(
        CREATE TABLE latest_metrics (key TEXT, value DOUBLE PRECISION, timestamp BIGINT,
          step BIGINT, is_nan BOOLEAN, run_uuid TEXT, PRIMARY KEY (key, run_uuid));
        ALTER TABLE model_versions ADD COLUMN status TEXT;
        ALTER TABLE model_versions ADD COLUMN status_message TEXT)");
  }

  std::filesystem::path artifacts_folder() const { return folder.path() / "out" / "artifacts"; }

  Result<ExportReport> export_all() {
    Export work(here(), *target, artifacts_folder(), {});
    TRY(auto report, work.write());
    TRY(const auto written, MlflowDatabase::open(mlflow.url()));
    TRY(work.verify(*written, report));
    return report;
  }

  std::int64_t count(const std::string& what) {
    const auto found = target->view([&](sql::Reader& reader) {
      return reader.query_one("SELECT COUNT(*) FROM " + what, {},
                              [](const sql::Row& row) { return row.integer(0); });
    });
    EXPECT_TRUE(found.ok()) << found.error().message;
    return found.ok() ? found->value_or(-1) : -1;
  }

  std::string add_run() {
    const auto made = tracking.create_run(
        context, {.experiment_id = tracking::ExperimentId("0"), .name = "n", .start_ms = 7});
    EXPECT_TRUE(made.ok()) << made.error().message;
    const auto& info = made->info;
    const auto logged = tracking.log_batch(
        context, info.run_id,
        {.metrics = {{.key = "m", .value = 0.5, .timestamp_ms = 1, .step = 2},
                     {.key = "m", .value = std::nan(""), .timestamp_ms = 2, .step = 3},
                     {.key = "up",
                      .value = std::numeric_limits<double>::infinity(),
                      .timestamp_ms = 2,
                      .step = 0}},
         .params = {{"depth", "3"}},
         .tags = {{"team", "red"}}});
    EXPECT_TRUE(logged.ok()) << logged.error().message;
    return info.run_id.str();
  }

  void add_file(const std::string& path, const std::string& content) {
    tracking::Artifacts artifacts(*database, *blobs, clock);
    const auto put = artifacts.put(context, tracking::ArtifactPath::parse(path).value(),
                                   [&](blob::Writer& out) { return out.write(content); });
    EXPECT_TRUE(put.ok()) << put.error().message;
  }

  // Refused with such a message, and neither side was touched.
  void expect_refused(const std::string& words) {
    const auto runs = count("runs");
    const auto refused = export_all();
    EXPECT_NE(message(refused).find(words), std::string::npos) << message(refused);
    EXPECT_EQ(count("runs"), runs);
  }

  std::unique_ptr<sql::Database> target;
};

TEST_P(ExportTest, a_run_goes_out_with_its_points_and_files) {
  const std::string id = add_run();
  add_file("0/" + id + "/artifacts/model/MLmodel", "flavors");
  const auto report = export_all();
  ASSERT_TRUE(report.ok()) << message(report);
  EXPECT_EQ(report->differences, std::vector<std::string>());
  EXPECT_EQ(report->written.points, 3);
  EXPECT_EQ(report->verified.runs, 1);
  EXPECT_EQ(report->verified.points, 3);
  EXPECT_EQ(report->verified.files, 1);
  EXPECT_EQ(count("runs WHERE run_uuid = '" + id + "' AND experiment_id = 0"), 1);
  EXPECT_EQ(count("params WHERE key = 'depth' AND value = '3'"), 1);
  EXPECT_EQ(count("metrics WHERE key = 'm' AND is_nan AND value = 0 AND step = 3"), 1);
  EXPECT_EQ(count("metrics WHERE key = 'up' AND NOT is_nan AND value > 1e308"), 1);
  EXPECT_EQ(count("latest_metrics"), 2);
  EXPECT_EQ(count("latest_metrics WHERE key = 'm' AND is_nan AND step = 3"), 1);
  const auto file = artifacts_folder() / "0" / id / "artifacts" / "model" / "MLmodel";
  EXPECT_EQ(read_file(file).value(), "flavors");
}

TEST_P(ExportTest, versions_go_out_with_alias_stage_and_numbers_that_are_taken) {
  events::Log events(*database, clock);
  registry::Registry registry(*database, events, clock);
  ASSERT_TRUE(registry.create_model(context, "churn", "who leaves", {}).ok());
  for (int i = 0; i < 2; ++i) {
    const auto made = registry.create_version(context, {.name = "churn", .source = "s3://b/m"});
    ASSERT_TRUE(made.ok()) << made.error().message;
  }
  ASSERT_TRUE(registry.set_alias(context, "churn", "champion", 1).ok());
  ASSERT_TRUE(registry.delete_version(context, "churn", 2).ok());
  const auto report = export_all();
  ASSERT_TRUE(report.ok()) << message(report);
  EXPECT_EQ(report->differences, std::vector<std::string>());
  EXPECT_EQ(report->written.versions, 1);
  EXPECT_EQ(report->verified.registered, 1);
  EXPECT_EQ(count("registered_model_aliases WHERE alias = 'champion' AND version = 1"), 1);
  EXPECT_EQ(count("model_versions WHERE version = 1 AND current_stage = 'None'"), 1);
  EXPECT_EQ(count("model_versions WHERE version = 2 AND current_stage = 'Deleted_Internal'"), 1);
}

TEST_P(ExportTest, metrics_of_logged_models_without_their_run_are_left_out_and_told) {
  tracking::LoggedModels models(*database, clock, ids, random);
  const auto made = models.create(context, {.experiment_id = tracking::ExperimentId("0")});
  ASSERT_TRUE(made.ok()) << message(made);
  const RunId run(add_run());
  const std::vector<Metric> metrics = {
      {.key = "accuracy", .value = 0.5, .timestamp_ms = 1, .step = 0, .model_id = made->model_id}};
  ASSERT_TRUE(tracking.log_batch(context, run, {.metrics = metrics}).ok());
  // As after a collection, which leaves a logged model what a removed run has logged to it.
  const auto removed = database->transaction([&](sql::Txn& txn) -> Result<void> {
    TRY(const auto rows, txn.execute("UPDATE logged_model_metrics SET run_id = 'gone'"));
    EXPECT_EQ(rows, 1);
    return {};
  });
  ASSERT_TRUE(removed.ok()) << removed.error().message;
  const auto report = export_all();
  ASSERT_TRUE(report.ok()) << message(report);
  EXPECT_EQ(report->metrics_without_run, 1);
  EXPECT_EQ(report->differences, std::vector<std::string>());
  EXPECT_EQ(report->verified.models, 1);
  EXPECT_EQ(count("logged_model_metrics"), 0);
}

TEST_P(ExportTest, a_second_run_is_refused_and_changes_nothing) {
  add_run();
  ASSERT_TRUE(export_all().ok());
  add_run();
  expect_refused("the database is not empty: it has 1 rows in runs");
}

TEST_P(ExportTest, a_directory_that_holds_something_is_refused) {
  add_run();
  std::filesystem::create_directories(artifacts_folder());
  std::ofstream(artifacts_folder() / "mine") << "mine";
  expect_refused("is not empty");
  std::filesystem::remove_all(artifacts_folder());
  std::ofstream(artifacts_folder()) << "";
  expect_refused("is no directory");
}

TEST_P(ExportTest, a_database_that_does_not_fit_is_refused_before_a_file_is_written) {
  add_run();
  add_file("0/x", "1");
  mlflow.run_all("INSERT INTO trace_info VALUES ('t')");
  expect_refused("1 rows in trace_info");
  mlflow.run_all("DELETE FROM trace_info; UPDATE alembic_version SET version_num = 'bf29a5ff90ea'");
  expect_refused("\"bf29a5ff90ea\"");
  mlflow.run_all("UPDATE alembic_version SET version_num = 'unheard'");
  expect_refused("\"unheard\"");
  mlflow.run_all("DROP TABLE alembic_version");
  expect_refused("mlflow db upgrade");
  EXPECT_FALSE(std::filesystem::exists(artifacts_folder()));
}

TEST_P(ExportTest, what_fails_in_the_middle_leaves_the_database_without_anything) {
  const std::string id = add_run();
  add_file("0/x", "1");
  mlflow.run_all("DROP TABLE tags");
  const auto cut_off = export_all();
  EXPECT_NE(message(cut_off).find("cannot write run \"" + id + "\""), std::string::npos)
      << message(cut_off);
  EXPECT_EQ(count("runs"), 0);
  EXPECT_EQ(count("experiments WHERE creation_time = 5"), 1);
  mlflow.run_all("CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT)");
  expect_refused("remove this one when an export that was cut off has left it");
  std::filesystem::remove_all(artifacts_folder());
  const auto report = export_all();
  ASSERT_TRUE(report.ok()) << message(report);
  EXPECT_EQ(report->verified.runs, 1);
}

TEST_P(ExportTest, what_differs_afterwards_is_named) {
  const std::string id = add_run();
  Export work(here(), *target, artifacts_folder(), {});
  auto report = work.write();
  ASSERT_TRUE(report.ok()) << message(report);
  mlflow.run_all("UPDATE metrics SET value = 0.25 WHERE step = 2");
  mlflow.run_all("DELETE FROM experiments");
  const auto written = MlflowDatabase::open(mlflow.url());
  ASSERT_TRUE(written.ok()) << written.error().message;
  ASSERT_TRUE(work.verify(**written, *report).ok());
  const std::vector<std::string> expected = {"experiment 0 is missing in what was written",
                                             "run " + id + " differs in points"};
  EXPECT_EQ(report->differences, expected);
  EXPECT_EQ(report->difference_count, 2);
  EXPECT_EQ(report->verified.runs, 0);
}

INSTANTIATE_TEST_SUITE_P(Engines, ExportTest, testing::ValuesIn(sql::available_engines()),
                         sql::engine_test_name);

}  // namespace
}  // namespace ciclo::migrate
