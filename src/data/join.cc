// SPDX-License-Identifier: Apache-2.0
#include "data/join.h"

#include <algorithm>
#include <array>

#include "base/json.h"
#include "base/text.h"

namespace ciclo::data {
namespace {

// Functions whose value is not decided by their arguments, or that are called for something else
// than their value: with them the same data would give another table.
constexpr std::array<std::string_view, 41> kUnstable = {"random",
                                                        "setseed",
                                                        "uuid",
                                                        "uuidv4",
                                                        "uuidv7",
                                                        "gen_random_uuid",
                                                        "now",
                                                        "today",
                                                        "current_date",
                                                        "current_time",
                                                        "current_timestamp",
                                                        "current_localtime",
                                                        "current_localtimestamp",
                                                        "localtime",
                                                        "localtimestamp",
                                                        "get_current_time",
                                                        "get_current_timestamp",
                                                        "transaction_timestamp",
                                                        "txid_current",
                                                        "nextval",
                                                        "currval",
                                                        "getenv",
                                                        "getvariable",
                                                        "current_setting",
                                                        "current_user",
                                                        "current_schema",
                                                        "current_schemas",
                                                        "current_database",
                                                        "current_query",
                                                        "current_connection_id",
                                                        "version",
                                                        "current_query_id",
                                                        "current_transaction_id",
                                                        "stats",
                                                        "format_type",
                                                        "in_search_path",
                                                        "get_block_size",
                                                        "pg_get_constraintdef",
                                                        "pg_get_viewdef",
                                                        "sleep_ms",
                                                        "write_log"};

// Functions that make several rows of one.
constexpr std::array<std::string_view, 4> kMakeRows = {"unnest", "unlist", "generate_subscripts",
                                                       "regexp_split_to_table"};

constexpr std::array<std::string_view, 6> kUnstableWords = {"current_timestamp", "current_date",
                                                            "current_time",      "localtime",
                                                            "localtimestamp",    "current_user"};

bool is_empty(const json::Value* value) {
  if (value == nullptr || value->is_null()) return true;
  if (value->is_array()) return value->items().empty();
  return value->is_object() && value->members().empty();
}

// Looks through the parsed expression for what may not be in it.
Result<void> check_tree(const json::Value& node) {
  if (node.is_array()) {
    for (const auto& item : node.items()) TRY(check_tree(item));
    return {};
  }
  if (!node.is_object()) return {};
  const std::string kind = node.string_or("class", "");
  if (kind == "SUBQUERY") return invalid_argument("a subquery is not allowed here");
  if (kind == "WINDOW")
    return invalid_argument("a window function is not allowed here: it looks at other rows");
  if (kind == "PARAMETER")
    return invalid_argument("parameters such as ? and $1 are not allowed here");
  if (kind == "STAR") return invalid_argument("name columns one by one, not with *");
  // Written without parentheses these look like columns.
  if (kind == "COLUMN_REF") {
    const json::Value* names = node.find("column_names");
    if (names != nullptr && names->is_array() && names->items().size() == 1 &&
        names->items().front().is_string()) {
      const std::string name = to_lower_ascii(names->items().front().string());
      for (const std::string_view word : kUnstableWords) {
        if (name == word) {
          return invalid_argument(name +
                                  " is not allowed here: it does not always give the same value");
        }
      }
    }
  }
  if (kind == "FUNCTION") {
    const std::string name = to_lower_ascii(node.string_or("function_name", ""));
    if (std::find(kUnstable.begin(), kUnstable.end(), name) != kUnstable.end()) {
      return invalid_argument("function " + name +
                              " is not allowed here: it does not always give the same value");
    }
    if (std::find(kMakeRows.begin(), kMakeRows.end(), name) != kMakeRows.end()) {
      return invalid_argument("function " + name +
                              " is not allowed here: it makes several rows of one");
    }
  }
  for (const auto& [key, member] : node.members()) TRY(check_tree(member));
  return {};
}

// The text was wrapped as SELECT (text) AS x: anything but that shape came out of the text.
Result<void> check_shape(const json::Value& tree) {
  const Error not_one = invalid_argument("expected one expression");
  if (tree.boolean_or("error", false)) {
    return invalid_argument(tree.string_or("error_message", "it cannot be parsed"));
  }
  const json::Value* statements = tree.find("statements");
  if (statements == nullptr || statements->items().size() != 1) return not_one;
  const json::Value* node = statements->items()[0].find("node");
  if (node == nullptr || node->string_or("type", "") != "SELECT_NODE") return not_one;
  const json::Value* list = node->find("select_list");
  if (list == nullptr || list->items().size() != 1 ||
      list->items()[0].string_or("alias", "") != "ciclo_value") {
    return not_one;
  }
  const json::Value* from = node->find("from_table");
  if (from == nullptr || from->string_or("type", "") != "EMPTY") return not_one;
  for (const std::string_view part : {"modifiers", "where_clause", "group_expressions",
                                      "group_sets", "having", "sample", "qualify"}) {
    if (!is_empty(node->find(part))) return not_one;
  }
  const json::Value* with = node->find("cte_map");
  if (with != nullptr && !is_empty(with->find("map"))) return not_one;
  return check_tree(list->items()[0]);
}

const Table* find_table(const std::vector<Table>& tables, std::string_view name) {
  for (const auto& table : tables) {
    if (table.name == name) return &table;
  }
  return nullptr;
}

Result<void> check_table(const std::vector<Table>& tables, std::string_view name) {
  if (find_table(tables, name) != nullptr) return {};
  std::vector<std::string> names;
  for (const auto& table : tables) names.push_back(table.name);
  const std::string_view near = nearest(name, names);
  return not_found(
      "there is no table " + quoted(name) +
      (near.empty() ? "; there are " + join(names, ", ") : "; did you mean " + quoted(near) + "?"));
}

using Columns = std::vector<ResultColumn>;

const ResultColumn* find_column(const Columns& columns, std::string_view name) {
  for (const auto& column : columns) {
    if (column.name == name) return &column;
  }
  return nullptr;
}

Result<const ResultColumn*> require_column(const Columns& columns, std::string_view name,
                                           std::string_view where) {
  const ResultColumn* found = find_column(columns, name);
  if (found != nullptr) return found;
  std::vector<std::string> names;
  for (const auto& column : columns) names.push_back(column.name);
  const std::string_view near = nearest(name, names);
  return invalid_argument(std::string(where) + " has no column " + quoted(name) +
                          (near.empty() ? "" : "; did you mean " + quoted(near) + "?"));
}

bool is_numeric(ColumnType type) {
  return type == ColumnType::kInteger || type == ColumnType::kNumber;
}

bool comparable(ColumnType a, ColumnType b) { return a == b || (is_numeric(a) && is_numeric(b)); }

// Grows a list of common table expressions, each over the one before.
class QueryBuilder {
 public:
  QueryBuilder(const Engine& engine, const Context& context, const std::vector<Table>& tables)
      : engine_(engine), context_(context), tables_(tables) {}

  Result<std::string> build(const TableQuery& query) {
    TRY(grow(query));
    return finish(query);
  }

  // How many rows there are beyond one for each row of the base table.
  Result<std::int64_t> excess(const TableQuery& query) {
    TRY(grow(query));
    return engine_.query_integer(
        context_, tables_,
        with_ + "\nSELECT count(*) - count(DISTINCT ciclo_row) AS n FROM " + last_);
  }

 private:
  Result<void> grow(const TableQuery& query) {
    TRY(check_table(tables_, query.from));
    TRY(begin(query.from, "ciclo_row"));
    for (const auto& column : query.derive) TRY(derive(column));
    for (const auto& join : query.joins) TRY(add_join(join));
    for (const auto& column : query.derive_last) TRY(derive(column));
    return {};
  }

  // A table with the position of each row, as the first of a chain.
  Result<void> begin(const std::string& table, const std::string& position) {
    put("SELECT *, row_number() OVER () AS " + position + " FROM " + quote_identifier(table));
    return refresh();
  }

  void put(const std::string& select) {
    last_ = "ciclo_" + std::to_string(number_++);
    with_ += (with_.empty() ? "WITH " : ",\n") + last_ + " AS (" + select + ")";
  }

  Result<void> refresh() {
    TRY(columns_, engine_.describe(context_, tables_, with_ + "\nSELECT * FROM " + last_));
    return {};
  }

  Result<void> derive(const DerivedColumn& column) {
    const auto context = "column " + ciclo::quoted(column.name);
    if (column.name.empty()) return invalid_argument("a derived column has no name");
    TRY(check_expression_of(column.expression, context));
    const std::string value = "(\n" + column.expression + "\n) AS " + quote_identifier(column.name);
    const bool there = find_column(columns_, column.name) != nullptr;
    put("SELECT * " + (there ? "REPLACE (" + value + ")" : ", " + value) + " FROM " + last_);
    const auto described = refresh();
    if (!described.ok()) return described.error().with_context(context);
    return {};
  }

  Result<void> check_expression_of(const std::string& expression, const std::string& what) {
    const auto checked = check_expression(engine_, context_, expression);
    if (!checked.ok()) return checked.error().with_context(what);
    return {};
  }

  Result<void> add_join(const Join& join) {
    const std::string what = "join with " + quoted(join.table);
    TRY(check_table(tables_, join.table));
    if (join.keys.empty() && !join.as_of) return invalid_argument(what + ": needs keys or as_of");
    const Columns left = columns_;
    const std::string left_name = last_;
    TRY(begin(join.table, "ciclo_right_row"));
    for (const auto& column : join.derive) {
      const auto derived = derive(column);
      if (!derived.ok()) return derived.error().with_context(what);
    }
    const Columns right = columns_;
    for (const auto& key : join.keys)
      TRY(check_pair(left, right, key.left, key.right, join.table, what));
    if (join.as_of) TRY(check_times(left, right, *join.as_of, join.table, what));
    TRY(const auto taken, taken_columns(join, left, right, what));
    if (join.as_of) {
      keep_last_of_equal_times(join);
    } else {
      TRY(check_at_most_one(join, what));
    }
    put(join_select(join, taken, left_name, right));
    return refresh();
  }

  Result<void> check_pair(const Columns& left, const Columns& right, const std::string& left_name,
                          const std::string& right_name, const std::string& table,
                          const std::string& what) {
    TRY(const ResultColumn* a, require_column(left, left_name, what + ": the left side"));
    TRY(const ResultColumn* b,
        require_column(right, right_name, what + ": table " + quoted(table)));
    if (comparable(a->type, b->type)) return {};
    return invalid_argument(what + ": " + quoted(left_name) + " is " +
                            std::string(type_name(a->type)) + " and " + quoted(right_name) +
                            " is " + std::string(type_name(b->type)) +
                            "; derive a column of the same type");
  }

  Result<void> check_times(const Columns& left, const Columns& right, const AsOf& as_of,
                           const std::string& table, const std::string& what) {
    TRY(check_pair(left, right, as_of.left, as_of.right, table, what));
    const ColumnType type = find_column(left, as_of.left)->type;
    if (type == ColumnType::kTimestamp || is_numeric(type)) {
      return as_of.max_age_ms < 0 ? invalid_argument(what + ": max_age_ms must not be negative")
                                  : Result<void>();
    }
    return invalid_argument(what + ": " + quoted(as_of.left) + " is " +
                            std::string(type_name(type)) +
                            "; a time must be a timestamp or a number of milliseconds");
  }

  // The columns of the right table with the names they get.
  Result<std::vector<std::pair<std::string, std::string>>> taken_columns(const Join& join,
                                                                         const Columns& left,
                                                                         const Columns& right,
                                                                         const std::string& what) {
    std::vector<std::string> names = join.columns;
    if (names.empty()) {
      for (const auto& column : right) {
        const bool key = std::any_of(join.keys.begin(), join.keys.end(),
                                     [&](const JoinKey& one) { return one.right == column.name; });
        const bool time = join.as_of && join.as_of->right == column.name;
        if (!key && !time && column.name != "ciclo_right_row") names.push_back(column.name);
      }
    }
    std::vector<std::pair<std::string, std::string>> taken;
    for (const auto& name : names) {
      TRY(require_column(right, name, what + ": table " + quoted(join.table)));
      taken.emplace_back(name, join.prefix + name);
      if (find_column(left, taken.back().second) != nullptr) {
        return invalid_argument(what + ": column " + quoted(taken.back().second) +
                                " is there already; set a prefix or name the columns to take");
      }
    }
    return taken;
  }

  static std::string right_keys(const Join& join) {
    std::string out;
    for (const auto& key : join.keys)
      out += (out.empty() ? "" : ", ") + quote_identifier(key.right);
    return out;
  }

  // Of rows with the same keys and time the last in the order of the table stands: later lines
  // correct earlier ones, and the result does not depend on chance.
  void keep_last_of_equal_times(const Join& join) {
    const std::string keys = right_keys(join);
    const std::string time = quote_identifier(join.as_of->right);
    put("SELECT * FROM " + last_ + " WHERE " + time +
        " IS NOT NULL QUALIFY row_number() OVER (PARTITION BY " + keys +
        (keys.empty() ? "" : ", ") + time + " ORDER BY ciclo_right_row DESC) = 1");
  }

  Result<void> check_at_most_one(const Join& join, const std::string& what) {
    const std::string keys = right_keys(join);
    std::string present;
    for (const auto& key : join.keys) {
      present += (present.empty() ? "" : " AND ") + quote_identifier(key.right) + " IS NOT NULL";
    }
    TRY(const Batch twice,
        engine_.query_all(context_, tables_,
                          with_ + "\nSELECT count(*) AS n, concat_ws(', ', " + keys +
                              ") AS k FROM " + last_ + " WHERE " + present + " GROUP BY " + keys +
                              " HAVING count(*) > 1 ORDER BY n DESC, k "
                              "LIMIT 1"));
    if (twice.rows() == 0) return {};
    return invalid_argument(
        what + ": " + std::to_string(static_cast<std::int64_t>(twice.columns[0].numbers[0])) +
        " rows have the key " + quoted(twice.columns[1].texts[0]) +
        "; an exact join needs at most one (add the keys that tell them apart, or as_of)");
  }

  std::string join_select(const Join& join,
                          const std::vector<std::pair<std::string, std::string>>& taken,
                          const std::string& left_name, const Columns& right) const {
    std::string on;
    for (const auto& key : join.keys) {
      on += (on.empty() ? "" : " AND ") + ("l." + quote_identifier(key.left)) + " = r." +
            quote_identifier(key.right);
    }
    std::string fresh;
    if (join.as_of) {
      const std::string left_time = "l." + quote_identifier(join.as_of->left);
      const std::string right_time = "r." + quote_identifier(join.as_of->right);
      on += (on.empty() ? "" : " AND ") + left_time + " >= " + right_time;
      if (join.as_of->max_age_ms > 0) {
        const bool timestamps =
            find_column(right, join.as_of->right)->type == ColumnType::kTimestamp;
        const auto ms = [&](const std::string& time) {
          return timestamps ? "epoch_ms(" + time + ")" : time;
        };
        fresh = ms(left_time) + " - " + ms(right_time) +
                " <= " + std::to_string(join.as_of->max_age_ms);
      }
    }
    std::string columns;
    for (const auto& [name, as] : taken) {
      const std::string value = "r." + quote_identifier(name);
      columns += ", " + (fresh.empty() ? value : "CASE WHEN " + fresh + " THEN " + value + " END") +
                 " AS " + quote_identifier(as);
    }
    return "SELECT l.*" + columns + " FROM " + left_name + " l " + (join.as_of ? "ASOF " : "") +
           "LEFT JOIN " + last_ + " r ON " + on;
  }

  Result<std::string> finish(const TableQuery& query) {
    std::vector<std::string> keep = query.select;
    for (const auto& name : query.select) TRY(require_column(columns_, name, "select: the table"));
    for (const auto& name : query.drop) TRY(require_column(columns_, name, "drop: the table"));
    if (keep.empty()) {
      for (const auto& column : columns_) {
        if (column.name != "ciclo_row") keep.push_back(column.name);
      }
    }
    std::erase_if(keep, [&](const std::string& name) {
      return std::find(query.drop.begin(), query.drop.end(), name) != query.drop.end();
    });
    if (keep.empty()) return invalid_argument("no column is left");
    std::string names;
    for (const auto& name : keep) names += (names.empty() ? "" : ", ") + quote_identifier(name);
    std::string sql = with_ + "\nSELECT " + names + " FROM " + last_;
    if (!query.where.empty()) {
      TRY(check_expression_of(query.where, "where"));
      sql += " WHERE (\n" + query.where + "\n)";
    }
    sql += " ORDER BY ciclo_row";
    const auto described = engine_.describe(context_, tables_, sql);
    if (!described.ok()) return described.error().with_context("where");
    return sql;
  }

  const Engine& engine_;
  const Context& context_;
  const std::vector<Table>& tables_;
  std::string with_;
  std::string last_;
  int number_ = 0;
  Columns columns_;  // of last_
};

}  // namespace

Result<void> check_expression(const Engine& engine, const Context& context,
                              std::string_view expression) {
  const std::string wrapped = "SELECT (\n" + std::string(expression) + "\n) AS ciclo_value";
  auto serialized = engine.query_all(
      context, {}, "SELECT json_serialize_sql(" + quote_literal(wrapped) + ") AS tree");
  Result<void> checked;
  if (!serialized.ok()) {
    checked = serialized.error();
  } else {
    TRY(const json::Value tree, json::parse(serialized->columns.at(0).texts.at(0)));
    checked = check_shape(tree);
  }
  if (checked.ok()) return {};
  return checked.error().with_context("expression " + quoted(expression));
}

Result<std::string> build_query(const Engine& engine, const Context& context,
                                const std::vector<Table>& tables, const TableQuery& query) {
  return QueryBuilder(engine, context, tables).build(query);
}

Result<void> check_rows(const Engine& engine, const Context& context,
                        const std::vector<Table>& tables, const TableQuery& query) {
  TRY(const std::int64_t excess, QueryBuilder(engine, context, tables).excess(query));
  if (excess == 0) return {};
  return failed_precondition("the joins of table " + quoted(query.from) + " make " +
                             std::to_string(excess) + " rows more than it has; each row must " +
                             "match at most one row of a joined table");
}

}  // namespace ciclo::data
