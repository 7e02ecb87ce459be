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
// pipeline_engine. All functions work within the caller's transaction or snapshot.

namespace ciclo::pipeline::store {

// A new, larger number for the engine that opens the database; from now on no smaller one may
// write.
Result<std::int64_t> take_over(sql::Txn& txn, std::string_view owner, std::int64_t now_ms);
// failed_precondition when a newer engine has taken over.
Result<void> check_engine(sql::Txn& txn, std::int64_t engine);

struct EngineRow {
  std::int64_t engine = 0;
  std::string owner;  // empty: it has ended
  std::int64_t beat = 0;
  bool operator==(const EngineRow&) const = default;
};
Result<std::optional<EngineRow>> find_engine(sql::Reader& reader);
// Says that the engine lives; failed_precondition when a newer one has taken over.
Result<void> beat(sql::Txn& txn, std::int64_t engine);
// Says that it has ended; nothing when a newer one has taken over.
Result<void> release(sql::Txn& txn, std::int64_t engine);

Result<void> insert_run(sql::Txn& txn, const RunState& run);
// Whether the next revision of the run is there already: an earlier commit of it succeeded although
// its answer was lost.
Result<bool> is_recorded(sql::Reader& reader, const RunState& run);
// Writes the run's own record, with the next revision, and those of the given steps.
Result<void> update_run(sql::Txn& txn, const RunState& run, std::span<const std::size_t> steps);
// nullopt when there is none; data_loss when its spec cannot be read.
Result<std::optional<RunState>> load_run(sql::Reader& reader, const PipelineRunId& id);
// Ends a run that cannot be loaded.
Result<void> abandon_run(sql::Txn& txn, const PipelineRunId& id, std::string_view error,
                         std::int64_t now_ms);
// False when the run is final or not there.
Result<bool> request_cancel(sql::Txn& txn, std::string_view workspace, const PipelineRunId& id);
Result<void> clear_cancel(sql::Txn& txn, const PipelineRunId& id);

// Runs that are not final, oldest first.
struct ActiveRun {
  PipelineRunId id;
  bool cancel_requested = false;
};
Result<std::vector<ActiveRun>> active_runs(sql::Reader& reader);
// Those of one pipeline, with what was submitted.
struct ActiveSpec {
  PipelineRunId id;
  bool cancel_requested = false;
  std::string spec;  // as to_json writes it
};
Result<std::vector<ActiveSpec>> active_runs_of(sql::Reader& reader, std::string_view workspace,
                                               std::string_view pipeline);

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
// The entry was taken now: explanations compare with what was used last.
Result<void> touch_cache_entry(sql::Txn& txn, std::string_view workspace, std::string_view key,
                               std::int64_t now_ms);
Result<std::optional<CacheEntry>> find_cache_entry(sql::Reader& reader, std::string_view workspace,
                                                   std::string_view key);
// The entry of the step that was used last, whatever its key.
Result<std::optional<CacheEntry>> last_cache_entry(sql::Reader& reader, std::string_view workspace,
                                                   std::string_view pipeline,
                                                   std::string_view step);

// For the service.
struct RunQuery {
  std::string_view workspace;
  std::string_view pipeline;  // empty: all
  std::optional<State> state;
  std::string_view before;  // only runs with a smaller id; empty: all
  int limit = 100;
};
Result<std::vector<PipelineRunView>> list_runs(sql::Reader& reader, const RunQuery& query);
Result<std::vector<ExecutionView>> list_executions(sql::Reader& reader, const PipelineRunId& run);

struct StoredLog {
  PipelineRunId run;
  std::string workspace;
  State state = State::kRunning;
  std::string text;
  std::string blob;
};
Result<std::optional<StoredLog>> find_log(sql::Reader& reader, const ExecutionId& execution);

}  // namespace ciclo::pipeline::store
