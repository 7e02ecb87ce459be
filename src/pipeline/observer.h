// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "pipeline/catalog.h"
#include "pipeline/types.h"

// What a running step says on descriptor 3, one JSON object a line, and who listens.
//   {"kind":"progress","done":3,"total":10,"message":"…"}
//   {"kind":"metric","key":"auc","value":0.5,"step":3,"timestamp":1700000000000}
//   {"kind":"param","key":"rate","value":"0.1"}
//   {"kind":"tag","key":"…","value":"…"}
//   {"kind":"property","port":"model","key":"rows","value":10}
//   {"kind":"error","code":"invalid_argument","message":"…"}       last, before a status that is
//   not 0

namespace ciclo::pipeline {

struct StepMessage {
  enum class Kind { kProgress, kMetric, kParam, kTag, kProperty, kError };
  Kind kind = Kind::kProgress;
  Progress progress;
  std::string port;       // of a property
  std::string key;        // of a metric, param, tag or property
  double number = 0;      // of a metric; NaN and infinities as the strings "NaN", "Infinity"
  std::int64_t step = 0;  // of a metric
  std::optional<std::int64_t> time_ms;  // of a metric
  std::string text;                     // of a param or tag; the message of an error
  json::Value value;                    // of a property
  std::string code;                     // of an error
};

// invalid_argument for a line that is none of the above; unknown members are ignored.
Result<StepMessage> parse_step_message(std::string_view line);

struct Leftover;  // pipeline/runner.h

// Implemented by `steps`, to forward to tracking. All calls for one execution come from its own
// thread, in order; other executions call at the same time. Errors are its own to handle: it cannot
// fail a step.
class StepObserver {
 public:
  virtual ~StepObserver() = default;
  // The execution is recorded as running and its process is about to start.
  virtual void started(const StepRun& run) = 0;
  // What the step said, in order; several at once when they come quickly. Metrics, params, tags and
  // properties; progress and errors are the pipeline's own, they come for completeness.
  virtual void said(const StepRun& run, std::span<const StepMessage> messages) = 0;
  // After the process ended, before the completion is recorded; a crash in between makes a new
  // execution. `error` when it failed or was cancelled.
  virtual void ended(const StepRun& run, State state, const std::optional<Error>& error) = 0;
  // The platform died while the execution ran, so its end was never told. Before any other call;
  // may come again for the same execution, and for one whose start was never told.
  virtual void discarded(const Leftover& leftover) = 0;
};

}  // namespace ciclo::pipeline
