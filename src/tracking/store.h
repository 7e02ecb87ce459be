// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/database.h"
#include "tracking/search.h"
#include "tracking/types.h"

// The SQL of tracking: functions over a transaction or snapshot. Rules are in the services; here
// rows go in and out. store.cc holds experiments and runs, store_log.cc what runs log,
// store_metrics.cc how points of metrics are written and store_history.cc how they are read,
// store_models.cc logged models.

namespace ciclo::tracking::store {

using Number = std::int64_t;  // of a run, in the large tables

struct RunRow {
  Number number = 0;
  std::int64_t experiment = 0;
  RunInfo info;
};

// The id as a number; invalid_argument for a text that is none.
Result<std::int64_t> experiment_number(const ExperimentId& id);

// --- Experiments
Result<std::int64_t> insert_experiment(sql::Txn& txn, std::string_view workspace,
                                       const Experiment& experiment);
Result<void> set_artifact_location(sql::Txn& txn, std::int64_t number, std::string_view location);
// Without its tags.
Result<std::optional<Experiment>> find_experiment_row(sql::Reader& reader,
                                                      std::string_view workspace,
                                                      std::int64_t number);
Result<std::optional<Experiment>> find_experiment(sql::Reader& reader, std::string_view workspace,
                                                  std::int64_t number);
Result<std::optional<Experiment>> find_experiment_by_name(sql::Reader& reader,
                                                          std::string_view workspace,
                                                          std::string_view name);
Result<void> rename_experiment(sql::Txn& txn, std::int64_t number, std::string_view name,
                               std::int64_t now_ms);
Result<void> delete_experiment(sql::Txn& txn, std::int64_t number, std::int64_t now_ms);
Result<void> restore_experiment(sql::Txn& txn, std::int64_t number, std::int64_t now_ms);
Result<void> put_experiment_tags(sql::Txn& txn, std::int64_t number, std::span<const Tag> tags);
Result<bool> remove_experiment_tag(sql::Txn& txn, std::int64_t number, std::string_view key);
Result<Page<Experiment>> search_experiments(sql::Reader& reader, std::string_view workspace,
                                            ViewType view, const SearchText& text,
                                            std::int64_t max_results);

// --- Runs
Result<void> insert_run(sql::Txn& txn, const RunInfo& run, std::span<const Tag> tags);
Result<std::optional<RunRow>> find_run(sql::Reader& reader, std::string_view workspace,
                                       const RunId& id);
Result<void> update_run(sql::Txn& txn, Number run, const RunInfo& changed);
Result<void> delete_run(sql::Txn& txn, Number run, std::int64_t now_ms);
Result<void> restore_run(sql::Txn& txn, Number run);
Result<Page<Run>> search_runs(sql::Reader& reader, std::string_view workspace,
                              std::span<const ExperimentId> experiments, ViewType view,
                              const SearchText& text, std::int64_t max_results);
// Metrics, params, tags, inputs and outputs of the runs; `runs` and `out` have the same order.
Result<void> load_run_data(sql::Reader& reader, std::span<const Number> runs, std::span<Run> out);

// --- What runs log
Result<void> append_metrics(sql::Txn& txn, const RunRow& run, std::span<const Metric> metrics);
// invalid_argument when a key exists with another value.
Result<void> insert_params(sql::Txn& txn, const RunRow& run, std::span<const Param> params);
Result<void> put_tags(sql::Txn& txn, const RunRow& run, std::span<const Tag> tags);
Result<bool> remove_tag(sql::Txn& txn, Number run, std::string_view key);
Result<void> put_dataset_input(sql::Txn& txn, std::int64_t experiment, Number run,
                               const DatasetInput& dataset);
Result<std::vector<DatasetSummary>> list_datasets(sql::Reader& reader, std::string_view workspace,
                                                  std::span<const ExperimentId> experiments,
                                                  std::int64_t limit);
enum class Direction { kInput, kOutput };
Result<void> put_model_reference(sql::Txn& txn, Number run, Direction direction,
                                 const ModelReference& model);

// The points of a series behind `after` (nullptr: from the first), ordered by (timestamp, step,
// value).
Result<void> read_points(sql::Reader& reader, Number run, std::string_view key, const Metric* after,
                         std::int64_t limit,
                         const std::function<Result<void>(const Metric&)>& point);
Result<std::vector<Metric>> sample_points(sql::Reader& reader, Number run, std::string_view key,
                                          std::int64_t step_min, std::int64_t step_max,
                                          std::int64_t points_max);

// --- Logged models
struct ModelRow {
  std::int64_t number = 0;
  LoggedModel model;
};
Result<std::int64_t> insert_model(sql::Txn& txn, const LoggedModel& model);
Result<std::optional<ModelRow>> find_model(sql::Reader& reader, std::string_view workspace,
                                           const LoggedModelId& id);
Result<void> set_model_status(sql::Txn& txn, std::int64_t model, LoggedModelStatus status,
                              std::int64_t now_ms);
// Once more for one that is deleted already; whether there is such a model.
Result<bool> delete_model(sql::Txn& txn, std::string_view workspace, const LoggedModelId& id,
                          std::int64_t now_ms);
// invalid_argument when a key exists with another value.
Result<void> insert_model_params(sql::Txn& txn, std::int64_t model, std::span<const Param> params);
Result<void> put_model_tags(sql::Txn& txn, std::int64_t model, std::span<const Tag> tags);
Result<bool> remove_model_tag(sql::Txn& txn, std::int64_t model, std::string_view key);
// Metrics that name a logged model.
Result<void> put_model_metrics(sql::Txn& txn, std::string_view workspace, const RunId& run,
                               std::span<const Metric> metrics);
// Rows (number of the model, key, run id, data set's name and digest, step, timestamp, value, NaN);
// of each key, run and data set the latest stays.
Result<void> put_model_metric_rows(sql::Txn& txn, std::span<const sql::Params> rows);
Result<Page<LoggedModel>> search_models(sql::Reader& reader, std::string_view workspace,
                                        std::span<const ExperimentId> experiments,
                                        const SearchText& text, std::int64_t max_results);
Result<void> load_model_data(sql::Reader& reader, std::span<const std::int64_t> models,
                             std::span<LoggedModel> out);

// --- Shared by the files of the store
Error changed_param(const Param& param, std::string_view existing);
// Those of the experiments that the workspace has.
Result<std::vector<std::int64_t>> visible_experiments(sql::Reader& reader,
                                                      std::string_view workspace,
                                                      std::span<const ExperimentId> experiments);
// "$4, $5, $6" for the numbers, added to the parameters.
std::string placeholders(Parameters& parameters, std::span<const std::int64_t> numbers);
// Value and flag as stored: NaN is (0, 1), infinities are the largest finite doubles.
struct StoredValue {
  double value = 0;
  std::int64_t is_nan = 0;
};
StoredValue stored(double value);
// Calls `chunk` for pieces of at most 500 numbers.
Result<void> in_chunks(std::span<const std::int64_t> numbers,
                       const std::function<Result<void>(std::span<const std::int64_t>)>& chunk);
double restored(double value, bool is_nan);

}  // namespace ciclo::tracking::store
