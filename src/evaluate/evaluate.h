// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "data/batch.h"
#include "evaluate/metrics.h"

// The report on a model: metrics with bootstrap intervals, the same for slices of the rows, and the
// points of its curves. A plain struct that becomes JSON through its fields.

namespace ciclo::evaluate {

struct Bootstrap {
  int resamples = 0;  // 0: 1,000, fewer (down to 200) above 20,000 rows
  double confidence = 0.95;
  std::uint64_t seed = 0;
  int threads = 0;  // 0: all cores; does not change the result
};

struct MetricValue {
  std::string metric;
  std::optional<double> value;  // missing where undefined
  std::optional<double> low;    // percentile interval (Efron 1979); missing where undefined in more
  std::optional<double> high;   // than a tenth of the resamples

  template <class V>
  void fields(V& v) {
    v("metric", metric);
    v("value", value);
    v("low", low);
    v("high", high);
  }
};

struct SliceReport {
  std::string column;
  std::string value;  // category, "(null)", "(other)", or a range of numbers: "[100, 250)"
  std::int64_t rows = 0;
  std::vector<MetricValue> metrics;

  template <class V>
  void fields(V& v) {
    v("column", column);
    v("value", value);
    v("rows", rows);
    v("metrics", metrics);
  }
};

// x, y: false positive rate, true positive rate (ROC); recall, precision (PR).
struct CurvePoint {
  double x = 0;
  double y = 0;
  double threshold = 0;

  template <class V>
  void fields(V& v) {
    v("x", x);
    v("y", y);
    v("threshold", threshold);
  }
};

struct CalibrationBin {
  double low = 0;
  double high = 0;
  double predicted = 0;  // mean prediction
  double observed = 0;   // share of positives
  std::int64_t rows = 0;

  template <class V>
  void fields(V& v) {
    v("low", low);
    v("high", high);
    v("predicted", predicted);
    v("observed", observed);
    v("rows", rows);
  }
};

struct Report {
  std::string task;
  std::int64_t rows = 0;
  std::optional<double> positive_share;  // binary only
  double confidence = 0.95;
  std::vector<MetricValue> metrics;
  std::vector<SliceReport> slices;
  std::vector<CurvePoint> roc;  // binary only, at most 200 points
  std::vector<CurvePoint> pr;
  std::vector<CalibrationBin> calibration;           // binary only; empty bins are left out
  std::vector<std::vector<std::int64_t>> confusion;  // [label][prediction]; empty for regression

  template <class V>
  void fields(V& v) {
    v("task", task);
    v("rows", rows);
    v("positive_share", positive_share);
    v("confidence", confidence);
    v("metrics", metrics);
    v.or_default("slices", slices);
    v.or_default("roc", roc);
    v.or_default("pr", pr);
    v.or_default("calibration", calibration);
    v.or_default("confusion", confusion);
  }

  // The value of a metric over all rows; nullopt when it is undefined or not there.
  std::optional<double> value(std::string_view metric) const;
};

struct EvaluateOptions {
  Bootstrap bootstrap;
  std::vector<std::string> metrics;        // empty: all of the task
  std::vector<std::string> slice_columns;  // of `columns`
  int slices_max = 20;                     // a column; the rarest categories share "(other)"
};

// `columns` holds the raw columns of the same rows; it may be empty when nothing is sliced.
// invalid_argument as measure(), and for a slice column that is not there.
Result<Report> evaluate(Task task, const Scored& scored, const data::Batch& columns,
                        const EvaluateOptions& options = {});

// The metrics alone, with intervals: what monitoring computes for a window of labelled rows.
Result<std::vector<MetricValue>> measure_with_intervals(Task task,
                                                        const std::vector<std::string>& metrics,
                                                        const Scored& scored,
                                                        const Bootstrap& bootstrap);

// For each resample of the rows, the same for both models: metric of `a` minus metric of `b`,
// sorted; resamples where either is undefined are left out. invalid_argument when the labels
// differ.
Result<std::vector<double>> paired_differences(Task task, std::string_view metric, const Scored& a,
                                               const Scored& b, const Bootstrap& bootstrap);

std::string write_report(const Report& report);
Result<Report> read_report(std::string_view json);

}  // namespace ciclo::evaluate
