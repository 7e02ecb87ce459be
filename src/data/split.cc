// SPDX-License-Identifier: Apache-2.0
#include "data/split.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/text.h"

namespace ciclo::data {
namespace {

constexpr std::array<std::string_view, 4> kKindNames = {"time", "hash", "group", "random"};
constexpr std::array<std::string_view, 3> kParts = {"train", "validation", "test"};

std::string number_text(double value) {
  char buffer[32];
  return std::string(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
}

// MD5 gives the same number on every machine and in every version; the engine's own hash does not
// promise it.
std::string hashed(const std::string& text, std::int64_t seed) {
  return "md5_number_lower(" + quote_literal(std::to_string(seed) + ":") + " || " + text + ")";
}

// The keys of a row as one text; null differs from every text.
std::string key_text(const std::vector<std::string>& columns) {
  std::string out;
  for (const auto& column : columns) {
    out += (out.empty() ? "" : " || chr(31) || ") +
           ("coalesce('=' || CAST(" + quote_identifier(column) + " AS VARCHAR), '')");
  }
  return "(" + out + ")";
}

class Splitter {
 public:
  Splitter(const Engine& engine, const Context& context, const Table& table, const SplitRule& rule)
      : engine_(engine),
        context_(context),
        table_(table),
        rule_(rule),
        from_(quote_identifier(table.name)) {}

  Result<std::vector<SplitPart>> plan() {
    TRY(check_shares());
    TRY(columns_, engine_.describe(context_, {table_}, "SELECT * FROM " + from_));
    for (const auto& name : rule_.columns) TRY(require(name));
    std::vector<SplitPart> parts;
    switch (rule_.kind) {
      case SplitKind::kTime: {
        TRY(parts, by_time());
        break;
      }
      case SplitKind::kHash:
      case SplitKind::kGroup: {
        if (rule_.columns.empty())
          return invalid_argument("split: name the key columns in columns");
        parts = rule_.kind == SplitKind::kHash ? by_hash() : by_group();
        break;
      }
      case SplitKind::kRandom: {
        if (!rule_.stratify.empty()) TRY(require(rule_.stratify));
        parts = at_random();
        break;
      }
    }
    for (auto& part : parts) {
      TRY(part.rows, engine_.query_integer(context_, {table_},
                                           "SELECT count(*) AS n FROM (" + part.sql + ")"));
    }
    return parts;
  }

 private:
  Result<void> check_shares() const {
    const bool shares =
        rule_.validation >= 0 && rule_.test >= 0 && rule_.validation + rule_.test < 1;
    if (shares) return {};
    return invalid_argument("split: validation (" + number_text(rule_.validation) + ") and test (" +
                            number_text(rule_.test) +
                            ") must be shares from 0 that leave rows to train");
  }

  Result<const ResultColumn*> require(const std::string& name) const {
    std::vector<std::string> names;
    for (const auto& column : columns_) {
      if (column.name == name) return &column;
      names.push_back(column.name);
    }
    const std::string_view near = nearest(name, names);
    return invalid_argument("split: table " + quoted(table_.name) + " has no column " +
                            quoted(name) +
                            (near.empty() ? "" : "; did you mean " + quoted(near) + "?"));
  }

  // The parts as conditions on each row.
  std::vector<SplitPart> by_condition(const std::array<std::string, 3>& conditions) const {
    std::vector<SplitPart> parts;
    for (std::size_t i = 0; i < 3; ++i) {
      parts.push_back(
          {std::string(kParts[i]), "SELECT * FROM " + from_ + " WHERE " + conditions[i], 0, ""});
    }
    return parts;
  }

  // The parts as conditions on a position in [0, 1): test first, so that its rows stay when the
  // share of validation is changed.
  std::array<std::string, 3> share_conditions(const std::string& position) const {
    const std::string test = number_text(rule_.test);
    const std::string both = number_text(rule_.test + rule_.validation);
    return {position + " >= " + both, position + " >= " + test + " AND " + position + " < " + both,
            position + " < " + test};
  }

  Result<std::vector<SplitPart>> by_time() {
    if (rule_.columns.size() != 1)
      return invalid_argument("split: by time needs exactly one column");
    TRY(const ResultColumn* column, require(rule_.columns[0]));
    const bool ordered = column->type == ColumnType::kTimestamp ||
                         column->type == ColumnType::kNumber ||
                         column->type == ColumnType::kInteger;
    if (!ordered) {
      return invalid_argument("split: time column " + quoted(column->name) + " is " +
                              std::string(type_name(column->type)) +
                              "; expected a timestamp or a number");
    }
    const std::string name = quote_identifier(column->name);
    TRY(const std::int64_t nulls, engine_.query_integer(context_, {table_},
                                                        "SELECT count(*) AS n FROM " + from_ +
                                                            " WHERE " + name + " IS NULL"));
    if (nulls > 0) {
      return invalid_argument("split: time column " + quoted(column->name) + " is null in " +
                              std::to_string(nulls) + " rows");
    }
    std::string validation;
    std::string test;
    if (rule_.validation_from.empty() && rule_.test_from.empty()) {
      TRY(validation, boundary_at(name, 1 - rule_.validation - rule_.test, "true"));
      TRY(test, boundary_at(name, 1 - rule_.test, "true"));
    } else {
      test = rule_.test_from;
      validation = rule_.validation_from;
    }
    TRY(test, time_literal(test, column->sql_type));
    if (validation.empty() && !test.empty()) {
      TRY(validation, boundary_at(name, 1 - rule_.validation, name + " < " + test));
      if (validation.empty()) validation = rule_.test_from;
    }
    TRY(validation, time_literal(validation, column->sql_type));
    TRY(check_order(validation, test));
    const std::string before_test = test.empty() ? "true" : name + " < " + test;
    const std::string from_validation = validation.empty() ? "false" : name + " >= " + validation;
    const std::string from_test = test.empty() ? "false" : name + " >= " + test;
    return by_condition({validation.empty() ? before_test : name + " < " + validation,
                         from_validation + " AND " + before_test, from_test});
  }

  // The time at that share of the rows that meet the condition; empty at the end.
  Result<std::string> boundary_at(const std::string& name, double share,
                                  const std::string& condition) const {
    const std::string rows_of = from_ + " WHERE " + condition;
    TRY(const std::int64_t rows,
        engine_.query_integer(context_, {table_}, "SELECT count(*) AS n FROM " + rows_of));
    // 1 - 0.15 - 0.15 is a little less than 0.7.
    const auto index =
        static_cast<std::int64_t>(std::floor(share * static_cast<double>(rows) + 1e-9));
    if (index >= rows) return std::string();
    TRY(const Batch batch,
        engine_.query_all(context_, {table_},
                          "SELECT CAST(" + name + " AS VARCHAR) AS t FROM " + rows_of +
                              " ORDER BY " + name + " LIMIT 1 OFFSET " + std::to_string(index)));
    return batch.columns[0].texts.at(0);
  }

  Result<std::string> time_literal(const std::string& text, const std::string& sql_type) const {
    if (text.empty()) return std::string();
    const std::string literal = "CAST(" + quote_literal(text) + " AS " + sql_type + ")";
    if (engine_.query_all(context_, {}, "SELECT " + literal + " AS t").ok()) return literal;
    return invalid_argument("split: boundary " + quoted(text) + " is no value of column " +
                            quoted(rule_.columns[0]) + " (" + sql_type + ")");
  }

  Result<void> check_order(const std::string& validation, const std::string& test) const {
    if (validation.empty() || test.empty()) return {};
    TRY(const std::int64_t ordered,
        engine_.query_integer(context_, {},
                              "SELECT (" + validation + " <= " + test + ")::INTEGER AS n"));
    if (ordered == 1) return {};
    return invalid_argument("split: validation_from " + quoted(rule_.validation_from) +
                            " is after test_from " + quoted(rule_.test_from));
  }

  std::vector<SplitPart> by_hash() const {
    return by_condition(share_conditions("(" + hashed(key_text(rule_.columns), rule_.seed) +
                                         " % 1000000 / 1000000.0)"));
  }

  // Numbered rows with a position in [0, 1) each, cut into parts in the order of the table.
  std::vector<SplitPart> by_position(const std::string& positions) const {
    std::vector<SplitPart> parts;
    const auto conditions = share_conditions("ciclo_position");
    for (std::size_t i = 0; i < 3; ++i) {
      parts.push_back({std::string(kParts[i]),
                       "SELECT * EXCLUDE (ciclo_row, ciclo_position) FROM (" + positions +
                           ") WHERE " + conditions[i] + " ORDER BY ciclo_row",
                       0, ""});
    }
    return parts;
  }

  // Groups in hashed order, each at the middle of its rows: a group lies in the part that holds its
  // middle.
  std::vector<SplitPart> by_group() const {
    const std::string key = key_text(rule_.columns);
    return by_position(
        "SELECT r.* EXCLUDE (ciclo_key), g.ciclo_position FROM (SELECT *, " + key +
        " AS ciclo_key, row_number() OVER () AS ciclo_row FROM " + from_ +
        ") r JOIN (SELECT ciclo_key, (sum(n) OVER (ORDER BY " + hashed("ciclo_key", rule_.seed) +
        ", ciclo_key) - n / 2.0) / sum(n) OVER () AS ciclo_position FROM (SELECT " + key +
        " AS ciclo_key, count(*) AS n FROM " + from_ + " GROUP BY ciclo_key)) g USING (ciclo_key)");
  }

  std::vector<SplitPart> at_random() const {
    const std::string stratum =
        rule_.stratify.empty() ? "" : "PARTITION BY " + quote_identifier(rule_.stratify);
    return by_position(
        "SELECT *, (row_number() OVER (" + stratum + " ORDER BY " +
        hashed("CAST(ciclo_row AS VARCHAR)", rule_.seed) + ", ciclo_row) - 0.5) / count(*) OVER (" +
        stratum + ") AS ciclo_position FROM (SELECT *, row_number() OVER () AS ciclo_row FROM " +
        from_ + ")");
  }

  const Engine& engine_;
  const Context& context_;
  const Table& table_;
  const SplitRule& rule_;
  const std::string from_;
  std::vector<ResultColumn> columns_;
};

bool must_have_rows(const SplitRule& rule, std::string_view part) {
  const bool boundaries = !rule.validation_from.empty() || !rule.test_from.empty();
  const bool by_boundary = rule.kind == SplitKind::kTime && boundaries;
  if (part == "validation")
    return by_boundary ? !rule.validation_from.empty() : rule.validation > 0;
  if (part == "test") return by_boundary ? !rule.test_from.empty() : rule.test > 0;
  return true;
}

}  // namespace

std::span<const std::string_view> enum_names(SplitKind) { return kKindNames; }

Result<std::vector<SplitPart>> plan_split(const Engine& engine, const Context& context,
                                          const Table& table, const SplitRule& rule) {
  return Splitter(engine, context, table, rule).plan();
}

Result<std::vector<SplitPart>> write_split(const Engine& engine, const Context& context,
                                           const Table& table, const SplitRule& rule,
                                           const std::string& directory) {
  TRY(auto parts, plan_split(engine, context, table, rule));
  for (const auto& part : parts) {
    if (part.rows == 0 && must_have_rows(rule, part.name)) {
      return failed_precondition("split: no rows are left for " + part.name + "; table " +
                                 quoted(table.name) +
                                 " has too few rows, groups or times for these shares");
    }
  }
  for (auto& part : parts) {
    part.path = directory + "/" + part.name + ".parquet";
    TRY(engine.write_parquet(context, {table}, part.sql, part.path));
  }
  return parts;
}

}  // namespace ciclo::data
