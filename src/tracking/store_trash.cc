// SPDX-License-Identifier: Apache-2.0
#include "tracking/store_trash.h"

#include <algorithm>
#include <span>
#include <string>

#include "sql/dialect.h"
#include "tracking/search.h"
#include "tracking/store.h"

namespace ciclo::tracking::store {
namespace {

using Kind = Trashed::Kind;

Trashed trashed_of(Kind kind, const sql::Row& row) {
  Trashed out;
  out.kind = kind;
  out.number = row.integer(0);
  out.id = row.string(1);
  out.name = row.string(2);
  out.experiment = row.integer(3);
  out.workspace = row.string(4);
  out.deleted_ms = row.integer(5);
  out.artifact_location = row.string(6);
  return out;
}

Result<void> each(sql::Reader& reader, Kind kind, std::string_view statement,
                  const sql::Params& params, const OnTrashed& on_trashed) {
  return reader.query(statement, params,
                      [&](const sql::Row& row) { return on_trashed(trashed_of(kind, row)); });
}

Result<TrashFound> find(sql::Reader& reader, Kind kind, std::string_view statement,
                        const sql::Params& params) {
  TrashFound found;
  TRY(reader.query(statement, params, [&](const sql::Row& row) -> Result<void> {
    found.is_known = true;
    if (row.text(7) == "deleted") found.trashed = trashed_of(kind, row);
    return {};
  }));
  return found;
}

// The statement's two columns for all ids, which take the place of "IDS" a few hundred at a time.
Result<Pairs> pairs_of(sql::Reader& reader, const std::vector<std::string>& ids,
                       std::string_view before, std::string_view after) {
  constexpr std::size_t kIdsAtOnce = 500;
  Pairs pairs;
  for (std::size_t from = 0; from < ids.size(); from += kIdsAtOnce) {
    Parameters parameters;
    std::string list;
    for (std::size_t i = from; i < std::min(ids.size(), from + kIdsAtOnce); ++i) {
      list += (list.empty() ? "" : ", ") + parameters.add(ids[i]);
    }
    TRY(reader.query(std::string(before) + list + std::string(after), parameters.params(),
                     [&](const sql::Row& row) -> Result<void> {
                       pairs.emplace_back(row.string(0), row.string(1));
                       return {};
                     }));
  }
  return pairs;
}

Result<void> erase(sql::Txn& txn, std::int64_t owner,
                   std::span<const std::string_view> statements) {
  for (const auto statement : statements) TRY(txn.execute(statement, {owner}));
  return {};
}

}  // namespace

Result<void> deleted_runs(sql::Reader& reader, std::optional<std::int64_t> experiment,
                          const OnTrashed& on_trashed) {
  return each(reader, Kind::kRun, R"(
      SELECT r.run_number, r.run_id, r.name, r.experiment_id, e.workspace,
             COALESCE(r.deleted_ms, 0), r.artifact_uri
      FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id
      WHERE r.lifecycle_stage = 'deleted'
        AND (CAST($1 AS BIGINT) IS NULL OR r.experiment_id = $1)
      ORDER BY r.run_number)",
              {sql::param(experiment)}, on_trashed);
}

Result<void> deleted_models(sql::Reader& reader, const OnTrashed& on_trashed) {
  TRY(each(reader, Kind::kLoggedModel, R"(
      SELECT m.model_number, m.model_id, m.name, m.experiment_id, e.workspace, m.updated_ms,
             m.artifact_location
      FROM logged_models m JOIN experiments e ON e.experiment_id = m.experiment_id
      WHERE m.lifecycle_stage = 'deleted' ORDER BY m.model_number)",
           {}, on_trashed));
  return each(reader, Kind::kLoggedModel, R"(
      SELECT m.model_number, m.model_id, m.name, m.experiment_id, e.workspace,
             COALESCE(e.deleted_ms, 0), m.artifact_location
      FROM experiments e JOIN logged_models m ON m.experiment_id = e.experiment_id
      WHERE e.lifecycle_stage = 'deleted' AND m.lifecycle_stage <> 'deleted'
      ORDER BY m.model_number)",
              {}, on_trashed);
}

Result<void> models_of_deleted(sql::Reader& reader, std::int64_t experiment,
                               const OnTrashed& on_trashed) {
  return each(reader, Kind::kLoggedModel, R"(
      SELECT m.model_number, m.model_id, m.name, m.experiment_id, e.workspace,
             COALESCE(e.deleted_ms, 0), m.artifact_location
      FROM experiments e JOIN logged_models m ON m.experiment_id = e.experiment_id
      WHERE e.experiment_id = $1 AND e.lifecycle_stage = 'deleted' ORDER BY m.model_number)",
              {experiment}, on_trashed);
}

Result<void> deleted_experiments(sql::Reader& reader, const OnTrashed& on_trashed) {
  return each(reader, Kind::kExperiment, R"(
      SELECT experiment_id, CAST(experiment_id AS TEXT), name, experiment_id, workspace,
             COALESCE(deleted_ms, 0), artifact_location
      FROM experiments e WHERE lifecycle_stage = 'deleted' ORDER BY e.experiment_id)",
              {}, on_trashed);
}

Result<TrashFound> find_deleted_run(sql::Reader& reader, std::string_view id) {
  return find(reader, Kind::kRun, R"(
      SELECT r.run_number, r.run_id, r.name, r.experiment_id, e.workspace,
             COALESCE(r.deleted_ms, 0), r.artifact_uri, r.lifecycle_stage
      FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id WHERE r.run_id = $1)",
              {id});
}

Result<TrashFound> find_deleted_experiment(sql::Reader& reader, std::int64_t number) {
  return find(reader, Kind::kExperiment, R"(
      SELECT experiment_id, CAST(experiment_id AS TEXT), name, experiment_id, workspace,
             COALESCE(deleted_ms, 0), artifact_location, lifecycle_stage
      FROM experiments WHERE experiment_id = $1)",
              {number});
}

Result<void> experiments_elsewhere(
    sql::Reader& reader,
    const std::function<Result<void>(std::string, std::string, std::string_view)>& on_experiment) {
  return reader.query(R"(
      SELECT CAST(experiment_id AS TEXT), workspace, artifact_location FROM experiments
      WHERE artifact_location LIKE 'mlflow-artifacts:%'
        AND artifact_location <> 'mlflow-artifacts:/' || CAST(experiment_id AS TEXT))",
                      {}, [&](const sql::Row& row) {
                        return on_experiment(row.string(0), row.string(1), row.text(2));
                      });
}

Result<bool> is_deleted(sql::Reader& reader, const Trashed& trashed) {
  const std::string_view statement =
      trashed.kind == Kind::kRun
          ? "SELECT COUNT(*) FROM runs WHERE run_number = $1 AND lifecycle_stage = 'deleted'"
      : trashed.kind == Kind::kExperiment
          ? "SELECT COUNT(*) FROM experiments WHERE experiment_id = $1 AND lifecycle_stage = "
            "'deleted'"
          : "SELECT COUNT(*) FROM logged_models m JOIN experiments e ON e.experiment_id = "
            "m.experiment_id WHERE m.model_number = $1 AND (m.lifecycle_stage = 'deleted' OR "
            "e.lifecycle_stage = 'deleted')";
  TRY(const auto count, reader.query_one(statement, {trashed.number},
                                         [](const sql::Row& row) { return row.integer(0); }));
  return count.value_or(0) > 0;
}

Result<std::int64_t> count_members(sql::Reader& reader, std::int64_t experiment) {
  TRY(const auto found,
      reader.query_one(R"(
      SELECT (SELECT COUNT(*) FROM runs WHERE experiment_id = $1)
           + (SELECT COUNT(*) FROM logged_models WHERE experiment_id = $1))",
                       {experiment}, [](const sql::Row& row) { return row.integer(0); }));
  return found.value_or(0);
}

Result<void> erase_run(sql::Txn& txn, std::int64_t run) {
  constexpr std::string_view kStatements[] = {
      R"(DELETE FROM metric_points WHERE series IN
           (SELECT series FROM metric_series WHERE run_number = $1))",
      R"(DELETE FROM metric_chunks WHERE series IN
           (SELECT series FROM metric_series WHERE run_number = $1))",
      "DELETE FROM metric_series WHERE run_number = $1",
      "DELETE FROM run_params WHERE run_number = $1",
      "DELETE FROM run_tags WHERE run_number = $1",
      "DELETE FROM run_dataset_tags WHERE run_number = $1",
      "DELETE FROM run_datasets WHERE run_number = $1",
      "DELETE FROM run_models WHERE run_number = $1",
      R"(DELETE FROM trace_runs WHERE run_id IN
           (SELECT run_id FROM runs WHERE run_number = $1))",
      R"(DELETE FROM comment_texts WHERE comment_id IN (
           SELECT c.comment_id FROM runs r
           JOIN experiments e ON e.experiment_id = r.experiment_id
           JOIN comments c ON c.workspace = e.workspace AND c.kind = 'run' AND c.object = r.run_id
           WHERE r.run_number = $1))",
      R"(DELETE FROM comments WHERE comment_id IN (
           SELECT c.comment_id FROM runs r
           JOIN experiments e ON e.experiment_id = r.experiment_id
           JOIN comments c ON c.workspace = e.workspace AND c.kind = 'run' AND c.object = r.run_id
           WHERE r.run_number = $1))",
      "DELETE FROM runs WHERE run_number = $1",
  };
  return erase(txn, run, kStatements);
}

Result<void> erase_unused_datasets(sql::Txn& txn) {
  TRY(txn.execute(
      "DELETE FROM logged_datasets WHERE logged_dataset NOT IN (SELECT logged_dataset FROM "
      "run_datasets)"));
  return {};
}

Result<void> erase_model(sql::Txn& txn, const Trashed& model) {
  constexpr std::string_view kStatements[] = {
      "DELETE FROM logged_model_params WHERE model_number = $1",
      "DELETE FROM logged_model_tags WHERE model_number = $1",
      "DELETE FROM logged_model_metrics WHERE model_number = $1",
      "DELETE FROM logged_models WHERE model_number = $1",
  };
  TRY(erase(txn, model.number, kStatements));
  TRY(txn.execute("DELETE FROM run_models WHERE model_id = $1", {model.id}));
  return {};
}

// Its traces may be many.
Result<void> erase_experiment(sql::Txn& txn, std::int64_t experiment) {
  TRY(sql::lift_time_limit(txn));
  constexpr std::string_view kStatements[] = {
      R"(DELETE FROM trace_runs WHERE trace_number IN
           (SELECT trace_number FROM traces WHERE experiment_id = $1))",
      R"(DELETE FROM trace_prompts WHERE trace_number IN
           (SELECT trace_number FROM traces WHERE experiment_id = $1))",
      "DELETE FROM trace_assessments WHERE experiment_id = $1",
      "DELETE FROM span_attributes WHERE experiment_id = $1",
      "DELETE FROM spans WHERE experiment_id = $1",
      "DELETE FROM trace_metadata WHERE experiment_id = $1",
      "DELETE FROM trace_tags WHERE experiment_id = $1",
      "DELETE FROM traces WHERE experiment_id = $1",
      "DELETE FROM experiment_tags WHERE experiment_id = $1",
      "DELETE FROM logged_datasets WHERE experiment_id = $1",
      R"(DELETE FROM comment_texts WHERE comment_id IN (
           SELECT c.comment_id FROM experiments e
           JOIN comments c ON c.workspace = e.workspace AND c.kind = 'experiment'
             AND c.object = CAST(e.experiment_id AS TEXT)
           WHERE e.experiment_id = $1))",
      R"(DELETE FROM comments WHERE comment_id IN (
           SELECT c.comment_id FROM experiments e
           JOIN comments c ON c.workspace = e.workspace AND c.kind = 'experiment'
             AND c.object = CAST(e.experiment_id AS TEXT)
           WHERE e.experiment_id = $1))",
      "DELETE FROM experiments WHERE experiment_id = $1",
  };
  return erase(txn, experiment, kStatements);
}

Result<Pairs> parents_of(sql::Reader& reader, const std::vector<std::string>& runs) {
  return pairs_of(reader, runs,
                  "SELECT r.run_id, t.value FROM runs r JOIN run_tags t ON t.run_number = "
                  "r.run_number AND t.key = 'mlflow.parentRunId' WHERE r.run_id IN (",
                  ") ORDER BY r.run_id");
}

Result<Pairs> model_inputs_of(sql::Reader& reader, const std::vector<std::string>& runs) {
  return pairs_of(reader, runs,
                  "SELECT r.run_id, m.model_id FROM runs r JOIN run_models m ON m.run_number = "
                  "r.run_number AND m.direction = 'input' WHERE r.run_id IN (",
                  ") ORDER BY r.run_id, m.model_id");
}

Result<Pairs> source_runs_of(sql::Reader& reader, const std::vector<std::string>& models) {
  return pairs_of(reader, models,
                  "SELECT model_id, source_run_id FROM logged_models WHERE model_id IN (",
                  ") ORDER BY model_id");
}

}  // namespace ciclo::tracking::store
