// SPDX-License-Identifier: Apache-2.0
#include "pipeline/scheduler.h"

#include <algorithm>
#include <type_traits>

#include "base/text.h"

namespace ciclo::pipeline {
namespace {

// One decision being made: the rules as functions over the state of one run.
class Decider {
 public:
  Decider(RunState& run, Moment moment) : run_(run), moment_(moment) {}

  Decision take() && { return std::move(decision_); }

  void on(const event::Look&) {
    if (is_final(run_.state)) return;
    if (run_.state == State::kPending) begin_run();
    if (run_.cancel_requested) {
      cancel_all();
    } else {
      for (const std::size_t i : run_.graph->order) visit(i);
    }
    end_run_if_done();
  }

  void on(const event::Resolved& event) {
    StepState& step = run_.steps[event.step];
    if (!step.resolving) return;
    step.resolving = false;
    if (step.state != State::kPending) return;
    if (!event.resolution.ok()) return fail_or_retry(event.step, event.resolution.error());
    const Resolution& resolution = *event.resolution;
    step.cache_key = resolution.key;
    step.key_parts = resolution.parts;
    step.why = resolution.why;
    if (!resolution.execution_id) {
      step.resolved = true;
      return;
    }
    step.execution_id = *resolution.execution_id;
    step.outputs = resolution.outputs;
    step.started_ms = moment_.now_ms;
    finish(event.step, State::kCached);
  }

  void on(const event::Ended& event) {
    for (std::size_t i = 0; i < run_.steps.size(); ++i) {
      const StepState& step = run_.steps[i];
      if (step.state == State::kRunning && step.execution_id == event.execution_id) {
        return end_execution(i, event.end);
      }
    }
  }

  void on(const event::Interrupted& event) {
    StepState& step = run_.steps[event.step];
    if (step.state != State::kRunning) return;
    const Error error = unavailable("the engine stopped while the step ran");
    note({.kind = Note::Kind::kExecutionEnded,
          .step = event.step,
          .execution_id = step.execution_id,
          .attempt = step.attempts,
          .state = State::kCancelled,
          .error = error});
    ++step.interruptions;
    if (step.interruptions >= kInterruptionsMax) {
      return fail(event.step, internal("the engine stopped " + std::to_string(step.interruptions) +
                                       " times while the step ran"));
    }
    step.state = State::kPending;
    step.resolved = false;
    step.stopping = false;
    step.why = "the engine stopped while it ran";
    changed(event.step);
  }

 private:
  void changed(std::size_t i) {
    if (std::find(decision_.changed.begin(), decision_.changed.end(), i) ==
        decision_.changed.end()) {
      decision_.changed.push_back(i);
    }
  }
  void note(Note note) { decision_.notes.push_back(std::move(note)); }

  void begin_run() {
    run_.state = State::kRunning;
    run_.started_ms = moment_.now_ms;
    note({.kind = Note::Kind::kRunStarted, .state = State::kRunning});
  }

  void end_run_if_done() {
    const auto has = [&](State state) {
      return std::any_of(run_.steps.begin(), run_.steps.end(),
                         [&](const StepState& step) { return step.state == state; });
    };
    if (has(State::kPending) || has(State::kRunning)) return;
    run_.state = has(State::kFailed)      ? State::kFailed
                 : has(State::kCancelled) ? State::kCancelled
                                          : State::kSucceeded;
    run_.ended_ms = moment_.now_ms;
    note({.kind = Note::Kind::kRunFinished, .state = run_.state});
  }

  void cancel_all() {
    for (std::size_t i = 0; i < run_.steps.size(); ++i) {
      StepState& step = run_.steps[i];
      if (step.state == State::kPending) {
        step.why = "the run was cancelled";
        finish(i, State::kCancelled);
      } else if (step.state == State::kRunning && !step.stopping) {
        step.stopping = true;
        decision_.actions.push_back(action::Stop{step.execution_id});
      }
    }
  }

  // Does what can be done for a step now. Steps come in an order in which all that one needs was
  // visited before it, so one pass reaches a fixed point.
  void visit(std::size_t i) {
    StepState& step = run_.steps[i];
    if (step.state != State::kPending || step.resolving) return;
    bool ready = true;
    for (const std::size_t before : run_.graph->nodes[i].needs) {
      const State state = run_.steps[before].state;
      if (is_final(state) && !is_done(state)) {
        return skip(i, "step " + quoted(run_.spec->steps[before].name) + " " +
                           (state == State::kFailed ? "" : "was ") +
                           std::string(state_name(state)));
      }
      ready = ready && is_done(state);
    }
    if (!ready || moment_.now_ms < step.not_before_ms) return;
    if (step.resolved) return start(i);
    if (const auto reason = unmet_condition(run_, i)) return skip(i, *reason);
    step.resolving = true;
    decision_.actions.push_back(action::Resolve{i});
  }

  void start(std::size_t i) {
    if (moment_.slots <= 0) return;
    const auto running =
        std::count_if(run_.steps.begin(), run_.steps.end(),
                      [](const StepState& step) { return step.state == State::kRunning; });
    if (run_.spec->parallel_max > 0 && running >= run_.spec->parallel_max) return;
    --moment_.slots;
    StepState& step = run_.steps[i];
    ++step.attempts;
    step.state = State::kRunning;
    step.execution_id = moment_.ids.next_id<ExecutionId>();
    step.started_ms = moment_.now_ms;
    step.error.reset();
    note({.kind = Note::Kind::kExecutionStarted,
          .step = i,
          .execution_id = step.execution_id,
          .attempt = step.attempts,
          .state = State::kRunning});
    decision_.actions.push_back(action::Start{i});
    changed(i);
  }

  void end_execution(std::size_t i, const ExecutionEnd& end) {
    ++moment_.slots;
    StepState& step = run_.steps[i];
    step.stopping = false;
    note({.kind = Note::Kind::kExecutionEnded,
          .step = i,
          .execution_id = step.execution_id,
          .attempt = step.attempts,
          .state = end.state,
          .error = end.error});
    if (end.state == State::kSucceeded) {
      step.outputs = end.outputs;
      return finish(i, State::kSucceeded);
    }
    if (run_.cancel_requested) {
      step.error = end.error;
      return finish(i, State::kCancelled);
    }
    fail_or_retry(i, end.error.value_or(internal("the step ended without saying why")));
  }

  void fail_or_retry(std::size_t i, const Error& error) {
    StepState& step = run_.steps[i];
    const StepSpec& spec = run_.spec->steps[i];
    ++step.failures;
    if (!is_retryable(error) || step.failures > spec.retries) return fail(i, error);
    step.state = State::kPending;
    step.error = error;
    step.not_before_ms = moment_.now_ms + backoff_ms(spec, step.failures);
    step.why = "retry " + std::to_string(step.failures) + " of " + std::to_string(spec.retries);
    changed(i);
  }

  // Doubles with each failure; the jitter of up to a half keeps steps that failed together apart.
  std::int64_t backoff_ms(const StepSpec& spec, int failures) {
    std::int64_t milliseconds = spec.backoff_ms;
    for (int i = 1; i < failures && milliseconds < kBackoffMsMax; ++i) milliseconds *= 2;
    milliseconds = std::min(milliseconds, kBackoffMsMax);
    const double kept = 1.0 - moment_.random.uniform() / 2;
    return static_cast<std::int64_t>(static_cast<double>(milliseconds) * kept);
  }

  void fail(std::size_t i, const Error& error) {
    run_.steps[i].error = error;
    if (run_.error.empty()) {
      run_.error = "step " + quoted(run_.spec->steps[i].name) + ": " + error.message;
    }
    finish(i, State::kFailed);
  }

  void skip(std::size_t i, std::string why) {
    run_.steps[i].why = std::move(why);
    finish(i, State::kSkipped);
  }

  void finish(std::size_t i, State state) {
    StepState& step = run_.steps[i];
    step.state = state;
    step.ended_ms = moment_.now_ms;
    note({.kind = Note::Kind::kStepFinished,
          .step = i,
          .execution_id = step.execution_id,
          .attempt = step.attempts,
          .state = state,
          .error = step.error});
    changed(i);
  }

  RunState& run_;
  Moment moment_;
  Decision decision_;
};

}  // namespace

Decision decide(RunState& run, const Event& event, Moment moment) {
  Decider decider(run, moment);
  std::visit([&](const auto& one) { decider.on(one); }, event);
  return std::move(decider).take();
}

std::optional<std::int64_t> next_look_ms(const RunState& run, std::int64_t now_ms) {
  std::optional<std::int64_t> next;
  for (const StepState& step : run.steps) {
    if (step.state != State::kPending || step.not_before_ms <= now_ms) continue;
    next = std::min(next.value_or(step.not_before_ms), step.not_before_ms);
  }
  return next;
}

Result<std::vector<ResolvedInput>> inputs_of(const RunState& run, std::size_t step) {
  std::vector<ResolvedInput> inputs;
  for (const auto& [port, source] : run.graph->nodes[step].inputs) {
    if (!source.step) {
      inputs.push_back({port, source.artifact_id, ""});
      continue;
    }
    const std::vector<Output>& outputs = run.steps[*source.step].outputs;
    const auto found = std::ranges::find(outputs, source.port, &Output::port);
    if (found == outputs.end()) {
      return failed_precondition("step " + quoted(run.spec->steps[*source.step].name) +
                                 " left nothing on its output " + quoted(source.port) +
                                 ", which is needed for input " + quoted(port));
    }
    inputs.push_back({port, found->artifact_id, found->hash});
  }
  return inputs;
}

std::optional<std::string> unmet_condition(const RunState& run, std::size_t step) {
  const auto& when = run.spec->steps[step].when;
  if (!when) return std::nullopt;
  const Source& source = run.graph->nodes[step].inputs.at(when->port);
  json::Value value;
  for (const Output& output : run.steps[*source.step].outputs) {
    if (output.port != source.port) continue;
    if (const json::Value* found = output.properties.find(when->property)) value = *found;
  }
  if (value == when->equals) return std::nullopt;
  return when->port + "." + when->property + " is " + json::dump(value) + ", not " +
         json::dump(when->equals);
}

bool is_retryable(const Error& error) {
  switch (error.code) {
    case Code::kConflict:
    case Code::kResourceExhausted:
    case Code::kUnavailable:
    case Code::kDeadlineExceeded:
    case Code::kCancelled:
    case Code::kInternal: return true;
    case Code::kInvalidArgument:
    case Code::kNotFound:
    case Code::kAlreadyExists:
    case Code::kFailedPrecondition:
    case Code::kPermissionDenied:
    case Code::kUnauthenticated:
    case Code::kUnimplemented:
    case Code::kDataLoss: return false;
  }
  return false;
}

}  // namespace ciclo::pipeline
