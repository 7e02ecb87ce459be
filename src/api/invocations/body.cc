// SPDX-License-Identifier: Apache-2.0
#include "api/invocations/body.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <vector>

#include "api/invocations/csv.h"
#include "base/json.h"
#include "base/text.h"
#include "serve/request.h"

namespace ciclo::api::invocations {
namespace {

// A media type with what its parameters say: "text/csv; charset=utf-8; header=absent".
struct MediaType {
  std::string name;
  std::optional<bool> has_header;
};

Result<MediaType> parse_media_type(std::string_view text) {
  MediaType out;
  for (const std::string_view part : split(text, ';')) {
    const std::string item = to_lower_ascii(trim(part));
    if (out.name.empty()) {
      out.name = item;
      continue;
    }
    const auto equals = item.find('=');
    const std::string key(trim(std::string_view(item).substr(0, equals)));
    std::string value =
        equals == std::string::npos ? "" : std::string(trim(item.substr(equals + 1)));
    std::erase(value, '"');
    if (key.empty() && value.empty()) continue;
    if (key == "charset" && (value == "utf-8" || value == "utf8")) continue;
    if (key == "header" && (value == "present" || value == "absent")) {
      out.has_header = value == "present";
      continue;
    }
    return unimplemented("content type parameter " + quoted(item) +
                         " is not supported; charset must be utf-8");
  }
  if (out.name.empty()) out.name = "application/json";
  return out;
}

// Which column of the model the fields of a row go to; nullptr for those it does not have.
using Targets = std::vector<data::Column*>;

Result<Targets> targets_for(const std::vector<std::string_view>& names, data::Batch& rows) {
  Targets targets;
  std::vector<bool> is_given(rows.columns.size());
  for (const std::string_view name : names) {
    data::Column* const column = rows.find(name);
    if (column != nullptr) {
      const auto index = static_cast<std::size_t>(column - rows.columns.data());
      if (is_given[index]) return invalid_argument("column " + quoted(name) + " is given twice");
      is_given[index] = true;
    }
    targets.push_back(column);
  }
  for (std::size_t i = 0; i < is_given.size(); ++i) {
    if (!is_given[i]) {
      return invalid_argument("the model needs a column " + ciclo::quoted(rows.columns[i].name) +
                              ", which is missing; send nulls where its values are not known");
    }
  }
  return targets;
}

Targets targets_in_order(data::Batch& rows) {
  Targets targets;
  for (auto& column : rows.columns) targets.push_back(&column);
  return targets;
}

Error wrong_width(std::string_view what, std::size_t row, std::size_t found, std::size_t wanted) {
  return invalid_argument(std::string(what) + "[" + std::to_string(row) + "] has " +
                          std::to_string(found) + " values, expected " + std::to_string(wanted));
}

// Calls `on_item(index, view)` until it fails.
template <class F>
Result<void> each(json::View list, F&& on_item) {
  Result<void> result;
  std::size_t index = 0;
  list.each_item([&](json::View item) {
    result = on_item(index++, item);
    return result.ok();
  });
  return result;
}

Result<void> append_list(json::View list, std::string_view what, std::size_t row,
                         const Targets& targets) {
  if (!list.is_array()) {
    return invalid_argument(std::string(what) + "[" + std::to_string(row) +
                            "] must be a list, got " + std::string(json::kind_name(list.kind())));
  }
  if (list.size() != targets.size()) return wrong_width(what, row, list.size(), targets.size());
  return each(list, [&](std::size_t i, json::View value) -> Result<void> {
    if (targets[i] == nullptr) return {};
    return serve::append_cell(*targets[i], value);
  });
}

// A column that the object lacks is missing in this row; a column that no row has is an error,
// found by the caller.
Result<void> append_object(json::View object, std::string_view what, std::size_t row,
                           data::Batch& rows, std::vector<bool>& is_given) {
  if (!object.is_object()) {
    return invalid_argument(std::string(what) + "[" + std::to_string(row) +
                            "] must be an object, got " +
                            std::string(json::kind_name(object.kind())));
  }
  for (std::size_t i = 0; i < rows.columns.size(); ++i) {
    const json::View value = object.find(rows.columns[i].name);
    if (value.has_value()) {
      is_given[i] = true;
      TRY(serve::append_cell(rows.columns[i], value));
    } else {
      rows.columns[i].append_null();
    }
  }
  return {};
}

Result<void> check_given(const std::vector<bool>& is_given, const data::Batch& rows) {
  for (std::size_t i = 0; i < is_given.size(); ++i) {
    if (!is_given[i]) {
      return invalid_argument("the model needs a column " + quoted(rows.columns[i].name) +
                              ", which no row has; send nulls where its values are not known");
    }
  }
  return {};
}

Result<void> read_split(json::View frame, data::Batch& rows) {
  if (!frame.is_object()) return invalid_argument("dataframe_split: must be an object");
  const json::View columns = frame.find("columns");
  const json::View data = frame.find("data");
  if (!data.has_value() || !data.is_array()) {
    return invalid_argument("dataframe_split: needs data, a list of rows");
  }
  Targets targets = targets_in_order(rows);
  if (columns.has_value()) {
    if (!columns.is_array()) return invalid_argument("dataframe_split: columns must be a list");
    std::vector<std::string_view> names;
    const auto on_name = [&](std::size_t, json::View name) -> Result<void> {
      if (!name.is_string()) return invalid_argument("dataframe_split: columns must be texts");
      names.push_back(name.string());
      return {};
    };
    TRY(each(columns, on_name));
    TRY(targets, targets_for(names, rows));
  }
  return each(data, [&](std::size_t row, json::View list) {
    return append_list(list, "dataframe_split.data", row, targets);
  });
}

Result<void> read_records(json::View records, std::string_view what, data::Batch& rows) {
  if (!records.is_array()) return invalid_argument(std::string(what) + ": must be a list");
  std::vector<bool> is_given(rows.columns.size());
  const auto on_record = [&](std::size_t row, json::View record) {
    return append_object(record, what, row, rows, is_given);
  };
  TRY(each(records, on_record));
  return check_given(is_given, rows);
}

// Rows as lists, as objects, or as bare values of a model with one column.
Result<void> read_rows(json::View list, std::string_view what, data::Batch& rows) {
  if (!list.is_array()) return invalid_argument(std::string(what) + ": must be a list of rows");
  bool is_objects = false;
  list.each_item([&](json::View first) {
    is_objects = first.is_object();
    return false;
  });
  if (is_objects) return read_records(list, what, rows);
  const Targets targets = targets_in_order(rows);
  return each(list, [&](std::size_t row, json::View item) -> Result<void> {
    if (item.is_array()) return append_list(item, what, row, targets);
    if (targets.size() == 1) return serve::append_cell(*targets[0], item);
    return wrong_width(what, row, 1, targets.size());
  });
}

// Columns as {name: values}; a value may stand in a list of its own, as tensors of shape [n, 1] do.
Result<void> read_named_columns(json::View object, data::Batch& rows) {
  for (auto& column : rows.columns) {
    const json::View values = object.find(column.name);
    if (!values.has_value()) {
      return invalid_argument("inputs: the model needs a column " + ciclo::quoted(column.name) +
                              ", which is missing; send nulls where its values are not known");
    }
    if (!values.is_array()) {
      return invalid_argument("inputs." + column.name + ": must be a list of values");
    }
    const auto on_value = [&](std::size_t, json::View value) {
      if (value.is_array() && value.size() == 1) {
        return each(value,
                    [&](std::size_t, json::View only) { return serve::append_cell(column, only); });
      }
      return serve::append_cell(column, value);
    };
    TRY(each(values, on_value));
    if (column.rows() != rows.columns.front().rows()) {
      return invalid_argument("inputs." + column.name + " has " + std::to_string(column.rows()) +
                              " values, " + rows.columns.front().name + " has " +
                              std::to_string(rows.columns.front().rows()));
    }
  }
  return {};
}

Result<Invocation> parse_json(std::string_view body, const serve::Signature& signature) {
  TRY(const auto document, json::Document::parse(body, json::Document::BareWords::kAllow));
  const json::View root = document.root();
  if (!root.is_object()) {
    return invalid_argument("the body must be a JSON object, got " +
                            std::string(json::kind_name(root.kind())));
  }
  constexpr std::array<std::string_view, 4> kForms = {"dataframe_split", "dataframe_records",
                                                      "instances", "inputs"};
  std::string_view form;
  for (const std::string_view candidate : kForms) {
    if (!root.find(candidate).has_value()) continue;
    if (!form.empty()) {
      return invalid_argument("the body has both " + std::string(form) + " and " +
                              std::string(candidate) + "; give exactly one");
    }
    form = candidate;
  }
  if (form.empty()) {
    return invalid_argument(
        "the body needs one of dataframe_split, dataframe_records, instances, "
        "inputs");
  }
  if (root.find("signature_name").has_value()) {
    return invalid_argument("signature_name is not supported: a model has one signature");
  }
  Invocation out;
  TRY(out.options, serve::read_options(root.find("params")));
  out.rows = serve::empty_rows(signature);
  const json::View value = root.find(form);
  if (form == "dataframe_split") {
    TRY(read_split(value, out.rows));
  } else if (form == "dataframe_records") {
    TRY(read_records(value, form, out.rows));
  } else if (form == "inputs" && value.is_object()) {
    TRY(read_named_columns(value, out.rows));
  } else {
    TRY(read_rows(value, form, out.rows));
  }
  return out;
}

bool is_number(std::string_view field) {
  field = trim(field);
  return field.empty() || parse_double(field).has_value() || to_lower_ascii(field) == "nan";
}

Result<Invocation> parse_csv_body(const MediaType& type, std::string_view body,
                                  const serve::Signature& signature) {
  TRY(const auto records, parse_csv(body));
  if (records.empty()) return invalid_argument("the CSV body is empty");
  Invocation out;
  out.rows = serve::empty_rows(signature);
  const auto& first = records.front();
  const bool has_header =
      type.has_header.value_or(!std::all_of(first.begin(), first.end(), is_number));
  Targets targets = targets_in_order(out.rows);
  if (has_header) {
    std::vector<std::string_view> names;
    for (const auto& name : first) names.push_back(trim(name));
    TRY(targets, targets_for(names, out.rows));
  }
  for (std::size_t i = has_header ? 1 : 0; i < records.size(); ++i) {
    if (records[i].size() != targets.size()) {
      return wrong_width("record", i, records[i].size(), targets.size());
    }
    for (std::size_t field = 0; field < targets.size(); ++field) {
      if (targets[field] == nullptr) continue;
      TRY(serve::append_field(*targets[field], records[i][field], signature.null_texts));
    }
  }
  return out;
}

void write_cell(json::Writer& writer, const data::Column& column, std::size_t row) {
  if (column.is_null(row)) {
    writer.null();
  } else if (column.type == data::ColumnType::kText) {
    writer.string(column.texts[row]);
  } else if (column.type == data::ColumnType::kBoolean) {
    writer.boolean(column.numbers[row] != 0);
  } else {
    writer.number(column.numbers[row]);
  }
}

}  // namespace

Result<Invocation> parse_body(std::string_view content_type, std::string_view body,
                              const serve::Signature& signature) {
  TRY(const auto type, parse_media_type(content_type));
  const auto parse = [&]() -> Result<Invocation> {
    if (type.name == "application/json") return parse_json(body, signature);
    if (type.name == "text/csv") return parse_csv_body(type, body, signature);
    return unimplemented("content type " + quoted(type.name) +
                         " is not supported; send application/json or text/csv");
  };
  TRY(auto out, parse());
  if (out.rows.rows() == 0) return invalid_argument("there are no rows to predict");
  return out;
}

std::string write_json(const data::Batch& outputs) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object().key("predictions").begin_array();
  for (std::size_t row = 0; row < outputs.rows(); ++row) {
    if (outputs.columns.size() == 1) {
      write_cell(writer, outputs.columns[0], row);
      continue;
    }
    writer.begin_object();
    for (const auto& column : outputs.columns) {
      writer.key(column.name);
      write_cell(writer, column, row);
    }
    writer.end_object();
  }
  writer.end_array().end_object();
  return out;
}

std::string write_csv(const data::Batch& outputs) {
  std::string out;
  for (std::size_t row = 0; row < outputs.rows(); ++row) {
    for (std::size_t i = 0; i < outputs.columns.size(); ++i) {
      if (i > 0) out += ',';
      const data::Column& column = outputs.columns[i];
      if (column.is_null(row)) continue;
      if (column.type == data::ColumnType::kText) {
        out += '"';
        for (const char c : column.texts[row]) {
          if (c == '"') out += '"';
          out += c;
        }
        out += '"';
        continue;
      }
      std::array<char, 32> digits{};
      const auto end =
          std::to_chars(digits.data(), digits.data() + digits.size(), column.numbers[row]);
      out.append(digits.data(), end.ptr);
    }
    out += '\n';
  }
  return out;
}

}  // namespace ciclo::api::invocations
