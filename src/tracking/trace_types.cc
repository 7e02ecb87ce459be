// SPDX-License-Identifier: Apache-2.0
#include "tracking/trace_types.h"

namespace ciclo::tracking {

std::string_view name_of(TraceState state) {
  switch (state) {
    case TraceState::kUnspecified: return "STATE_UNSPECIFIED";
    case TraceState::kOk: return "OK";
    case TraceState::kError: return "ERROR";
    case TraceState::kInProgress: return "IN_PROGRESS";
  }
  return "";
}

std::optional<TraceState> parse_trace_state(std::string_view name) {
  for (const auto state :
       {TraceState::kUnspecified, TraceState::kOk, TraceState::kError, TraceState::kInProgress}) {
    if (name == name_of(state)) return state;
  }
  return std::nullopt;
}

std::string_view name_of(AssessmentKind kind) {
  switch (kind) {
    case AssessmentKind::kFeedback: return "feedback";
    case AssessmentKind::kExpectation: return "expectation";
    case AssessmentKind::kIssue: return "issue";
  }
  return "";
}

std::string_view name_of(SpanStatus status) {
  switch (status) {
    case SpanStatus::kUnset: return "UNSET";
    case SpanStatus::kOk: return "OK";
    case SpanStatus::kError: return "ERROR";
  }
  return "";
}

}  // namespace ciclo::tracking
