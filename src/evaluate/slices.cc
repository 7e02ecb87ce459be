// SPDX-License-Identifier: Apache-2.0
#include "evaluate/slices.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

namespace ciclo::evaluate {
namespace {

constexpr const char* kNull = "(null)";
constexpr const char* kOther = "(other)";

std::string number_text(const data::Column& column, double number) {
  if (column.type == data::ColumnType::kBoolean) return number != 0 ? "true" : "false";
  constexpr double kExact = 9007199254740992;  // 2^53
  const bool whole = std::trunc(number) == number && std::abs(number) < kExact;
  if (column.type == data::ColumnType::kTimestamp && whole) {
    return format_utc(static_cast<std::int64_t>(number));
  }
  if (whole) return std::to_string(static_cast<std::int64_t>(number));
  return json::dump(json::Value(number));
}

std::string value_text(const data::Column& column, std::size_t row) {
  if (column.is_null(row)) return kNull;
  if (column.type == data::ColumnType::kText) return column.texts[row];
  return number_text(column, column.numbers[row]);
}

bool has_many_numbers(const data::Column& column, std::size_t limit) {
  if (column.type == data::ColumnType::kText) return false;
  std::set<double> distinct;
  for (const double number : column.numbers) {
    if (!std::isnan(number)) distinct.insert(number);
    if (distinct.size() > limit) return true;
  }
  return false;
}

struct Range {
  double low = 0;
  double high = 0;
  bool closed = false;  // high belongs to it

  bool holds(double number) const {
    return number >= low && (closed ? number <= high : number < high);
  }
};

// Of "[100, 250)" or "[100, 250]", as ranges_of() writes numbers.
std::optional<Range> parse_range(std::string_view text) {
  const bool closed = text.ends_with(']');
  if (!text.starts_with('[') || (!closed && !text.ends_with(')'))) return std::nullopt;
  text = text.substr(1, text.size() - 2);
  const auto comma = text.find(", ");
  if (comma == text.npos) return std::nullopt;
  const auto low = parse_double(text.substr(0, comma));
  const auto high = parse_double(text.substr(comma + 2));
  if (!low || !high) return std::nullopt;
  return Range{*low, *high, closed};
}

// Quarters; equal quartiles make fewer.
std::vector<Slice> ranges_of(const data::Column& column) {
  std::vector<double> sorted;
  for (const double number : column.numbers) {
    if (!std::isnan(number)) sorted.push_back(number);
  }
  std::sort(sorted.begin(), sorted.end());
  std::vector<double> edges;
  for (std::size_t quarter = 0; quarter < 4; ++quarter) {
    const double edge = sorted[sorted.size() * quarter / 4];
    if (edges.empty() || edge > edges.back()) edges.push_back(edge);
  }
  std::vector<Slice> slices;
  for (std::size_t i = 0; i < edges.size(); ++i) {
    const bool last = i + 1 == edges.size();
    slices.push_back({"[" + number_text(column, edges[i]) + ", " +
                          number_text(column, last ? sorted.back() : edges[i + 1]) +
                          (last ? "]" : ")"),
                      {}});
  }
  Slice nulls{kNull, {}};
  for (std::size_t row = 0; row < column.rows(); ++row) {
    const double number = column.numbers[row];
    if (std::isnan(number)) {
      nulls.rows.push_back(row);
      continue;
    }
    const auto edge = std::upper_bound(edges.begin(), edges.end(), number) - edges.begin() - 1;
    slices[static_cast<std::size_t>(edge)].rows.push_back(row);
  }
  if (!nulls.rows.empty()) slices.push_back(std::move(nulls));
  return slices;
}

}  // namespace

std::vector<Slice> slices_of(const data::Column& column, int slices_max) {
  const auto limit = static_cast<std::size_t>(std::max(slices_max, 1));
  if (has_many_numbers(column, limit)) return ranges_of(column);
  std::map<std::string, std::vector<std::size_t>> by_value;
  for (std::size_t row = 0; row < column.rows(); ++row) {
    by_value[value_text(column, row)].push_back(row);
  }
  std::vector<Slice> slices;
  for (auto& [value, rows] : by_value) slices.push_back({value, std::move(rows)});
  std::stable_sort(slices.begin(), slices.end(),
                   [](const Slice& a, const Slice& b) { return a.rows.size() > b.rows.size(); });
  if (slices.size() <= limit) return slices;
  Slice other{kOther, {}};
  for (std::size_t i = limit; i < slices.size(); ++i) {
    other.rows.insert(other.rows.end(), slices[i].rows.begin(), slices[i].rows.end());
  }
  std::sort(other.rows.begin(), other.rows.end());
  slices.resize(limit);
  slices.push_back(std::move(other));
  return slices;
}

Slice slice_with(const data::Column& column, const std::string& value, int slices_max) {
  for (auto& slice : slices_of(column, slices_max)) {
    if (slice.value == value) return std::move(slice);
  }
  Slice slice{value, {}};
  const auto range = column.type == data::ColumnType::kText ? std::nullopt : parse_range(value);
  for (std::size_t row = 0; row < column.rows(); ++row) {
    const bool in_range = range && range->holds(column.numbers[row]);
    if (in_range || value_text(column, row) == value) slice.rows.push_back(row);
  }
  return slice;
}

OwnedScored take(const Scored& scored, const std::vector<std::size_t>& rows) {
  OwnedScored taken;
  taken.outputs = scored.outputs;
  for (const auto row : rows) {
    taken.labels.push_back(scored.labels[row]);
    for (std::size_t i = 0; i < scored.outputs; ++i) {
      taken.predictions.push_back(scored.predictions[row * scored.outputs + i]);
    }
    if (!scored.weights.empty()) taken.weights.push_back(scored.weights[row]);
  }
  return taken;
}

}  // namespace ciclo::evaluate
