// SPDX-License-Identifier: Apache-2.0
#include "evaluate/metrics.h"

#include <cmath>

#include "base/text.h"
#include "evaluate/measurer.h"

namespace ciclo::evaluate {

const std::vector<MetricKind>& metrics_of(Task task) {
  constexpr auto kHigh = Direction::kHigherIsBetter;
  constexpr auto kLow = Direction::kLowerIsBetter;
  static const std::vector<MetricKind> binary = {
      {"auc", kHigh},      {"pr_auc", kHigh},    {"log_loss", kLow}, {"brier", kLow}, {"ece", kLow},
      {"accuracy", kHigh}, {"precision", kHigh}, {"recall", kHigh},  {"f1", kHigh}};
  static const std::vector<MetricKind> multiclass = {
      {"log_loss", kLow}, {"accuracy", kHigh}, {"macro_f1", kHigh}};
  static const std::vector<MetricKind> regression = {{"rmse", kLow}, {"mae", kLow}, {"r2", kHigh}};
  switch (task) {
    case Task::kBinary: return binary;
    case Task::kMulticlass: return multiclass;
    case Task::kRegression: break;
  }
  return regression;
}

Result<MetricKind> find_metric(Task task, std::string_view name) {
  std::vector<std::string> names;
  for (const auto& metric : metrics_of(task)) {
    if (metric.name == name) return metric;
    names.emplace_back(metric.name);
  }
  const auto near = nearest(name, names);
  return invalid_argument(
      "metric " + quoted(name) + " is not one of a " + std::string(train::task_name(task)) +
      " task; " +
      (near.empty() ? "use one of: " + join(names, ", ") : "did you mean " + quoted(near) + "?"));
}

Result<std::optional<double>> measure(Task task, std::string_view metric, const Scored& scored) {
  TRY(const auto measurer, Measurer::make(task, {std::string(metric)}, scored));
  const double value = measurer.measure(measurer.weights()).front();
  return std::isnan(value) ? std::optional<double>() : std::optional<double>(value);
}

}  // namespace ciclo::evaluate
