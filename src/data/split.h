// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "data/engine.h"

// Training, validation and test rows of a table. The same table and rule give the same rows, on
// every machine and whatever the number of threads.

namespace ciclo::data {

enum class SplitKind {
  kTime,    // by a timestamp or number column: earlier rows train, later ones test
  kHash,    // by the value of key columns: a key stays in its part when the table grows
  kGroup,   // as kHash, but the shares count rows: whole groups are dealt in hashed order
  kRandom,  // by seed and position of the row, in each stratum apart when `stratify` is set
};
std::span<const std::string_view> enum_names(SplitKind);

struct SplitRule {
  SplitKind kind = SplitKind::kRandom;
  std::vector<std::string> columns;  // kTime: the one time column; kHash, kGroup: the keys
  std::string stratify;              // kRandom: a column with few values, usually the target
  double validation = 0.15;          // shares of the rows; the rest trains. 0: the part is empty
  double test = 0.15;
  // kTime: boundaries in place of shares: rows from here on are validation, test. A date or
  // timestamp
  // ("2013-05-01") or a number; empty: by share. With test_from alone, validation is its share of
  // the rows before that. Equal times never straddle.
  std::string validation_from;
  std::string test_from;
  std::int64_t seed = 0;  // kHash, kGroup, kRandom

  template <class V>
  void fields(V& v) {
    v("kind", kind);
    v.or_default("columns", columns);
    v.or_default("stratify", stratify);
    v.or_default("validation", validation);
    v.or_default("test", test);
    v.or_default("validation_from", validation_from);
    v.or_default("test_from", test_from);
    v.or_default("seed", seed);
  }
};

struct SplitPart {
  std::string name;  // train, validation, test
  std::string sql;   // the statement over the table that gives its rows in their order
  std::int64_t rows = 0;
  std::string path;  // of the Parquet file, once written
};

// Decides the parts: always train, validation, test in this order. invalid_argument for columns
// that are not there, shares outside [0, 1) or that leave nothing to train, a time column of
// another type or with nulls.
Result<std::vector<SplitPart>> plan_split(const Engine& engine, const Context& context,
                                          const Table& table, const SplitRule& rule);

// The same, and writes DIRECTORY/train.parquet, validation.parquet, test.parquet; parts with share
// 0 too, with no rows. failed_precondition when the training part, or one with a share, would be
// empty.
Result<std::vector<SplitPart>> write_split(const Engine& engine, const Context& context,
                                           const Table& table, const SplitRule& rule,
                                           const std::string& directory);

}  // namespace ciclo::data
