// SPDX-License-Identifier: Apache-2.0
#include "migrate/migration.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "migrate/mlflow_database.h"
#include "migrate/test_platform.h"

namespace ciclo::migrate {
namespace {

class MigrationTest : public PlatformTest {
 protected:
  MigrationTest() {
    auto opened = MlflowDatabase::open(mlflow.url());
    EXPECT_TRUE(opened.ok()) << message(opened);
    source = std::move(opened).value();
  }

  Migration migration(const std::string& name = "source") {
    return {*source, name, ArtifactPlaces(folder.path() / "artifacts"), here(), {}};
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

  std::unique_ptr<MlflowDatabase> source;
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

TEST_P(MigrationTest, artifacts_that_nobody_can_find_are_refused_before_anything_is_written) {
  add_run("a");
  mlflow.run_all("UPDATE runs SET artifact_uri = '/nowhere/0/a/artifacts'");
  Migration work(*source, "source", ArtifactPlaces(""), here(), {});
  const auto refused = work.copy();
  EXPECT_NE(message(refused).find("experiment 0 are at \"/nowhere/0\""), std::string::npos)
      << message(refused);
  EXPECT_FALSE(tracking.run(context, RunId("a")).ok());
  // Of an experiment that nobody uses, no file is missed.
  mlflow.run_all("DELETE FROM runs");
  EXPECT_EQ(message(work.copy()), "");
}

TEST_P(MigrationTest, runs_without_a_folder_of_artifacts_are_told) {
  add_run("a");
  add_run("b");
  add_file("0/a/artifacts/x", "1");
  const auto report = migrate_all();
  ASSERT_TRUE(report.ok()) << message(report);
  ASSERT_EQ(report->notes.size(), 1U);
  EXPECT_TRUE(report->notes[0].starts_with("1 runs and logged models have no folder of artifacts"))
      << report->notes[0];
  EXPECT_NE(report->notes[0].find("run b at mlflow-artifacts:/0/b"), std::string::npos);
}

TEST_P(MigrationTest, links_among_the_artifacts_are_told_and_not_followed) {
  add_run("a");
  add_run("b");
  add_file("0/a/artifacts/x", "1");
  add_file("secret/key", "secret");
  const auto artifacts = folder.path() / "artifacts";
  std::filesystem::create_symlink("itself", artifacts / "0/a/artifacts/itself");
  std::filesystem::create_directories(artifacts / "0/b");
  std::filesystem::create_directory_symlink(artifacts / "secret", artifacts / "0/b/artifacts");
  const auto report = migrate_all();
  ASSERT_TRUE(report.ok()) << message(report);
  EXPECT_EQ(report->copied.files, 1);
  ASSERT_EQ(report->differences.size(), 2U);
  for (const auto& text : report->differences) {
    EXPECT_NE(text.find("it is a symbolic link"), std::string::npos) << text;
  }
}

TEST_P(MigrationTest, a_row_that_the_database_refuses_is_named) {
  add_run("a");
  mlflow.run_all("INSERT INTO params VALUES ('p', '2', 'a')");
  const auto refused = migrate_all();
  EXPECT_NE(message(refused).find("cannot write run \"a\""), std::string::npos) << message(refused);
}

TEST_P(MigrationTest, a_served_source_below_no_run_is_told) {
  mlflow.run_all(R"(
      INSERT INTO registered_models VALUES ('churn', 1, 2, 'd', 'default');
      INSERT INTO model_versions VALUES ('churn', 1, 3, 4, 'd', 'u', 'None',
        'mlflow-artifacts:/elsewhere/model', '', NULL, NULL, 'default'))");
  const auto report = migrate_all();
  ASSERT_TRUE(report.ok()) << message(report);
  ASSERT_EQ(report->notes.size(), 1U);
  EXPECT_NE(report->notes[0].find("its files are not copied"), std::string::npos);
}

TEST_P(MigrationTest, runs_without_an_experiment_are_counted) {
  add_run("a");
  mlflow.run_all("UPDATE runs SET experiment_id = 99");
  const auto report = migrate_all();
  ASSERT_TRUE(report.ok()) << message(report);
  ASSERT_EQ(report->not_copied.size(), 1U);
  EXPECT_EQ(report->not_copied[0].what, "runs");
  EXPECT_EQ(report->not_copied[0].count, 1);
}

TEST_P(MigrationTest, what_was_deleted_at_an_unknown_time_counts_from_the_copy_on) {
  add_run("a");
  mlflow.run_all("UPDATE runs SET lifecycle_stage = 'deleted'");
  clock.advance_ms(5'000);
  const std::int64_t began_ms = clock.now_ms();
  ASSERT_TRUE(migrate_all().ok());
  clock.advance_ms(5'000);
  const auto again = migrate_all();
  ASSERT_TRUE(again.ok()) << message(again);
  EXPECT_EQ(again->differences, std::vector<std::string>());
  const auto records = database->view([&](sql::Reader& reader) {
    const RunId id("a");
    return tracking::store::run_records(reader, "default", std::span(&id, 1));
  });
  ASSERT_TRUE(records.ok()) << records.error().message;
  ASSERT_EQ(records->size(), 1U);
  EXPECT_EQ(records->front().deleted_ms, began_ms);
}

INSTANTIATE_TEST_SUITE_P(Engines, MigrationTest, testing::ValuesIn(sql::available_engines()),
                         sql::engine_test_name);

TEST(MlflowSchemaTest, urls_of_mlflow_are_urls_of_ours) {
  EXPECT_EQ(database_url("sqlite:///mlflow.db"), "sqlite:mlflow.db");
  EXPECT_EQ(database_url("sqlite:////a/b.db"), "sqlite:/a/b.db");
  EXPECT_EQ(database_url("sqlite+pysqlite:///mlflow.db"), "sqlite:mlflow.db");
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

TEST(ArtifactPlacesTest, a_folder_that_cannot_be_read_is_not_one_that_is_not_there) {
  EXPECT_FALSE(find_files("/nowhere/at/all")->is_there);
  const TemporaryDirectory folder;
  const auto loop = folder.path() / "loop";
  std::filesystem::create_symlink("loop", loop);
  // As a folder without permission, which root has everywhere.
  const auto found = find_files(loop / "artifacts");
  ASSERT_FALSE(found.ok());
  EXPECT_NE(found.error().message.find("cannot read the artifacts below"), std::string::npos);
  EXPECT_FALSE(ArtifactPlaces("").is_elsewhere((loop / "a" / "0").string()).ok());
  EXPECT_TRUE(ArtifactPlaces("").is_elsewhere("file:///nowhere/0").value());
  EXPECT_FALSE(ArtifactPlaces("").is_elsewhere(folder.path().string() + "/0").value());
}

}  // namespace
}  // namespace ciclo::migrate
