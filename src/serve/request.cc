// SPDX-License-Identifier: Apache-2.0
#include "serve/request.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "base/text.h"
#include "base/utc.h"

namespace ciclo::serve {
namespace {

Error refuse(const data::Column& column, std::string_view takes, std::string_view got) {
  return invalid_argument("column " + quoted(column.name) + ": takes " + std::string(takes) +
                          ", got " + std::string(got));
}

std::optional<double> bare_number(std::string_view text) {
  if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (text == "Infinity") return std::numeric_limits<double>::infinity();
  if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
  return std::nullopt;
}

Result<void> append_number(data::Column& column, double number) {
  switch (column.type) {
    case data::ColumnType::kBoolean:
      if (number != 0 && number != 1 && !std::isnan(number)) {
        return refuse(column, "true or false", "the number " + std::to_string(number));
      }
      break;
    case data::ColumnType::kInteger:
    case data::ColumnType::kTimestamp:
      if (!std::isnan(number) && (std::trunc(number) != number || std::abs(number) > 9.3e18)) {
        return refuse(column, "whole numbers", std::to_string(number));
      }
      break;
    case data::ColumnType::kNumber: break;
    case data::ColumnType::kText: return refuse(column, "texts", "a number");
  }
  column.append(number);
  return {};
}

Result<std::vector<std::string>> read_texts(json::View list, std::string_view name) {
  std::vector<std::string> out;
  bool is_good = list.is_array();
  if (is_good) {
    list.each_item([&](json::View item) {
      is_good = item.is_string();
      if (is_good) out.emplace_back(item.string());
      return is_good;
    });
  }
  if (is_good) return out;
  return invalid_argument(std::string(name) + ": must be a list of texts");
}

Result<std::vector<std::int64_t>> read_integers(json::View list, std::string_view name) {
  std::vector<std::int64_t> out;
  bool is_good = list.is_array();
  if (is_good) {
    list.each_item([&](json::View item) {
      is_good = item.is_int();
      if (is_good) out.push_back(item.integer());
      return is_good;
    });
  }
  if (is_good) return out;
  return invalid_argument(std::string(name) + ": must be a list of integers");
}

bool is_given(json::View value) { return value.has_value() && !value.is_null(); }

}  // namespace

data::Batch empty_rows(const Signature& signature) {
  data::Batch rows;
  rows.columns.reserve(signature.inputs.size());
  for (const auto& input : signature.inputs) {
    data::Column column;
    column.name = input.name;
    column.type = input.type;
    rows.columns.push_back(std::move(column));
  }
  return rows;
}

Result<void> append_cell(data::Column& column, json::View value) {
  switch (value.kind()) {
    case json::Kind::kNull: column.append_null(); return {};
    case json::Kind::kBool:
      if (column.type == data::ColumnType::kText) return refuse(column, "texts", "a boolean");
      if (column.type == data::ColumnType::kTimestamp) {
        return refuse(column, "timestamps", "a boolean");
      }
      column.append(value.boolean() ? 1.0 : 0.0);
      return {};
    case json::Kind::kInt:
    case json::Kind::kDouble: return append_number(column, value.number());
    case json::Kind::kString: {
      const std::string_view text = value.string();
      if (column.type == data::ColumnType::kText) {
        column.append(text);
        return {};
      }
      if (column.type == data::ColumnType::kTimestamp) {
        const auto time_ms = parse_utc(text);
        if (!time_ms) {
          return refuse(column, "timestamps such as \"2013-06-01T10:00:00Z\"", quoted(text));
        }
        column.append(static_cast<double>(*time_ms));
        return {};
      }
      if (const auto number = bare_number(text)) return append_number(column, *number);
      return refuse(column, data::type_name(column.type), quoted(text));
    }
    case json::Kind::kArray:
    case json::Kind::kObject:
      return refuse(column, data::type_name(column.type), json::kind_name(value.kind()));
  }
  return {};
}

Result<void> append_field(data::Column& column, std::string_view field,
                          std::span<const std::string> null_texts) {
  if (std::find(null_texts.begin(), null_texts.end(), field) != null_texts.end()) {
    column.append_null();
    return {};
  }
  if (column.type == data::ColumnType::kText) {
    column.append(field);
    return {};
  }
  field = trim(field);
  if (field.empty()) {
    column.append_null();
    return {};
  }
  if (column.type == data::ColumnType::kBoolean) {
    const std::string lower = to_lower_ascii(field);
    if (lower == "true" || lower == "false") {
      column.append(lower == "true" ? 1.0 : 0.0);
      return {};
    }
  }
  if (const auto number = parse_double(field)) return append_number(column, *number);
  const std::string lower = to_lower_ascii(field);
  if (lower == "nan" || lower == "null" || lower == "na") {
    column.append_null();
    return {};
  }
  if (column.type == data::ColumnType::kTimestamp) {
    if (const auto time_ms = parse_utc(field)) {
      column.append(static_cast<double>(*time_ms));
      return {};
    }
  }
  return refuse(column, data::type_name(column.type), quoted(field));
}

Result<PredictOptions> read_options(json::View parameters) {
  PredictOptions options;
  if (!is_given(parameters)) return options;
  if (!parameters.is_object()) return invalid_argument("parameters: must be an object");
  if (const auto id = parameters.find("inference_id"); is_given(id)) {
    if (!id.is_string()) return invalid_argument("inference_id: must be a text");
    options.inference_ids.emplace_back(id.string());
  }
  if (const auto ids = parameters.find("inference_ids"); is_given(ids)) {
    if (!options.inference_ids.empty()) {
      return invalid_argument("give inference_id or inference_ids, not both");
    }
    TRY(options.inference_ids, read_texts(ids, "inference_ids"));
  }
  if (const auto time = parameters.find("event_time_ms"); is_given(time)) {
    if (!time.is_int()) return invalid_argument("event_time_ms: must be an integer");
    options.event_times_ms.push_back(time.integer());
  }
  if (const auto times = parameters.find("event_times_ms"); is_given(times)) {
    if (!options.event_times_ms.empty()) {
      return invalid_argument("give event_time_ms or event_times_ms, not both");
    }
    TRY(options.event_times_ms, read_integers(times, "event_times_ms"));
  }
  return options;
}

}  // namespace ciclo::serve
