// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "data/batch.h"
#include "data/statistics.h"

// What a table is expected to look like, inferred from one state of it by the rules of TensorFlow
// Data Validation and then edited by people: per column type, presence, domain, range, uniqueness.

namespace ciclo::data {

struct ColumnSchema {
  std::string name;
  ColumnType type = ColumnType::kNumber;
  bool required = true;    // the column must be in the table
  double present_min = 1;  // the share of rows with a value, [0, 1]
  std::vector<std::string>
      domain;                   // the only values allowed (of text, integers, booleans); empty: any
  double domain_share_min = 1;  // the share of values that must be in the domain, [0, 1]
  std::optional<double> min;    // inclusive; of timestamps in ms since the epoch
  std::optional<double> max;    // inclusive
  bool unique = false;          // no value occurs twice
  std::optional<std::int64_t> length_max;  // of text, in bytes

  template <class V>
  void fields(V& v) {
    v("name", name);
    v("type", type);
    v.or_default("required", required);
    v.or_default("present_min", present_min);
    v.or_default("domain", domain);
    v.or_default("domain_share_min", domain_share_min);
    v("min", min);
    v("max", max);
    v.or_default("unique", unique);
    v("length_max", length_max);
  }
};

struct Schema {
  std::vector<ColumnSchema> columns;
  bool closed = false;  // a column that is not named here is a finding of severity error
  std::int64_t rows_min = 1;

  const ColumnSchema* find(std::string_view name) const;

  template <class V>
  void fields(V& v) {
    v("columns", columns);
    v.or_default("closed", closed);
    v.or_default("rows_min", rows_min);
  }
};

struct InferenceOptions {
  std::int64_t domain_values_max = 50;  // a text column with at most so many values gets a domain …
  std::int64_t rows_per_domain_value = 5;  // … when it has on average so many rows for each
  double range_slack = 0.1;     // widens numeric ranges by this share of max - min on each side
  double present_slack = 0.05;  // present_min = observed share - slack when there are nulls
  bool ranges = true;
};

// Text: a closed domain when there are few values, else length_max of four times the longest.
// Numbers: range with slack, of non-negative columns not below zero; booleans: none. Timestamps: no
// range, as time goes on. Unique: at least 100 rows, text or whole numbers, no value twice. A
// column without nulls must stay without; an all-null column is text of presence 0.
Schema infer_schema(const Statistics& statistics, const InferenceOptions& options = {});

// Reads either YAML or JSON. Unknown keys are refused; messages name line and column where known.
// Column names must be unique, shares in [0, 1], min <= max.
Result<Schema> read_schema(std::string_view text);
Result<Schema> schema_from_json(const json::Value& tree);
std::string to_json(const Schema& schema);
// For people: YAML with defaults left out. read_schema gives the same schema back.
std::string to_yaml(const Schema& schema);

}  // namespace ciclo::data
