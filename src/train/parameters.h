// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"

// The hyper-parameters that a learner knows: names, types, ranges, defaults. A wrong one is refused
// here with a sentence, instead of being ignored or explained by a library far below.

namespace ciclo::train {

struct ParameterRule {
  enum class Kind { kInt, kNumber, kBool, kChoice };
  std::string name;
  Kind kind = Kind::kNumber;
  json::Value otherwise;  // the default
  double min = 0;
  double max = 0;
  bool above_min = false;            // min itself is not allowed
  std::vector<std::string> choices;  // kChoice
};

ParameterRule int_rule(std::string name, int otherwise, double min, double max);
ParameterRule number_rule(std::string name, double otherwise, double min, double max);
// As number_rule, without min itself.
ParameterRule positive_rule(std::string name, double otherwise, double max, double min = 0);
ParameterRule bool_rule(std::string name, bool otherwise);
ParameterRule choice_rule(std::string name,
                          std::vector<std::string> choices);  // default: the first

struct ParameterRules {
  std::string learner;
  std::vector<ParameterRule> rules;
  // Names that users of other interfaces of the same learner may write, and ours.
  std::vector<std::pair<std::string, std::string>> other_names;
};

// All parameters in the order of the rules, defaults filled in. `parameters` may be null or an
// object.
Result<json::Value> apply_rules(const ParameterRules& rules, const json::Value& parameters);

// Of the result of apply_rules.
int int_of(const json::Value& parameters, std::string_view name);
double number_of(const json::Value& parameters, std::string_view name);

}  // namespace ciclo::train
