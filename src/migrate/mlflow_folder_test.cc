// SPDX-License-Identifier: Apache-2.0
#include "migrate/mlflow_folder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>

#include "migrate/sorted_points.h"
#include "migrate/test_platform.h"

namespace ciclo::migrate {
namespace {

constexpr const char* kRun = "0a1b2c3d4e5f60718293a4b5c6d7e8f9";

// A folder as MLflow's client writes it; the client tests read folders that clients have written.
class MlflowFolderTest : public PlatformTest {
 protected:
  MlflowFolderTest() {
    add("0/meta.yaml",
        "artifact_location: /moved/mlruns/0\ncreation_time: 5\nexperiment_id: '0'\n"
        "last_update_time: 6\nlifecycle_stage: active\nname: Default\n");
    add_run("0", kRun, "3");
  }

  std::filesystem::path root() const { return folder.path() / "mlruns"; }

  void add(const std::string& path, const std::string& content) {
    const auto file = root() / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << content;
  }

  void add_run(const std::string& experiment, const std::string& id, const std::string& status) {
    const std::string run = experiment + "/" + id;
    add(run + "/meta.yaml",
        "artifact_uri: /moved/mlruns/" + run + "/artifacts\nend_time: null\nexperiment_id: '" +
            experiment + "'\nlifecycle_stage: active\nrun_id: " + id +
            "\nrun_name: 12345e67\nstart_time: 7\nstatus: " + status + "\nuser_id: ann\n");
    add(run + "/params/depth", "3");
    add(run + "/tags/mlflow.note.content", "two\nlines");
    add(run + "/metrics/val/loss", "2 nan 1\n1 0.5 0\n1 0.5 0\n3 inf 2 data 12345e67\n");
    add(run + "/artifacts/model/MLmodel", "flavors");
  }

  Result<Report> migrate_all() {
    TRY(const auto source, MlflowFolder::open(root()));
    Migration work(*source, "folder", ArtifactPlaces("", {root(), root() / ".trash"}), here(), {});
    TRY(auto report, work.copy());
    TRY(work.verify(report));
    return report;
  }

  tracking::Run run(const std::string& id) {
    auto found = tracking.run(context, RunId(id));
    EXPECT_TRUE(found.ok()) << message(found);
    return found.ok() ? *found : tracking::Run();
  }
};

TEST_P(MlflowFolderTest, a_run_comes_with_what_its_files_say) {
  add(std::string("0/") + kRun + "/inputs/i/meta.yaml",
      "source_id: d\nsource_type: DATASET\ntags:\n  mlflow.data.context: train\n");
  add("0/datasets/d/meta.yaml",
      "digest: 12345e67\nname: table\nprofile: null\nschema: '{}'\nsource: s\nsource_type: http\n");
  const auto report = migrate_all();
  ASSERT_TRUE(report.ok()) << message(report);
  EXPECT_EQ(report->differences, std::vector<std::string>());
  EXPECT_EQ(report->revision, "files");
  EXPECT_EQ(report->copied.points, 3);
  EXPECT_EQ(report->verified.files, 1);
  const auto copy = run(kRun);
  EXPECT_EQ(copy.info.name, "12345e67");
  EXPECT_EQ(copy.info.status, tracking::RunStatus::kFinished);
  EXPECT_FALSE(copy.info.end_ms);
  ASSERT_EQ(copy.metrics.size(), 1U);
  EXPECT_EQ(copy.metrics[0].key, "val/loss");
  EXPECT_EQ(copy.metrics[0].value, std::numeric_limits<double>::max());
  ASSERT_EQ(copy.tags.size(), 1U);
  EXPECT_EQ(copy.tags[0].value, "two\nlines");
  ASSERT_EQ(copy.datasets.size(), 1U);
  EXPECT_EQ(copy.datasets[0].digest, "12345e67");
  EXPECT_FALSE(copy.datasets[0].profile);
  ASSERT_EQ(copy.datasets[0].tags.size(), 1U);
}

TEST_P(MlflowFolderTest, what_was_cut_off_goes_on_and_doubles_nothing) {
  for (int i = 100; i < 250; ++i) add_run("0", "r" + std::to_string(i), "3");
  add_run("0", "r230", "17");
  const auto cut_off = migrate_all();
  EXPECT_NE(message(cut_off).find("the status \"17\""), std::string::npos) << message(cut_off);
  add_run("0", "r230", "5");
  const auto report = migrate_all();
  ASSERT_TRUE(report.ok()) << message(report);
  EXPECT_EQ(report->copied.runs, 51);
  EXPECT_EQ(report->verified.runs, 151);
  const auto again = migrate_all();
  ASSERT_TRUE(again.ok()) << message(again);
  EXPECT_EQ(again->copied.runs + again->copied.experiments + again->copied.files, 0);
}

TEST_P(MlflowFolderTest, what_is_in_the_trash_comes_deleted_with_its_files) {
  add(".trash/77/meta.yaml",
      "artifact_location: /moved/mlruns/77\ncreation_time: 5\nlast_update_time: 9\n"
      "lifecycle_stage: deleted\nname: gone\n");
  add(".trash/77/r/meta.yaml",
      "artifact_uri: /moved/mlruns/77/r/artifacts\nlifecycle_stage: deleted\ndeleted_time: 9\n"
      "start_time: 1\nstatus: 1\n");
  add(".trash/77/r/artifacts/x", "1");
  const auto report = migrate_all();
  ASSERT_TRUE(report.ok()) << message(report);
  EXPECT_EQ(report->differences, std::vector<std::string>());
  EXPECT_EQ(report->copied.files, 2);
  EXPECT_EQ(run("r").info.lifecycle_stage, tracking::LifecycleStage::kDeleted);
}

TEST_P(MlflowFolderTest, versions_come_with_alias_stage_and_numbers_that_are_taken) {
  add("models/churn/meta.yaml", "creation_timestamp: 1\nlast_updated_timestamp: 2\nname: churn\n");
  add("models/churn/tags/owner", "ann");
  add("models/churn/aliases/champion", "1");
  add("models/churn/version-1/meta.yaml",
      std::string("current_stage: Production\nsource: /moved/mlruns/0/") + kRun +
          "/artifacts/model\nversion: 1\n");
  add("models/churn/version-2/meta.yaml", "current_stage: Deleted_Internal\nversion: 2\n");
  const auto report = migrate_all();
  ASSERT_TRUE(report.ok()) << message(report);
  EXPECT_EQ(report->differences, std::vector<std::string>());
  events::Log events(*database, clock);
  registry::Registry registry(*database, events, clock);
  const auto champion = registry.version_by_alias(context, "churn", "champion");
  ASSERT_TRUE(champion.ok()) << message(champion);
  EXPECT_EQ(champion->storage_uri, std::string("mlflow-artifacts:/0/") + kRun + "/artifacts/model");
  const auto next = registry.create_version(context, {.name = "churn", .source = "s3://b/m"});
  ASSERT_TRUE(next.ok()) << message(next);
  EXPECT_EQ(next->version, 3);
}

TEST_P(MlflowFolderTest, what_is_no_object_is_counted) {
  add("0/traces/t/trace_info.yaml", "");
  add("notes/readme", "");
  add("0/__pycache__/x", "");
  const auto source = MlflowFolder::open(root());
  ASSERT_TRUE(source.ok()) << message(source);
  const auto rest = (*source)->not_copied();
  ASSERT_TRUE(rest.ok()) << message(rest);
  ASSERT_EQ(rest->size(), 2U);
  EXPECT_EQ(rest->at(0).what, "traces");
  EXPECT_EQ(rest->at(1).count, 2);
}

TEST_P(MlflowFolderTest, what_cannot_be_read_is_named) {
  EXPECT_NE(message(MlflowFolder::open(root() / "0")).find("holds no experiment"),
            std::string::npos);
  EXPECT_NE(message(MlflowFolder::open(root() / "nowhere")).find("cannot find the folder"),
            std::string::npos);
  const std::string loss = std::string("0/") + kRun + "/metrics/val/loss";
  add(loss, "1 0.5 x\n");
  EXPECT_NE(message(migrate_all()).find("has the line \"1 0.5 x\""), std::string::npos);
  std::filesystem::remove(root() / loss);
  std::filesystem::create_symlink("/etc/hostname", root() / loss);
  EXPECT_NE(message(migrate_all()).find("is a symbolic link"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Engines, MlflowFolderTest, testing::ValuesIn(sql::available_engines()),
                         sql::engine_test_name);

TEST(SortedPointsTest, many_points_come_sorted_and_once_from_files) {
  SortedPoints points(100);
  std::minstd_rand random(1);
  for (int i = 0; i < 5'000; ++i) {
    const auto number = static_cast<std::int64_t>(random() % 1'000);
    ASSERT_TRUE(points.add(static_cast<double>(number), number, 0).ok());
  }
  std::vector<std::int64_t> found;
  const auto done = points.each([&](const SortedPoints::Point& point) -> Result<void> {
    found.push_back(point.timestamp_ms);
    return {};
  });
  ASSERT_TRUE(done.ok()) << done.error().message;
  EXPECT_TRUE(std::is_sorted(found.begin(), found.end()));
  EXPECT_EQ(std::adjacent_find(found.begin(), found.end()), found.end());
  EXPECT_GT(found.size(), 950U);
}

}  // namespace
}  // namespace ciclo::migrate
