// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

// Rows in memory, column by column: what flows from the table engine into statistics, transforms,
// learners and metrics, and from a prediction request into the model. Values, no ownership puzzles.

namespace ciclo::data {

enum class ColumnType { kBoolean, kInteger, kNumber, kText, kTimestamp };

// "boolean", "integer", "number", "text", "timestamp".
std::string_view type_name(ColumnType type);
Result<ColumnType> parse_type(std::string_view name);
// Names by value from 0, for JSON (base/json_fields.h).
std::span<const std::string_view> enum_names(ColumnType);

struct Column {
  std::string name;
  ColumnType type = ColumnType::kNumber;
  // For every type but text: one number a row; NaN is null. Booleans are 0 and 1, timestamps are
  // milliseconds since the epoch, UTC. Integers beyond 2^53 lose their last bits.
  std::vector<double> numbers;
  // For text: one string a row, and 1 in `valid` where there is a value, 0 where it is null.
  std::vector<std::string> texts;
  std::vector<std::uint8_t> valid;

  std::size_t rows() const { return type == ColumnType::kText ? texts.size() : numbers.size(); }
  bool is_null(std::size_t row) const;
  void append_null();
  void append(double number) { numbers.push_back(number); }
  void append(std::string_view text) {
    texts.emplace_back(text);
    valid.push_back(1);
  }
  // Appends the rows of a column of the same type.
  void append_column(const Column& other);
};

// Columns of equal length.
struct Batch {
  std::vector<Column> columns;

  std::size_t rows() const { return columns.empty() ? 0 : columns.front().rows(); }
  const Column* find(std::string_view name) const;
  Column* find(std::string_view name);
  // Appends the rows of a batch with the same columns in the same order.
  void append_batch(const Batch& other);
};

}  // namespace ciclo::data
