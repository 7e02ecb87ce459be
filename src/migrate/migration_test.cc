// SPDX-License-Identifier: Apache-2.0
#include "migrate/migration.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "events/log.h"
#include "migrate/test_mlflow.h"
#include "registry/registry.h"
#include "sql/test_database.h"
#include "tracking/tracking.h"

namespace ciclo::migrate {
namespace {

class MigrationTest : public testing::TestWithParam<sql::Engine> {
 protected:
  MigrationTest() {
    for (const auto module :
         {events::schema(), tracking::schema(), registry::schema(), migrate::schema()}) {
      const auto migrated = sql::migrate(*database, module);
      EXPECT_TRUE(migrated.ok()) << migrated.error().message;
    }
    blobs = blob::open_local((folder.path() / "blobs").string()).value();
    reopen_source();
  }

  void reopen_source() {
    auto opened = MlflowDatabase::open(mlflow.url());
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    source = std::move(opened).value();
  }

  Migration migration(const std::string& name = "source") {
    return {
        *source, name, ArtifactPlaces(folder.path() / "artifacts"), {*database, *blobs, clock}, {}};
  }

  // "" or the message of the error.
  static std::string message(const Result<Report>& result) {
    return result.ok() ? "" : result.error().message;
  }

  Result<Report> migrate_all() {
    Migration work = migration();
    TRY(auto report, work.copy());
    TRY(work.verify(report));
    return report;
  }

  void add_run(const std::string& id, const std::string& status = "FINISHED") {
    mlflow.run_all(
        "INSERT INTO runs (run_uuid, name, user_id, status, start_time, lifecycle_stage, "
        "artifact_uri, experiment_id) VALUES ('" +
        id + "', 'n', 'u', '" + status + "', 7, 'active', 'mlflow-artifacts:/0/" + id +
        "/artifacts', 0);"
        "INSERT INTO params VALUES ('p', '1', '" +
        id +
        "');"
        "INSERT INTO metrics VALUES ('m', 0.5, 1, '" +
        id +
        "', 2, FALSE);"
        "INSERT INTO metrics VALUES ('m', 0, 2, '" +
        id + "', 3, TRUE)");
  }

  void add_file(const std::string& path, const std::string& content) {
    const auto file = folder.path() / "artifacts" / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << content;
  }

  tracking::Run run(const std::string& id) {
    auto found = tracking.run(context, RunId(id));
    EXPECT_TRUE(found.ok()) << found.error().message;
    return found.ok() ? *found : tracking::Run();
  }

  TemporaryDirectory folder;
  Context context;
  SimClock clock;
  SeededRandom random{1};
  IdSource ids{clock, random};
  TestMlflow mlflow{GetParam()};
  sql::TestDatabase database{GetParam()};
  std::unique_ptr<blob::Store> blobs;
  std::unique_ptr<MlflowDatabase> source;
  tracking::Tracking tracking{*database, clock, ids, random};
};

TEST_P(MigrationTest, a_run_keeps_its_id_points_and_files) {
  add_run("a");
  add_file("0/a/artifacts/model/MLmodel", "flavors");
  const auto report = migrate_all();
  ASSERT_TRUE(report.ok()) << message(report);
  EXPECT_EQ(report->differences, std::vector<std::string>());
  EXPECT_EQ(report->copied.points, 2);
  EXPECT_EQ(report->verified.files, 1);
  const auto copy = run("a");
  ASSERT_EQ(copy.metrics.size(), 1U);
  EXPECT_EQ(copy.metrics[0].step, 3);
  EXPECT_TRUE(copy.metrics[0].value != copy.metrics[0].value);
  tracking::Artifacts artifacts(*database, *blobs, clock);
  const auto path = tracking::ArtifactPath::from_uri(copy.info.artifact_uri + "/model/MLmodel");
  EXPECT_EQ(artifacts.get(context, *path).value(), "flavors");
}

TEST_P(MigrationTest, what_was_cut_off_goes_on_and_doubles_nothing) {
  for (int i = 100; i < 250; ++i) add_run("r" + std::to_string(i));
  // In the second page: the first is copied before it is met.
  mlflow.run_all("UPDATE runs SET status = 'NONSENSE' WHERE run_uuid = 'r230'");
  const auto cut_off = migrate_all();
  EXPECT_NE(message(cut_off).find("NONSENSE"), std::string::npos) << message(cut_off);
  EXPECT_EQ(run("r100").params.size(), 1U);
  EXPECT_FALSE(tracking.run(context, RunId("r249")).ok());
  mlflow.run_all("UPDATE runs SET status = 'KILLED' WHERE run_uuid = 'r230'");
  const auto report = migrate_all();
  ASSERT_TRUE(report.ok()) << message(report);
  EXPECT_EQ(report->copied.runs, 50);
  EXPECT_EQ(report->verified.runs, 150);
  EXPECT_EQ(report->verified.points, 300);
  EXPECT_FALSE(report->was_complete);
  const auto again = migrate_all();
  ASSERT_TRUE(again.ok()) << message(again);
  EXPECT_TRUE(again->was_complete);
  EXPECT_EQ(again->copied.runs + again->copied.experiments + again->copied.files, 0);
}

TEST_P(MigrationTest, an_id_that_is_taken_is_refused_before_anything_is_written) {
  add_run("a");
  ASSERT_TRUE(migrate_all().ok());
  mlflow.run_all("INSERT INTO experiments VALUES (7, 'new', '/x', 'active', 5, 6, 'default')");
  Migration other = migration("another source");
  const auto refused = other.copy();
  EXPECT_NE(message(refused).find("run \"a\""), std::string::npos) << message(refused);
  EXPECT_NE(message(refused).find("experiment 0"), std::string::npos) << message(refused);
  EXPECT_FALSE(tracking.experiment(context, tracking::ExperimentId("7")).ok());
}

TEST_P(MigrationTest, numbers_go_on_behind_the_copied_ones) {
  mlflow.run_all("INSERT INTO experiments VALUES (700, 'far', '/x', 'active', 5, 6, 'default')");
  ASSERT_TRUE(migrate_all().ok());
  const auto made = tracking.create_experiment(context, {.name = "after"});
  ASSERT_TRUE(made.ok()) << made.error().message;
  EXPECT_GT(tracking::store::experiment_number(*made).value(), 700);
}

TEST_P(MigrationTest, a_point_that_differs_is_found) {
  add_run("a");
  ASSERT_TRUE(migrate_all().ok());
  mlflow.run_all("UPDATE metrics SET value = 0.25 WHERE step = 2");
  const auto report = migrate_all();
  ASSERT_TRUE(report.ok()) << message(report);
  EXPECT_EQ(report->differences, std::vector<std::string>{"run a differs in points"});
}

TEST_P(MigrationTest, a_file_that_differs_is_found) {
  add_run("a");
  add_file("0/a/artifacts/x", "1");
  ASSERT_TRUE(migrate_all().ok());
  add_file("0/a/artifacts/x", "2");
  add_file("0/a/artifacts/y", "3");
  const auto report = migrate_all();
  ASSERT_TRUE(report.ok()) << message(report);
  EXPECT_EQ(report->difference_count, 2);
}

TEST_P(MigrationTest, a_name_that_cannot_be_ours_is_told) {
  add_run("a");
  add_file("0/a/artifacts/back\\slash", "1");
  const auto report = migrate_all();
  ASSERT_TRUE(report.ok()) << message(report);
  ASSERT_EQ(report->differences.size(), 1U);
  EXPECT_NE(report->differences[0].find("backslash"), std::string::npos);
}

TEST_P(MigrationTest, a_version_is_found_below_its_run_and_its_number_is_not_given_again) {
  add_run("a");
  add_file("0/a/artifacts/model/MLmodel", "flavors");
  mlflow.run_all(R"(
      INSERT INTO registered_models VALUES ('churn', 1, 2, 'd', 'default');
      INSERT INTO registered_model_aliases VALUES ('champion', 1, 'churn', 'default');
      INSERT INTO model_versions VALUES ('churn', 1, 3, 4, 'd', 'u', 'Production',
        'mlflow-artifacts:/0/a/artifacts/model', 'a', NULL, NULL, 'default');
      INSERT INTO model_versions VALUES ('churn', 2, 3, 4, 'd', 'u', 'Deleted_Internal', 'gone', '',
        NULL, NULL, 'default'))");
  const auto report = migrate_all();
  ASSERT_TRUE(report.ok()) << message(report);
  EXPECT_EQ(report->copied.versions, 1);
  events::Log events(*database, clock);
  registry::Registry registry(*database, events, clock);
  const auto champion = registry.version_by_alias(context, "churn", "champion");
  ASSERT_TRUE(champion.ok()) << champion.error().message;
  EXPECT_EQ(champion->storage_uri, "mlflow-artifacts:/0/a/artifacts/model");
  EXPECT_EQ(champion->updated_ms, 4);
  const auto next = registry.create_version(context, {.name = "churn", .source = "s3://b/m"});
  ASSERT_TRUE(next.ok()) << next.error().message;
  EXPECT_EQ(next->version, 3);
}

TEST_P(MigrationTest, what_is_not_copied_is_counted) {
  mlflow.run_all("INSERT INTO trace_info VALUES ('t')");
  mlflow.run_all("INSERT INTO experiments VALUES (3, 'x', '/x', 'active', 5, 6, 'other')");
  Migration work = migration();
  const auto report = work.plan();
  ASSERT_TRUE(report.ok()) << message(report);
  ASSERT_EQ(report->not_copied.size(), 2U);
  EXPECT_EQ(report->not_copied[0].what, "traces");
  EXPECT_EQ(report->not_copied[1].count, 1);
  EXPECT_EQ(report->found.experiments, 1);
}

INSTANTIATE_TEST_SUITE_P(Engines, MigrationTest, testing::ValuesIn(sql::available_engines()),
                         sql::engine_test_name);

TEST(MlflowSchemaTest, urls_of_mlflow_are_urls_of_ours) {
  EXPECT_EQ(database_url("sqlite:///mlflow.db"), "sqlite:mlflow.db");
  EXPECT_EQ(database_url("sqlite:////a/b.db"), "sqlite:/a/b.db");
  EXPECT_EQ(database_url("postgresql+psycopg2://u:a+b@h/d"), "postgresql://u:a+b@h/d");
  EXPECT_EQ(database_url("postgresql://u:a+b@h/d"), "postgresql://u:a+b@h/d");
}

TEST(ArtifactPlacesTest, local_uris_lead_to_files) {
  const ArtifactPlaces places("/root");
  const auto ours = tracking::ArtifactPath::parse("1/r/artifacts").value();
  EXPECT_EQ(places.locate("mlflow-artifacts:/1/x", ours).value(), "/root/1/x");
  EXPECT_EQ(places.locate("mlflow-artifacts://host:80/1/x", ours).value(), "/root/1/x");
  EXPECT_EQ(places.locate("file:///tmp", ours).value(), "/tmp");
  EXPECT_EQ(places.locate("/gone/away", ours).value(), "/root/1/r/artifacts");
  EXPECT_FALSE(places.locate("mlflow-artifacts:/1/../../etc", ours).ok());
  EXPECT_FALSE(ArtifactPlaces("").locate("mlflow-artifacts:/1/x", ours).ok());
  EXPECT_EQ(ArtifactPlaces("").locate("file:///a%20b", ours).value(), "/a b");
  EXPECT_FALSE(ArtifactPlaces::is_local("s3://bucket/a"));
  EXPECT_TRUE(ArtifactPlaces::is_local("./mlruns/0"));
}

}  // namespace
}  // namespace ciclo::migrate
