// SPDX-License-Identifier: Apache-2.0
#include "steps/reference_windows.h"

#include <utility>

#include "base/json_fields.h"
#include "base/text.h"
#include "monitor/package_reference.h"
#include "monitor/rows.h"
#include "monitor/training_windows.h"
#include "steps/data_set.h"

namespace ciclo::steps {
namespace {

std::vector<monitor::ColumnReference> references_of(const data::Statistics& statistics) {
  std::vector<monitor::ColumnReference> columns;
  for (const auto& column : statistics.columns) {
    if (auto reference = monitor::column_reference(column))
      columns.push_back(std::move(*reference));
  }
  return columns;
}

// The named columns of a port's rows with their times, in the order of the file.
struct TimedRows {
  std::vector<std::int64_t> times_ms;
  data::Batch rows;
};

Result<TimedRows> timed_rows(const Job& job, std::string_view port, const std::string& time,
                             const std::vector<monitor::ColumnReference>& columns) {
  std::vector<std::string> selected = {"epoch_ms(CAST(" + data::quote_identifier(time) +
                                       " AS TIMESTAMP)) AS ciclo_time_ms"};
  for (const auto& column : columns) selected.push_back(data::quote_identifier(column.name));
  TimedRows out;
  TRY(out.rows, job.engine().query_all(job.context(), {data_set_table(job.input(port), "t")},
                                       "SELECT " + join(selected, ", ") + " FROM t"));
  for (const double ms : out.rows.columns.front().numbers) {
    out.times_ms.push_back(static_cast<std::int64_t>(ms));
  }
  return out;
}

}  // namespace

Result<json::Value> reference_windows(const Job& job, const data::Statistics& features,
                                      const data::Statistics* prediction_statistics,
                                      const std::vector<std::string>& outputs,
                                      const std::vector<double>& predictions) {
  const std::string time = job.parameters().string_or("time", "");
  const std::int64_t window_ms = job.parameters().integer_or("window_ms", 0);
  if (time.empty() || window_ms <= 0) return json::Value();

  const auto columns = references_of(features);
  TRY(const TimedRows training, timed_rows(job, "train", time, columns));
  monitor::TrainingWindowsBuilder of_features(columns, window_ms);
  of_features.add(training.times_ms, training.rows);
  monitor::TrainingWindows windows = of_features.build();

  if (prediction_statistics != nullptr && !predictions.empty()) {
    TRY(const TimedRows validation, timed_rows(job, "validation", time, {}));
    data::Batch rows;
    for (std::size_t output = 0; output < outputs.size(); ++output) {
      data::Column& column = rows.columns.emplace_back();
      column.name = outputs[output];
      for (std::size_t i = output; i < predictions.size(); i += outputs.size()) {
        column.append(predictions[i]);
      }
    }
    monitor::TrainingWindowsBuilder of_predictions(references_of(*prediction_statistics),
                                                   window_ms);
    of_predictions.add(validation.times_ms, rows);
    for (auto& column : of_predictions.build().columns) {
      column.name = std::string(monitor::kPredictionPrefix) + column.name;
      windows.columns.push_back(std::move(column));
    }
  }
  return json::to_value(windows);
}

}  // namespace ciclo::steps
