// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "data/engine.h"

// A training table from a base table and others: derived columns, exact joins, and point-in-time
// (as-of) joins that give each row the latest row known at its event time and never a later one.
// The result has exactly the rows of the base table that pass `where`, in their order.

namespace ciclo::data {

struct DerivedColumn {
  std::string name;
  std::string expression;  // one SQL expression over the columns so far

  template <class V>
  void fields(V& v) {
    v("name", name);
    v("expression", expression);
  }
};

struct JoinKey {
  std::string left;   // a column of the base table or derived
  std::string right;  // a column of the joined table
  template <class V>
  void fields(V& v) {
    v("left", left);
    v("right", right);
  }
};

struct AsOf {
  std::string left;   // event time in the base table: the latest right row at or before it is taken
  std::string right;  // time from which a right row was known
  std::int64_t max_age_ms = 0;  // an older row does not count; 0: any age

  template <class V>
  void fields(V& v) {
    v("left", left);
    v("right", right);
    v.or_default("max_age_ms", max_age_ms);
  }
};

struct Join {
  std::string table;
  std::vector<DerivedColumn> derive;  // on the joined table, before the join
  std::vector<JoinKey> keys;          // equality; null matches nothing
  std::optional<AsOf> as_of;          // without: exact join, at most one right row may match
  std::vector<std::string> columns;   // of the joined table to take; empty: all but the keys
  std::string prefix;                 // put before their names

  template <class V>
  void fields(V& v) {
    v("table", table);
    v.or_default("derive", derive);
    v.or_default("keys", keys);
    v("as_of", as_of);
    v.or_default("columns", columns);
    v.or_default("prefix", prefix);
  }
};

struct TableQuery {
  std::string from;                   // the base table
  std::vector<DerivedColumn> derive;  // on the base table, each may use those before it
  std::vector<Join> joins;
  std::vector<DerivedColumn> derive_last;  // after the joins
  std::string where;                       // an expression over all columns; empty: all rows
  std::vector<std::string> select;         // columns to keep, in this order; empty: all
  std::vector<std::string> drop;           // columns to leave out

  template <class V>
  void fields(V& v) {
    v("from", from);
    v.or_default("derive", derive);
    v.or_default("joins", joins);
    v.or_default("derive_last", derive_last);
    v.or_default("where", where);
    v.or_default("select", select);
    v.or_default("drop", drop);
  }
};

// The statement that a query stands for. A derived column whose name is there already replaces it.
// Checks names, expressions and types against the tables, and that an exact join cannot multiply
// rows: invalid_argument names the table and a key that occurs twice. Of right rows with equal keys
// and time, an as-of join takes the last in the order of the table.
Result<std::string> build_query(const Engine& engine, const Context& context,
                                const std::vector<Table>& tables, const TableQuery& query);

// Runs the joins to see that they give each row of the base table once; failed_precondition when
// they give more, as where keys of different types become equal by a conversion.
Result<void> check_rows(const Engine& engine, const Context& context,
                        const std::vector<Table>& tables, const TableQuery& query);

// invalid_argument unless the text is one scalar expression: no second statement, no subquery,
// nothing after it, no function whose value changes from call to call (random, now, …), and none
// that makes several rows of one (unnest).
Result<void> check_expression(const Engine& engine, const Context& context,
                              std::string_view expression);

}  // namespace ciclo::data
