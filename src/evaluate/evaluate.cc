// SPDX-License-Identifier: Apache-2.0
#include "evaluate/evaluate.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/json_fields.h"
#include "base/text.h"
#include "evaluate/bootstrap.h"
#include "evaluate/measurer.h"
#include "evaluate/slices.h"

namespace ciclo::evaluate {
namespace {

std::vector<std::string> all_metrics(Task task) {
  std::vector<std::string> names;
  for (const auto& metric : metrics_of(task)) names.emplace_back(metric.name);
  return names;
}

std::optional<double> defined(double value) {
  return std::isnan(value) ? std::optional<double>() : std::optional<double>(value);
}

std::vector<MetricValue> with_intervals(const Measurer& measurer,
                                        const std::vector<std::string>& names,
                                        const Bootstrap& bootstrap) {
  const auto values = measurer.measure(measurer.weights());
  const auto resampled = bootstrap_values({&measurer}, bootstrap);
  const std::size_t resamples = resampled.size() / names.size();
  std::vector<MetricValue> metrics;
  for (std::size_t i = 0; i < names.size(); ++i) {
    MetricValue metric{names[i], defined(values[i]), {}, {}};
    std::vector<double> sorted;
    for (std::size_t r = 0; r < resamples; ++r) {
      const double value = resampled[r * names.size() + i];
      if (!std::isnan(value)) sorted.push_back(value);
    }
    if (metric.value && sorted.size() * 10 >= resamples * 9) {
      std::sort(sorted.begin(), sorted.end());
      const double outside = (1 - bootstrap.confidence) / 2;
      metric.low = quantile(sorted, outside);
      metric.high = quantile(sorted, 1 - outside);
    }
    metrics.push_back(std::move(metric));
  }
  return metrics;
}

// At most 200 points: those that lie about equally far from one another along the curve, and both
// ends.
std::vector<CurvePoint> thin(const std::vector<CurvePoint>& points) {
  constexpr std::size_t kPointsMax = 200;
  if (points.size() <= kPointsMax) return points;
  const auto distance = [&](std::size_t i) {
    return std::abs(points[i].x - points[i - 1].x) + std::abs(points[i].y - points[i - 1].y);
  };
  double length = 0;
  for (std::size_t i = 1; i < points.size(); ++i) length += distance(i);
  const double step = length / static_cast<double>(kPointsMax - 2);
  std::vector<CurvePoint> kept = {points.front()};
  double since = 0;
  for (std::size_t i = 1; i + 1 < points.size(); ++i) {
    since += distance(i);
    if (since < step) continue;
    kept.push_back(points[i]);
    since = 0;
  }
  kept.push_back(points.back());
  return kept;
}

// One point for each different score, from the highest on.
void add_curves(const Measurer& measurer, const Scored& scored, Report& report) {
  const auto& weights = measurer.weights();
  double positives = 0;
  double negatives = 0;
  for (std::size_t row = 0; row < scored.rows(); ++row) {
    (scored.labels[row] == 1 ? positives : negatives) += weights[row];
  }
  if (positives <= 0 || negatives <= 0) return;
  std::vector<CurvePoint> roc = {{0, 0, 1}};
  std::vector<CurvePoint> pr = {{0, 1, 1}};
  double found = 0;
  double false_alarms = 0;
  const auto& ends = measurer.ends();
  for (std::size_t group = ends.size(); group-- > 0;) {
    const std::size_t begin = group == 0 ? 0 : ends[group - 1];
    for (std::size_t i = begin; i < ends[group]; ++i) {
      const auto row = measurer.order()[i];
      (scored.labels[row] == 1 ? found : false_alarms) += weights[row];
    }
    const double threshold = scored.predictions[measurer.order()[begin]];
    roc.push_back({false_alarms / negatives, found / positives, threshold});
    pr.push_back({found / positives, found / (found + false_alarms), threshold});
  }
  report.roc = thin(roc);
  report.pr = thin(pr);
}

void add_calibration(const Measurer& measurer, const Scored& scored, Report& report) {
  struct Sums {
    double weight = 0;
    double predicted = 0;
    double observed = 0;
    std::int64_t rows = 0;
  };
  std::array<Sums, kCalibrationBins> bins;
  for (std::size_t row = 0; row < scored.rows(); ++row) {
    auto& bin = bins[calibration_bin(scored.predictions[row])];
    const double weight = measurer.weights()[row];
    bin.weight += weight;
    bin.predicted += weight * scored.predictions[row];
    bin.observed += weight * scored.labels[row];
    bin.rows += 1;
  }
  for (std::size_t i = 0; i < bins.size(); ++i) {
    if (bins[i].rows == 0) continue;
    const auto width = static_cast<double>(kCalibrationBins);
    report.calibration.push_back(
        {static_cast<double>(i) / width, static_cast<double>(i + 1) / width,
         bins[i].predicted / bins[i].weight, bins[i].observed / bins[i].weight, bins[i].rows});
  }
}

void add_confusion(Task task, const Scored& scored, Report& report) {
  constexpr std::size_t kClassesMax = 50;
  const std::size_t classes = task == Task::kBinary ? 2 : scored.outputs;
  if (task == Task::kRegression || classes > kClassesMax) return;
  report.confusion.assign(classes, std::vector<std::int64_t>(classes));
  for (std::size_t row = 0; row < scored.rows(); ++row) {
    const auto label = static_cast<std::size_t>(scored.labels[row]);
    ++report.confusion[label][predicted_class(task, scored, row)];
  }
}

Result<void> add_slices(Task task, const std::vector<std::string>& metrics, const Scored& scored,
                        const data::Column& column, const EvaluateOptions& options,
                        Report& report) {
  // Slices are many and small; their intervals are for orientation.
  constexpr int kResamplesMax = 300;
  for (const auto& slice : slices_of(column, options.slices_max)) {
    const auto part = take(scored, slice.rows);
    TRY(const auto measurer, Measurer::make(task, metrics, part.view()));
    auto bootstrap = options.bootstrap;
    bootstrap.resamples = std::min(resamples_for(bootstrap, slice.rows.size()), kResamplesMax);
    report.slices.push_back({column.name, slice.value, static_cast<std::int64_t>(slice.rows.size()),
                             with_intervals(measurer, metrics, bootstrap)});
  }
  return {};
}

Result<const data::Column*> slice_column(const data::Batch& columns, const std::string& name,
                                         std::size_t rows) {
  const auto* column = columns.find(name);
  if (column == nullptr) {
    return invalid_argument("slice column " + quoted(name) + " is not in the evaluated rows");
  }
  if (column->rows() != rows) {
    return invalid_argument("slice column " + quoted(name) + " has another number of rows");
  }
  return column;
}

}  // namespace

std::optional<double> Report::value(std::string_view metric) const {
  for (const auto& measured : metrics) {
    if (measured.metric == metric) return measured.value;
  }
  return std::nullopt;
}

Result<Report> evaluate(Task task, const Scored& scored, const data::Batch& columns,
                        const EvaluateOptions& options) {
  const auto metrics = options.metrics.empty() ? all_metrics(task) : options.metrics;
  TRY(const auto measurer, Measurer::make(task, metrics, scored));
  Report report;
  report.task = std::string(train::task_name(task));
  report.rows = static_cast<std::int64_t>(scored.rows());
  report.confidence = options.bootstrap.confidence;
  report.metrics = with_intervals(measurer, metrics, options.bootstrap);
  for (const auto& name : options.slice_columns) {
    TRY(const auto* column, slice_column(columns, name, scored.rows()));
    TRY(add_slices(task, metrics, scored, *column, options, report));
  }
  add_confusion(task, scored, report);
  if (task != Task::kBinary || scored.rows() == 0) return report;
  double positives = 0;
  for (const double label : scored.labels) positives += label;
  report.positive_share = positives / static_cast<double>(scored.rows());
  add_curves(measurer, scored, report);
  add_calibration(measurer, scored, report);
  return report;
}

Result<std::vector<MetricValue>> measure_with_intervals(Task task,
                                                        const std::vector<std::string>& metrics,
                                                        const Scored& scored,
                                                        const Bootstrap& bootstrap) {
  const auto names = metrics.empty() ? all_metrics(task) : metrics;
  TRY(const auto measurer, Measurer::make(task, names, scored));
  return with_intervals(measurer, names, bootstrap);
}

Result<std::vector<double>> paired_differences(Task task, std::string_view metric, const Scored& a,
                                               const Scored& b, const Bootstrap& bootstrap) {
  if (!std::equal(a.labels.begin(), a.labels.end(), b.labels.begin(), b.labels.end())) {
    return invalid_argument("both models must be measured on the same rows");
  }
  const std::vector<std::string> name = {std::string(metric)};
  TRY(const auto of_a, Measurer::make(task, name, a));
  TRY(const auto of_b, Measurer::make(task, name, b));
  const auto values = bootstrap_values({&of_a, &of_b}, bootstrap);
  std::vector<double> differences;
  for (std::size_t i = 0; i < values.size(); i += 2) {
    const double difference = values[i] - values[i + 1];
    if (!std::isnan(difference)) differences.push_back(difference);
  }
  std::sort(differences.begin(), differences.end());
  return differences;
}

std::string write_report(const Report& report) { return json::write(report); }

Result<Report> read_report(std::string_view json) { return json::read<Report>(json); }

}  // namespace ciclo::evaluate
