// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/id.h"
#include "base/random.h"
#include "base/result.h"
#include "pipeline/cache.h"
#include "pipeline/spec.h"
#include "pipeline/types.h"

// The scheduler's rules as a pure state machine: decide(run, event, moment) changes the state of
// one run and says what is to be recorded and what is to be done after that was recorded. No I/O,
// no clock, no thread; pipeline/engine.h drives it. The rules:
//   - a step starts when all that it needs is done, its condition holds, no cached execution was
//   found, its
//     back-off has passed and a slot is free;
//   - a failure is retried while retries are left and the error is not the author's; then all that
//   needs
//     the step is skipped, and the rest of the run goes on;
//   - a run ends when all its steps are final: failed if one failed, else cancelled if one was
//   cancelled,
//     else succeeded.

namespace ciclo::pipeline {

// What is recorded of a step.
struct StepState {
  State state = State::kPending;
  int attempts = 0;
  int failures = 0;
  int interruptions = 0;  // attempts that ended with the death of the engine
  ExecutionId execution_id;
  std::int64_t not_before_ms = 0;  // of the next attempt
  std::string cache_key;
  KeyParts key_parts;
  std::string why;
  std::optional<Error> error;
  std::optional<std::int64_t> started_ms;
  std::optional<std::int64_t> ended_ms;
  std::vector<Output> outputs;

  // Not recorded.
  bool resolving = false;
  bool resolved = false;
  bool stopping = false;
};

struct RunState {
  PipelineRunId id;
  std::string workspace;
  std::shared_ptr<const PipelineSpec> spec;  // shared with executions that are under way
  std::shared_ptr<const Graph> graph;        // likewise
  json::Value cause;
  State state = State::kPending;
  std::string error;
  bool cancel_requested = false;
  std::int64_t created_ms = 0;
  std::optional<std::int64_t> started_ms;
  std::optional<std::int64_t> ended_ms;
  // Counts what was recorded, so that a commit whose answer was lost is not recorded twice.
  std::int64_t revision = 0;
  std::vector<StepState> steps;
};

// Why an execution ended.
struct ExecutionEnd {
  State state = State::kSucceeded;  // or kFailed, kCancelled
  std::optional<Error> error;
  std::vector<Output> outputs;
};

namespace event {
// Time passed, a slot became free, a cancellation was asked for: do what can be done now.
struct Look {};
struct Resolved {
  std::size_t step = 0;
  Result<Resolution> resolution;
};
struct Ended {
  ExecutionId execution_id;
  ExecutionEnd end;
};
// The engine that ran this execution is gone.
struct Interrupted {
  std::size_t step = 0;
};
}  // namespace event
using Event = std::variant<event::Look, event::Resolved, event::Ended, event::Interrupted>;

namespace action {
struct Resolve {
  std::size_t step = 0;
};
// To be done only after the changes are recorded.
struct Start {
  std::size_t step = 0;
};
struct Stop {
  ExecutionId execution_id;
};
}  // namespace action
using Action = std::variant<action::Resolve, action::Start, action::Stop>;

// What is worth a row or an event, in order.
struct Note {
  enum class Kind { kRunStarted, kExecutionStarted, kExecutionEnded, kStepFinished, kRunFinished };
  Kind kind = Kind::kRunStarted;
  std::size_t step = 0;
  ExecutionId execution_id;
  int attempt = 0;
  State state = State::kPending;
  std::optional<Error> error;
};

struct Decision {
  std::vector<std::size_t>
      changed;  // steps whose record changed; the run's own record may have, too
  std::vector<Note> notes;
  std::vector<Action> actions;
};

// What a decision may use of the world.
struct Moment {
  std::int64_t now_ms = 0;
  Random& random;
  IdSource& ids;
  int& slots;  // executions that may still be started
};

// A step under which the engine died more often has failed: it may be what kills it.
inline constexpr int kInterruptionsMax = 10;
inline constexpr std::int64_t kBackoffMsMax = 5 * 60 * 1'000;

Decision decide(RunState& run, const Event& event, Moment moment);

// The time after `now_ms` at which a `Look` may next find something to do because of time alone;
// nullopt: none.
std::optional<std::int64_t> next_look_ms(const RunState& run, std::int64_t now_ms);

// The artifacts on the input ports of a step whose needs are done; without hash where they come
// from outside of the run. failed_precondition when a step did not leave what this one needs.
Result<std::vector<ResolvedInput>> inputs_of(const RunState& run, std::size_t step);

// Why the condition of a step whose needs are done does not hold; nullopt when it holds or there is
// none.
std::optional<std::string> unmet_condition(const RunState& run, std::size_t step);

// Whether an execution with this error is worth another attempt.
bool is_retryable(const Error& error);

}  // namespace ciclo::pipeline
