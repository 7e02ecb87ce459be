// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/database.h"
#include "tracking/store.h"
#include "tracking/types.h"

// For copies of whole tracking systems: objects with their ids, times and stages as they are, in
// and out of the tables. Nothing is checked that the services check, for what another server has
// taken is kept as it was. The points of a run go in by append_metrics and come out by read_points.

namespace ciclo::tracking::store {

struct ExperimentRecord {
  Experiment experiment;
  std::optional<std::int64_t> deleted_ms;
};

struct RunRecord {
  Run run;  // its metrics are left empty: the latest of each key follows from the points
  std::optional<std::int64_t> deleted_ms;
};

struct ModelRecord {
  LoggedModel model;
  LifecycleStage stage = LifecycleStage::kActive;
};

// --- In. The object must not be there yet; only the experiment 0 is replaced where it is.
Result<void> insert_record(sql::Txn& txn, std::string_view workspace,
                           const ExperimentRecord& record);
// Numbers that the database gives to experiments are greater than `greatest` from now on.
Result<void> reserve_experiments(sql::Txn& txn, std::int64_t greatest);
// With params, tags, data sets, inputs and outputs.
Result<RunRow> insert_record(sql::Txn& txn, const RunRecord& record);
// With params, tags and metrics; where a metric has several points for one run and data set, the
// latest.
Result<void> insert_record(sql::Txn& txn, const ModelRecord& record);

// --- Out
// Of whatever stage, by number.
Result<std::vector<ExperimentRecord>> experiment_records(sql::Reader& reader,
                                                         std::string_view workspace);
// The ids behind `after`, in order.
Result<std::vector<RunId>> run_ids_behind(sql::Reader& reader, std::string_view workspace,
                                          std::string_view after, std::int64_t limit);
Result<std::vector<LoggedModelId>> model_ids_behind(sql::Reader& reader, std::string_view workspace,
                                                    std::string_view after, std::int64_t limit);
// Those that there are, in any order.
Result<std::vector<RunRecord>> run_records(sql::Reader& reader, std::string_view workspace,
                                           std::span<const RunId> ids);
Result<std::vector<ModelRecord>> model_records(sql::Reader& reader, std::string_view workspace,
                                               std::span<const LoggedModelId> ids);
// The keys of the metrics of a run.
Result<std::vector<std::string>> metric_keys(sql::Reader& reader, Number run);
// The run, whatever its workspace.
Result<std::optional<Number>> run_number(sql::Reader& reader, const RunId& id);

}  // namespace ciclo::tracking::store
