// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
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

// Output columns in a Reference carry this prefix, so that they do not meet an input of the same
// name.
inline constexpr std::string_view kPredictionPrefix = "prediction:";

// A captured value as a category of a ColumnReference: texts as they are, numbers as the shortest
// text that reads back, booleans as true and false.
std::string category_of(json::View value);

// A label as evaluate takes it: 0 or 1, a class number, or the value; nullopt when it is none of
// the version's classes.
std::optional<double> label_number(const Reference& reference, json::View label);

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

// Joins by inference id. Only rows of `version`, unless it is empty. A row captured twice counts
// once; of several labels of one inference the newest counts.
Result<Scores> read_scores(const std::filesystem::path& root, const std::string& endpoint,
                           std::string_view version, const Range& range,
                           const Reference& reference);

}  // namespace ciclo::monitor
