// SPDX-License-Identifier: Apache-2.0
#include "api/mlflow/input.h"

#include <cmath>
#include <limits>
#include <utility>

#include "base/text.h"

namespace ciclo::api::mlflow {

namespace {

std::optional<std::int64_t> integer_of(json::View value) {
  if (value.is_int()) return value.integer();
  if (value.is_string()) return parse_int(value.string());
  if (!value.is_number()) return std::nullopt;
  // 3.0 is an integer, 3.5 is none.
  const double number = value.number();
  constexpr double kExact = 9007199254740992.0;
  if (number != std::floor(number) || std::abs(number) > kExact) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

std::optional<double> number_of(json::View value) {
  if (value.is_number()) return value.number();
  if (value.is_bool()) return value.boolean() ? 1.0 : 0.0;
  if (!value.is_string()) return std::nullopt;
  const std::string lower = to_lower_ascii(value.string());
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (lower == "nan") return std::numeric_limits<double>::quiet_NaN();
  if (lower == "infinity" || lower == "inf") return kInfinity;
  if (lower == "-infinity" || lower == "-inf") return -kInfinity;
  return parse_double(value.string());
}

// The query as an object: each value a text, repeated keys a list.
Result<std::string> object_of_query(const http::Request& request) {
  json::Value object = json::Value::object();
  for (const auto& [key, value] : request.query) {
    if (!is_utf8(key) || !is_utf8(value)) {
      return invalid_argument("the query parameter " + quoted(key) + " is not UTF-8");
    }
    json::Value& member = object[key];
    if (member.is_null()) {
      member = value;
    } else {
      if (member.is_string()) member = json::Value::Array{member};
      member.push_back(value);
    }
  }
  return json::dump(object);
}

}  // namespace

bool Fields::has(std::string_view key) const {
  const json::View found = object_.find(key);
  return found.has_value() && !found.is_null();
}

std::string Fields::name_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

Error Fields::wrong(std::string_view key, std::string_view expected, json::View found) const {
  std::string text(json::kind_name(found.kind()));
  if (found.is_string()) text = quoted(found.string());
  return invalid_argument(name_of(key) + ": expected " + std::string(expected) + ", got " + text);
}

Result<std::string> Fields::text(std::string_view key) const {
  TRY(auto value, optional_text(key));
  if (value && !value->empty()) return std::move(*value);
  return invalid_argument("missing value for required parameter " + quoted(name_of(key)));
}

Result<std::string> Fields::text_or_empty(std::string_view key) const {
  TRY(auto value, optional_text(key));
  return value ? std::move(*value) : std::string();
}

Result<std::optional<std::string>> Fields::optional_text(std::string_view key) const {
  if (!has(key)) return std::optional<std::string>();
  const json::View found = object_.find(key);
  if (!found.is_string()) return wrong(key, "a string", found);
  return std::optional<std::string>(found.string());
}

Result<std::optional<std::int64_t>> Fields::optional_integer(std::string_view key) const {
  if (!has(key)) return std::optional<std::int64_t>();
  const json::View found = object_.find(key);
  const auto value = integer_of(found);
  if (!value) return wrong(key, "an integer of 64 bits", found);
  return value;
}

Result<std::int64_t> Fields::integer(std::string_view key) const {
  TRY(const auto value, optional_integer(key));
  if (value) return *value;
  return invalid_argument("missing value for required parameter " + quoted(name_of(key)));
}

Result<std::int64_t> Fields::integer_or(std::string_view key, std::int64_t otherwise) const {
  TRY(const auto value, optional_integer(key));
  return value.value_or(otherwise);
}

Result<std::int64_t> Fields::whole_number(std::string_view key,
                                          std::optional<std::int64_t> otherwise) const {
  const json::View found = object_.find(key);
  // The bounds are exact: every double between them has a whole part of 64 bits.
  if (has(key) && found.is_number() && !found.is_int() && std::abs(found.number()) < 0x1p63) {
    return static_cast<std::int64_t>(found.number());
  }
  return otherwise ? integer_or(key, *otherwise) : integer(key);
}

Result<double> Fields::number(std::string_view key) const {
  if (!has(key)) {
    return invalid_argument("missing value for required parameter " + quoted(name_of(key)));
  }
  const json::View found = object_.find(key);
  const auto value = number_of(found);
  if (!value) return wrong(key, "a number", found);
  return *value;
}

Result<bool> Fields::boolean_or(std::string_view key, bool otherwise) const {
  if (!has(key)) return otherwise;
  const json::View found = object_.find(key);
  if (found.is_bool()) return found.boolean();
  if (found.is_string() && to_lower_ascii(found.string()) == "true") return true;
  if (found.is_string() && to_lower_ascii(found.string()) == "false") return false;
  return wrong(key, "a boolean", found);
}

Result<std::string> Fields::word(std::string_view key) const {
  if (!has(key)) return std::string();
  const json::View found = object_.find(key);
  if (found.is_int()) return std::to_string(found.integer());
  if (!found.is_string()) return wrong(key, "a name", found);
  return std::string(found.string());
}

Result<std::vector<std::string>> Fields::texts(std::string_view key) const {
  std::vector<std::string> out;
  if (!has(key)) return out;
  const json::View found = object_.find(key);
  if (found.is_string()) {
    out.emplace_back(found.string());
    return out;
  }
  if (!found.is_array()) return wrong(key, "an array of strings", found);
  std::optional<Error> problem;
  found.each_item([&](json::View item) {
    if (item.is_string()) {
      out.emplace_back(item.string());
    } else {
      problem = wrong(std::string(key) + "[" + std::to_string(out.size()) + "]", "a string", item);
    }
    return !problem.has_value();
  });
  if (problem) return *problem;
  return out;
}

json::Value Fields::value_or_null(std::string_view key) const {
  return has(key) ? object_.find(key).to_value() : json::Value();
}

Result<void> Fields::each_text(
    const std::function<void(std::string_view name, std::string value)>& text) const {
  std::optional<Error> problem;
  object_.each_member([&](std::string_view name, json::View value) {
    if (value.is_string()) {
      text(name, std::string(value.string()));
    } else if (value.is_number() || value.is_bool()) {
      text(name, json::dump(value.to_value()));
    } else {
      problem = wrong(name, "a string", value);
    }
    return !problem.has_value();
  });
  if (problem) return *problem;
  return {};
}

Result<Fields> Fields::member(std::string_view key) const {
  if (!has(key)) {
    return invalid_argument("missing value for required parameter " + quoted(name_of(key)));
  }
  const json::View found = object_.find(key);
  if (!found.is_object()) return wrong(key, "an object", found);
  return Fields(found, name_of(key));
}

Result<void> Fields::each(std::string_view key,
                          const std::function<Result<void>(const Fields&)>& item) const {
  if (!has(key)) return {};
  const json::View found = object_.find(key);
  if (!found.is_array()) return wrong(key, "an array of objects", found);
  Result<void> result;
  std::size_t index = 0;
  found.each_item([&](json::View element) {
    const auto place = [&] { return std::string(key) + "[" + std::to_string(index) + "]"; };
    if (!element.is_object()) {
      result = wrong(place(), "an object", element);
    } else {
      result = item(Fields(element, std::string()));
      if (!result.ok()) result = result.error().with_context(name_of(place()));
    }
    ++index;
    return result.ok();
  });
  return result;
}

Result<std::vector<tracking::Tag>> Fields::tags(std::string_view key) const {
  std::vector<tracking::Tag> out;
  TRY(each(key, [&](const Fields& tag) -> Result<void> {
    TRY(auto name, tag.text_or_empty("key"));
    TRY(auto value, tag.text_or_empty("value"));
    out.push_back({std::move(name), std::move(value)});
    return {};
  }));
  return out;
}

Result<std::vector<tracking::Param>> Fields::params(std::string_view key) const {
  std::vector<tracking::Param> out;
  TRY(each(key, [&](const Fields& param) -> Result<void> {
    TRY(auto name, param.text_or_empty("key"));
    TRY(auto value, param.text_or_empty("value"));
    out.push_back({std::move(name), std::move(value)});
    return {};
  }));
  return out;
}

Result<tracking::Metric> Fields::metric() const {
  tracking::Metric out;
  TRY(out.key, text("key"));
  TRY(out.value, number("value"));
  TRY(out.timestamp_ms, whole_number("timestamp", std::nullopt));
  TRY(out.step, whole_number("step", 0));
  TRY(auto model_id, text_or_empty("model_id"));
  out.model_id = tracking::LoggedModelId(std::move(model_id));
  TRY(out.dataset_name, text_or_empty("dataset_name"));
  TRY(out.dataset_digest, text_or_empty("dataset_digest"));
  return out;
}

Result<std::vector<tracking::Metric>> Fields::metrics(std::string_view key) const {
  std::vector<tracking::Metric> out;
  const json::View found = object_.find(key);
  if (found.has_value() && found.is_array()) out.reserve(found.size());
  TRY(each(key, [&](const Fields& fields) -> Result<void> {
    TRY(auto metric, fields.metric());
    out.push_back(std::move(metric));
    return {};
  }));
  return out;
}

Result<tracking::ViewType> Fields::view_type(std::string_view key) const {
  using tracking::ViewType;
  TRY(const auto name, word(key));
  if (name.empty() || name == "ACTIVE_ONLY" || name == "1") return ViewType::kActiveOnly;
  if (name == "DELETED_ONLY" || name == "2") return ViewType::kDeletedOnly;
  if (name == "ALL" || name == "3") return ViewType::kAll;
  return wrong(key, "ACTIVE_ONLY, DELETED_ONLY or ALL", object_.find(key));
}

Result<tracking::RunId> Fields::run_id() const {
  TRY(auto id, text(has("run_id") ? "run_id" : has("run_uuid") ? "run_uuid" : "run_id"));
  return tracking::RunId(std::move(id));
}

Input::Input(json::Document document) : document_(std::move(document)) {
  object_ = document_.root();
}

namespace {

// A page of another site can send other types without being asked whether it may.
Result<void> check_content_type(const http::Request& request) {
  const std::string_view given = request.headers.get("Content-Type");
  const std::string type = to_lower_ascii(trim(given.substr(0, given.find(';'))));
  if (type == "application/json") return {};
  return failed_precondition("the Content-Type of a request must be application/json, got " +
                             quoted(given));
}

}  // namespace

Result<Input> Input::of(http::Request& request) {
  TRY(const std::string_view body, request.body->all());
  const bool has_body = request.method != "GET" && !trim(body).empty();
  if (has_body) TRY(check_content_type(request));
  std::string of_query;
  if (!has_body) {
    TRY(of_query, object_of_query(request));
  }
  TRY(auto document,
      json::Document::parse(has_body ? body : of_query, json::Document::BareWords::kAllow));
  if (!document.root().is_object()) {
    return invalid_argument("the body must be a JSON object, got " +
                            std::string(json::kind_name(document.root().kind())));
  }
  return Input(std::move(document));
}

}  // namespace ciclo::api::mlflow
