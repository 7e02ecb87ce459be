// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "blob/store.h"
#include "compute/launcher.h"
#include "lineage/lineage.h"
#include "pipeline/catalog.h"
#include "pipeline/observer.h"
#include "pipeline/runner.h"
#include "sql/database.h"

// Runs steps: fetches their inputs, starts their process or function, listens to it, stores their
// outputs. Each execution has a scratch directory WORK/<execution id>: in/<port> (read-only),
// out/<port>, scratch, spec.json and log; it is removed at the end. Plain blocking code on one
// thread per execution.

namespace ciclo::pipeline {

struct StepRunnerOptions {
  std::filesystem::path work;  // made when it is missing
  int parallel_max = 4;        // at least the engine's
  std::size_t log_bytes_max = 16 << 20;
  std::int64_t grace_ms = 3'000;  // between the polite end of a process and the sure one
};

// What a step runner uses; all must outlive it.
struct StepRunnerPorts {
  sql::Database& database;
  blob::Store& blobs;
  lineage::Lineage& lineage;
  compute::Launcher& launcher;
  Clock& clock;
  StepCatalog& catalog;
  StepObserver* observer = nullptr;  // nullptr: nobody listens
};

class StepRunner final : public Runner {
 public:
  StepRunner(StepRunnerPorts ports, RunnerSink& sink, StepRunnerOptions options);
  // As close().
  ~StepRunner() override;

  // Kills the processes that run, waits for the functions that do, and returns when no thread of
  // the runner is left: only then may what the catalog uses be destroyed. After the engine's thread
  // has stopped, as nothing may be ordered any more; the next engine puts back what was cut off.
  // Safe to call again.
  void close();

  void resolve(StepOrder order) override;
  void start(StepOrder order) override;
  void stop(const ExecutionId& execution) override;
  Result<void> discard(const std::vector<Leftover>& leftovers) override;

 private:
  class Shared;
  class Execution;
  std::unique_ptr<Shared> shared_;
};

// Where the log of an execution lies while it runs.
std::filesystem::path live_log_path(const std::filesystem::path& work,
                                    const ExecutionId& execution);

}  // namespace ciclo::pipeline
