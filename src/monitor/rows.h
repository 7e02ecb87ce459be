// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "monitor/drift.h"
#include "monitor/monitor.h"
#include "serve/capture.h"

// From the lines of the capture to samples of columns, and to predictions with their labels.

namespace ciclo::monitor {

// The columns of one version's rows in one window.
class TrafficSample {
 public:
  // Compares the named columns, or all of the reference when there are no names.
  TrafficSample(std::shared_ptr<const Reference> reference,
                const std::vector<std::string>& columns);

  void add(const serve::CapturedRow& row);
  std::int64_t rows() const { return rows_; }
  std::vector<ColumnDrift> measure() const;

 private:
  struct Part {
    std::string name;        // of the captured value
    bool is_output = false;  // among the outputs, not the inputs
    ColumnSample sample;
  };
  std::shared_ptr<const Reference> reference_;
  std::vector<Part> parts_;
  std::int64_t rows_ = 0;
};

// Which parts of a window which version served. A version that served one half of a week is not to
// be compared with weeks, while one that served each tenth row of all of it may be.
class TrafficParts {
 public:
  using Served = std::pair<std::string, std::string>;  // model, version

  TrafficParts(std::int64_t start_ms, std::int64_t end_ms) : start_ms_(start_ms), end_ms_(end_ms) {}

  void add(const Served& served, std::int64_t event_ms);
  // The share of all rows that fell into parts of the window in which this version served any.
  double covered_share(const Served& served) const;
  std::int64_t first_ms() const { return first_ms_; }  // of the rows; the window's end without any

 private:
  static constexpr std::size_t kParts = 24;
  using Counts = std::array<std::int64_t, kParts>;

  const std::int64_t start_ms_;
  const std::int64_t end_ms_;
  std::int64_t first_ms_ = end_ms_;
  std::map<Served, Counts> by_version_;
};

// Output columns in a Reference carry this prefix, so that they do not meet an input of the same
// name.
inline constexpr std::string_view kPredictionPrefix = "prediction:";

// A captured value as a category of a ColumnReference: texts as they are, numbers as the shortest
// text that reads back, booleans as true and false.
std::string category_of(json::View value);
std::string category_of_number(double number);

// Labelled predictions of an event-time range.
struct Scores {
  std::vector<double> labels;
  std::vector<double> predictions;  // rows × outputs
  std::size_t outputs = 1;
  std::int64_t rows = 0;  // captured, labelled or not
};

struct Range {
  std::int64_t from_ms = 0;
  std::int64_t to_ms = 0;
  std::int64_t labels_until_ms = 0;  // labels that became known before this
};

// Whose rows. Rows captured before models were named count as any model's.
struct ModelFilter {
  std::string_view model;
  std::string_view version;  // empty: all versions of the model
};

// Joins by inference id. A row captured twice counts
// once; of several labels of one inference the newest counts.
Result<Scores> read_scores(const std::filesystem::path& root, const std::string& endpoint,
                           const ModelFilter& filter, const Range& range,
                           const Reference& reference);

}  // namespace ciclo::monitor
