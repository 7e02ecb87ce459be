// SPDX-License-Identifier: Apache-2.0
#include "data/schema.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "base/json_fields.h"
#include "base/text.h"
#include "base/yaml.h"

namespace ciclo::data {
namespace {

// Fewer rows say nothing about uniqueness.
constexpr std::int64_t kRowsForUnique = 100;
constexpr std::int64_t kLengthSlack = 4;

void infer_domain(const ColumnStatistics& column, const InferenceOptions& options,
                  ColumnSchema& schema) {
  const bool few = column.top_is_complete() && column.distinct <= options.domain_values_max &&
                   column.present() >= column.distinct * options.rows_per_domain_value;
  if (!few) {
    if (column.length_max)
      schema.length_max = std::max<std::int64_t>(1, *column.length_max * kLengthSlack);
    return;
  }
  for (const auto& value : column.top) schema.domain.push_back(value.value);
  std::sort(schema.domain.begin(), schema.domain.end());
}

void infer_range(const ColumnStatistics& column, const InferenceOptions& options,
                 ColumnSchema& schema) {
  if (!options.ranges || !column.min || column.infinite > 0) return;
  double slack = options.range_slack * (*column.max - *column.min);
  if (column.integral) slack = std::ceil(slack);
  if (!std::isfinite(slack)) return;
  schema.min = *column.min >= 0 ? std::max(0.0, *column.min - slack) : *column.min - slack;
  schema.max = *column.max + slack;
}

bool is_unique(const ColumnStatistics& column) {
  const bool key = column.type == ColumnType::kText || column.type == ColumnType::kInteger;
  return key && column.exact && column.present() >= kRowsForUnique &&
         column.distinct == column.present();
}

ColumnSchema infer_column(const ColumnStatistics& column, const InferenceOptions& options) {
  ColumnSchema schema;
  schema.name = column.name;
  schema.type = column.type;
  // Two digits are enough to state, and a rounded-down share still holds.
  const double share = 1 - column.null_share() - options.present_slack;
  schema.present_min = column.nulls == 0 ? 1 : std::max(0.0, std::floor(share * 100) / 100);
  switch (column.type) {
    case ColumnType::kText: infer_domain(column, options, schema); break;
    case ColumnType::kInteger:
    case ColumnType::kNumber:
      // A range around the values of an id says nothing about the next ones.
      if (!is_unique(column)) infer_range(column, options, schema);
      break;
    case ColumnType::kBoolean:
    case ColumnType::kTimestamp: break;
  }
  schema.unique = is_unique(column);
  return schema;
}

Error column_error(const ColumnSchema& column, std::string_view what) {
  return invalid_argument("schema: column " + quoted(column.name) + ": " + std::string(what));
}

Result<void> check_column(const ColumnSchema& column) {
  const auto share = [](double value) { return value >= 0 && value <= 1; };
  if (column.name.empty()) return invalid_argument("schema: a column has no name");
  if (!share(column.present_min))
    return column_error(column, "present_min must be between 0 and 1");
  if (!share(column.domain_share_min)) {
    return column_error(column, "domain_share_min must be between 0 and 1");
  }
  if (column.min && column.max && *column.min > *column.max) {
    return column_error(column, "min must not be above max");
  }
  if ((column.min || column.max) && column.type == ColumnType::kText) {
    return column_error(column, "min and max are for numbers and timestamps, not for text");
  }
  if (!column.domain.empty() && column.type == ColumnType::kTimestamp) {
    return column_error(column, "a domain is for text, numbers and booleans, not for timestamps");
  }
  if (column.length_max && (*column.length_max < 0 || column.type != ColumnType::kText)) {
    return column_error(column, "length_max is a number of bytes, for text only");
  }
  return {};
}

Result<Schema> checked(Schema schema) {
  std::set<std::string_view> names;
  for (const auto& column : schema.columns) {
    TRY(check_column(column));
    if (!names.insert(column.name).second) {
      return invalid_argument("schema: column " + quoted(column.name) + " is there twice");
    }
  }
  return schema;
}

std::string yaml_text(std::string_view text) { return json::dump(json::Value(text)); }

std::string yaml_number(double value) {
  char buffer[32];
  return std::string(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
}

void put_column(const ColumnSchema& column, std::string& out) {
  out += "  - name: " + yaml_text(column.name) + "\n";
  out += "    type: " + std::string(type_name(column.type)) + "\n";
  if (!column.required) out += "    required: false\n";
  if (column.present_min != 1) out += "    present_min: " + yaml_number(column.present_min) + "\n";
  if (!column.domain.empty()) {
    out += "    domain: [";
    for (std::size_t i = 0; i < column.domain.size(); ++i) {
      out += (i == 0 ? "" : ", ") + yaml_text(column.domain[i]);
    }
    out += "]\n";
  }
  if (column.domain_share_min != 1) {
    out += "    domain_share_min: " + yaml_number(column.domain_share_min) + "\n";
  }
  if (column.min) out += "    min: " + yaml_number(*column.min) + "\n";
  if (column.max) out += "    max: " + yaml_number(*column.max) + "\n";
  if (column.unique) out += "    unique: true\n";
  if (column.length_max) out += "    length_max: " + std::to_string(*column.length_max) + "\n";
}

}  // namespace

const ColumnSchema* Schema::find(std::string_view name) const {
  for (const auto& column : columns) {
    if (column.name == name) return &column;
  }
  return nullptr;
}

Schema infer_schema(const Statistics& statistics, const InferenceOptions& options) {
  Schema schema;
  for (const auto& column : statistics.columns)
    schema.columns.push_back(infer_column(column, options));
  return schema;
}

Result<Schema> read_schema(std::string_view text) {
  TRY(const json::Value tree, yaml::parse(text));
  return schema_from_json(tree);
}

Result<Schema> schema_from_json(const json::Value& tree) {
  auto schema = json::read_node<Schema>(tree, json::Unknown::kRefuse);
  if (!schema.ok()) return schema.error().with_context("schema");
  return checked(*std::move(schema));
}

std::string to_json(const Schema& schema) { return json::write(schema); }

std::string to_yaml(const Schema& schema) {
  std::string out;
  if (schema.closed) out += "closed: true\n";
  if (schema.rows_min != 1) out += "rows_min: " + std::to_string(schema.rows_min) + "\n";
  if (schema.columns.empty()) return out + "columns: []\n";
  out += "columns:\n";
  for (const auto& column : schema.columns) put_column(column, out);
  return out;
}

}  // namespace ciclo::data
