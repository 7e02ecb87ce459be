// SPDX-License-Identifier: Apache-2.0
// The step that gathers rows for retraining: the training table's own recent rows, and what an
// endpoint has predicted since, with the labels that came later.

#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/json_fields.h"
#include "base/text.h"
#include "serve/capture.h"
#include "steps/data_set.h"
#include "steps/job.h"
#include "train/label.h"

namespace ciclo::steps {
namespace {

struct CollectParameters {
  std::string endpoint;
  std::int64_t from_ms = 0;          // event time, inclusive
  std::int64_t to_ms = 0;            // exclusive
  std::vector<std::string> columns;  // features
  std::string target;
  std::string time;
  // Of the serving model: what a label may be.
  train::Task task = train::Task::kBinary;
  std::vector<std::string> classes;

  train::LabelSpace labels() const { return {task, classes}; }

  template <class V>
  void fields(V& v) {
    v("endpoint", endpoint);
    v("from_ms", from_ms);
    v("to_ms", to_ms);
    v("columns", columns);
    v("target", target);
    v("time", time);
    v("task", task);
    v("classes", classes);
  }
};

struct KnownLabel {
  double number = 0;  // as train::label_number gives it
  std::int64_t time_ms = 0;
};

struct Labels {
  std::unordered_map<std::string, KnownLabel> known;  // by inference id
  std::int64_t passed_over = 0;                       // what the model's labels cannot be
};

// Of several labels of one inference the newest counts. One that does not fit was taken while
// another model served, or while none did; it is passed over, so that it cannot spoil the others.
Result<Labels> known_labels(const std::filesystem::path& root,
                            const CollectParameters& parameters) {
  Labels labels;
  const train::LabelSpace space = parameters.labels();
  const auto on_label = [&](const serve::LabelRow& row) -> Result<void> {
    const auto number = train::label_number(row.label.to_value(), space);
    if (!number.ok()) {
      ++labels.passed_over;
      return {};
    }
    const auto [place, is_new] =
        labels.known.try_emplace(std::string(row.inference_id), KnownLabel{*number, row.time_ms});
    if (!is_new && place->second.time_ms <= row.time_ms) place->second = {*number, row.time_ms};
    return {};
  };
  TRY(serve::read_labels(root, parameters.endpoint, parameters.from_ms, INT64_MAX, on_label));
  return labels;
}

// A captured value as a cell of the column; null when there is none, or it does not fit.
void append_feature(data::Column& column, json::View cell) {
  if (!cell.has_value()) return column.append_null();
  if (column.type == data::ColumnType::kText) {
    if (cell.is_string()) return column.append(cell.string());
    return column.append_null();
  }
  if (cell.is_number()) return column.append(cell.number());
  if (cell.is_bool()) return column.append(cell.boolean() ? 1.0 : 0.0);
  column.append_null();
}

// Features, target and time with the types that they have in the base table.
Result<data::Batch> empty_rows(const Job& job, const data::Table& base,
                               const CollectParameters& parameters) {
  std::vector<std::string> names = parameters.columns;
  names.push_back(parameters.target);
  names.push_back(parameters.time);
  std::vector<std::string> selected;
  for (const auto& name : names) selected.push_back(data::quote_identifier(name));
  TRY(const auto described, job.engine().describe(job.context(), {base},
                                                  "SELECT " + join(selected, ", ") + " FROM base"));
  data::Batch rows;
  for (const auto& column : described) {
    data::Column& made = rows.columns.emplace_back();
    made.name = column.name;
    made.type = column.type;
  }
  return rows;
}

struct Live {
  data::Batch rows;
  std::int64_t captured = 0;
};

Result<Live> labelled_rows(const std::filesystem::path& root, const CollectParameters& parameters,
                           const Labels& labels, data::Batch empty) {
  Live live{std::move(empty), 0};
  const std::size_t features = parameters.columns.size();
  const train::LabelSpace space = parameters.labels();
  std::unordered_set<std::string> seen;
  const auto on_row = [&](const serve::CapturedRow& row) -> Result<void> {
    ++live.captured;
    const auto label = labels.known.find(std::string(row.inference_id));
    if (label == labels.known.end()) return {};
    if (!seen.insert(label->first).second) return {};
    for (std::size_t i = 0; i < features; ++i) {
      append_feature(live.rows.columns[i], row.inputs.find(parameters.columns[i]));
    }
    train::append_label(live.rows.columns[features], label->second.number, space);
    live.rows.columns[features + 1].append(static_cast<double>(row.event_time_ms));
    return {};
  };
  TRY(serve::read_captured(root, parameters.endpoint, parameters.from_ms, parameters.to_ms,
                           on_row));
  return live;
}

std::string select_recent(const CollectParameters& parameters, const std::string& table) {
  std::vector<std::string> selected;
  for (const auto& name : parameters.columns) selected.push_back(data::quote_identifier(name));
  selected.push_back(data::quote_identifier(parameters.target));
  const std::string time = data::quote_identifier(parameters.time);
  selected.push_back("CAST(" + time + " AS TIMESTAMP) AS " + time);
  return "SELECT " + join(selected, ", ") + " FROM " + table + " WHERE epoch_ms(CAST(" + time +
         " AS TIMESTAMP)) >= " + std::to_string(parameters.from_ms) + " AND epoch_ms(CAST(" + time +
         " AS TIMESTAMP)) < " + std::to_string(parameters.to_ms);
}

}  // namespace

Result<void> collect(Job& job) {
  TRY(const CollectParameters parameters, json::read_node<CollectParameters>(job.parameters()));
  const std::filesystem::path root = job.environment().string_or("capture_root", "");
  CHECK(!root.empty());
  const data::Table base = data_set_table(job.input("base"), "base");
  job.progress(0, 3, "reading labels");
  TRY(const Labels labels, known_labels(root, parameters));
  TRY(data::Batch empty, empty_rows(job, base, parameters));
  job.progress(1, 3, "reading predictions of endpoint " + parameters.endpoint);
  TRY(const Live live, labelled_rows(root, parameters, labels, std::move(empty)));

  const auto live_file = (job.work() / "live.parquet").string();
  TRY(const data::ParquetFile written,
      job.engine().write_parquet(job.context(), live.rows, live_file));
  data::Table live_table;
  live_table.name = "live";
  live_table.files = {live_file};
  job.progress(2, 3, std::to_string(written.rows) + " labelled rows");
  TRY(const data::ParquetFile file,
      job.engine().write_parquet(job.context(), {base, live_table},
                                 "SELECT * FROM (" + select_recent(parameters, "base") +
                                     " UNION ALL " + select_recent(parameters, "live") +
                                     ") ORDER BY " + data::quote_identifier(parameters.time),
                                 (job.output("dataset") / kDataFile).string()));
  if (file.rows == 0)
    return failed_precondition("there is no labelled row in the window to retrain on");
  TRY(describe_data_set(job, "dataset", file));
  job.property("dataset", "live_rows", written.rows);
  job.property("dataset", "captured", live.captured);
  job.property("dataset", "labels_passed_over", labels.passed_over);
  return {};
}

}  // namespace ciclo::steps
