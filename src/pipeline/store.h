// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "pipeline/cache.h"
#include "pipeline/runner.h"
#include "pipeline/scheduler.h"
#include "pipeline/types.h"
#include "sql/database.h"

// The tables of pipelines: pipeline_runs, pipeline_steps, pipeline_executions, pipeline_cache,
// pipeline_engines, triggers. All functions work within the caller's transaction or snapshot.

namespace ciclo::pipeline::store {

// A new, larger number for the engine that opens the database; from now on no smaller one may write.
Result<std::int64_t> take_over(sql::Txn& txn, std::int64_t now_ms);
// failed_precondition when a newer engine has taken over.
Result<void> check_engine(sql::Txn& txn, std::int64_t engine);

Result<void> insert_run(sql::Txn& txn, const RunState& run);
// Writes the run's own record and those of the given steps.
Result<void> update_run(sql::Txn& txn, const RunState& run, std::span<const std::size_t> steps);
Result<std::optional<RunState>> load_run(sql::Reader& reader, const PipelineRunId& id);

// Runs that are not final, oldest first.
struct ActiveRun {
  PipelineRunId id;
  bool cancel_requested = false;
};
Result<std::vector<ActiveRun>> active_runs(sql::Reader& reader);

Result<void> insert_execution(sql::Txn& txn, const PipelineRunId& run, std::string_view step,
                              const ExecutionId& execution, int attempt, std::int64_t now_ms);
Result<void> end_execution(sql::Txn& txn, const ExecutionId& execution, State state,
                           const std::optional<Error>& error, const ExecutionReport& report,
                           std::int64_t now_ms);

struct CacheEntry {
  ExecutionId execution_id;
  std::string key;
  KeyParts parts;
  std::vector<Output> outputs;
};
Result<void> put_cache_entry(sql::Txn& txn, std::string_view workspace, std::string_view pipeline,
                             std::string_view step, const CacheEntry& entry, std::int64_t now_ms);
Result<std::optional<CacheEntry>> find_cache_entry(sql::Reader& reader, std::string_view workspace,
                                                   std::string_view key);
// The newest entry of the step, whatever its key.
Result<std::optional<CacheEntry>> last_cache_entry(sql::Reader& reader, std::string_view workspace,
                                                   std::string_view pipeline,
                                                   std::string_view step);

}  // namespace ciclo::pipeline::store
