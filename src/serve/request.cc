// SPDX-License-Identifier: Apache-2.0
#include "serve/request.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <string>

#include "base/text.h"

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

// Reads digits from the front of a text.
struct Digits {
  std::string_view rest;
  bool failed = false;

  std::int64_t take(std::size_t count) {
    std::int64_t value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (rest.empty() || rest.front() < '0' || rest.front() > '9') {
        failed = true;
        return 0;
      }
      value = 10 * value + (rest.front() - '0');
      rest.remove_prefix(1);
    }
    return value;
  }
  bool skip(char c) {
    if (rest.empty() || rest.front() != c) return false;
    rest.remove_prefix(1);
    return true;
  }
};

// "Z", "+02:00", "+0200", "+02" → minutes east of UTC; the text must end there.
std::optional<std::int64_t> parse_zone(Digits& in) {
  if (in.rest.empty()) return 0;
  if (in.skip('Z') || in.skip('z'))
    return in.rest.empty() ? std::optional<std::int64_t>(0) : std::nullopt;
  const std::int64_t sign = in.skip('-') ? -1 : in.skip('+') ? 1 : 0;
  if (sign == 0) return std::nullopt;
  const std::int64_t hours = in.take(2);
  in.skip(':');
  const std::int64_t minutes = in.rest.empty() ? 0 : in.take(2);
  if (in.failed || !in.rest.empty() || hours > 23 || minutes > 59) return std::nullopt;
  return sign * (60 * hours + minutes);
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
        const auto time_ms = parse_timestamp(text);
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
    if (const auto time_ms = parse_timestamp(field)) {
      column.append(static_cast<double>(*time_ms));
      return {};
    }
  }
  return refuse(column, data::type_name(column.type), quoted(field));
}

std::optional<std::int64_t> parse_timestamp(std::string_view text) {
  Digits in{text};
  const std::int64_t year = in.take(4);
  if (!in.skip('-')) return std::nullopt;
  const std::int64_t month = in.take(2);
  if (!in.skip('-')) return std::nullopt;
  const std::int64_t day = in.take(2);
  if (in.failed) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(year)),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day)));
  if (!date.ok()) return std::nullopt;
  std::int64_t ms = std::chrono::sys_days(date).time_since_epoch().count() * 86'400'000;
  if (in.rest.empty()) return ms;
  if (!in.skip('T') && !in.skip('t') && !in.skip(' ')) return std::nullopt;
  const std::int64_t hour = in.take(2);
  if (!in.skip(':')) return std::nullopt;
  const std::int64_t minute = in.take(2);
  std::int64_t second = 0;
  std::int64_t fraction_ms = 0;
  if (in.skip(':')) {
    second = in.take(2);
    if (in.skip('.')) {
      std::int64_t scale = 100;
      if (in.rest.empty() || in.rest.front() < '0' || in.rest.front() > '9') return std::nullopt;
      while (!in.rest.empty() && in.rest.front() >= '0' && in.rest.front() <= '9') {
        fraction_ms += scale * (in.rest.front() - '0');
        scale /= 10;
        in.rest.remove_prefix(1);
      }
    }
  }
  if (in.failed || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  const auto zone_minutes = parse_zone(in);
  if (!zone_minutes) return std::nullopt;
  return ms + ((hour * 60 + minute - *zone_minutes) * 60 + second) * 1'000 + fraction_ms;
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
