// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "data/batch.h"
#include "data/engine.h"

// What the values of a table look like, column by column: the basis of schema inference and
// validation, the reference for drift, and what the UI shows. One implementation
// (StatisticsBuilder) serves tables on disk and rows in memory, so that training data and live
// windows are measured alike.

namespace ciclo::data {

// The shares at which quantiles are taken: 0, 0.01, 0.05, 0.1, 0.2, … 0.9, 0.95, 0.99, 1.
inline constexpr std::array<double, 15> kQuantileLevels = {
    0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1};

struct ValueCount {
  std::string value;  // numbers as the shortest text that reads back, true, false, times in UTC
  std::int64_t count = 0;

  template <class V>
  void fields(V& v) {
    v("value", value);
    v("count", count);
  }
};

struct ColumnStatistics {
  std::string name;
  ColumnType type = ColumnType::kNumber;
  std::int64_t rows = 0;
  std::int64_t nulls = 0;     // NaN counts as null
  std::int64_t infinite = 0;  // of numbers; left out of all that follows but `distinct`

  // Different values. Up to kDistinctExact of them everything here is exact. Beyond, `exact` is
  // false: distinct is an estimate (HyperLogLog, standard error 0.8 %), quantiles and counts of the
  // histogram come from a sketch whose ranks have a standard error of 0.05 % of the rows, and top
  // counts are lower bounds, short by at most 2 * rows / kDistinctExact. min, max, mean, std and
  // lengths are always exact.
  std::int64_t distinct = 0;
  bool exact = true;

  // Of numbers, booleans (0, 1) and timestamps (ms since the epoch); unset without a finite value.
  std::optional<double> min;
  std::optional<double> max;
  std::optional<double> mean;
  std::optional<double> std;  // of a sample (n - 1); unset below two values
  std::int64_t zeros = 0;
  bool integral = false;  // every finite value is a whole number

  // The value at kQuantileLevels: of n sorted values the one at index floor(q * (n - 1)) from 0,
  // which is a value of the column (DuckDB's quantile_disc takes ceil(q * n) - 1; NumPy's method
  // "lower" this one).
  std::vector<double> quantiles;
  // Deciles as a histogram: counts[i] values v with edges[i] <= v < edges[i + 1], the last bin with
  // its upper edge. Edges are the different ones among the quantiles at 0, 0.1, … 1; a constant has
  // one bin with equal edges.
  std::vector<double> edges;
  std::vector<std::int64_t> counts;

  // The most frequent values, by count, then by value; at most kTopValues. All values when distinct
  // <= kTopValues. Empty for a column that is nearly unique.
  std::vector<ValueCount> top;

  // Of text, in bytes.
  std::optional<std::int64_t> length_min;
  std::optional<std::int64_t> length_max;
  std::optional<double> length_mean;
  std::int64_t empty_texts = 0;

  std::int64_t present() const { return rows - nulls; }
  double null_share() const {
    return rows == 0 ? 0 : static_cast<double>(nulls) / static_cast<double>(rows);
  }
  // Whether `top` holds every value of the column.
  bool top_is_complete() const {
    return exact && distinct == static_cast<std::int64_t>(top.size());
  }

  template <class V>
  void fields(V& v) {
    v("name", name);
    v("type", type);
    v("rows", rows);
    v("nulls", nulls);
    v.or_default("infinite", infinite);
    v("distinct", distinct);
    v.or_default("exact", exact);
    v("min", min);
    v("max", max);
    v("mean", mean);
    v("std", std);
    v.or_default("zeros", zeros);
    v.or_default("integral", integral);
    v.or_default("quantiles", quantiles);
    v.or_default("edges", edges);
    v.or_default("counts", counts);
    v.or_default("top", top);
    v("length_min", length_min);
    v("length_max", length_max);
    v("length_mean", length_mean);
    v.or_default("empty_texts", empty_texts);
  }
};

inline constexpr std::int64_t kDistinctExact = 16'384;
inline constexpr std::size_t kTopValues = 100;

struct Statistics {
  std::int64_t rows = 0;
  std::vector<ColumnStatistics> columns;

  const ColumnStatistics* find(std::string_view name) const;

  template <class V>
  void fields(V& v) {
    v("rows", rows);
    v("columns", columns);
  }
};

// Statistics of rows that come piece by piece. Not safe to share between threads. Holds at most
// kDistinctExact values of a column and sketches of about 0.5 MiB.
class StatisticsBuilder {
 public:
  StatisticsBuilder();
  ~StatisticsBuilder();
  StatisticsBuilder(StatisticsBuilder&&) noexcept;
  StatisticsBuilder& operator=(StatisticsBuilder&&) noexcept;

  // The first batch decides the columns; a later one must have the same (a bug otherwise).
  void add(const Batch& batch);
  Statistics build() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Reads the table once. Columns are spread over the engine's threads; the result does not depend on
// their number. All columns when `columns` is empty; invalid_argument for a name that is not there.
Result<Statistics> compute_statistics(const Engine& engine, const Context& context,
                                      const Table& table,
                                      const std::vector<std::string>& columns = {});

// The JSON that a version stores and the UI reads.
std::string to_json(const Statistics& statistics);
Result<Statistics> statistics_from_json(std::string_view text);

}  // namespace ciclo::data
