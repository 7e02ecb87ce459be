// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/context.h"
#include "base/json.h"
#include "base/result.h"
#include "events/log.h"
#include "pipeline/pipeline.h"
#include "pipeline/spec.h"
#include "sql/database.h"

// What starts pipeline runs by itself: an event of some kind ("drift.detected"), or time that
// passed. Each event leads to at most one run per trigger, also over crashes: the trigger's cursor
// advances in the transaction that submits the run.

namespace ciclo::pipeline {

struct TriggerSpec {
  std::string name;      // unique in the workspace
  std::string pipeline;  // what PipelineSource knows
  // Event kind that starts it; empty: only time does.
  std::string on;
  // The event's subject; empty: any.
  std::string subject;
  // Members of the event's body that must have these values; dots lead into objects
  // ("column.name").
  std::map<std::string, json::Value> where;
  // Time between two runs that time starts; 0: only events do.
  std::int64_t every_ms = 0;
  // Events within this time after the start of the last run are passed over.
  std::int64_t cool_down_ms = 0;
  bool enabled = true;

  template <class V>
  void fields(V& v) {
    v("name", name);
    v("pipeline", pipeline);
    v.or_default("on", on);
    v.or_default("subject", subject);
    v.or_default("where", where);
    v.or_default("every_ms", every_ms);
    v.or_default("cool_down_ms", cool_down_ms);
    v.or_default("enabled", enabled);
  }
};

struct TriggerView {
  TriggerSpec spec;
  std::int64_t runs = 0;    // that it started
  std::int64_t passed = 0;  // events that matched but started none: cool-down, or a run was active
  std::optional<std::int64_t> last_run_ms;
  std::string last_pipeline_run_id;
  std::string last_error;  // of building or submitting the pipeline; empty after a success
};

// Implemented by the owner of pipelines.
class PipelineSource {
 public:
  virtual ~PipelineSource() = default;
  // The pipeline to run. `event` is null when time started the trigger. failed_precondition says
  // that this is not the moment (a cool-down of the owner's own); the event is then passed over.
  // It changes nothing: what is built may still not be submitted.
  virtual Result<PipelineSpec> build(const Context& context, const TriggerSpec& trigger,
                                     const events::Event* event) = 0;
  // In the transaction that submits what was built. May run several times (a conflict is retried):
  // no other effects. failed_precondition when this is not the moment any more; then nothing is
  // submitted.
  virtual Result<void> submitted(sql::Txn& txn, const Context& context, const TriggerSpec& trigger,
                                 const events::Event* event) = 0;
};

// Safe to share between threads.
class Triggers {
 public:
  // All must outlive it.
  Triggers(sql::Database& database, events::Log& events, Pipelines& pipelines, Engine& engine,
           PipelineSource& source, Clock& clock);
  ~Triggers();
  Triggers(const Triggers&) = delete;
  Triggers& operator=(const Triggers&) = delete;

  // Makes or replaces the trigger of that name. A new one sees events from now on; a replaced one
  // keeps its cursor and counts.
  Result<void> put(const Context& context, const TriggerSpec& trigger);
  Result<void> remove(const Context& context, std::string_view name);
  Result<std::vector<TriggerView>> list(const Context& context);

  // Looks at new events and at the time once. Returns how many runs were started. One check at a
  // time: when it returns, all runs that were due are there, whoever started them. The first error
  // that passes is returned when all triggers were looked at; its event stays to be dealt with,
  // here or by another server.
  Result<int> check();

  // Checks whenever an event comes, on an own thread.
  void start_thread();
  void stop_thread();

 private:
  struct Stored;
  Result<std::vector<Stored>> load();
  Result<int> check_events(const Stored& trigger);
  Result<int> check_time(const Stored& trigger);
  Result<int> start(const Stored& trigger, const events::Event* event);
  Result<bool> take(sql::Txn& txn, const Stored& trigger, const events::Event* event);
  Result<int> pass(const Stored& trigger, const events::Event* event, const Error& error);
  Result<bool> may_start(sql::Txn& txn, const Stored& trigger, const events::Event* event,
                         std::int64_t now_ms);
  Result<void> count_passed(sql::Txn& txn, const Stored& trigger, std::string_view error);
  Result<void> count_run(sql::Txn& txn, const Stored& trigger, const PipelineRunId& run,
                         std::int64_t now_ms);
  Result<void> put_off(sql::Txn& txn, const Stored& trigger, std::int64_t now_ms);
  void loop(const std::stop_token& stop);

  sql::Database& database_;
  events::Log& events_;
  Pipelines& pipelines_;
  Engine& engine_;
  PipelineSource& source_;
  Clock& clock_;
  std::mutex checking_;
  std::jthread thread_;
};

// Whether the event is one that the trigger waits for.
bool matches(const TriggerSpec& trigger, const events::Event& event);

}  // namespace ciclo::pipeline
