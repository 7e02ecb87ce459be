// SPDX-License-Identifier: Apache-2.0
#include "tracking/trace_types.h"

#include <array>

namespace ciclo::tracking {

namespace {

// In the order of the values.
constexpr std::array<std::string_view, 4> kStates = {"STATE_UNSPECIFIED", "OK", "ERROR",
                                                     "IN_PROGRESS"};
constexpr std::array<std::string_view, 3> kKinds = {"feedback", "expectation", "issue"};
constexpr std::array<std::string_view, 3> kStatuses = {"UNSET", "OK", "ERROR"};

}  // namespace

std::span<const std::string_view> enum_names(TraceState) { return kStates; }
std::span<const std::string_view> enum_names(AssessmentKind) { return kKinds; }

std::string_view name_of(TraceState state) { return kStates[static_cast<std::size_t>(state)]; }
std::string_view name_of(AssessmentKind kind) { return kKinds[static_cast<std::size_t>(kind)]; }
std::string_view name_of(SpanStatus status) { return kStatuses[static_cast<std::size_t>(status)]; }

std::optional<TraceState> parse_trace_state(std::string_view name) {
  for (std::size_t i = 0; i < kStates.size(); ++i) {
    if (name == kStates[i]) return static_cast<TraceState>(i);
  }
  return std::nullopt;
}

}  // namespace ciclo::tracking
