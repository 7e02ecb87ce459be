// SPDX-License-Identifier: Apache-2.0
#include "data/batch.h"

#include <array>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "base/text.h"

namespace ciclo::data {
namespace {

constexpr std::array<std::string_view, 5> kTypeNames = {"boolean", "integer", "number", "text",
                                                        "timestamp"};

}  // namespace

std::span<const std::string_view> enum_names(ColumnType) { return kTypeNames; }

std::string_view type_name(ColumnType type) { return kTypeNames[static_cast<std::size_t>(type)]; }

Result<ColumnType> parse_type(std::string_view name) {
  for (std::size_t i = 0; i < kTypeNames.size(); ++i) {
    if (kTypeNames[i] == name) return static_cast<ColumnType>(i);
  }
  return invalid_argument("unknown column type " + quoted(name) +
                          "; known are boolean, integer, number, text and timestamp");
}

bool Column::is_null(std::size_t row) const {
  return type == ColumnType::kText ? valid[row] == 0 : std::isnan(numbers[row]);
}

void Column::append_null() {
  if (type == ColumnType::kText) {
    texts.emplace_back();
    valid.push_back(0);
  } else {
    numbers.push_back(std::numeric_limits<double>::quiet_NaN());
  }
}

void Column::append_column(const Column& other) {
  CHECK(type == other.type);
  numbers.insert(numbers.end(), other.numbers.begin(), other.numbers.end());
  texts.insert(texts.end(), other.texts.begin(), other.texts.end());
  valid.insert(valid.end(), other.valid.begin(), other.valid.end());
}

const Column* Batch::find(std::string_view name) const {
  for (const auto& column : columns) {
    if (column.name == name) return &column;
  }
  return nullptr;
}

Column* Batch::find(std::string_view name) {
  for (auto& column : columns) {
    if (column.name == name) return &column;
  }
  return nullptr;
}

void Batch::append_batch(const Batch& other) {
  if (columns.empty()) {
    columns = other.columns;
    return;
  }
  CHECK(columns.size() == other.columns.size());
  for (std::size_t i = 0; i < columns.size(); ++i) columns[i].append_column(other.columns[i]);
}

}  // namespace ciclo::data
