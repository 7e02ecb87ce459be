// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

// The search space of a study: for each parameter where its values may lie. As JSON (YAML):
//
//   learning_rate: {low: 0.01, high: 0.3, log: true}     # a number in [low, high]
//   max_depth:     {low: 3, high: 10, type: int}         # a whole number, both ends included
//   booster:       [gbtree, dart]                        # one of these; {choices: […]} is the same
//   subsample:     0.8                                   # fixed

namespace ciclo::tune {

struct Parameter {
  enum class Kind { kFloat, kInt, kCategorical, kFixed };

  std::string name;
  Kind kind = Kind::kFixed;
  double low = 0;  // kFloat, kInt
  double high = 0;
  bool log = false;                  // uniform in the logarithm
  std::vector<json::Value> choices;  // kCategorical: two or more; kFixed: one
};

using Space = std::vector<Parameter>;

// invalid_argument names the parameter, what was found and what would be right: low above high, log
// with low ≤ 0, bounds of an int that are not whole, no choices, an unknown member.
Result<Space> parse_space(const json::Value& value);

}  // namespace ciclo::tune
