// SPDX-License-Identifier: Apache-2.0
#include "tune/space.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/text.h"

namespace ciclo::tune {
namespace {

using Kind = Parameter::Kind;

Result<double> bound_of(const json::Value& value, const std::string& name) {
  const auto* bound = value.find(name);
  if (bound == nullptr) return invalid_argument(name + " is missing; a range needs low and high");
  if (!bound->is_number() || !std::isfinite(bound->number())) {
    return invalid_argument(name + " must be a number, got " + json::dump(*bound));
  }
  return bound->number();
}

Result<void> check_members(const json::Value& value) {
  const std::vector<std::string> known = {"low", "high", "log", "type", "choices"};
  for (const auto& [name, member] : value.members()) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const auto near = nearest(name, known);
    return invalid_argument(quoted(name) + " is not known here" +
                            (near.empty() ? "; known are: " + join(known, ", ")
                                          : "; did you mean " + quoted(near) + "?"));
  }
  return {};
}

bool is_scalar(const json::Value& value) {
  return value.is_bool() || value.is_number() || value.is_string();
}

Result<void> read_choices(const json::Value& choices, Parameter& parameter) {
  if (!choices.is_array() || choices.items().empty()) {
    return invalid_argument("choices must be a list of at least one value");
  }
  for (const auto& choice : choices.items()) {
    if (!is_scalar(choice)) {
      return invalid_argument("a choice must be a number, a text or a boolean, got " +
                              json::dump(choice));
    }
    for (const auto& other : parameter.choices) {
      if (other == choice) return invalid_argument(json::dump(choice) + " is listed twice");
    }
    parameter.choices.push_back(choice);
  }
  parameter.kind = parameter.choices.size() == 1 ? Kind::kFixed : Kind::kCategorical;
  return {};
}

Result<void> read_range(const json::Value& value, Parameter& parameter) {
  TRY(parameter.low, bound_of(value, "low"));
  TRY(parameter.high, bound_of(value, "high"));
  const auto type = value.string_or("type", "float");
  if (type != "float" && type != "int") {
    return invalid_argument("type must be float or int, got " + quoted(type));
  }
  parameter.kind = type == "int" ? Kind::kInt : Kind::kFloat;
  if (const auto* log = value.find("log")) {
    if (!log->is_bool()) return invalid_argument("log must be true or false");
    parameter.log = log->boolean();
  }
  if (parameter.low > parameter.high) {
    return invalid_argument("low " + json::dump(*value.find("low")) + " is above high " +
                            json::dump(*value.find("high")));
  }
  if (parameter.log && parameter.low <= 0) {
    return invalid_argument("log needs a low above 0, got " + json::dump(*value.find("low")));
  }
  constexpr double kExact = 9007199254740992;  // 2^53
  const bool whole = std::trunc(parameter.low) == parameter.low &&
                     std::trunc(parameter.high) == parameter.high &&
                     std::abs(parameter.low) <= kExact && std::abs(parameter.high) <= kExact;
  if (parameter.kind == Kind::kInt && !whole) {
    return invalid_argument("type int needs whole numbers as low and high");
  }
  return {};
}

Result<void> read_parameter(const json::Value& value, Parameter& parameter) {
  if (is_scalar(value)) {
    parameter.choices = {value};
    return {};
  }
  if (value.is_array()) return read_choices(value, parameter);
  if (!value.is_object()) {
    return invalid_argument("expected a value, a list of choices, or {low, high}, got " +
                            std::string(json::kind_name(value.kind())));
  }
  TRY(check_members(value));
  const auto* choices = value.find("choices");
  if (choices == nullptr) return read_range(value, parameter);
  if (value.find("low") != nullptr || value.find("high") != nullptr) {
    return invalid_argument("give choices, or low and high, not both");
  }
  return read_choices(*choices, parameter);
}

}  // namespace

Result<Space> parse_space(const json::Value& value) {
  if (!value.is_object()) {
    return invalid_argument("search space: expected an object with one member a parameter, got " +
                            std::string(json::kind_name(value.kind())));
  }
  Space space;
  for (const auto& [name, member] : value.members()) {
    Parameter parameter;
    parameter.name = name;
    const auto read = read_parameter(member, parameter);
    if (!read.ok()) return read.error().with_context("search space: parameter " + quoted(name));
    space.push_back(std::move(parameter));
  }
  return space;
}

}  // namespace ciclo::tune
