// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "data/engine.h"
#include "data/schema.h"
#include "data/statistics.h"

// Whether a table keeps to a schema, as findings that a person can act on.

namespace ciclo::data {

enum class Severity { kInfo, kWarning, kError };
// Names by value from 0, for JSON.
std::span<const std::string_view> enum_names(Severity);

struct Finding {
  std::string column;  // empty: about the table
  // column_missing, column_new, type_changed, nulls, unexpected_values, below_min, above_max,
  // infinite, not_unique, text_too_long, too_few_rows
  std::string kind;
  Severity severity = Severity::kError;
  std::string message;                    // one sentence with column, numbers and what is allowed
  std::int64_t count = 0;                 // rows concerned
  double percent = 0;                     // of the rows
  std::vector<std::string> examples;      // at most 5 offending values, most frequent first
  std::optional<std::int64_t> first_row;  // from 1, of the first offending row

  template <class V>
  void fields(V& v) {
    v("column", column);
    v("kind", kind);
    v("severity", severity);
    v("message", message);
    v("count", count);
    v("percent", percent);
    v.or_default("examples", examples);
    v("first_row", first_row);
  }
};

struct Validation {
  std::int64_t rows = 0;
  std::vector<Finding> findings;  // errors first, then in the order of the schema

  // No finding of severity error.
  bool passed() const;

  template <class V>
  void fields(V& v) {
    v("rows", rows);
    v("findings", findings);
  }
};

// Decides from the statistics of the table, and reads again only the columns that break a rule (or
// whose statistics are not exact enough to tell), to count and to find examples and the first row.
// The statistics must be of this table.
Result<Validation> validate(const Engine& engine, const Context& context, const Table& table,
                            const Statistics& statistics, const Schema& schema);

// One line a finding, for terminals.
std::string to_text(const Validation& validation);
std::string to_json(const Validation& validation);

}  // namespace ciclo::data
