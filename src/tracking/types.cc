// SPDX-License-Identifier: Apache-2.0
#include "tracking/types.h"

#include <array>
#include <utility>

namespace ciclo::tracking {

namespace {

constexpr std::array<std::pair<RunStatus, std::string_view>, 5> kRunStatuses = {{
    {RunStatus::kRunning, "RUNNING"},
    {RunStatus::kScheduled, "SCHEDULED"},
    {RunStatus::kFinished, "FINISHED"},
    {RunStatus::kFailed, "FAILED"},
    {RunStatus::kKilled, "KILLED"},
}};

constexpr std::array<std::pair<LoggedModelStatus, std::string_view>, 4> kModelStatuses = {{
    {LoggedModelStatus::kUnspecified, "LOGGED_MODEL_STATUS_UNSPECIFIED"},
    {LoggedModelStatus::kPending, "LOGGED_MODEL_PENDING"},
    {LoggedModelStatus::kReady, "LOGGED_MODEL_READY"},
    {LoggedModelStatus::kUploadFailed, "LOGGED_MODEL_UPLOAD_FAILED"},
}};

template <class Table, class Value>
std::string_view name_in(const Table& table, Value value) {
  for (const auto& [known, name] : table) {
    if (known == value) return name;
  }
  return {};
}

template <class Value, class Table>
std::optional<Value> value_in(const Table& table, std::string_view name) {
  for (const auto& [value, known] : table) {
    if (known == name) return value;
  }
  return std::nullopt;
}

}  // namespace

std::string_view name_of(LifecycleStage stage) {
  return stage == LifecycleStage::kActive ? "active" : "deleted";
}

std::string_view name_of(RunStatus status) { return name_in(kRunStatuses, status); }

std::string_view name_of(LoggedModelStatus status) { return name_in(kModelStatuses, status); }

std::optional<RunStatus> parse_run_status(std::string_view name) {
  return value_in<RunStatus>(kRunStatuses, name);
}

std::optional<LoggedModelStatus> parse_logged_model_status(std::string_view name) {
  return value_in<LoggedModelStatus>(kModelStatuses, name);
}

}  // namespace ciclo::tracking
