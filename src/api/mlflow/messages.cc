// SPDX-License-Identifier: Apache-2.0
#include "api/mlflow/messages.h"

#include <string_view>
#include <vector>

namespace ciclo::api::mlflow {

namespace {

void text(json::Writer& out, std::string_view name, std::string_view value) {
  out.key(name).string(value);
}

// Protobuf leaves out what is not set.
void text_if_set(json::Writer& out, std::string_view name, std::string_view value) {
  if (!value.empty()) text(out, name, value);
}

template <class Pair>
void pairs(json::Writer& out, std::string_view name, const std::vector<Pair>& list) {
  list_if_any(out, name, list, [&](const Pair& pair) {
    out.begin_object();
    text(out, "key", pair.key);
    text(out, "value", pair.value);
    out.end_object();
  });
}

void write_point(json::Writer& out, const tracking::Metric& metric) {
  text(out, "key", metric.key);
  out.key("value").number(metric.value);
  out.key("timestamp").integer(metric.timestamp_ms);
  out.key("step").integer(metric.step);
  text_if_set(out, "model_id", metric.model_id.str());
  text_if_set(out, "dataset_name", metric.dataset_name);
  text_if_set(out, "dataset_digest", metric.dataset_digest);
}

void write_dataset(json::Writer& out, const tracking::DatasetInput& dataset) {
  out.begin_object();
  pairs(out, "tags", dataset.tags);
  out.key("dataset").begin_object();
  text(out, "name", dataset.name);
  text(out, "digest", dataset.digest);
  text(out, "source_type", dataset.source_type);
  text(out, "source", dataset.source);
  if (dataset.schema) text(out, "schema", *dataset.schema);
  if (dataset.profile) text(out, "profile", *dataset.profile);
  out.end_object().end_object();
}

}  // namespace

std::string object(const std::function<void(json::Writer&)>& members) {
  std::string body;
  json::Writer out(body, json::NonFinite::kString);
  out.begin_object();
  members(out);
  out.end_object();
  return body;
}

void write(json::Writer& out, const tracking::Metric& metric) {
  out.begin_object();
  write_point(out, metric);
  out.end_object();
}

void write(json::Writer& out, const tracking::Experiment& experiment) {
  out.begin_object();
  text(out, "experiment_id", experiment.experiment_id.str());
  text(out, "name", experiment.name);
  text(out, "artifact_location", experiment.artifact_location);
  text(out, "lifecycle_stage", name_of(experiment.lifecycle_stage));
  out.key("last_update_time").integer(experiment.updated_ms);
  out.key("creation_time").integer(experiment.created_ms);
  pairs(out, "tags", experiment.tags);
  text(out, "workspace", experiment.workspace);
  out.end_object();
}

void write(json::Writer& out, const tracking::RunInfo& info) {
  out.begin_object();
  text(out, "run_id", info.run_id.str());
  text(out, "run_uuid", info.run_id.str());
  text(out, "run_name", info.name);
  text(out, "experiment_id", info.experiment_id.str());
  text(out, "user_id", info.user_id);
  text(out, "status", name_of(info.status));
  out.key("start_time").integer(info.start_ms);
  if (info.end_ms) out.key("end_time").integer(*info.end_ms);
  text(out, "artifact_uri", info.artifact_uri);
  text(out, "lifecycle_stage", name_of(info.lifecycle_stage));
  out.end_object();
}

void write(json::Writer& out, const tracking::Run& run) {
  out.begin_object().key("info");
  write(out, run.info);
  out.key("data").begin_object();
  list_if_any(out, "metrics", run.metrics, [&](const auto& metric) { write(out, metric); });
  pairs(out, "params", run.params);
  pairs(out, "tags", run.tags);
  out.end_object();
  out.key("inputs").begin_object();
  list_if_any(out, "dataset_inputs", run.datasets,
              [&](const auto& dataset) { write_dataset(out, dataset); });
  list_if_any(out, "model_inputs", run.model_inputs, [&](const auto& model) {
    out.begin_object();
    text(out, "model_id", model.model_id.str());
    out.end_object();
  });
  out.end_object();
  out.key("outputs").begin_object();
  list_if_any(out, "model_outputs", run.model_outputs, [&](const auto& model) {
    out.begin_object();
    text(out, "model_id", model.model_id.str());
    out.key("step").integer(model.step);
    out.end_object();
  });
  out.end_object().end_object();
}

void write(json::Writer& out, const tracking::LoggedModel& model) {
  out.begin_object().key("info").begin_object();
  text(out, "model_id", model.model_id.str());
  text(out, "experiment_id", model.experiment_id.str());
  text(out, "name", model.name);
  out.key("creation_timestamp_ms").integer(model.created_ms);
  out.key("last_updated_timestamp_ms").integer(model.updated_ms);
  text(out, "artifact_uri", model.artifact_location);
  text(out, "status", name_of(model.status));
  text(out, "model_type", model.model_type);
  text(out, "source_run_id", model.source_run_id.str());
  text_if_set(out, "status_message", model.status_message);
  pairs(out, "tags", model.tags);
  out.end_object().key("data").begin_object();
  pairs(out, "params", model.params);
  list_if_any(out, "metrics", model.metrics, [&](const auto& value) {
    out.begin_object();
    write_point(out, value.metric);
    text(out, "run_id", value.run_id.str());
    out.end_object();
  });
  out.end_object().end_object();
}

namespace {

void write_version(json::Writer& out, const registry::ModelVersion& version) {
  text(out, "name", version.name);
  text(out, "version", std::to_string(version.version));
  out.key("creation_timestamp").integer(version.created_ms);
  out.key("last_updated_timestamp").integer(version.updated_ms);
  text_if_set(out, "user_id", version.user_id);
  text(out, "current_stage", name_of(version.stage));
  text(out, "description", version.description);
  text(out, "source", version.source);
  text(out, "run_id", version.run_id);
  text(out, "status", "READY");
  pairs(out, "tags", version.tags);
  text(out, "run_link", version.run_link);
  text_if_set(out, "model_id", version.model_id);
}

}  // namespace

void write(json::Writer& out, const registry::ModelVersion& version) {
  out.begin_object();
  write_version(out, version);
  list_if_any(out, "aliases", version.aliases, [&](const auto& alias) { out.string(alias); });
  out.end_object();
}

void write(json::Writer& out, const registry::RegisteredModel& model) {
  out.begin_object();
  text(out, "name", model.name);
  out.key("creation_timestamp").integer(model.created_ms);
  out.key("last_updated_timestamp").integer(model.updated_ms);
  text_if_set(out, "description", model.description);
  // Without their aliases, which the model has itself.
  list_if_any(out, "latest_versions", model.latest_versions, [&](const auto& version) {
    out.begin_object();
    write_version(out, version);
    out.end_object();
  });
  pairs(out, "tags", model.tags);
  list_if_any(out, "aliases", model.aliases, [&](const auto& alias) {
    out.begin_object();
    text(out, "alias", alias.alias);
    text(out, "version", std::to_string(alias.version));
    out.end_object();
  });
  out.end_object();
}

}  // namespace ciclo::api::mlflow
