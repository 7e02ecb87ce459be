// SPDX-License-Identifier: Apache-2.0
#include "tracking/store_records.h"

#include <utility>

#include "base/text.h"
#include "sql/dialect.h"

namespace ciclo::tracking::store {

namespace {

std::string_view text_of(LifecycleStage stage) { return name_of(stage); }

LifecycleStage stage_of(std::string_view name) {
  return name == "deleted" ? LifecycleStage::kDeleted : LifecycleStage::kActive;
}

// "$2, $3" for the ids, behind the parameters that are there.
template <class IdType>
std::string id_list(sql::Params& params, std::span<const IdType> ids) {
  std::string list;
  for (const auto& id : ids) {
    params.emplace_back(std::string_view(id.str()));
    list += (list.empty() ? "$" : ", $") + std::to_string(params.size());
  }
  return list;
}

Result<void> insert_metrics(sql::Txn& txn, std::int64_t number, const LoggedModel& model) {
  std::vector<sql::Params> rows;
  for (const auto& value : model.metrics) {
    const Metric& metric = value.metric;
    const StoredValue kept = stored(metric.value);
    rows.push_back({number, metric.key, value.run_id.str(), metric.dataset_name,
                    metric.dataset_digest, metric.step, metric.timestamp_ms, kept.value,
                    kept.is_nan});
  }
  return put_model_metric_rows(txn, rows);
}

}  // namespace

Result<void> insert_record(sql::Txn& txn, std::string_view workspace,
                           const ExperimentRecord& record) {
  const Experiment& experiment = record.experiment;
  TRY(const std::int64_t number, experiment_number(experiment.experiment_id));
  if (number == 0) TRY(txn.execute("DELETE FROM experiments WHERE experiment_id = 0"));
  TRY(txn.execute(R"(
      INSERT INTO experiments (experiment_id, workspace, name, artifact_location, lifecycle_stage,
        created_ms, updated_ms, deleted_ms)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8))",
                  {number, workspace, experiment.name, experiment.artifact_location,
                   text_of(experiment.lifecycle_stage), experiment.created_ms,
                   experiment.updated_ms, sql::param(record.deleted_ms)}));
  return put_experiment_tags(txn, number, experiment.tags);
}

Result<void> reserve_experiments(sql::Txn& txn, std::int64_t greatest) {
  return sql::advance_identity(txn, "experiments", "experiment_id", greatest);
}

Result<RunRow> insert_record(sql::Txn& txn, const RunRecord& record) {
  const Run& run = record.run;
  const RunInfo& info = run.info;
  RunRow row{.info = info};
  TRY(row.experiment, experiment_number(info.experiment_id));
  TRY(const auto number, txn.query_one(R"(
      INSERT INTO runs (run_id, experiment_id, name, user_id, status, start_ms, end_ms,
        lifecycle_stage, deleted_ms, artifact_uri)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING run_number)",
                                       {info.run_id.str(), row.experiment, info.name, info.user_id,
                                        name_of(info.status), info.start_ms,
                                        sql::param(info.end_ms), text_of(info.lifecycle_stage),
                                        sql::param(record.deleted_ms), info.artifact_uri},
                                       [](const sql::Row& found) { return found.integer(0); }));
  if (!number) return internal("an insert returned no key");
  row.number = *number;
  TRY(insert_params(txn, row, run.params));
  TRY(put_tags(txn, row, run.tags));
  for (const auto& dataset : run.datasets) {
    TRY(put_dataset_input(txn, row.experiment, row.number, dataset));
  }
  for (const auto& model : run.model_inputs) {
    TRY(put_model_reference(txn, row.number, Direction::kInput, model));
  }
  for (const auto& model : run.model_outputs) {
    TRY(put_model_reference(txn, row.number, Direction::kOutput, model));
  }
  return row;
}

Result<void> insert_record(sql::Txn& txn, const ModelRecord& record) {
  const LoggedModel& model = record.model;
  TRY(const std::int64_t experiment, experiment_number(model.experiment_id));
  TRY(const auto number,
      txn.query_one(
          R"(
      INSERT INTO logged_models (model_id, experiment_id, name, model_type, source_run_id,
        artifact_location, status, status_message, lifecycle_stage, created_ms, updated_ms)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING model_number)",
          {model.model_id.str(), experiment, model.name, model.model_type,
           model.source_run_id.str(), model.artifact_location, name_of(model.status),
           model.status_message, text_of(record.stage), model.created_ms, model.updated_ms},
          [](const sql::Row& row) { return row.integer(0); }));
  if (!number) return internal("an insert returned no key");
  TRY(insert_model_params(txn, *number, model.params));
  TRY(put_model_tags(txn, *number, model.tags));
  return insert_metrics(txn, *number, model);
}

Result<std::vector<ExperimentRecord>> experiment_records(sql::Reader& reader,
                                                         std::string_view workspace) {
  std::vector<ExperimentRecord> records;
  TRY(reader.query(R"(
      SELECT experiment_id, name, artifact_location, lifecycle_stage, created_ms, updated_ms,
        deleted_ms
      FROM experiments WHERE workspace = $1 ORDER BY experiment_id)",
                   {workspace}, [&](const sql::Row& row) -> Result<void> {
                     auto& record = records.emplace_back();
                     Experiment& experiment = record.experiment;
                     experiment.experiment_id = ExperimentId(std::to_string(row.integer(0)));
                     experiment.workspace = workspace;
                     experiment.name = row.string(1);
                     experiment.artifact_location = row.string(2);
                     experiment.lifecycle_stage = stage_of(row.text(3));
                     experiment.created_ms = row.integer(4);
                     experiment.updated_ms = row.integer(5);
                     record.deleted_ms = row.optional_integer(6);
                     return {};
                   }));
  for (auto& record : records) {
    Experiment& experiment = record.experiment;
    TRY(const std::int64_t number, experiment_number(experiment.experiment_id));
    TRY(experiment.tags,
        reader.query_all(
            "SELECT key, value FROM experiment_tags WHERE experiment_id = $1 ORDER BY key",
            {number}, [](const sql::Row& row) {
              return Tag{row.string(0), row.string(1)};
            }));
  }
  return records;
}

Result<std::vector<RunId>> run_ids_behind(sql::Reader& reader, std::string_view workspace,
                                          std::string_view after, std::int64_t limit) {
  return reader.query_all(R"(
      SELECT r.run_id FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id
      WHERE e.workspace = $1 AND r.run_id > $2 ORDER BY r.run_id LIMIT $3)",
                          {workspace, after, limit},
                          [](const sql::Row& row) { return RunId(row.string(0)); });
}

Result<std::vector<LoggedModelId>> model_ids_behind(sql::Reader& reader, std::string_view workspace,
                                                    std::string_view after, std::int64_t limit) {
  return reader.query_all(R"(
      SELECT m.model_id FROM logged_models m JOIN experiments e ON e.experiment_id = m.experiment_id
      WHERE e.workspace = $1 AND m.model_id > $2 ORDER BY m.model_id LIMIT $3)",
                          {workspace, after, limit},
                          [](const sql::Row& row) { return LoggedModelId(row.string(0)); });
}

Result<std::vector<RunRecord>> run_records(sql::Reader& reader, std::string_view workspace,
                                           std::span<const RunId> ids) {
  std::vector<RunRecord> records;
  if (ids.empty()) return records;
  sql::Params params = {workspace};
  const std::string list = id_list(params, ids);
  std::vector<Number> numbers;
  TRY(reader.query(
      "SELECT r.run_number, r.run_id, r.experiment_id, r.name, r.user_id, r.status, r.start_ms, "
      "r.end_ms, r.lifecycle_stage, r.deleted_ms, r.artifact_uri "
      "FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id "
      "WHERE e.workspace = $1 AND r.run_id IN (" +
          list + ")",
      params, [&](const sql::Row& row) -> Result<void> {
        numbers.push_back(row.integer(0));
        auto& record = records.emplace_back();
        RunInfo& info = record.run.info;
        info.run_id = RunId(row.string(1));
        info.experiment_id = ExperimentId(std::to_string(row.integer(2)));
        info.name = row.string(3);
        info.user_id = row.string(4);
        info.status = parse_run_status(row.text(5)).value_or(RunStatus::kRunning);
        info.start_ms = row.integer(6);
        info.end_ms = row.optional_integer(7);
        info.lifecycle_stage = stage_of(row.text(8));
        record.deleted_ms = row.optional_integer(9);
        info.artifact_uri = row.string(10);
        return {};
      }));
  std::vector<Run> loaded(records.size());
  TRY(load_run_data(reader, numbers, loaded));
  for (std::size_t i = 0; i < records.size(); ++i) {
    loaded[i].info = std::move(records[i].run.info);
    loaded[i].metrics.clear();
    records[i].run = std::move(loaded[i]);
  }
  return records;
}

Result<std::vector<ModelRecord>> model_records(sql::Reader& reader, std::string_view workspace,
                                               std::span<const LoggedModelId> ids) {
  std::vector<ModelRecord> records;
  if (ids.empty()) return records;
  sql::Params params = {workspace};
  const std::string list = id_list(params, ids);
  std::vector<std::int64_t> numbers;
  std::vector<LoggedModel> models;
  TRY(reader.query(
      "SELECT m.model_number, m.model_id, m.experiment_id, m.name, m.model_type, m.source_run_id, "
      "m.artifact_location, m.status, m.status_message, m.lifecycle_stage, m.created_ms, "
      "m.updated_ms FROM logged_models m JOIN experiments e ON e.experiment_id = m.experiment_id "
      "WHERE e.workspace = $1 AND m.model_id IN (" +
          list + ")",
      params, [&](const sql::Row& row) -> Result<void> {
        numbers.push_back(row.integer(0));
        records.emplace_back().stage = stage_of(row.text(9));
        LoggedModel& model = models.emplace_back();
        model.model_id = LoggedModelId(row.string(1));
        model.experiment_id = ExperimentId(std::to_string(row.integer(2)));
        model.name = row.string(3);
        model.model_type = row.string(4);
        model.source_run_id = RunId(row.string(5));
        model.artifact_location = row.string(6);
        model.status =
            parse_logged_model_status(row.text(7)).value_or(LoggedModelStatus::kUnspecified);
        model.status_message = row.string(8);
        model.created_ms = row.integer(10);
        model.updated_ms = row.integer(11);
        return {};
      }));
  TRY(load_model_data(reader, numbers, models));
  for (std::size_t i = 0; i < records.size(); ++i) records[i].model = std::move(models[i]);
  return records;
}

Result<std::vector<std::string>> metric_keys(sql::Reader& reader, Number run) {
  return reader.query_all("SELECT key FROM metric_series WHERE run_number = $1 ORDER BY key", {run},
                          [](const sql::Row& row) { return row.string(0); });
}

Result<std::optional<Number>> run_number(sql::Reader& reader, const RunId& id) {
  return reader.query_one("SELECT run_number FROM runs WHERE run_id = $1", {id.str()},
                          [](const sql::Row& row) { return row.integer(0); });
}

}  // namespace ciclo::tracking::store
