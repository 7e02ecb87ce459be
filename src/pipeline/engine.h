// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/id.h"
#include "base/random.h"
#include "base/result.h"
#include "events/log.h"
#include "pipeline/runner.h"
#include "pipeline/scheduler.h"
#include "pipeline/store.h"
#include "pipeline/types.h"
#include "sql/database.h"

// Drives pipeline runs: feeds the scheduler (pipeline/scheduler.h) with what happened, records what
// it decides, and only then acts. All state that matters is in the database; a new engine on the
// same database continues where a dead one stopped: completed steps stay, executions under way are
// put back. At most one engine works on a database: a newer one takes over, and the older can
// record nothing more. Where several servers share a database, one engine drives and the others
// stand by (pipeline/succession.h).

namespace ciclo::pipeline {

struct EngineOptions {
  int parallel_max = 4;  // executions at a time, over all runs
  // Unique among the engines that live. Without one, an engine takes over from whoever drives.
  std::string owner;
  std::int64_t dead_after_ms = 15'000;  // without a beat, an engine of another owner is dead
  // Told when it begins (true) and ceases to drive; by the thread that does.
  std::function<void(bool)> on_active;
};

class Engine final : public RunnerSink {
 public:
  // All must outlive the engine.
  Engine(sql::Database& database, events::Log& events, Clock& clock, Random& random, IdSource& ids,
         EngineOptions options);
  ~Engine() override;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Takes the database over from an earlier engine and puts back what that had under way. Before
  // all else.
  Result<void> open(Runner& runner);

  // The same, unless an engine of another owner drives, or may: then false, and the thread takes
  // over once that one is gone.
  Result<bool> open_if_free(Runner& runner);

  // One turn: everything that can be done now. Returns the time (Clock::now_ms) of the next turn
  // that time alone makes necessary; nullopt: none. The first error is unavailable when the
  // database failed (the turn is repeated later and loses nothing), failed_precondition when a
  // newer engine took over.
  Result<std::optional<std::int64_t>> turn();

  // Turns on an own thread until `stop_thread` or destruction. What runs then is put back by the
  // next engine. An engine that was taken over stops what it runs and stands by.
  void start_thread();
  void stop_thread();

  // Lets another follow at once, where this one drove. After its thread has stopped and all that it
  // started has ended; without it, others follow once this engine has not beaten for long enough.
  void release();

  // Runs were submitted, retried or asked to be cancelled. Safe to call from any thread.
  void wake();

  // Whether it drives, rather than stand by. Safe to call from any thread.
  bool is_active() const;

  // Of executions that run now. Safe to call from any thread.
  std::optional<Progress> progress(const ExecutionId& execution) const;

  // RunnerSink
  void resolved(PipelineRunId run, std::size_t step, Result<Resolution> resolution) override;
  void ended(ExecutionResult result) override;
  void progressed(const ExecutionId& execution, Progress progress) override;

 private:
  struct Work;
  std::unique_ptr<Work> work_;
};

}  // namespace ciclo::pipeline
