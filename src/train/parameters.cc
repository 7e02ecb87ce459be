// SPDX-License-Identifier: Apache-2.0
#include "train/parameters.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/text.h"

namespace ciclo::train {
namespace {

using Kind = ParameterRule::Kind;

std::string number_text(double number) {
  if (std::trunc(number) == number && std::abs(number) < 1e15) {
    return std::to_string(static_cast<std::int64_t>(number));
  }
  return json::dump(json::Value(number));
}

std::string range_text(const ParameterRule& rule) {
  const std::string what = rule.kind == Kind::kInt ? "a whole number" : "a number";
  if (rule.above_min) {
    return what + " above " + number_text(rule.min) + ", at most " + number_text(rule.max);
  }
  return what + " from " + number_text(rule.min) + " to " + number_text(rule.max);
}

std::string expectation(const ParameterRule& rule) {
  switch (rule.kind) {
    case Kind::kBool: return "true or false";
    case Kind::kChoice: return "one of " + join(rule.choices, ", ");
    default: return range_text(rule);
  }
}

// The value in the type of the rule; null when it does not fit.
json::Value accept(const ParameterRule& rule, const json::Value& value) {
  switch (rule.kind) {
    case Kind::kBool: return value.is_bool() ? value : json::Value();
    case Kind::kChoice: {
      const bool known = value.is_string() && std::find(rule.choices.begin(), rule.choices.end(),
                                                        value.string()) != rule.choices.end();
      return known ? value : json::Value();
    }
    default: break;
  }
  if (!value.is_number()) return {};
  const double number = value.number();
  if (!(number >= rule.min && number <= rule.max) || (rule.above_min && number == rule.min)) {
    return {};
  }
  if (rule.kind == Kind::kNumber) return json::Value(number);
  if (std::trunc(number) != number) return {};
  return json::Value(static_cast<std::int64_t>(number));
}

Error unknown_parameter(const ParameterRules& rules, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& rule : rules.rules) names.push_back(rule.name);
  std::string_view near;
  for (const auto& [other, ours] : rules.other_names) {
    if (other == name) near = ours;
  }
  if (near.empty()) near = nearest(name, names);
  return invalid_argument("parameter " + quoted(name) + " is not known to " + rules.learner +
                          (near.empty() ? "; known are: " + join(names, ", ")
                                        : "; did you mean " + quoted(near) + "?"));
}

}  // namespace

ParameterRule int_rule(std::string name, int otherwise, double min, double max) {
  return {std::move(name), Kind::kInt, otherwise, min, max, false, {}};
}

ParameterRule number_rule(std::string name, double otherwise, double min, double max) {
  return {std::move(name), Kind::kNumber, otherwise, min, max, false, {}};
}

ParameterRule positive_rule(std::string name, double otherwise, double max, double min) {
  return {std::move(name), Kind::kNumber, otherwise, min, max, true, {}};
}

ParameterRule bool_rule(std::string name, bool otherwise) {
  return {std::move(name), Kind::kBool, otherwise, 0, 0, false, {}};
}

ParameterRule choice_rule(std::string name, std::vector<std::string> choices) {
  json::Value first(choices.front());
  return {std::move(name), Kind::kChoice, std::move(first), 0, 0, false, std::move(choices)};
}

Result<json::Value> apply_rules(const ParameterRules& rules, const json::Value& parameters) {
  if (!parameters.is_null() && !parameters.is_object()) {
    return invalid_argument("parameters of " + rules.learner + ": expected an object, got " +
                            std::string(json::kind_name(parameters.kind())));
  }
  if (parameters.is_object()) {
    for (const auto& [name, value] : parameters.members()) {
      const auto known = std::ranges::find(rules.rules, name, &ParameterRule::name);
      if (known == rules.rules.end()) return unknown_parameter(rules, name);
    }
  }
  auto complete = json::Value::object();
  for (const auto& rule : rules.rules) {
    const auto* given = parameters.find(rule.name);
    if (given == nullptr) {
      complete[rule.name] = rule.otherwise;
      continue;
    }
    auto accepted = accept(rule, *given);
    if (accepted.is_null()) {
      return invalid_argument("parameter " + quoted(rule.name) + " of " + rules.learner +
                              " must be " + expectation(rule) + ", got " + json::dump(*given));
    }
    complete[rule.name] = std::move(accepted);
  }
  return complete;
}

int int_of(const json::Value& parameters, std::string_view name) {
  const auto* value = parameters.find(name);
  CHECK(value != nullptr);
  return static_cast<int>(value->integer());
}

double number_of(const json::Value& parameters, std::string_view name) {
  const auto* value = parameters.find(name);
  CHECK(value != nullptr);
  return value->number();
}

}  // namespace ciclo::train
