// SPDX-License-Identifier: Apache-2.0
#include "evaluate/measurer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

namespace ciclo::evaluate {
namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();
constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr std::array<std::string_view, 13> kNames = {
    "auc",    "pr_auc", "log_loss", "brier", "ece", "accuracy", "precision",
    "recall", "f1",     "macro_f1", "rmse",  "mae", "r2"};

std::string row_text(std::size_t row) { return " of row " + std::to_string(row + 1); }

Result<void> check_row(Task task, const Scored& scored, std::size_t row) {
  const double label = scored.labels[row];
  const double classes = task == Task::kBinary ? 2 : static_cast<double>(scored.outputs);
  const bool known = task == Task::kRegression
                         ? std::isfinite(label)
                         : label >= 0 && label < classes && std::trunc(label) == label;
  if (!known) {
    return invalid_argument("label" + row_text(row) + " is " + std::to_string(label) +
                            ", which is none of the task");
  }
  for (std::size_t i = 0; i < scored.outputs; ++i) {
    const double prediction = scored.predictions[row * scored.outputs + i];
    const bool usable =
        task == Task::kRegression ? std::isfinite(prediction) : prediction >= 0 && prediction <= 1;
    if (!usable) {
      return invalid_argument("prediction" + row_text(row) + " must be " +
                              (task == Task::kRegression ? "a number" : "a probability") +
                              ", got " + std::to_string(prediction));
    }
  }
  if (!scored.weights.empty() && !(scored.weights[row] > 0 && std::isfinite(scored.weights[row]))) {
    return invalid_argument("weight" + row_text(row) + " must be a positive number, got " +
                            std::to_string(scored.weights[row]));
  }
  return {};
}

Result<void> check_scored(Task task, const Scored& scored) {
  const bool single = task != Task::kMulticlass;
  if (single ? scored.outputs != 1 : scored.outputs < 2) {
    return invalid_argument("a " + std::string(train::task_name(task)) + " task cannot have " +
                            std::to_string(scored.outputs) + " predictions a row");
  }
  if (scored.predictions.size() != scored.rows() * scored.outputs ||
      (!scored.weights.empty() && scored.weights.size() != scored.rows())) {
    return invalid_argument("labels, predictions and weights differ in their rows");
  }
  for (std::size_t row = 0; row < scored.rows(); ++row) TRY(check_row(task, scored, row));
  return {};
}

double divide(double sum, double by) { return by > 0 ? sum / by : kUndefined; }

// 0 where nothing is counted, as scikit-learn does.
double share(double part, double whole) { return whole > 0 ? part / whole : 0; }

}  // namespace

std::uint32_t predicted_class(Task task, const Scored& scored, std::size_t row) {
  const double* p = scored.predictions.data() + row * scored.outputs;
  if (task == Task::kBinary) return p[0] >= 0.5 ? 1 : 0;
  return static_cast<std::uint32_t>(std::max_element(p, p + scored.outputs) - p);
}

Result<Measurer> Measurer::make(Task task, const std::vector<std::string>& metrics,
                                const Scored& scored) {
  Measurer measurer;
  for (const auto& name : metrics) {
    TRY(find_metric(task, name));
    const auto place = std::find(kNames.begin(), kNames.end(), name) - kNames.begin();
    measurer.metrics_.push_back(static_cast<Metric>(place));
  }
  TRY(check_scored(task, scored));
  measurer.task_ = task;
  measurer.outputs_ = scored.outputs;
  measurer.prepare(scored);
  return measurer;
}

void Measurer::prepare(const Scored& scored) {
  labels_.assign(scored.labels.begin(), scored.labels.end());
  weights_.assign(scored.weights.begin(), scored.weights.end());
  if (weights_.empty()) weights_.assign(labels_.size(), 1);
  if (task_ == Task::kMulticlass) return prepare_multiclass(scored);
  predictions_.assign(scored.predictions.begin(), scored.predictions.end());
  if (task_ == Task::kBinary) prepare_binary(scored);
}

void Measurer::prepare_binary(const Scored& scored) {
  for (std::size_t row = 0; row < rows(); ++row) {
    const double p = std::clamp(predictions_[row], kEpsilon, 1 - kEpsilon);
    loss_.push_back(labels_[row] == 1 ? -std::log(p) : -std::log(1 - p));
    predicted_.push_back(predicted_class(task_, scored, row));
  }
  order_.resize(rows());
  std::iota(order_.begin(), order_.end(), 0U);
  std::sort(order_.begin(), order_.end(), [&](std::uint32_t a, std::uint32_t b) {
    return predictions_[a] != predictions_[b] ? predictions_[a] < predictions_[b] : a < b;
  });
  for (std::size_t i = 0; i < rows(); ++i) {
    const bool last = i + 1 == rows() || predictions_[order_[i]] != predictions_[order_[i + 1]];
    if (last) ends_.push_back(static_cast<std::uint32_t>(i + 1));
  }
}

void Measurer::prepare_multiclass(const Scored& scored) {
  for (std::size_t row = 0; row < rows(); ++row) {
    const auto label = static_cast<std::size_t>(labels_[row]);
    const double p = scored.predictions[row * outputs_ + label];
    loss_.push_back(-std::log(std::clamp(p, kEpsilon, 1 - kEpsilon)));
    predicted_.push_back(predicted_class(task_, scored, row));
  }
}

std::vector<double> Measurer::measure(std::span<const double> weights) const {
  CHECK(weights.size() == rows());
  std::vector<double> values;
  for (const auto metric : metrics_) values.push_back(value(metric, weights));
  return values;
}

// Of a binary task, in weights.
struct Measurer::Confusion {
  double true_positive = 0;
  double false_positive = 0;
  double false_negative = 0;
};

Measurer::Confusion Measurer::confusion(std::span<const double> weights) const {
  Confusion counts;
  for (std::size_t row = 0; row < rows(); ++row) {
    if (predicted_[row] == 1) {
      (labels_[row] == 1 ? counts.true_positive : counts.false_positive) += weights[row];
    } else if (labels_[row] == 1) {
      counts.false_negative += weights[row];
    }
  }
  return counts;
}

double Measurer::value(Metric metric, std::span<const double> weights) const {
  const auto mean = [&](auto&& of_row) {
    double sum = 0;
    double total = 0;
    for (std::size_t row = 0; row < rows(); ++row) {
      sum += weights[row] * of_row(row);
      total += weights[row];
    }
    return divide(sum, total);
  };
  const auto square = [&](std::size_t row) {
    const double error = predictions_[row] - labels_[row];
    return error * error;
  };
  switch (metric) {
    case Metric::kAuc: return auc(weights);
    case Metric::kPrAuc: return pr_auc(weights);
    case Metric::kEce: return ece(weights);
    case Metric::kR2: return r2(weights);
    case Metric::kMacroF1: return macro_f1(weights);
    case Metric::kLogLoss: return mean([&](std::size_t row) { return loss_[row]; });
    case Metric::kBrier: return mean(square);
    case Metric::kRmse: return std::sqrt(mean(square));
    case Metric::kMae:
      return mean([&](std::size_t row) { return std::abs(predictions_[row] - labels_[row]); });
    case Metric::kAccuracy:
      return mean([&](std::size_t row) {
        return static_cast<double>(predicted_[row]) == labels_[row] ? 1.0 : 0.0;
      });
    default: break;
  }
  if (rows() == 0) return kUndefined;
  const auto counts = confusion(weights);
  const double found = counts.true_positive;
  switch (metric) {
    case Metric::kPrecision: return share(found, found + counts.false_positive);
    case Metric::kRecall: return share(found, found + counts.false_negative);
    default: break;
  }
  return share(2 * found, 2 * found + counts.false_positive + counts.false_negative);
}

double Measurer::auc(std::span<const double> weights) const {
  double area = 0;
  double positives = 0;
  double negatives = 0;
  std::size_t i = 0;
  for (const auto end : ends_) {
    double group_positives = 0;
    double group_negatives = 0;
    for (; i < end; ++i) {
      const auto row = order_[i];
      (labels_[row] == 1 ? group_positives : group_negatives) += weights[row];
    }
    area += group_positives * (negatives + group_negatives / 2);
    positives += group_positives;
    negatives += group_negatives;
  }
  return divide(area, positives * negatives);
}

double Measurer::pr_auc(std::span<const double> weights) const {
  double positives = 0;
  double all = 0;
  for (std::size_t row = 0; row < rows(); ++row) {
    all += weights[row];
    if (labels_[row] == 1) positives += weights[row];
  }
  if (positives <= 0 || positives >= all) return kUndefined;
  double sum = 0;
  double found = 0;
  double taken = 0;
  for (std::size_t group = ends_.size(); group-- > 0;) {
    const std::size_t begin = group == 0 ? 0 : ends_[group - 1];
    double group_found = 0;
    for (std::size_t i = begin; i < ends_[group]; ++i) {
      const auto row = order_[i];
      taken += weights[row];
      if (labels_[row] == 1) group_found += weights[row];
    }
    found += group_found;
    if (group_found > 0) sum += group_found * found / taken;
  }
  return sum / positives;
}

double Measurer::ece(std::span<const double> weights) const {
  std::array<double, kCalibrationBins> gap{};
  double total = 0;
  for (std::size_t row = 0; row < rows(); ++row) {
    gap[calibration_bin(predictions_[row])] += weights[row] * (predictions_[row] - labels_[row]);
    total += weights[row];
  }
  double sum = 0;
  for (const double of_bin : gap) sum += std::abs(of_bin);
  return divide(sum, total);
}

double Measurer::r2(std::span<const double> weights) const {
  double total = 0;
  double mean = 0;
  for (std::size_t row = 0; row < rows(); ++row) {
    total += weights[row];
    mean += weights[row] * labels_[row];
  }
  mean /= total;
  double residual = 0;
  double around_mean = 0;
  for (std::size_t row = 0; row < rows(); ++row) {
    const double error = predictions_[row] - labels_[row];
    const double distance = labels_[row] - mean;
    residual += weights[row] * error * error;
    around_mean += weights[row] * distance * distance;
  }
  return around_mean > 0 ? 1 - residual / around_mean : kUndefined;
}

double Measurer::macro_f1(std::span<const double> weights) const {
  std::vector<double> right(outputs_);
  std::vector<double> mentioned(outputs_);  // as label plus as prediction
  for (std::size_t row = 0; row < rows(); ++row) {
    const auto label = static_cast<std::size_t>(labels_[row]);
    mentioned[label] += weights[row];
    mentioned[predicted_[row]] += weights[row];
    if (predicted_[row] == label) right[label] += weights[row];
  }
  double sum = 0;
  double classes = 0;
  for (std::size_t k = 0; k < outputs_; ++k) {
    if (mentioned[k] <= 0) continue;
    sum += 2 * right[k] / mentioned[k];
    classes += 1;
  }
  return divide(sum, classes);
}

}  // namespace ciclo::evaluate
