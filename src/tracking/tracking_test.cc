// SPDX-License-Identifier: Apache-2.0
#include "tracking/tracking.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/json_fields.h"
#include "tracking/test_services.h"

namespace ciclo::tracking {
namespace {

TEST_P(TrackingTest, default_experiment_is_always_there) {
  const auto experiment = tracking.experiment(context, ExperimentId("0"));
  ASSERT_TRUE(experiment.ok()) << experiment.error().message;
  EXPECT_EQ(experiment->name, "Default");
  EXPECT_EQ(experiment->artifact_location, "mlflow-artifacts:/0");
}

TEST_P(TrackingTest, experiment_names_stay_taken_after_deletion) {
  const auto id = tracking.create_experiment(context, {.name = "flights"});
  ASSERT_TRUE(id.ok()) << id.error().message;
  EXPECT_EQ(id->str(), "1");
  EXPECT_EQ(tracking.create_experiment(context, {.name = "flights"}).error().code,
            Code::kAlreadyExists);
  ASSERT_TRUE(tracking.delete_experiment(context, *id).ok());
  const auto again = tracking.create_experiment(context, {.name = "flights"});
  EXPECT_EQ(
      again.error().message,
      "experiment name \"flights\" is taken by experiment 1, which is deleted: restore it, or "
      "choose another name");
}

TEST_P(TrackingTest, deleting_an_experiment_marks_its_runs_and_restoring_brings_only_them_back) {
  const auto id = tracking.create_experiment(context, {.name = "e"});
  const RunId before = new_run("before", *id);
  ASSERT_TRUE(tracking.delete_run(context, before).ok());
  const RunId with = new_run("with", *id);
  clock.advance_ms(5);
  ASSERT_TRUE(tracking.delete_experiment(context, *id).ok());
  EXPECT_EQ(tracking.run_info(context, with)->lifecycle_stage, LifecycleStage::kDeleted);
  EXPECT_EQ(tracking.create_run(context, {.experiment_id = *id}).error().code,
            Code::kFailedPrecondition);
  ASSERT_TRUE(tracking.restore_experiment(context, *id).ok());
  EXPECT_EQ(tracking.run_info(context, with)->lifecycle_stage, LifecycleStage::kActive);
  EXPECT_EQ(tracking.run_info(context, before)->lifecycle_stage, LifecycleStage::kDeleted);
}

TEST_P(TrackingTest, other_workspaces_see_nothing) {
  const RunId run = new_run();
  Context other;
  other.workspace = "other";
  EXPECT_EQ(tracking.run(other, run).error().code, Code::kNotFound);
  EXPECT_EQ(tracking.experiment(other, ExperimentId("0")).error().code, Code::kNotFound);
  EXPECT_EQ(tracking.delete_run(other, run).error().code, Code::kNotFound);
}

TEST_P(TrackingTest, a_run_without_a_name_gets_one_and_the_tag_repeats_it) {
  const auto run = tracking.create_run(context, {});
  ASSERT_TRUE(run.ok());
  EXPECT_EQ(std::count(run->info.name.begin(), run->info.name.end(), '-'), 2);
  ASSERT_EQ(run->tags.size(), 1U);
  EXPECT_EQ(run->tags[0].key, "mlflow.runName");
  EXPECT_EQ(run->tags[0].value, run->info.name);
  const Tag renamed{"mlflow.runName", "new name"};
  ASSERT_TRUE(tracking.set_tags(context, run->info.run_id, std::span(&renamed, 1)).ok());
  EXPECT_EQ(tracking.run_info(context, run->info.run_id)->name, "new name");
}

TEST_P(TrackingTest, a_new_run_is_answered_as_it_is_read_back) {
  NewRun wanted;
  wanted.name = "first";
  wanted.tags = {{"z", "1"}, {"Ä", "2"}, {"z", "3"}, {"a.b", "4"}};
  const auto made = tracking.create_run(context, wanted);
  ASSERT_TRUE(made.ok());
  const auto read = tracking.run(context, made->info.run_id);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(json::write(*made), json::write(*read));
  EXPECT_EQ(made->tags.size(), 4U);
}

TEST_P(TrackingTest, latest_metric_is_the_greatest_step_then_timestamp_then_value) {
  const RunId run = new_run();
  log(run, "loss", 1.0, 10, 5);
  log(run, "loss", 9.0, 99, 4);
  EXPECT_EQ(latest(run, "loss"), 1.0);
  log(run, "loss", 0.5, 10, 5);
  EXPECT_EQ(latest(run, "loss"), 1.0);
  log(run, "loss", 0.25, 11, 5);
  EXPECT_EQ(latest(run, "loss"), 0.25);
}

TEST_P(TrackingTest, exact_duplicates_are_dropped) {
  const RunId run = new_run();
  for (int i = 0; i < 3; ++i) log(run, "loss", 1.0, 10, 1);
  log(run, "loss", 2.0, 10, 1);
  EXPECT_EQ(tracking.metric_history(context, {.run_id = run, .key = "loss"})->items.size(), 2U);
}

TEST_P(TrackingTest, nan_is_kept_and_infinity_becomes_the_largest_double) {
  const RunId run = new_run();
  log(run, "a", std::nan(""));
  log(run, "b", -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(tracking.run(context, run)->metrics[0].value));
  EXPECT_EQ(latest(run, "b"), -std::numeric_limits<double>::max());
}

TEST_P(TrackingTest, params_are_immutable) {
  const RunId run = new_run();
  const std::vector<Param> params = {{"depth", "3"}};
  ASSERT_TRUE(tracking.log_params(context, run, params).ok());
  EXPECT_TRUE(tracking.log_params(context, run, params).ok());
  const std::vector<Param> changed = {{"new", "1"}, {"depth", "4"}};
  EXPECT_EQ(
      tracking.log_params(context, run, changed).error().message,
      "param \"depth\" was logged already with value \"3\" and cannot change to \"4\": params "
      "are immutable");
  EXPECT_EQ(tracking.run(context, run)->params.size(), 1U);
}

TEST_P(TrackingTest, a_batch_is_all_or_nothing) {
  const RunId run = new_run();
  ASSERT_TRUE(tracking.log_batch(context, run, {.params = {{"a", "1"}}}).ok());
  const Batch batch{
      .metrics = {{.key = "loss", .value = 1}}, .params = {{"a", "2"}}, .tags = {{"t", "v"}}};
  EXPECT_EQ(tracking.log_batch(context, run, batch).error().code, Code::kInvalidArgument);
  EXPECT_TRUE(tracking.run(context, run)->metrics.empty());
}

TEST_P(TrackingTest, batch_limits_are_kept) {
  const RunId run = new_run();
  Batch batch;
  for (int i = 0; i < 1001; ++i) batch.metrics.push_back({.key = "m", .step = i});
  EXPECT_FALSE(tracking.log_batch(context, run, batch).ok());
  batch.metrics.pop_back();
  EXPECT_TRUE(tracking.log_batch(context, run, batch).ok());
  batch.tags.push_back({"t", "v"});
  EXPECT_FALSE(tracking.log_batch(context, run, batch).ok());
  EXPECT_FALSE(tracking.log_batch(context, run, {.params = {{"p", "1"}, {"p", "1"}}}).ok());
}

TEST_P(TrackingTest, many_keys_in_one_batch_and_again) {
  const RunId run = new_run();
  Batch batch;
  for (int i = 0; i < 100; ++i) {
    batch.metrics.push_back({.key = "m" + std::to_string(i), .value = 1.0 * i, .step = 1});
  }
  ASSERT_TRUE(tracking.log_batch(context, run, batch).ok());
  for (auto& metric : batch.metrics) metric = {.key = metric.key, .value = -1, .step = 2};
  ASSERT_TRUE(tracking.log_batch(context, run, batch).ok());
  const auto loaded = tracking.run(context, run);
  ASSERT_EQ(loaded->metrics.size(), 100U);
  for (const auto& metric : loaded->metrics) EXPECT_EQ(metric.value, -1);
}

TEST_P(TrackingTest, names_that_are_paths_out_of_themselves_are_refused) {
  const RunId run = new_run();
  for (const char* key :
       {"", ".", "..", "../a", "a/../b", "/a", "a//b", "a/", "a\nb", "a;b", "..a"}) {
    const Metric metric{.key = key};
    EXPECT_EQ(tracking.log_metrics(context, run, std::span(&metric, 1)).error().code,
              Code::kInvalidArgument)
        << key;
  }
  for (const char* key : {"a/b", "a.b-c_d:e f", ".a", "a..b", "é"}) {
    const Metric metric{.key = key};
    EXPECT_TRUE(tracking.log_metrics(context, run, std::span(&metric, 1)).ok()) << key;
  }
}

TEST_P(TrackingTest, long_values_are_cut_and_long_keys_refused) {
  const RunId run = new_run();
  std::string value;
  for (int i = 0; i < 7000; ++i) value += "é";
  const Param param{"p", value};
  ASSERT_TRUE(tracking.log_params(context, run, std::span(&param, 1)).ok());
  EXPECT_EQ(tracking.run(context, run)->params[0].value.size(), 12000U);
  const Param long_key{std::string(251, 'k'), "v"};
  EXPECT_FALSE(tracking.log_params(context, run, std::span(&long_key, 1)).ok());
}

TEST_P(TrackingTest, deleted_runs_refuse_writes_and_can_be_deleted_twice) {
  const RunId run = new_run();
  ASSERT_TRUE(tracking.delete_run(context, run).ok());
  ASSERT_TRUE(tracking.delete_run(context, run).ok());
  const Tag tag{"a", "b"};
  EXPECT_EQ(tracking.set_tags(context, run, std::span(&tag, 1)).error().code,
            Code::kFailedPrecondition);
  ASSERT_TRUE(tracking.restore_run(context, run).ok());
  EXPECT_TRUE(tracking.set_tags(context, run, std::span(&tag, 1)).ok());
}

TEST_P(TrackingTest, history_pages_join_to_the_whole) {
  const RunId run = new_run();
  for (int i = 0; i < 25; ++i) log(run, "loss", i, 100 - i / 2, i);
  std::vector<double> seen;
  HistoryQuery query{.run_id = run, .key = "loss", .max_results = 10};
  while (true) {
    const auto page = tracking.metric_history(context, query);
    ASSERT_TRUE(page.ok()) << page.error().message;
    for (const auto& point : page->items) seen.push_back(point.value);
    if (page->next_page_token.empty()) break;
    query.page_token = page->next_page_token;
  }
  std::vector<double> all;
  ASSERT_TRUE(tracking
                  .stream_metric_history(context, run, "loss",
                                         [&](const Metric& point) -> Result<void> {
                                           all.push_back(point.value);
                                           return {};
                                         })
                  .ok());
  EXPECT_EQ(seen.size(), 25U);
  EXPECT_EQ(seen, all);
  query.page_token = "nonsense";
  EXPECT_EQ(tracking.metric_history(context, query).error().code, Code::kInvalidArgument);
}

TEST_P(TrackingTest, sampled_history_keeps_first_and_last) {
  const RunId run = new_run();
  std::vector<Metric> points;
  for (int i = 0; i < 1000; ++i) points.push_back({.key = "m", .value = 1.0 * i, .step = i});
  ASSERT_TRUE(tracking.log_metrics(context, run, points).ok());
  const auto sample = tracking.sampled_metric_history(context, run, "m", 100, 899, 32);
  ASSERT_TRUE(sample.ok());
  ASSERT_EQ(sample->size(), 32U);
  EXPECT_EQ(sample->front().step, 100);
  EXPECT_EQ(sample->back().step, 899);
  EXPECT_EQ(tracking.sampled_metric_history(context, run, "m", 0, 9, 32)->size(), 10U);
}

TEST_P(TrackingTest, inputs_and_outputs_come_back_with_the_run) {
  const RunId run = new_run();
  const DatasetInput dataset{.name = "train",
                             .digest = "abc",
                             .source_type = "local",
                             .source = "{}",
                             .schema = "{\"s\":1}",
                             .tags = {{"mlflow.data.context", "training"}}};
  const auto model = models.create(context, {.source_run_id = run});
  ASSERT_TRUE(model.ok()) << model.error().message;
  const ModelReference output{model->model_id, 3};
  ASSERT_TRUE(tracking.log_inputs(context, run, std::span(&dataset, 1), {}).ok());
  DatasetInput again = dataset;
  again.tags = {{"mlflow.data.context", "eval"}, {"other", "tag"}};
  ASSERT_TRUE(tracking.log_inputs(context, run, std::span(&again, 1), {}).ok());
  ASSERT_TRUE(tracking.log_outputs(context, run, std::span(&output, 1)).ok());
  const auto loaded = tracking.run(context, run);
  ASSERT_EQ(loaded->datasets.size(), 1U);
  EXPECT_EQ(loaded->datasets[0].schema, "{\"s\":1}");
  EXPECT_EQ(loaded->datasets[0].profile, std::nullopt);
  ASSERT_EQ(loaded->datasets[0].tags.size(), 1U);
  ASSERT_EQ(loaded->model_outputs.size(), 1U);
  EXPECT_EQ(loaded->model_outputs[0].step, 3);
  EXPECT_NE(found("datasets.name = 'train'"), "");
  EXPECT_NE(found("dataset.context IN ('training', 'x')"), "");
  EXPECT_EQ(found("dataset.digest = 'other'"), "");
}

TEST_P(TrackingTest, logged_models_take_metrics_of_runs) {
  const RunId run = new_run();
  const auto model = models.create(context, {.name = "m", .params = {{"depth", "3"}}});
  ASSERT_TRUE(model.ok());
  EXPECT_EQ(model->artifact_location,
            "mlflow-artifacts:/0/models/" + model->model_id.str() + "/artifacts");
  for (const double value : {0.5, 0.75}) {
    const Metric metric{
        .key = "auc", .value = value, .timestamp_ms = 1, .model_id = model->model_id};
    ASSERT_TRUE(tracking.log_metrics(context, run, std::span(&metric, 1)).ok());
  }
  const auto loaded = models.get(context, model->model_id);
  ASSERT_EQ(loaded->metrics.size(), 1U);
  EXPECT_EQ(loaded->metrics[0].metric.value, 0.75);
  EXPECT_EQ(loaded->params[0].value, "3");
  const auto search = [&](const std::string& filter) {
    return models
        .search(context, {.experiment_ids = {ExperimentId("0")},
                          .filter = filter,
                          .order_by = {"metrics.auc DESC"}})
        ->items.size();
  };
  EXPECT_EQ(search("metrics.auc > 0.7 AND params.depth = '3'"), 1U);
  EXPECT_EQ(search("metrics.auc > 0.8"), 0U);
  EXPECT_EQ(models.finalize(context, model->model_id, LoggedModelStatus::kReady)->status,
            LoggedModelStatus::kReady);
  ASSERT_TRUE(models.remove(context, model->model_id).ok());
  ASSERT_TRUE(models.remove(context, model->model_id).ok());
  EXPECT_EQ(models.remove(context, LoggedModelId("none")).error().code, Code::kNotFound);
  EXPECT_EQ(models.get(context, model->model_id).error().code, Code::kNotFound);
}

INSTANTIATE_TEST_SUITE_P(Engines, TrackingTest, testing::ValuesIn(sql::available_engines()),
                         sql::engine_test_name);

}  // namespace
}  // namespace ciclo::tracking
