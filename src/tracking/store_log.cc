// SPDX-License-Identifier: Apache-2.0
#include <iterator>
#include <unordered_map>
#include <utility>

#include "base/text.h"
#include "tracking/store.h"

namespace ciclo::tracking::store {

Error changed_param(const Param& param, std::string_view existing) {
  return invalid_argument("param " + quoted(param.key) + " was logged already with value " +
                          quoted(existing) + " and cannot change to " + quoted(param.value) +
                          ": params are immutable");
}

Result<void> insert_params(sql::Txn& txn, const RunRow& run, std::span<const Param> params) {
  if (params.empty()) return {};
  std::vector<sql::Params> rows;
  for (const auto& param : params) {
    rows.push_back({run.number, param.key, param.value, run.experiment});
  }
  TRY(const std::int64_t inserted, txn.execute_many(R"(
      INSERT INTO run_params (run_number, key, value, experiment_id) VALUES ($1, $2, $3, $4)
      ON CONFLICT (run_number, key) DO NOTHING)",
                                                    rows));
  if (inserted == std::ssize(params)) return {};
  for (const auto& param : params) {
    TRY(const auto existing,
        txn.query_one("SELECT value FROM run_params WHERE run_number = $1 AND key = $2",
                      {run.number, param.key}, [](const sql::Row& row) { return row.string(0); }));
    if (existing != param.value) return changed_param(param, existing.value_or(""));
  }
  return {};
}

Result<void> put_tags(sql::Txn& txn, const RunRow& run, std::span<const Tag> tags) {
  std::vector<sql::Params> rows;
  for (const auto& tag : tags) rows.push_back({run.number, tag.key, tag.value, run.experiment});
  return txn.write_many(R"(
      INSERT INTO run_tags (run_number, key, value, experiment_id) VALUES ($1, $2, $3, $4)
      ON CONFLICT (run_number, key) DO UPDATE SET value = excluded.value)",
                        rows);
}

Result<bool> remove_tag(sql::Txn& txn, Number run, std::string_view key) {
  TRY(const std::int64_t removed,
      txn.execute("DELETE FROM run_tags WHERE run_number = $1 AND key = $2", {run, key}));
  return removed > 0;
}

Result<void> put_dataset_input(sql::Txn& txn, std::int64_t experiment, Number run,
                               const DatasetInput& dataset) {
  TRY(const auto number,
      txn.query_one(R"(
      INSERT INTO logged_datasets (experiment_id, name, digest, source_type, source, schema_text, profile)
      VALUES ($1, $2, $3, $4, $5, $6, $7)
      ON CONFLICT (experiment_id, name, digest) DO UPDATE SET name = excluded.name
      RETURNING logged_dataset)",
                    {experiment, dataset.name, dataset.digest, dataset.source_type, dataset.source,
                     sql::param(dataset.schema), sql::param(dataset.profile)},
                    [](const sql::Row& row) { return row.integer(0); }));
  if (!number) return internal("an insert returned no key");
  TRY(const std::int64_t added, txn.execute(R"(
      INSERT INTO run_datasets (run_number, logged_dataset) VALUES ($1, $2) ON CONFLICT DO NOTHING)",
                                            {run, *number}));
  // An input that the run has already keeps its tags, as with MLflow.
  if (added == 0) return {};
  std::vector<sql::Params> rows;
  for (const auto& tag : dataset.tags) rows.push_back({run, *number, tag.key, tag.value});
  if (rows.empty()) return {};
  TRY(txn.execute_many(R"(
      INSERT INTO run_dataset_tags (run_number, logged_dataset, key, value) VALUES ($1, $2, $3, $4)
      ON CONFLICT (run_number, logged_dataset, key) DO UPDATE SET value = excluded.value)",
                       rows));
  return {};
}

Result<std::vector<DatasetSummary>> list_datasets(sql::Reader& reader, std::string_view workspace,
                                                  std::span<const ExperimentId> experiments,
                                                  std::int64_t limit) {
  std::vector<DatasetSummary> out;
  TRY(const auto visible, visible_experiments(reader, workspace, experiments));
  if (visible.empty()) return out;
  Parameters parameters;
  const std::string list = placeholders(parameters, visible);
  const std::string at_most = parameters.add(limit);
  return reader.query_all(
      "SELECT DISTINCT d.experiment_id, d.name, d.digest, COALESCE(t.value, '') "
      "FROM logged_datasets d JOIN run_datasets i ON i.logged_dataset = d.logged_dataset "
      "LEFT JOIN run_dataset_tags t ON t.run_number = i.run_number AND "
      "t.logged_dataset = i.logged_dataset AND t.key = 'mlflow.data.context' "
      "WHERE d.experiment_id IN (" +
          list + ") ORDER BY 1, 2, 3, 4 LIMIT " + at_most,
      parameters.params(), [](const sql::Row& row) {
        return DatasetSummary{ExperimentId(std::to_string(row.integer(0))), row.string(1),
                              row.string(2), row.string(3)};
      });
}

Result<void> put_model_reference(sql::Txn& txn, Number run, Direction direction,
                                 const ModelReference& model) {
  const std::string_view word = direction == Direction::kInput ? "input" : "output";
  TRY(txn.execute(R"(
      INSERT INTO run_models (run_number, direction, model_id, step) VALUES ($1, $2, $3, $4)
      ON CONFLICT (run_number, direction, model_id) DO UPDATE SET step = excluded.step)",
                  {run, word, model.model_id.str(), model.step}));
  return {};
}

Result<void> load_run_data(sql::Reader& reader, std::span<const Number> runs, std::span<Run> out) {
  std::unordered_map<Number, Run*> by_number;
  for (std::size_t i = 0; i < runs.size(); ++i) by_number[runs[i]] = &out[i];
  const auto load = [&](std::string_view select, std::string_view order, auto&& take) {
    return in_chunks(runs, [&](std::span<const Number> some) {
      Parameters parameters;
      const std::string statement =
          std::string(select) + " (" + placeholders(parameters, some) + ") " + std::string(order);
      return reader.query(statement, parameters.params(), [&](const sql::Row& row) -> Result<void> {
        take(*by_number[row.integer(0)], row);
        return {};
      });
    });
  };
  TRY(
      load("SELECT run_number, key, value, is_nan, timestamp_ms, step FROM metric_series "
           "WHERE run_number IN",
           "ORDER BY run_number, key", [](Run& run, const sql::Row& row) {
             Metric& metric = run.metrics.emplace_back();
             metric.key = row.string(1);
             metric.value = restored(row.number(2), row.boolean(3));
             metric.timestamp_ms = row.integer(4);
             metric.step = row.integer(5);
           }));
  TRY(load("SELECT run_number, key, value FROM run_params WHERE run_number IN",
           "ORDER BY run_number, key", [](Run& run, const sql::Row& row) {
             run.params.push_back({row.string(1), row.string(2)});
           }));
  TRY(load("SELECT run_number, key, value FROM run_tags WHERE run_number IN",
           "ORDER BY run_number, key", [](Run& run, const sql::Row& row) {
             run.tags.push_back({row.string(1), row.string(2)});
           }));
  TRY(load("SELECT run_number, direction, model_id, step FROM run_models WHERE run_number IN",
           "ORDER BY run_number, model_id", [](Run& run, const sql::Row& row) {
             auto& list = row.text(1) == "input" ? run.model_inputs : run.model_outputs;
             list.push_back({LoggedModelId(row.string(2)), row.integer(3)});
           }));
  TRY(
      load("SELECT i.run_number, i.logged_dataset, d.name, d.digest, d.source_type, d.source, "
           "d.schema_text, d.profile FROM run_datasets i JOIN logged_datasets d "
           "ON d.logged_dataset = i.logged_dataset WHERE i.run_number IN",
           "ORDER BY i.run_number, i.logged_dataset", [](Run& run, const sql::Row& row) {
             DatasetInput& dataset = run.datasets.emplace_back();
             dataset.name = row.string(2);
             dataset.digest = row.string(3);
             dataset.source_type = row.string(4);
             dataset.source = row.string(5);
             dataset.schema = row.optional_string(6);
             dataset.profile = row.optional_string(7);
           }));
  return load(
      "SELECT t.run_number, d.name, d.digest, t.key, t.value FROM run_dataset_tags t "
      "JOIN logged_datasets d ON d.logged_dataset = t.logged_dataset WHERE t.run_number IN",
      "ORDER BY t.run_number, t.logged_dataset, t.key", [](Run& run, const sql::Row& row) {
        for (auto& dataset : run.datasets) {
          if (dataset.name == row.text(1) && dataset.digest == row.text(2)) {
            dataset.tags.push_back({row.string(3), row.string(4)});
          }
        }
      });
}

}  // namespace ciclo::tracking::store
