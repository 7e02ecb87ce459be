// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "train/task.h"

// Metrics of predictions against labels, weighted, exact in the presence of ties. Formulas and
// conventions are those of scikit-learn 1.9, which the tests compare with:
//
//   binary      auc        area under the ROC curve; a tie counts one half (roc_auc_score)
//               pr_auc     average precision Σ (R_k − R_{k−1}) P_k, tied scores as one step
//               log_loss   mean of −ln p of the true class, p kept within [ε, 1 − ε], ε = 2⁻⁵²
//               brier      mean of (p − y)²
//               ece        expected calibration error: over 10 bins of equal width,
//                          Σ share · |mean prediction − share of positives|
//               accuracy, precision, recall, f1   at p ≥ 0.5; 0 where the divisor is 0
//   multiclass  log_loss; accuracy, macro_f1 with the most probable class (the first of equals);
//               macro_f1 is the mean over the classes that occur in labels or predictions
//   regression  rmse, mae, r2 (1 − SS_res / SS_tot)

namespace ciclo::evaluate {

using train::Task;

// Labels and predictions of the same rows; borrowed.
struct Scored {
  std::span<const double> labels;       // 0/1, class number, or value
  std::span<const double> predictions;  // rows × outputs, row-major
  std::size_t outputs = 1;
  std::span<const double> weights;  // positive; empty: all 1

  std::size_t rows() const { return labels.size(); }
};

enum class Direction { kHigherIsBetter, kLowerIsBetter };

struct MetricKind {
  std::string_view name;
  Direction direction;
};

// The metrics of a task, the usual headline metric first: auc, log_loss, rmse.
const std::vector<MetricKind>& metrics_of(Task task);
// invalid_argument ("did you mean") for a metric that the task does not have.
Result<MetricKind> find_metric(Task task, std::string_view name);

// nullopt where the metric is undefined: no rows, one class only for auc and pr_auc, constant
// labels for r2. invalid_argument for an unknown metric, a label or prediction that is not finite,
// a probability outside [0, 1], lengths that do not fit. n rows cost O(n log n).
Result<std::optional<double>> measure(Task task, std::string_view metric, const Scored& scored);

}  // namespace ciclo::evaluate
