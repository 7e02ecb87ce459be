// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/context.h"
#include "base/id.h"
#include "base/random.h"
#include "base/result.h"
#include "sql/database.h"
#include "tracking/metric_calls.h"
#include "tracking/types.h"

// Experiments and runs: what was tried, with which parameters, and what came out. The rules are
// MLflow's (3.17): parameters never change, metrics append, deletion marks. A call that returned
// success is on disk. Safe to share between threads.
//
// Errors of all calls: not_found for an unknown experiment or run, failed_precondition for a write
// to a deleted one, invalid_argument for names, lengths and values outside the limits in limits.h.

namespace ciclo::tracking {

struct NewExperiment {
  std::string name;
  std::string artifact_location;  // empty: "mlflow-artifacts:/ID"
  std::vector<Tag> tags;
};

struct NewRun {
  ExperimentId experiment_id;  // empty: the default experiment "0"
  std::string name;            // empty: the tag mlflow.runName, else generated
  std::string user_id;
  std::optional<std::int64_t> start_ms;  // empty: now
  std::vector<Tag> tags;
};

// What is set is changed.
struct RunUpdate {
  std::optional<RunStatus> status;
  std::optional<std::int64_t> end_ms;
  std::optional<std::string> name;
};

struct Batch {
  std::vector<Metric> metrics;
  std::vector<Param> params;
  std::vector<Tag> tags;
};

struct ExperimentSearch {
  std::string filter;
  std::vector<std::string> order_by;
  ViewType view = ViewType::kActiveOnly;
  std::int64_t max_results = 1000;  // 1 to 50,000
  std::string page_token;
};

struct RunSearch {
  std::vector<ExperimentId> experiment_ids;
  std::string filter;  // the grammar is in search.h
  std::vector<std::string> order_by;
  ViewType view = ViewType::kActiveOnly;
  std::int64_t max_results = 1000;  // 1 to 50,000
  std::string page_token;
};

struct HistoryQuery {
  RunId run_id;
  std::string key;
  std::int64_t max_results = 25'000;
  std::string page_token;
};

class Tracking {
 public:
  // All must outlive the service.
  Tracking(sql::Database& database, Clock& clock, IdSource& ids, Random& random);

  // --- Experiments. The experiment "0", Default, is always there.
  // already_exists when the name is taken, also by a deleted experiment.
  Result<ExperimentId> create_experiment(const Context& context, const NewExperiment& experiment);
  // The id of the experiment with that name, made when there is none.
  Result<ExperimentId> ensure_experiment(const Context& context, const std::string& name);
  Result<Experiment> experiment(const Context& context, const ExperimentId& id);
  Result<Experiment> experiment_by_name(const Context& context, std::string_view name);
  Result<void> rename_experiment(const Context& context, const ExperimentId& id,
                                 const std::string& name);
  // Marks the experiment and its active runs as deleted.
  Result<void> delete_experiment(const Context& context, const ExperimentId& id);
  // Makes the experiment and the runs that were deleted with it active again.
  Result<void> restore_experiment(const Context& context, const ExperimentId& id);
  Result<void> set_experiment_tag(const Context& context, const ExperimentId& id, const Tag& tag);
  Result<void> delete_experiment_tag(const Context& context, const ExperimentId& id,
                                     std::string_view key);
  Result<Commented> commented(const Context& context, const ExperimentId& id);
  Result<Page<Experiment>> search_experiments(const Context& context,
                                              const ExperimentSearch& search);

  // --- Runs
  Result<Run> create_run(const Context& context, const NewRun& run);
  Result<Run> run(const Context& context, const RunId& id);
  Result<RunInfo> run_info(const Context& context, const RunId& id);
  Result<Commented> commented(const Context& context, const RunId& id);
  Result<RunInfo> update_run(const Context& context, const RunId& id, const RunUpdate& update);
  Result<void> delete_run(const Context& context, const RunId& id);
  Result<void> restore_run(const Context& context, const RunId& id);
  Result<Page<Run>> search_runs(const Context& context, const RunSearch& search);

  // --- What a run logs. All or nothing. A param that exists with another value is
  // invalid_argument; an exact duplicate of a metric point is dropped. At most 1,000 metrics, 100
  // params, 100 tags and 1,000 in all.
  Result<void> log_batch(const Context& context, const RunId& id, const Batch& batch);
  // One of them; without the limits on numbers. Calls that log metrics to one run at once share a
  // transaction (metric_calls.h).
  Result<void> log_metrics(const Context& context, const RunId& id,
                           std::span<const Metric> metrics);
  Result<void> log_params(const Context& context, const RunId& id, std::span<const Param> params);
  Result<void> set_tags(const Context& context, const RunId& id, std::span<const Tag> tags);
  Result<void> delete_tag(const Context& context, const RunId& id, std::string_view key);
  Result<void> log_inputs(const Context& context, const RunId& id,
                          std::span<const DatasetInput> datasets,
                          std::span<const ModelReference> models);
  // What data the runs of 1 to 20 experiments used: each data set and context once, at most 1,000.
  Result<std::vector<DatasetSummary>> search_datasets(const Context& context,
                                                      std::span<const ExperimentId> experiments);
  Result<void> log_outputs(const Context& context, const RunId& id,
                           std::span<const ModelReference> models);

  // Appends the description of a model (a JSON object) to the tag mlflow.log-model.history, as
  // clients before MLflow 3 do.
  Result<void> record_model(const Context& context, const RunId& id, std::string_view model_json);

  // --- Histories, ordered by (timestamp, step, value).
  // A page with at most max_results points.
  Result<Page<Metric>> metric_history(const Context& context, const HistoryQuery& query);
  // All points, one by one, without holding them.
  Result<void> stream_metric_history(const Context& context, const RunId& id, std::string_view key,
                                     const std::function<Result<void>(const Metric&)>& point);
  // At most `points_max` (1 to 2,500) points for a chart, ordered by (step, timestamp, value),
  // evenly spread over the points whose step lies in [step_min, step_max], the first and last among
  // them.
  Result<std::vector<Metric>> sampled_metric_history(const Context& context, const RunId& id,
                                                     std::string_view key, std::int64_t step_min,
                                                     std::int64_t step_max,
                                                     std::int64_t points_max);

 private:
  sql::Database& database_;
  Clock& clock_;
  IdSource& ids_;
  Random& random_;
  MetricCalls metric_calls_;
};

// The module's migrations.
std::span<const sql::Migration> schema();

}  // namespace ciclo::tracking
