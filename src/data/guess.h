// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "data/engine.h"
#include "data/statistics.h"

// What a table that nobody described is probably about: what each column is, which one is the time,
// which identify a row, and what kind of task the target makes. For `ciclo init`.

namespace ciclo::data {

enum class ColumnKind {
  kNumeric,
  kCategorical,
  kBoolean,
  kTimestamp,
  kFreeText,
  kIdentifier,  // names a row or an entity: nothing to learn from
  kConstant,    // one value
  kEmpty,       // nulls only
};
std::span<const std::string_view> enum_names(ColumnKind);

enum class Task { kBinary, kMulticlass, kRegression };
std::span<const std::string_view> enum_names(Task);

struct ColumnGuess {
  std::string name;
  ColumnKind kind = ColumnKind::kNumeric;
  bool use = true;     // as a feature
  bool leaks = false;  // probably holds the answer
  std::string reason;  // one short sentence, for the comment in ciclo.yaml

  template <class V>
  void fields(V& v) {
    v("name", name);
    v("kind", kind);
    v("use", use);
    v("leaks", leaks);
    v("reason", reason);
  }
};

struct Guess {
  std::vector<ColumnGuess> columns;  // without the target
  std::string target;
  Task task = Task::kBinary;
  std::vector<std::string>
      classes;  // of the target, sorted as numbers or text; of binary: negative first
  // When the row happened; never a date of birth or of what was long before. Empty: none.
  std::string time_column;
  std::vector<std::string> key_columns;
  std::vector<std::string> warnings;  // one sentence each

  template <class V>
  void fields(V& v) {
    v("columns", columns);
    v("target", target);
    v("task", task);
    v("classes", classes);
    v("time_column", time_column);
    v("key_columns", key_columns);
    v("warnings", warnings);
  }
};

// invalid_argument when there is no such target (with the nearest name), or when it cannot be
// learned: all null, infinite in some row, constant (a table with one class), or a text that is
// different in nearly every row.
Result<Guess> guess_table(const Engine& engine, const Context& context, const Table& table,
                          const Statistics& statistics, std::string_view target);

}  // namespace ciclo::data
