// SPDX-License-Identifier: Apache-2.0
#include "features/transform.h"

#include <cmath>
#include <utility>

#include "base/json_fields.h"
#include "base/text.h"
#include "features/column.h"
#include "features/fit.h"

namespace ciclo::features {
namespace {

// Raised when written transforms of an older program would be read differently.
constexpr int kFormat = 1;

struct Written {
  int format = kFormat;
  std::vector<FittedColumn> columns;

  template <class V>
  void fields(V& v) {
    v("format", format);
    v("columns", columns);
  }
};

// The encoding must fit the type, and the vectors one another, or encode_row would read beyond
// them.
Result<void> check_consistent(const FittedColumn& column) {
  const bool text = column.type == data::ColumnType::kText;
  if ((column.encode == Encoding::kNumeric || column.encode == Encoding::kTimestamp) && text) {
    return data_loss("a text column cannot have this encoding");
  }
  if (column.encode == Encoding::kHashedText && (!text || column.buckets < 1)) {
    return data_loss("hashed_text needs a text column and buckets");
  }
  if (column.encode == Encoding::kTarget || column.encode == Encoding::kFrequency) {
    if (column.unseen.empty() ||
        column.values.size() != column.categories.slots() * column.unseen.size()) {
      return data_loss("values do not fit the categories");
    }
  }
  return {};
}

Result<const data::Column*> find_input(const data::Batch& rows, std::size_t expected_at,
                                       const FittedColumn& wanted) {
  const data::Column* found = nullptr;
  if (expected_at < rows.columns.size() && rows.columns[expected_at].name == wanted.name) {
    found = &rows.columns[expected_at];
  } else {
    found = rows.find(wanted.name);
  }
  if (found == nullptr) return invalid_argument("column " + quoted(wanted.name) + " is missing");
  if ((found->type == data::ColumnType::kText) != (wanted.type == data::ColumnType::kText)) {
    return invalid_argument("column " + quoted(wanted.name) + " must hold " +
                            std::string(data::type_name(wanted.type)) + " values, got " +
                            std::string(data::type_name(found->type)));
  }
  return found;
}

}  // namespace

struct Transform::State {
  std::vector<FittedColumn> columns;
  std::vector<Input> inputs;
  std::vector<std::string> outputs;
  bool identity = true;

  explicit State(std::vector<FittedColumn> fitted) : columns(std::move(fitted)) {
    for (const auto& column : columns) {
      inputs.push_back({column.name, column.type, column.nullable});
      for (auto& name : column.outputs()) outputs.push_back(std::move(name));
      identity = identity && column.is_identity();
    }
  }
};

Result<Fitted> Transform::fit(const Spec& spec, const data::Batch& rows, const Target& target,
                              const FitOptions& options) {
  if (rows.rows() == 0) return invalid_argument("there are no training rows");
  std::vector<FittedColumn> columns;
  std::vector<OutOfFold> out_of_fold(spec.size());
  for (std::size_t i = 0; i < spec.size(); ++i) {
    const auto* column = rows.find(spec[i].column);
    if (column == nullptr) {
      return invalid_argument("column " + quoted(spec[i].column) + " is missing");
    }
    TRY(auto fitted, fit_column(spec[i], *column));
    if (fitted.encode == Encoding::kTarget) {
      TRY(out_of_fold[i], fit_target(spec[i], *column, target, options.seed + i, fitted));
    }
    columns.push_back(std::move(fitted));
  }
  Transform transform(std::make_shared<const State>(std::move(columns)));
  const std::size_t width = transform.width();
  std::vector<float> training(rows.rows() * width);
  TRY(transform.apply(rows, training));
  std::size_t at = 0;
  for (std::size_t i = 0; i < spec.size(); ++i) {
    out_of_fold[i].overwrite(training, width, at);
    at += transform.state_->columns[i].width();
  }
  return Fitted{std::move(transform), std::move(training)};
}

Result<Transform> Transform::read(std::string_view json) {
  auto written = json::read<Written>(json);
  if (!written.ok()) return data_loss("transform: " + written.error().message);
  if (written->format != kFormat) {
    return data_loss("transform: format " + std::to_string(written->format) +
                     " is not known; this program reads " + std::to_string(kFormat));
  }
  for (auto& column : written->columns) {
    column.categories.index();
    const auto consistent = check_consistent(column);
    if (!consistent.ok()) return consistent.error().with_context("transform: " + column.name);
  }
  return Transform(std::make_shared<const State>(std::move(written->columns)));
}

std::string Transform::write() const { return json::write(Written{kFormat, state_->columns}); }

const std::vector<Input>& Transform::inputs() const { return state_->inputs; }
const std::vector<std::string>& Transform::outputs() const { return state_->outputs; }
bool Transform::is_identity() const { return state_->identity; }

Result<void> Transform::apply(const data::Batch& rows, std::span<float> out) const {
  const auto& columns = state_->columns;
  const std::size_t width = state_->outputs.size();
  CHECK(out.size() == rows.rows() * width);
  std::vector<const data::Column*> inputs(columns.size());
  for (std::size_t i = 0; i < columns.size(); ++i) {
    TRY(inputs[i], find_input(rows, i, columns[i]));
  }
  float* to = out.data();
  for (std::size_t row = 0; row < rows.rows(); ++row) {
    for (std::size_t i = 0; i < columns.size(); ++i) {
      columns[i].encode_row(*inputs[i], row, to);
      to += columns[i].width();
    }
  }
  return {};
}

}  // namespace ciclo::features
