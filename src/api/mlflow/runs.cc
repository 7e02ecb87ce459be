// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>

#include "api/mlflow/answer.h"
#include "api/mlflow/messages.h"
#include "base/text.h"

namespace ciclo::api::mlflow {

namespace {

using tracking::LoggedModelId;
using tracking::Tracking;

Result<std::string> create(Tracking& tracking, const Context& context, const Input& input) {
  tracking::NewRun run;
  TRY(auto experiment, input.text("experiment_id"));
  run.experiment_id = tracking::ExperimentId(std::move(experiment));
  TRY(run.name, input.text_or_empty("run_name"));
  TRY(run.user_id, input.text_or_empty("user_id"));
  TRY(run.start_ms, input.optional_integer("start_time"));
  TRY(run.tags, input.tags("tags"));
  TRY(const auto created, tracking.create_run(context, run));
  return object_with("run", created);
}

Result<std::string> get(Tracking& tracking, const Context& context, const Input& input) {
  TRY(const auto id, input.run_id());
  TRY(const auto run, tracking.run(context, id));
  return object_with("run", run);
}

// An unknown status changes nothing, as in MLflow.
std::optional<tracking::RunStatus> status_of(std::string_view word) {
  using tracking::RunStatus;
  const auto number = parse_int(word);
  if (!number) return tracking::parse_run_status(word);
  if (*number < 1 || *number > 5) return std::nullopt;
  return static_cast<RunStatus>(*number - 1);
}

Result<std::string> update(Tracking& tracking, const Context& context, const Input& input) {
  TRY(const auto id, input.run_id());
  tracking::RunUpdate update;
  TRY(const auto status, input.word("status"));
  update.status = status_of(status);
  TRY(update.end_ms, input.optional_integer("end_time"));
  TRY(update.name, input.optional_text("run_name"));
  TRY(const auto info, tracking.update_run(context, id, update));
  return object_with("run_info", info);
}

Result<std::string> remove(Tracking& tracking, const Context& context, const Input& input) {
  TRY(const auto id, input.run_id());
  TRY(tracking.delete_run(context, id));
  return "{}";
}

Result<std::string> restore(Tracking& tracking, const Context& context, const Input& input) {
  TRY(const auto id, input.run_id());
  TRY(tracking.restore_run(context, id));
  return "{}";
}

Result<std::string> log_batch(Tracking& tracking, const Context& context, const Input& input) {
  TRY(const auto id, input.run_id());
  tracking::Batch batch;
  TRY(batch.metrics, input.metrics("metrics"));
  TRY(batch.params, input.params("params"));
  TRY(batch.tags, input.tags("tags"));
  TRY(tracking.log_batch(context, id, batch));
  return "{}";
}

Result<std::string> log_metric(Tracking& tracking, const Context& context, const Input& input) {
  TRY(const auto id, input.run_id());
  TRY(const auto metric, input.metric());
  TRY(tracking.log_metrics(context, id, std::span(&metric, 1)));
  return "{}";
}

Result<std::string> log_param(Tracking& tracking, const Context& context, const Input& input) {
  TRY(const auto id, input.run_id());
  tracking::Param param;
  TRY(param.key, input.text("key"));
  TRY(param.value, input.text_or_empty("value"));
  TRY(tracking.log_params(context, id, std::span(&param, 1)));
  return "{}";
}

Result<std::string> set_tag(Tracking& tracking, const Context& context, const Input& input) {
  TRY(const auto id, input.run_id());
  tracking::Tag tag;
  TRY(tag.key, input.text("key"));
  TRY(tag.value, input.text_or_empty("value"));
  TRY(tracking.set_tags(context, id, std::span(&tag, 1)));
  return "{}";
}

Result<std::string> delete_tag(Tracking& tracking, const Context& context, const Input& input) {
  TRY(const auto id, input.run_id());
  TRY(const auto key, input.text("key"));
  TRY(tracking.delete_tag(context, id, key));
  return "{}";
}

Result<std::vector<tracking::ModelReference>> models_of(const Input& input) {
  std::vector<tracking::ModelReference> models;
  TRY(input.each("models", [&](const Fields& fields) -> Result<void> {
    TRY(auto id, fields.text("model_id"));
    TRY(const auto step, fields.integer_or("step", 0));
    models.push_back({LoggedModelId(std::move(id)), step});
    return {};
  }));
  return models;
}

Result<tracking::DatasetInput> dataset_of(const Fields& fields) {
  tracking::DatasetInput dataset;
  TRY(dataset.tags, fields.tags("tags"));
  TRY(const Fields inner, fields.member("dataset"));
  TRY(dataset.name, inner.text("name"));
  TRY(dataset.digest, inner.text("digest"));
  TRY(dataset.source_type, inner.text("source_type"));
  TRY(dataset.source, inner.text("source"));
  TRY(dataset.schema, inner.optional_text("schema"));
  TRY(dataset.profile, inner.optional_text("profile"));
  return dataset;
}

Result<std::string> log_inputs(Tracking& tracking, const Context& context, const Input& input) {
  TRY(const auto id, input.run_id());
  std::vector<tracking::DatasetInput> datasets;
  TRY(input.each("datasets", [&](const Fields& fields) -> Result<void> {
    TRY(auto dataset, dataset_of(fields));
    datasets.push_back(std::move(dataset));
    return {};
  }));
  TRY(const auto models, models_of(input));
  TRY(tracking.log_inputs(context, id, datasets, models));
  return "{}";
}

Result<std::string> log_outputs(Tracking& tracking, const Context& context, const Input& input) {
  TRY(const auto id, input.run_id());
  TRY(const auto models, models_of(input));
  TRY(tracking.log_outputs(context, id, models));
  return "{}";
}

Result<std::string> log_model(Tracking& tracking, const Context& context, const Input& input) {
  TRY(const auto id, input.run_id());
  TRY(const auto model_json, input.text("model_json"));
  TRY(tracking.record_model(context, id, model_json));
  return "{}";
}

Result<std::string> search(Tracking& tracking, const Context& context, const Input& input) {
  tracking::RunSearch search;
  TRY(const auto experiments, input.texts("experiment_ids"));
  for (const auto& id : experiments) search.experiment_ids.emplace_back(id);
  TRY(search.filter, input.text_or_empty("filter"));
  TRY(search.order_by, input.texts("order_by"));
  TRY(search.view, input.view_type("run_view_type"));
  TRY(search.max_results, input.integer_or("max_results", search.max_results));
  TRY(search.page_token, input.text_or_empty("page_token"));
  TRY(const auto page, tracking.search_runs(context, search));
  return page_with("runs", page);
}

}  // namespace

void add_run_routes(http::Router& router, const Services& services) {
  using Function = Result<std::string> (*)(Tracking&, const Context&, const Input&);
  const auto add = [&](std::string_view method, std::string_view name, Function function) {
    add_call(router, method, "/2.0/mlflow/runs/" + std::string(name),
             [&tracking = services.tracking, function](const Context& context, const Input& input) {
               return function(tracking, context, input);
             });
  };
  add("POST", "create", create);
  add("GET", "get", get);
  add("POST", "update", update);
  add("POST", "delete", remove);
  add("POST", "restore", restore);
  add("POST", "log-batch", log_batch);
  add("POST", "log-metric", log_metric);
  add("POST", "log-parameter", log_param);
  add("POST", "set-tag", set_tag);
  add("POST", "delete-tag", delete_tag);
  add("POST", "log-inputs", log_inputs);
  add("POST", "outputs", log_outputs);
  add("POST", "log-model", log_model);
  add("POST", "search", search);
}

}  // namespace ciclo::api::mlflow
