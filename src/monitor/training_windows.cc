// SPDX-License-Identifier: Apache-2.0
#include "monitor/training_windows.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "monitor/rows.h"

namespace ciclo::monitor {
namespace {

constexpr double kWholeShare = 0.8;

void add_cell(ColumnSample& sample, const data::Column* column, std::size_t row) {
  if (column == nullptr || column->is_null(row)) return sample.add_null();
  const bool is_text = column->type == data::ColumnType::kText;
  if (!sample.reference().is_categorical) {
    if (is_text) return sample.add_null();
    return sample.add(column->numbers[row]);
  }
  if (is_text) return sample.add(std::string_view(column->texts[row]));
  if (column->type == data::ColumnType::kBoolean) {
    return sample.add(std::string_view(column->numbers[row] != 0 ? "true" : "false"));
  }
  sample.add(std::string_view(category_of_number(column->numbers[row])));
}

}  // namespace

TrainingWindowsBuilder::TrainingWindowsBuilder(std::vector<ColumnReference> columns,
                                               std::int64_t window_ms)
    : columns_(std::move(columns)), window_ms_(window_ms) {
  CHECK(window_ms > 0);
}

void TrainingWindowsBuilder::add(const std::vector<std::int64_t>& times_ms,
                                 const data::Batch& rows) {
  CHECK(times_ms.size() == rows.rows());
  std::vector<const data::Column*> cells;
  for (const auto& column : columns_) cells.push_back(rows.find(column.name));
  for (std::size_t row = 0; row < times_ms.size(); ++row) {
    const std::int64_t offset = ((times_ms[row] % window_ms_) + window_ms_) % window_ms_;
    Window& window = windows_[times_ms[row] - offset];
    if (window.rows == 0) {
      for (const auto& column : columns_) window.samples.emplace_back(column);
      if (windows_.size() > kWindowsMax) windows_.erase(windows_.begin());
    }
    const auto found = windows_.find(times_ms[row] - offset);
    if (found == windows_.end()) continue;  // older than all that are kept
    ++found->second.rows;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      add_cell(found->second.samples[i], cells[i], row);
    }
  }
}

TrainingWindows TrainingWindowsBuilder::build() const {
  TrainingWindows out{.window_ms = window_ms_, .columns = {}};
  std::vector<std::int64_t> sizes;
  for (const auto& [start, window] : windows_) sizes.push_back(window.rows);
  std::sort(sizes.begin(), sizes.end());
  const double median = sizes.empty() ? 0 : static_cast<double>(sizes[sizes.size() / 2]);
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    auto& column = out.columns.emplace_back();
    column.name = columns_[i].name;
    for (const auto& [start, window] : windows_) {
      if (static_cast<double>(window.rows) < kWholeShare * median) continue;
      column.windows.push_back(window.samples[i].counts());
    }
  }
  return out;
}

}  // namespace ciclo::monitor
