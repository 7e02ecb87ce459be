// SPDX-License-Identifier: Apache-2.0
#include "steps/learning_data.h"

#include <algorithm>
#include <utility>

#include "base/json_fields.h"
#include "base/text.h"
#include "features/spec.h"
#include "steps/data_set.h"

namespace ciclo::steps {
namespace {

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The columns to read: features in the table's order, then the target.
Result<std::vector<std::string>> columns_to_read(const Job& job, const data::Table& table,
                                                 const LearningParameters& parameters) {
  TRY(const auto described,
      job.engine().describe(job.context(), {table},
                            "SELECT * FROM " + data::quote_identifier(table.name)));
  std::vector<std::string> present;
  for (const auto& column : described) present.push_back(column.name);
  const auto require = [&](const std::string& name, std::string_view role) -> Result<void> {
    if (contains(present, name)) return {};
    std::string text = "the table has no " + std::string(role) + " column " + quoted(name);
    if (const auto near = nearest(name, present); !near.empty()) {
      text += "; did you mean " + quoted(near) + "?";
    } else {
      text += "; it has: " + join(present, ", ");
    }
    return invalid_argument(text);
  };
  TRY(require(parameters.target, "target"));
  std::vector<std::string> chosen = parameters.columns;
  for (const auto& name : chosen) TRY(require(name, "feature"));
  if (chosen.empty()) {
    for (const auto& name : present) {
      if (name != parameters.target && !contains(parameters.exclude, name)) chosen.push_back(name);
    }
  }
  if (contains(chosen, parameters.target)) {
    return invalid_argument("the target " + quoted(parameters.target) + " cannot be a feature too");
  }
  if (chosen.empty()) return invalid_argument("the table has no column beside the target");
  chosen.push_back(parameters.target);
  return chosen;
}

// The default choice for each column, with the project's own in its place.
Result<features::Spec> choose_spec(const LearningParameters& parameters, const data::Batch& rows) {
  const auto family =
      parameters.learner == "linear" ? features::Family::kLinear : features::Family::kTrees;
  features::Spec spec = features::suggest_spec(rows, family);
  features::Spec own;
  if (parameters.transforms.is_array() && !parameters.transforms.items().empty()) {
    TRY(own, features::parse_spec(parameters.transforms));
  }
  for (const features::ColumnSpec& column : own) {
    const auto place = std::find_if(
        spec.begin(), spec.end(),
        [&](const features::ColumnSpec& other) { return other.column == column.column; });
    if (place != spec.end()) {
      *place = column;
    } else {
      spec.push_back(column);
    }
  }
  if (spec.empty()) {
    return failed_precondition(
        "no column is left to learn from: all are empty, constant, or different in every row");
  }
  return spec;
}

train::Matrix matrix(const std::vector<float>& values, std::size_t rows, std::size_t columns) {
  return {values, rows, columns};
}

}  // namespace

Result<Rows> read_rows(const Job& job, std::string_view port,
                       const LearningParameters& parameters) {
  const data::Table table = data_set_table(job.input(port), "t");
  TRY(const auto columns, columns_to_read(job, table, parameters));
  std::vector<std::string> selected;
  for (const auto& column : columns) selected.push_back(data::quote_identifier(column));
  TRY(data::Batch batch,
      job.engine().query_all(job.context(), {table}, "SELECT " + join(selected, ", ") + " FROM t"));
  Rows rows;
  rows.label = std::move(batch.columns.back());
  batch.columns.pop_back();
  rows.features = std::move(batch);
  return rows;
}

train::Examples LearningData::training() const {
  return {matrix(training_matrix, training_labels.size(), transform.width()), training_labels, {}};
}

std::optional<train::Examples> LearningData::validation() const {
  if (validation_labels.empty()) return std::nullopt;
  return train::Examples{matrix(validation_matrix, validation_labels.size(), transform.width()),
                         validation_labels,
                         {}};
}

Result<LearningData> prepare(const Job& job, const LearningParameters& parameters) {
  TRY(const train::Task task, train::parse_task(parameters.task));
  TRY(Rows training, read_rows(job, "train", parameters));
  TRY(Rows validation, read_rows(job, "validation", parameters));
  // Classes are those of the training rows; a class that only validation has is an error there.
  TRY(train::LabelSpace space,
      train::label_space(
          training.label, task,
          parameters.positive.empty() ? std::nullopt : std::optional(parameters.positive)));
  TRY(std::vector<float> training_labels, train::label_values(training.label, space));
  std::vector<float> validation_labels;
  if (validation.label.rows() > 0) {
    TRY(validation_labels, train::label_values(validation.label, space));
  }
  TRY(const features::Spec spec, choose_spec(parameters, training.features));
  features::Target target;
  target.values = training_labels;
  target.classes = space.classes.size();
  features::FitOptions options;
  options.seed = static_cast<std::uint64_t>(parameters.seed);
  TRY(features::Fitted fitted, features::Transform::fit(spec, training.features, target, options));
  std::vector<float> validation_matrix(validation.features.rows() * fitted.transform.width());
  TRY(fitted.transform.apply(validation.features, validation_matrix));
  return LearningData{std::move(space),           std::move(fitted.transform),
                      std::move(training),        std::move(validation),
                      std::move(fitted.training), std::move(validation_matrix),
                      std::move(training_labels), std::move(validation_labels)};
}

}  // namespace ciclo::steps
