// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

// MLflow's filter language (3.17) as a syntax tree. Knows no object and no SQL; search.h does.
//
//   filter     = [ comparison { AND comparison } ]
//   comparison = identifier operator literal | identifier [NOT] IN list | identifier IS [NOT] NULL
//   identifier = [ word "." ] key        word: bare or in `…`; key: bare (letters, digits, _ and
//   .),
//                                        in `…` or "…", and behind a word also in '…'
//   operator   = "=" | "!=" | "<" | "<=" | ">" | ">=" | LIKE | ILIKE | RLIKE
//   literal    = number | '…' | "…"      a doubled quote stands for itself
//   list       = "(" literal { "," literal } [","] ")"
//
// Words of the language are read without regard to case. There is no OR, NOT or parenthesis.

namespace ciclo::tracking {

enum class Comparator {
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kLike,
  kILike,
  kRLike,
  kIn,
  kNotIn,
  kIsNull,
  kIsNotNull,
};

// "=", "NOT IN", …
std::string_view text_of(Comparator comparator);

struct Identifier {
  std::string entity;  // as written: "metrics", "tag"; empty when there is none
  std::string key;
};

struct Number {
  double value = 0;
  std::int64_t integer = 0;  // where is_integer
  bool is_integer = false;
};

struct Comparison {
  Identifier identifier;
  Comparator comparator = Comparator::kEqual;
  // Nothing for IS [NOT] NULL; a list for [NOT] IN.
  std::variant<std::monostate, Number, std::string, std::vector<std::string>> value;
};

struct OrderTerm {
  Identifier identifier;
  bool is_ascending = true;
};

// All must hold. invalid_argument names the place of what is wrong. At most 64 KiB of text and 100
// comparisons.
Result<std::vector<Comparison>> parse_filter(std::string_view text);

// "metrics.loss DESC", "attributes.start_time", "params.`a b` ASC".
Result<OrderTerm> parse_order_term(std::string_view text);

}  // namespace ciclo::tracking
