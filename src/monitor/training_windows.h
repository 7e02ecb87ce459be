// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "data/batch.h"
#include "monitor/drift.h"

// The rows that a model was trained on, cut into windows as the monitor cuts traffic: what tells
// how much one window differs from another when nothing has drifted. Made after the training as an
// artifact of its own, since their length is the monitor's and no part of the model; found by the
// tag that the deployed version bears, and read by the monitor.

namespace ciclo::monitor {

inline constexpr const char* kTrainingWindowsFile = "windows.json";  // of the artifact
// Of a model version: the id of the artifact.
inline constexpr const char* kTrainingWindowsTag = "ciclo.windows_artifact_id";

struct TrainingWindows {
  struct Column {
    std::string name;
    std::vector<WindowCounts> windows;
    template <class V>
    void fields(V& v) {
      v("name", name);
      v("windows", windows);
    }
  };
  std::int64_t window_ms = 0;
  std::vector<Column> columns;
  template <class V>
  void fields(V& v) {
    v("window_ms", window_ms);
    v("columns", columns);
  }
};

// Gathers rows of any order in memory that grows with windows × columns only. Not safe to share
// between threads.
class TrainingWindowsBuilder {
 public:
  // Of several thousand short windows the newest are kept.
  static constexpr std::size_t kWindowsMax = 128;

  TrainingWindowsBuilder(std::vector<ColumnReference> columns, std::int64_t window_ms);

  // `times_ms` holds the event time of each row; a column that the batch lacks is null there.
  void add(const std::vector<std::int64_t>& times_ms, const data::Batch& rows);

  // Windows that hold much less than others (below 80 % of the median) are left out: they were cut
  // by the table's edge or by a split, and a part of a week is no week.
  TrainingWindows build() const;

 private:
  struct Window {
    std::int64_t rows = 0;
    std::vector<ColumnSample> samples;  // one a column
  };

  const std::vector<ColumnReference> columns_;
  const std::int64_t window_ms_;
  std::map<std::int64_t, Window> windows_;  // by start
};

}  // namespace ciclo::monitor
