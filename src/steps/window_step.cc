// SPDX-License-Identifier: Apache-2.0
// The step that cuts the training rows into windows: window.

#include <utility>

#include "base/file.h"
#include "base/json_fields.h"
#include "base/text.h"
#include "data/statistics.h"
#include "monitor/package_reference.h"
#include "monitor/rows.h"
#include "monitor/training_windows.h"
#include "steps/data_set.h"
#include "steps/job.h"
#include "train/package.h"

namespace ciclo::steps {
namespace {

struct WindowParameters {
  std::string time;  // column
  std::int64_t window_ms = 0;
  template <class V>
  void fields(V& v) {
    v("time", time);
    v("window_ms", window_ms);
  }
};

std::vector<monitor::ColumnReference> references_of(const data::Statistics* statistics) {
  std::vector<monitor::ColumnReference> columns;
  if (statistics == nullptr) return columns;
  for (const auto& column : statistics->columns) {
    if (auto reference = monitor::column_reference(column)) {
      columns.push_back(std::move(*reference));
    }
  }
  return columns;
}

// A split by time takes numbers too, such as a year. They are no points in time that traffic could
// be cut by.
Result<bool> tells_time(const Job& job, const std::string& column) {
  TRY(const data::Batch none,
      job.engine().query_all(
          job.context(), {data_set_table(job.input("train"), "t")},
          "SELECT " + data::quote_identifier(column) + " AS ciclo_time FROM t LIMIT 0"));
  return none.columns.front().type == data::ColumnType::kTimestamp;
}

// The columns that the model takes, of those rows of a port whose time is known.
struct TimedRows {
  std::vector<std::int64_t> times_ms;
  data::Batch rows;
};

Result<TimedRows> timed_rows(const Job& job, std::string_view port, const std::string& time,
                             const train::Signature& signature) {
  const std::string when = "CAST(" + data::quote_identifier(time) + " AS TIMESTAMP)";
  std::vector<std::string> selected = {"epoch_ms(" + when + ") AS ciclo_time_ms"};
  for (const auto& input : signature.inputs) selected.push_back(data::quote_identifier(input.name));
  TimedRows out;
  TRY(out.rows, job.engine().query_all(
                    job.context(), {data_set_table(job.input(port), "t")},
                    "SELECT " + join(selected, ", ") + " FROM t WHERE isfinite(" + when + ")"));
  for (const double ms : out.rows.columns.front().numbers) {
    out.times_ms.push_back(static_cast<std::int64_t>(ms));
  }
  return out;
}

monitor::TrainingWindows cut(const data::Statistics* statistics, std::int64_t window_ms,
                             const std::vector<std::int64_t>& times_ms, const data::Batch& rows) {
  monitor::TrainingWindowsBuilder builder(references_of(statistics), window_ms);
  builder.add(times_ms, rows);
  return builder.build();
}

data::Batch as_columns(const std::vector<std::string>& names, const train::Predictions& from) {
  data::Batch batch;
  for (std::size_t output = 0; output < names.size(); ++output) {
    data::Column& column = batch.columns.emplace_back();
    column.name = names[output];
    for (std::size_t row = 0; row < from.rows; ++row) column.append(from.at(row, output));
  }
  return batch;
}

// Features of the training rows; predictions of the validation rows, as a model flatters the rows
// that it has learned.
Result<monitor::TrainingWindows> windows_of(const Job& job, const WindowParameters& parameters,
                                            const train::Package& package) {
  const train::Signature& signature = package.signature();
  TRY(const TimedRows training, timed_rows(job, "train", parameters.time, signature));
  monitor::TrainingWindows windows =
      cut(package.statistics(), parameters.window_ms, training.times_ms, training.rows);
  TRY(const TimedRows validation, timed_rows(job, "validation", parameters.time, signature));
  if (validation.times_ms.empty()) return windows;
  TRY(const train::Predictions predictions, package.predict(validation.rows));
  auto of_predictions = cut(package.prediction_statistics(), parameters.window_ms,
                            validation.times_ms, as_columns(signature.outputs, predictions));
  for (auto& column : of_predictions.columns) {
    column.name = std::string(monitor::kPredictionPrefix) + column.name;
    windows.columns.push_back(std::move(column));
  }
  return windows;
}

}  // namespace

Result<void> window(Job& job) {
  TRY(const WindowParameters parameters, json::read_node<WindowParameters>(job.parameters()));
  TRY(const train::Package package, train::Package::load(job.input("model")));
  TRY(const bool is_time, tells_time(job, parameters.time));
  monitor::TrainingWindows windows{.window_ms = parameters.window_ms, .columns = {}};
  if (is_time) {
    TRY(windows, windows_of(job, parameters, package));
  }
  return write_file_durably(job.output("windows") / monitor::kTrainingWindowsFile,
                            json::write(windows));
}

}  // namespace ciclo::steps
