// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "base/json.h"
#include "base/result.h"
#include "lineage/types.h"

// The nouns of pipelines: a pipeline run is one walk through the graph of a PipelineSpec
// (pipeline/spec.h), a step is a node of it, an execution is one attempt at a step.

namespace ciclo::pipeline {

using PipelineRunId = Id<struct PipelineRunTag>;
using ExecutionId = lineage::ExecutionId;  // the same id names it in lineage once it has succeeded

// Of runs, steps and executions; a run is never cached or skipped.
//   cached:  the outputs of an earlier execution with the same cache key were taken
//   skipped: a step that it needs failed, was skipped or cancelled, or its condition did not hold
enum class State { kPending, kRunning, kSucceeded, kCached, kFailed, kSkipped, kCancelled };

// "pending", … in the order of the values.
std::span<const std::string_view> enum_names(State);
std::string_view state_name(State state);
std::optional<State> parse_state(std::string_view name);
// Nothing more will happen.
constexpr bool is_final(State state) {
  return state != State::kPending && state != State::kRunning;
}
// Steps that need this one may start.
constexpr bool is_done(State state) {
  return state == State::kSucceeded || state == State::kCached;
}

// An artifact on an output port of a step.
struct Output {
  std::string port;
  std::string artifact_id;
  std::string hash;  // of the content: what the cache keys of later steps see
  json::Value properties = json::Value::object();

  template <class V>
  void fields(V& v) {
    v("port", port);
    v("artifact_id", artifact_id);
    v("hash", hash);
    v.or_default("properties", properties);
  }
};

// What a running step said last about how far it is.
struct Progress {
  double done = 0;
  double total = 0;  // 0: not known
  std::string message;

  template <class V>
  void fields(V& v) {
    v.or_default("done", done);
    v.or_default("total", total);
    v.or_default("message", message);
  }
};

struct StepView {
  std::string name;
  std::string kind;
  State state = State::kPending;
  // Why it runs ("never run", "parameters.rate changed from 0.1 to 0.2"), was skipped, or waits.
  std::string why;
  std::string error_code;  // as code_name says; empty without an error
  std::string error;
  int attempts = 0;
  std::string execution_id;  // the last one; of a cached step the one whose outputs were taken
  std::optional<std::int64_t> started_ms;
  std::optional<std::int64_t> ended_ms;
  std::vector<std::string> needs;  // names of the steps that come before it
  std::vector<Output> outputs;
  std::optional<Progress> progress;  // while it runs

  template <class V>
  void fields(V& v) {
    v("name", name);
    v("kind", kind);
    v("state", state);
    v("why", why);
    v("error_code", error_code);
    v("error", error);
    v("attempts", attempts);
    v("execution_id", execution_id);
    v("started_ms", started_ms);
    v("ended_ms", ended_ms);
    v("needs", needs);
    v("outputs", outputs);
    v("progress", progress);
  }
};

struct PipelineRunView {
  std::string pipeline_run_id;
  std::string workspace;
  std::string pipeline;
  State state = State::kPending;
  std::string error;  // the first step that failed, with its message
  json::Value cause;  // who or what started it, as given to submit
  bool cancel_requested = false;
  std::int64_t created_ms = 0;
  std::optional<std::int64_t> started_ms;
  std::optional<std::int64_t> ended_ms;
  std::vector<StepView> steps;  // in the order of the spec; empty in lists

  template <class V>
  void fields(V& v) {
    v("pipeline_run_id", pipeline_run_id);
    v("workspace", workspace);
    v("pipeline", pipeline);
    v("state", state);
    v("error", error);
    v("cause", cause);
    v("cancel_requested", cancel_requested);
    v("created_ms", created_ms);
    v("started_ms", started_ms);
    v("ended_ms", ended_ms);
    v("steps", steps);
  }
};

struct ExecutionView {
  std::string execution_id;
  std::string pipeline_run_id;
  std::string step;
  int attempt = 0;
  State state = State::kPending;
  std::string error_code;
  std::string error;
  std::int64_t started_ms = 0;
  std::optional<std::int64_t> ended_ms;
  std::optional<std::int64_t> user_cpu_ms;
  std::optional<std::int64_t> system_cpu_ms;
  std::optional<std::int64_t> rss_bytes_max;
  std::int64_t log_bytes = 0;

  template <class V>
  void fields(V& v) {
    v("execution_id", execution_id);
    v("pipeline_run_id", pipeline_run_id);
    v("step", step);
    v("attempt", attempt);
    v("state", state);
    v("error_code", error_code);
    v("error", error);
    v("started_ms", started_ms);
    v("ended_ms", ended_ms);
    v("user_cpu_ms", user_cpu_ms);
    v("system_cpu_ms", system_cpu_ms);
    v("rss_bytes_max", rss_bytes_max);
    v("log_bytes", log_bytes);
  }
};

// What would happen to a step if the pipeline ran now.
struct PlannedStep {
  std::string name;
  std::string kind;
  bool cached = false;
  bool skipped = false;  // its condition does not hold, or that of one it needs
  std::string why;

  template <class V>
  void fields(V& v) {
    v("name", name);
    v("kind", kind);
    v("cached", cached);
    v("skipped", skipped);
    v("why", why);
  }
};

}  // namespace ciclo::pipeline
