// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "pipeline/cache.h"
#include "pipeline/catalog.h"
#include "pipeline/scheduler.h"
#include "pipeline/types.h"
#include "sql/database.h"

// Where the engine's decisions are carried out. The real one is pipeline/step_runner.h; tests/sim
// has one that lives in simulated time.

namespace ciclo::pipeline {

// A step that is to be resolved or run.
struct StepOrder {
  PipelineRunId pipeline_run_id;
  std::size_t step = 0;
  std::shared_ptr<const PipelineSpec> spec;  // kept alive while the work goes on
  std::string workspace;
  json::Value cause;
  std::vector<ResolvedInput> inputs;  // an empty hash is to be looked up
  ExecutionId execution_id;           // when it is to be run
  int attempt = 0;
};

// What is known of an execution after its end.
struct ExecutionReport {
  std::optional<std::int64_t> user_cpu_ms;
  std::optional<std::int64_t> system_cpu_ms;
  std::optional<std::int64_t> rss_bytes_max;
  // A short log is kept in the row, a long one as a blob.
  std::string log;
  std::string log_blob;
  std::int64_t log_bytes = 0;
};

struct ExecutionResult {
  ExecutionId execution_id;
  ExecutionEnd end;
  ExecutionReport report;
  // Records, in the transaction of a success, artifacts and effects; returns the step's outputs. It
  // may refuse; then the execution has failed with that error. May be called several times. Empty:
  // the step has no outputs and no effect.
  std::function<Result<std::vector<Output>>(sql::Txn&)> record;
};

// Receives answers; safe to call from any thread.
class RunnerSink {
 public:
  virtual ~RunnerSink() = default;
  virtual void resolved(PipelineRunId run, std::size_t step, Result<Resolution> resolution) = 0;
  virtual void ended(ExecutionResult result) = 0;
  virtual void progressed(const ExecutionId& execution, Progress progress) = 0;
};

// An execution of an engine that is gone.
struct Leftover {
  ExecutionId execution_id;
  std::string workspace;
  std::string pipeline;
  std::string kind;  // of its step
};

// Each order is answered once, later, through the sink. Called by the engine's thread only.
class Runner {
 public:
  virtual ~Runner() = default;
  virtual void resolve(StepOrder order) = 0;
  virtual void start(StepOrder order) = 0;
  // The execution shall end soon as cancelled; nothing happens when it is not running.
  virtual void stop(const ExecutionId& execution) = 0;
  // What is left of these is ended and removed. May be asked again for the same ones.
  virtual Result<void> discard(const std::vector<Leftover>& leftovers) = 0;
};

}  // namespace ciclo::pipeline
