// SPDX-License-Identifier: Apache-2.0
#include "tracking/trash.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "tracking/comments.h"
#include "tracking/test_services.h"

namespace ciclo::tracking {
namespace {

class TrashTest : public TrackingTest {
 protected:
  TrashTest() : blobs(*blob::open_local((folder.path() / "blobs").string())) {}

  std::vector<Trashed> listed() {
    std::vector<Trashed> all;
    const auto read = database->read([&](sql::Reader& reader) {
      return list_trash(reader, [&](Trashed found) -> Result<void> {
        all.push_back(std::move(found));
        return {};
      });
    });
    EXPECT_TRUE(read.ok()) << read.error().message;
    return all;
  }
  bool remove(const Trashed& trashed) {
    const auto removed = database->transact([&](sql::Txn& txn) -> Result<bool> {
      TRY(const bool is_removed, remove_for_good(txn, trashed));
      TRY(remove_unused_datasets(txn));
      return is_removed;
    });
    EXPECT_TRUE(removed.ok()) << removed.error().message;
    return removed.ok() && *removed;
  }
  std::size_t remove_all() {
    std::size_t removed = 0;
    for (const auto& trashed : listed()) removed += remove(trashed) ? 1 : 0;
    return removed;
  }
  std::int64_t count(const std::string& table) {
    const auto rows = database->view([&](sql::Reader& reader) {
      return reader.query_one("SELECT COUNT(*) FROM " + table, {},
                              [](const sql::Row& row) { return row.integer(0); });
    });
    EXPECT_TRUE(rows.ok()) << rows.error().message;
    return rows->value_or(-1);
  }
  std::map<std::string, std::int64_t> counts() {
    std::map<std::string, std::int64_t> all;
    for (const auto& [table, column] : owned_columns()) all[table] = count(table);
    all["artifact_entries"] = count("artifact_entries");
    return all;
  }

  // The columns by which rows belong to a run, logged model, experiment, series or data set.
  std::set<std::pair<std::string, std::string>> owned_columns() {
    sql::TestDatabase plain{sql::Engine::kSqlite};
    EXPECT_TRUE(sql::migrate(*plain, schema()).ok());
    std::set<std::pair<std::string, std::string>> all;
    const auto read = plain->read([&](sql::Reader& reader) {
      return reader.query(R"(
          SELECT t.name, c.name FROM sqlite_master t JOIN pragma_table_info(t.name) c
          WHERE t.type = 'table' AND c.name IN ('run_number', 'run_id', 'model_number', 'model_id',
            'source_run_id', 'experiment_id', 'series', 'logged_dataset'))",
                          {}, [&](const sql::Row& row) -> Result<void> {
                            all.emplace(row.string(0), row.string(1));
                            return {};
                          });
    });
    EXPECT_TRUE(read.ok()) << read.error().message;
    return all;
  }

  // A run with a row in every table that can hold one of it.
  RunId full_run(const std::string& name, const ExperimentId& experiment = ExperimentId("0")) {
    const RunId run = new_run(name, experiment);
    for (int batch = 0; batch < 3; ++batch) {
      std::vector<Metric> points;
      for (int i = 0; i < 1'000; ++i) {
        const int step = 1'000 * batch + i;
        points.push_back({.key = "loss", .value = 0.5, .timestamp_ms = step, .step = step});
      }
      EXPECT_TRUE(tracking.log_metrics(context, run, points).ok());
    }
    const Param param{"rate", "0.1"};
    EXPECT_TRUE(tracking.log_params(context, run, std::span(&param, 1)).ok());
    const Tag tag{"team", "a"};
    EXPECT_TRUE(tracking.set_tags(context, run, std::span(&tag, 1)).ok());
    const DatasetInput dataset{.name = "flights",
                               .digest = "d1",
                               .source_type = "local",
                               .source = "{}",
                               .tags = {{"mlflow.data.context", "train"}}};
    EXPECT_TRUE(tracking.log_inputs(context, run, std::span(&dataset, 1), {}).ok());
    put(experiment.str() + "/" + run.str() + "/artifacts/model/MLmodel", name);
    return run;
  }
  LoggedModel full_model(const RunId& run, const ExperimentId& experiment = ExperimentId("0")) {
    auto model = models.create(context, {.experiment_id = experiment,
                                         .name = "clf",
                                         .source_run_id = run,
                                         .params = {{"depth", "3"}},
                                         .tags = {{"team", "a"}}});
    EXPECT_TRUE(model.ok()) << model.error().message;
    Metric metric{.key = "auc", .value = 0.9, .timestamp_ms = 1};
    metric.model_id = model->model_id;
    EXPECT_TRUE(tracking.log_metrics(context, run, std::span(&metric, 1)).ok());
    put(experiment.str() + "/models/" + model->model_id.str() + "/artifacts/MLmodel", "m");
    return *model;
  }
  void put(const std::string& path, std::string_view bytes) {
    const auto stored = artifacts.put(context, *ArtifactPath::parse(path),
                                      [&](blob::Writer& writer) { return writer.write(bytes); });
    EXPECT_TRUE(stored.ok()) << stored.error().message;
  }

  TemporaryDirectory folder;
  std::unique_ptr<blob::Store> blobs;
  Artifacts artifacts{*database, *blobs, clock};
};

TEST_P(TrashTest, a_run_goes_with_all_its_rows_and_takes_nothing_of_others) {
  const RunId kept = full_run("kept");
  const auto before = counts();
  const RunId gone = full_run("gone");
  EXPECT_TRUE(listed().empty());
  ASSERT_TRUE(tracking.delete_run(context, gone).ok());
  const auto trash = listed();
  ASSERT_EQ(trash.size(), 1U);
  EXPECT_EQ(trash[0].id, gone.str());
  EXPECT_EQ(trash[0].name, "gone");
  EXPECT_EQ(trash[0].deleted_ms, clock.now_ms());
  EXPECT_EQ(trash[0].folder()->str(), "0/" + gone.str());
  EXPECT_TRUE(remove(trash[0]));
  EXPECT_EQ(counts(), before);
  EXPECT_FALSE(remove(trash[0])) << "it is gone already";
  EXPECT_EQ(tracking.run(context, gone).error().code, Code::kNotFound);
  EXPECT_TRUE(artifacts.list(context, *ArtifactPath::parse("0/" + gone.str()))->empty());
  const auto run = tracking.run(context, kept);
  EXPECT_EQ(run->datasets.size(), 1U) << "the data set has another user";
  EXPECT_EQ(artifacts.tree(context, *ArtifactPath::parse("0/" + kept.str()))->size(), 1U);
}

TEST_P(TrashTest, comments_go_with_what_they_are_about) {
  EXPECT_TRUE(sql::migrate(*database, events::schema()).ok());
  events::Log log(*database, clock);
  Comments comments(*database, log, clock, ids);
  const auto experiment = *tracking.create_experiment(context, {.name = "gone"});
  const RunId gone = new_run("gone", experiment);
  const RunId kept = new_run("kept");
  for (const auto& about : {*tracking.commented(context, gone), *tracking.commented(context, kept),
                            *tracking.commented(context, experiment),
                            *tracking.commented(context, ExperimentId("0"))}) {
    const auto said = comments.add(context, about, "first");
    ASSERT_TRUE(said.ok()) << said.error().message;
    ASSERT_TRUE(comments.edit(context, said->comment_id, "second").ok());
  }
  ASSERT_TRUE(tracking.delete_experiment(context, experiment).ok());
  EXPECT_EQ(remove_all(), 2U);
  EXPECT_EQ(count("comments"), 2);
  EXPECT_EQ(count("comment_texts"), 2);
}

TEST_P(TrashTest, a_data_set_goes_with_its_last_user) {
  for (int i = 0; i < 2; ++i) {
    const RunId user = full_run("user " + std::to_string(i));
    EXPECT_EQ(count("logged_datasets"), 1);
    ASSERT_TRUE(tracking.delete_run(context, user).ok());
  }
  const auto trash = listed();
  ASSERT_EQ(trash.size(), 2U);
  EXPECT_TRUE(remove(trash[0]));
  EXPECT_EQ(count("logged_datasets"), 1);
  EXPECT_TRUE(remove(trash[1]));
  EXPECT_EQ(count("logged_datasets"), 0);
}

TEST_P(TrashTest, a_logged_model_goes_with_all_its_rows) {
  const RunId run = full_run("r");
  full_model(run);
  const auto before = counts();
  const LoggedModel gone = full_model(run);
  const std::vector<ModelReference> outputs{{gone.model_id, 0}};
  ASSERT_TRUE(tracking.log_outputs(context, run, outputs).ok());
  ASSERT_TRUE(models.remove(context, gone.model_id).ok());
  const auto trash = listed();
  ASSERT_EQ(trash.size(), 1U);
  EXPECT_EQ(trash[0].kind, Trashed::Kind::kLoggedModel);
  EXPECT_TRUE(remove(trash[0]));
  EXPECT_EQ(counts(), before);
}

TEST_P(TrashTest, what_was_restored_stays) {
  const RunId run = full_run("r");
  ASSERT_TRUE(tracking.delete_run(context, run).ok());
  const auto trash = listed();
  ASSERT_TRUE(tracking.restore_run(context, run).ok());
  EXPECT_FALSE(remove(trash[0]));
  EXPECT_EQ(tracking.run(context, run)->params.size(), 1U);
}

TEST_P(TrashTest, an_experiment_goes_after_all_that_is_in_it) {
  const auto before = counts();
  const auto id = tracking.create_experiment(context, {.name = "e", .tags = {{"a", "b"}}});
  full_model(full_run("r", *id), *id);
  ASSERT_TRUE(tracking.delete_experiment(context, *id).ok());
  const auto trash = listed();
  ASSERT_EQ(trash.size(), 3U);
  EXPECT_EQ(trash[2].kind, Trashed::Kind::kExperiment);
  EXPECT_FALSE(remove(trash[2])) << "its run and its model are still there";
  EXPECT_EQ(remove_all(), 3U);
  EXPECT_EQ(counts(), before);
  EXPECT_TRUE(tracking.create_experiment(context, {.name = "e"}).ok()) << "the name is free";
}

TEST_P(TrashTest, the_default_experiment_is_never_trash) {
  ASSERT_TRUE(tracking.delete_experiment(context, ExperimentId("0")).ok());
  EXPECT_TRUE(listed().empty());
}

TEST_P(TrashTest, finds_by_id_and_tells_unknown_from_active) {
  const RunId run = new_run("r");
  const auto look = [&](const RunId& id) {
    return *database->view([&](sql::Reader& reader) { return find_trashed_run(reader, id); });
  };
  EXPECT_FALSE(look(RunId("none")).is_known);
  EXPECT_TRUE(look(run).is_known);
  EXPECT_FALSE(look(run).trashed);
  ASSERT_TRUE(tracking.delete_run(context, run).ok());
  EXPECT_EQ(look(run).trashed->id, run.str());
}

TEST_P(TrashTest, foundations_are_the_runs_and_models_that_others_rest_on) {
  const RunId grandparent = new_run("grandparent");
  const auto child_of = [&](const std::string& name, const RunId& parent) {
    const RunId run = new_run(name);
    const Tag tag{"mlflow.parentRunId", parent.str()};
    EXPECT_TRUE(tracking.set_tags(context, run, std::span(&tag, 1)).ok());
    return run;
  };
  const RunId parent = child_of("parent", grandparent);
  const RunId run = child_of("run", parent);
  const RunId stranger = child_of("stranger", parent);
  const RunId teacher_run = new_run("teacher");
  const LoggedModel teacher = full_model(teacher_run);
  const std::vector<ModelReference> inputs{{teacher.model_id, 0}};
  ASSERT_TRUE(tracking.log_inputs(context, run, {}, inputs).ok());
  std::set<std::string> runs{run.str()};
  std::set<std::string> model_ids;
  std::vector<std::string> heard;
  const auto added = database->read([&](sql::Reader& reader) {
    return add_foundations(reader, runs, model_ids,
                           [&](Trashed::Kind, const std::string& id, Trashed::Kind,
                               const std::string& of) { heard.push_back(id + " of " + of); });
  });
  ASSERT_TRUE(added.ok()) << added.error().message;
  EXPECT_EQ(runs, (std::set{run.str(), parent.str(), grandparent.str(), teacher_run.str()}));
  EXPECT_EQ(model_ids, std::set{teacher.model_id.str()});
  EXPECT_EQ(heard.size(), 4U);
  EXPECT_FALSE(runs.contains(stranger.str()));
}

TEST_P(TrashTest, only_a_folder_with_the_id_goes_with_it) {
  Trashed run{.kind = Trashed::Kind::kRun, .id = "r1"};
  for (const auto* const location :
       {"s3://bucket/0/r1/artifacts", "mlflow-artifacts:/0/r2/artifacts", "mlflow-artifacts:/0/r1",
        "mlflow-artifacts:/shared", "mlflow-artifacts:/", "file:/r1/artifacts"}) {
    run.artifact_location = location;
    EXPECT_FALSE(run.folder()) << location;
  }
  run.artifact_location = "mlflow-artifacts:/own/place/r1/artifacts";
  EXPECT_EQ(run.folder()->str(), "own/place/r1");
  Trashed experiment{.kind = Trashed::Kind::kExperiment, .id = "7"};
  experiment.artifact_location = "mlflow-artifacts:/7";
  EXPECT_EQ(experiment.folder()->str(), "7");
  experiment.artifact_location = "mlflow-artifacts:/8";
  EXPECT_FALSE(experiment.folder());
}

// A new table with rows of runs must be emptied in store_trash.cc, and shown in full_run or
// full_model above; then it comes into this list.
TEST_P(TrashTest, every_table_with_rows_of_others_is_known_here) {
  const std::set<std::pair<std::string, std::string>> known{
      {"experiment_tags", "experiment_id"},
      {"experiments", "experiment_id"},
      {"logged_datasets", "experiment_id"},
      {"logged_datasets", "logged_dataset"},
      {"logged_model_metrics", "model_number"},
      {"logged_model_metrics", "run_id"},
      {"logged_model_params", "model_number"},
      {"logged_model_tags", "model_number"},
      {"logged_models", "experiment_id"},
      {"logged_models", "model_id"},
      {"logged_models", "model_number"},
      {"logged_models", "source_run_id"},
      {"metric_chunks", "series"},
      {"metric_points", "series"},
      {"metric_series", "experiment_id"},
      {"metric_series", "run_number"},
      {"metric_series", "series"},
      {"run_dataset_tags", "logged_dataset"},
      {"run_dataset_tags", "run_number"},
      {"run_datasets", "logged_dataset"},
      {"run_datasets", "run_number"},
      {"run_models", "model_id"},
      {"run_models", "run_number"},
      {"run_params", "experiment_id"},
      {"run_params", "run_number"},
      {"run_tags", "experiment_id"},
      {"run_tags", "run_number"},
      {"runs", "experiment_id"},
      {"runs", "run_id"},
      {"runs", "run_number"},
      {"span_attributes", "experiment_id"},
      {"spans", "experiment_id"},
      {"trace_assessments", "experiment_id"},
      {"trace_assessments", "run_id"},
      {"trace_metadata", "experiment_id"},
      {"trace_runs", "run_id"},
      {"trace_tags", "experiment_id"},
      {"traces", "experiment_id"}};
  EXPECT_EQ(owned_columns(), known);
}

INSTANTIATE_TEST_SUITE_P(Engines, TrashTest, testing::ValuesIn(sql::available_engines()),
                         sql::engine_test_name);

}  // namespace
}  // namespace ciclo::tracking
