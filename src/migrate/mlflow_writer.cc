// SPDX-License-Identifier: Apache-2.0
#include "migrate/mlflow_writer.h"

#include <algorithm>
#include <string_view>
#include <tuple>

#include "base/hash.h"
#include "base/text.h"
#include "migrate/mlflow_schema.h"
#include "sql/dialect.h"

namespace ciclo::migrate::mlflow_writer {

namespace {

using tracking::Param;
using tracking::Tag;

// NULL where MLflow has none.
sql::Param or_null(const std::string& text) {
  return text.empty() ? sql::Param(nullptr) : sql::Param(std::string_view(text));
}

// An id of 32 digits that is the same whenever it is made from the same words.
std::string id_of(std::initializer_list<std::string_view> words) {
  Hasher hasher;
  for (const auto word : words) hasher.field(word);
  return hasher.digest().substr(0, 32);
}

std::int64_t number_of(tracking::LoggedModelStatus status) {
  switch (status) {
    case tracking::LoggedModelStatus::kPending: return 1;
    case tracking::LoggedModelStatus::kReady: return 2;
    case tracking::LoggedModelStatus::kUploadFailed: return 3;
    case tracking::LoggedModelStatus::kUnspecified: break;
  }
  return 0;
}

template <class Pair>
Result<void> insert_pairs(sql::Txn& txn, std::string_view statement, const std::vector<Pair>& pairs,
                          const sql::Params& owner) {
  std::vector<sql::Params> rows;
  for (const auto& pair : pairs) {
    sql::Params& row = rows.emplace_back(owner);
    row.emplace_back(std::string_view(pair.key));
    row.emplace_back(std::string_view(pair.value));
  }
  if (!rows.empty()) TRY(txn.execute_many(statement, rows));
  return {};
}

Result<void> insert_dataset(sql::Txn& txn, const tracking::RunInfo& info, std::int64_t experiment,
                            const tracking::DatasetInput& dataset) {
  const std::string id = id_of({info.experiment_id.str(), dataset.name, dataset.digest});
  const std::string input = id_of({info.run_id.str(), id});
  TRY(txn.execute(R"(
      INSERT INTO datasets (dataset_uuid, experiment_id, name, digest, dataset_source_type,
        dataset_source, dataset_schema, dataset_profile)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING)",
                  {id, experiment, dataset.name, dataset.digest, dataset.source_type,
                   dataset.source, sql::param(dataset.schema), sql::param(dataset.profile)}));
  TRY(txn.execute(R"(
      INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id, step)
      VALUES ($1, 'DATASET', $2, 'RUN', $3, 0))",
                  {input, id, info.run_id.str()}));
  return insert_pairs(txn, "INSERT INTO input_tags (input_uuid, name, value) VALUES ($1, $2, $3)",
                      dataset.tags, {std::string_view(input)});
}

Result<void> insert_references(sql::Txn& txn, const RunId& run, std::string_view word,
                               const std::vector<tracking::ModelReference>& models) {
  const std::string source = "RUN_" + std::string(word);
  const std::string destination = "MODEL_" + std::string(word);
  for (const auto& model : models) {
    const std::string id = id_of({run.str(), word, model.model_id.str()});
    TRY(txn.execute(R"(
        INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id,
          step)
        VALUES ($1, $2, $3, $4, $5, $6))",
                    {id, source, run.str(), destination, model.model_id.str(), model.step}));
  }
  return {};
}

Result<void> insert_version(sql::Txn& txn, const registry::ModelVersion& version) {
  TRY(txn.execute(
      R"(
      INSERT INTO model_versions (name, version, creation_time, last_updated_time, description,
        user_id, current_stage, source, run_id, status, status_message, run_link,
        storage_location, workspace)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'READY', NULL, $10, $11, 'default'))",
      {version.name, version.version, version.created_ms, version.updated_ms,
       or_null(version.description), or_null(version.user_id), registry::name_of(version.stage),
       version.source, or_null(version.run_id), or_null(version.run_link), version.storage_uri}));
  return insert_pairs(txn,
                      "INSERT INTO model_version_tags (name, version, workspace, key, value) "
                      "VALUES ($1, $2, 'default', $3, $4)",
                      version.tags, {std::string_view(version.name), version.version});
}

// As MLflow leaves a version that was deleted.
Result<void> insert_gone_version(sql::Txn& txn, const RegisteredRecord& record) {
  TRY(txn.execute(R"(
      INSERT INTO model_versions (name, version, creation_time, last_updated_time, current_stage,
        source, status, workspace)
      VALUES ($1, $2, $3, $3, 'Deleted_Internal', 'REDACTED-SOURCE-PATH', 'READY', 'default'))",
                  {record.model.name, record.last_version, record.model.updated_ms}));
  return {};
}

bool is_later(const Metric& a, const Metric& b) {
  const auto place = [](const Metric& metric) {
    return std::tuple(metric.step, metric.timestamp_ms,
                      tracking::store::stored(metric.value).value);
  };
  return place(a) > place(b);
}

}  // namespace

Result<void> check_is_empty(sql::Reader& reader) {
  const auto schema = read_schema(reader);
  const std::string how = "; `mlflow db upgrade URL` of MLflow 3.17 makes the tables";
  if (!schema.ok()) return schema.error().with_context("cannot export there");
  if (schema->revision != kNewestRevision) {
    return failed_precondition("the database has schema revision " + quoted(schema->revision) +
                               ", an export needs " + std::string(kNewestRevision) + how);
  }
  for (const std::string_view what :
       {"runs", "logged_models", "registered_models", "model_versions", "datasets", "trace_info",
        "experiment_tags", "experiments WHERE experiment_id <> 0"}) {
    TRY(const auto count, reader.query_one("SELECT COUNT(*) FROM " + std::string(what), {},
                                           [](const sql::Row& row) { return row.integer(0); }));
    if (count.value_or(0) == 0) continue;
    return failed_precondition("the database is not empty: it has " + std::to_string(*count) +
                               " rows in " + std::string(split(what, ' ').front()) +
                               "; export into a new one" + how);
  }
  return {};
}

Result<void> remove_default_experiment(sql::Txn& txn) {
  TRY(txn.execute("DELETE FROM experiments WHERE experiment_id = 0"));
  return {};
}

Result<void> insert(sql::Txn& txn, const ExperimentRecord& record) {
  const auto& experiment = record.experiment;
  TRY(const std::int64_t number, tracking::store::experiment_number(experiment.experiment_id));
  TRY(txn.execute(R"(
      INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage,
        creation_time, last_update_time, workspace)
      VALUES ($1, $2, $3, $4, $5, $6, 'default'))",
                  {number, experiment.name, experiment.artifact_location,
                   tracking::name_of(experiment.lifecycle_stage), experiment.created_ms,
                   experiment.updated_ms}));
  return insert_pairs(txn,
                      "INSERT INTO experiment_tags (experiment_id, key, value) VALUES ($1, $2, $3)",
                      experiment.tags, {number});
}

Result<void> reserve_experiments(sql::Txn& txn, std::int64_t greatest) {
  return sql::advance_identity(txn, "experiments", "experiment_id", greatest);
}

Result<void> insert(sql::Txn& txn, const RunRecord& record) {
  const auto& run = record.run;
  const auto& info = run.info;
  TRY(const std::int64_t experiment, tracking::store::experiment_number(info.experiment_id));
  TRY(txn.execute(R"(
      INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status,
        start_time, end_time, source_version, lifecycle_stage, artifact_uri, experiment_id,
        deleted_time)
      VALUES ($1, $2, 'UNKNOWN', '', '', $3, $4, $5, $6, '', $7, $8, $9, $10))",
                  {info.run_id.str(), info.name, info.user_id, tracking::name_of(info.status),
                   info.start_ms, sql::param(info.end_ms), tracking::name_of(info.lifecycle_stage),
                   info.artifact_uri, experiment, sql::param(record.deleted_ms)}));
  const sql::Params owner = {std::string_view(info.run_id.str())};
  TRY(insert_pairs(txn, "INSERT INTO params (run_uuid, key, value) VALUES ($1, $2, $3)", run.params,
                   owner));
  TRY(insert_pairs(txn, "INSERT INTO tags (run_uuid, key, value) VALUES ($1, $2, $3)", run.tags,
                   owner));
  for (const auto& dataset : run.datasets) TRY(insert_dataset(txn, info, experiment, dataset));
  TRY(insert_references(txn, info.run_id, "INPUT", run.model_inputs));
  return insert_references(txn, info.run_id, "OUTPUT", run.model_outputs);
}

Result<void> insert(sql::Txn& txn, const ModelRecord& record) {
  const auto& model = record.model;
  TRY(const std::int64_t experiment, tracking::store::experiment_number(model.experiment_id));
  TRY(txn.execute(R"(
      INSERT INTO logged_models (model_id, experiment_id, name, artifact_location,
        creation_timestamp_ms, last_updated_timestamp_ms, status, lifecycle_stage, model_type,
        source_run_id, status_message)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11))",
                  {model.model_id.str(), experiment, model.name, model.artifact_location,
                   model.created_ms, model.updated_ms, number_of(model.status),
                   tracking::name_of(record.stage), or_null(model.model_type),
                   or_null(model.source_run_id.str()), or_null(model.status_message)}));
  const sql::Params owner = {std::string_view(model.model_id.str()), experiment};
  TRY(insert_pairs(txn,
                   "INSERT INTO logged_model_params (model_id, experiment_id, param_key, "
                   "param_value) VALUES ($1, $2, $3, $4)",
                   model.params, owner));
  TRY(insert_pairs(txn,
                   "INSERT INTO logged_model_tags (model_id, experiment_id, tag_key, tag_value) "
                   "VALUES ($1, $2, $3, $4)",
                   model.tags, owner));
  std::vector<sql::Params> rows;
  for (const auto& value : model.metrics) {
    const auto& metric = value.metric;
    rows.push_back({model.model_id.str(), metric.key, metric.timestamp_ms, metric.step,
                    tracking::store::stored(metric.value).value, experiment, value.run_id.str(),
                    or_null(metric.dataset_name), or_null(metric.dataset_digest)});
  }
  if (rows.empty()) return {};
  TRY(txn.execute_many(R"(
      INSERT INTO logged_model_metrics (model_id, metric_name, metric_timestamp_ms, metric_step,
        metric_value, experiment_id, run_id, dataset_name, dataset_digest)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING)",
                       rows));
  return {};
}

Result<void> insert(sql::Txn& txn, const RegisteredRecord& record) {
  const auto& model = record.model;
  TRY(txn.execute(R"(
      INSERT INTO registered_models (name, creation_time, last_updated_time, description, workspace)
      VALUES ($1, $2, $3, $4, 'default'))",
                  {model.name, model.created_ms, model.updated_ms, or_null(model.description)}));
  TRY(insert_pairs(txn,
                   "INSERT INTO registered_model_tags (name, workspace, key, value) "
                   "VALUES ($1, 'default', $2, $3)",
                   model.tags, {std::string_view(model.name)}));
  for (const auto& version : record.versions) TRY(insert_version(txn, version));
  const bool is_last_there =
      !record.versions.empty() && record.versions.back().version >= record.last_version;
  if (record.last_version > 0 && !is_last_there) TRY(insert_gone_version(txn, record));
  for (const auto& alias : model.aliases) {
    TRY(txn.execute(R"(
        INSERT INTO registered_model_aliases (name, alias, version, workspace)
        VALUES ($1, $2, $3, 'default'))",
                    {model.name, alias.alias, alias.version}));
  }
  return {};
}

Result<void> Points::add(const RunId& run, std::span<const Metric> points) {
  std::vector<sql::Params> rows;
  for (const auto& point : points) {
    const auto kept = tracking::store::stored(point.value);
    rows.push_back({run.str(), point.key, kept.value, point.timestamp_ms, point.step, kept.is_nan});
    const auto [latest, is_first] = latest_.try_emplace({run.str(), point.key}, point);
    if (!is_first && is_later(point, latest->second)) latest->second = point;
  }
  TRY(txn_.execute_many(R"(
      INSERT INTO metrics (run_uuid, key, value, timestamp, step, is_nan)
      VALUES ($1, $2, $3, $4, $5, CAST($6 AS BIGINT) = 1) ON CONFLICT DO NOTHING)",
                        rows));
  return {};
}

Result<void> Points::finish() {
  std::vector<sql::Params> rows;
  for (const auto& [key, point] : latest_) {
    const auto kept = tracking::store::stored(point.value);
    rows.push_back(
        {key.first, key.second, kept.value, point.timestamp_ms, point.step, kept.is_nan});
  }
  if (rows.empty()) return {};
  TRY(txn_.execute_many(R"(
      INSERT INTO latest_metrics (run_uuid, key, value, timestamp, step, is_nan)
      VALUES ($1, $2, $3, $4, $5, CAST($6 AS BIGINT) = 1))",
                        rows));
  latest_.clear();
  return {};
}

}  // namespace ciclo::migrate::mlflow_writer
