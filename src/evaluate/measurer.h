// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "evaluate/metrics.h"

// Metrics of the same rows under many weightings: what does not depend on the weights (order of
// scores, losses, predicted classes) is prepared once, then each measurement is a few passes over
// the rows. This is what makes the bootstrap affordable.

namespace ciclo::evaluate {

// Safe to share between threads once made.
class Measurer {
 public:
  // Keeps a copy of what it needs. Errors as measure().
  static Result<Measurer> make(Task task, const std::vector<std::string>& metrics,
                               const Scored& scored);

  std::size_t rows() const { return labels_.size(); }
  std::size_t metrics() const { return metrics_.size(); }
  // The weights that the rows came with; all 1 when there were none.
  const std::vector<double>& weights() const { return weights_; }

  // One value a metric, NaN where it is undefined. `weights`: one a row, at least 0.
  std::vector<double> measure(std::span<const double> weights) const;

  // Binary only: the rows by rising score; rows [ends[i − 1], ends[i]) of that order share a score.
  const std::vector<std::uint32_t>& order() const { return order_; }
  const std::vector<std::uint32_t>& ends() const { return ends_; }

 private:
  enum class Metric {
    kAuc,
    kPrAuc,
    kLogLoss,
    kBrier,
    kEce,
    kAccuracy,
    kPrecision,
    kRecall,
    kF1,
    kMacroF1,
    kRmse,
    kMae,
    kR2,
  };
  struct Confusion;

  void prepare(const Scored& scored);
  void prepare_binary(const Scored& scored);
  void prepare_multiclass(const Scored& scored);
  double value(Metric metric, std::span<const double> weights) const;
  double auc(std::span<const double> weights) const;
  double pr_auc(std::span<const double> weights) const;
  double ece(std::span<const double> weights) const;
  double r2(std::span<const double> weights) const;
  double macro_f1(std::span<const double> weights) const;
  Confusion confusion(std::span<const double> weights) const;

  Task task_ = Task::kBinary;
  std::vector<Metric> metrics_;
  std::size_t outputs_ = 1;
  std::vector<double> labels_;
  std::vector<double> predictions_;  // binary and regression
  std::vector<double> weights_;
  std::vector<double> loss_;              // log loss of the row
  std::vector<std::uint32_t> predicted_;  // class of the row
  std::vector<std::uint32_t> order_;      // binary
  std::vector<std::uint32_t> ends_;       // binary
};

// Bins of equal width for calibration.
inline constexpr std::size_t kCalibrationBins = 10;
inline std::size_t calibration_bin(double probability) {
  const auto bin = static_cast<std::size_t>(probability * static_cast<double>(kCalibrationBins));
  return bin < kCalibrationBins ? bin : kCalibrationBins - 1;
}

// The class of a row: p ≥ 0.5, or the most probable, the first of equals.
std::uint32_t predicted_class(Task task, const Scored& scored, std::size_t row);

}  // namespace ciclo::evaluate
