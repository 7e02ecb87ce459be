// SPDX-License-Identifier: Apache-2.0
#include "tracking/types.h"

#include <array>

namespace ciclo::tracking {

namespace {

constexpr std::array<std::string_view, 2> kLifecycleStages = {"active", "deleted"};
constexpr std::array<std::string_view, 5> kRunStatuses = {"RUNNING", "SCHEDULED", "FINISHED",
                                                          "FAILED", "KILLED"};
constexpr std::array<std::string_view, 4> kModelStatuses = {
    "LOGGED_MODEL_STATUS_UNSPECIFIED", "LOGGED_MODEL_PENDING", "LOGGED_MODEL_READY",
    "LOGGED_MODEL_UPLOAD_FAILED"};

template <class Value>
std::string_view name_in(Value value) {
  return enum_names(value)[static_cast<std::size_t>(value)];
}

template <class Value>
std::optional<Value> value_in(std::string_view name) {
  const auto names = enum_names(Value());
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<Value>(i);
  }
  return std::nullopt;
}

}  // namespace

std::span<const std::string_view> enum_names(LifecycleStage) { return kLifecycleStages; }
std::span<const std::string_view> enum_names(RunStatus) { return kRunStatuses; }
std::span<const std::string_view> enum_names(LoggedModelStatus) { return kModelStatuses; }

std::string_view name_of(LifecycleStage stage) { return name_in(stage); }
std::string_view name_of(RunStatus status) { return name_in(status); }
std::string_view name_of(LoggedModelStatus status) { return name_in(status); }

std::optional<RunStatus> parse_run_status(std::string_view name) {
  return value_in<RunStatus>(name);
}

std::optional<LoggedModelStatus> parse_logged_model_status(std::string_view name) {
  return value_in<LoggedModelStatus>(name);
}

}  // namespace ciclo::tracking
