// SPDX-License-Identifier: Apache-2.0
#include "data/join.h"

#include <gtest/gtest.h>

#include <string>

#include "base/file.h"

namespace ciclo::data {
namespace {

struct Joins : testing::Test {
  SystemClock clock;
  Engine engine{clock};
  Context context;
  TemporaryDirectory directory;
  std::vector<Table> tables;

  void table(const std::string& name, const std::string& sql) {
    const std::string path = directory.path() / (name + ".parquet");
    const auto written = engine.write_parquet(context, {}, sql, path);
    EXPECT_TRUE(written.ok()) << (written.ok() ? "" : written.error().message);
    tables.push_back({name, {path}});
  }
  Batch rows(const TableQuery& query) {
    const auto sql = build_query(engine, context, tables, query);
    EXPECT_TRUE(sql.ok()) << (sql.ok() ? "" : sql.error().message);
    if (!sql.ok()) return {};
    const auto batch = engine.query_all(context, tables, *sql);
    EXPECT_TRUE(batch.ok()) << (batch.ok() ? "" : batch.error().message);
    return batch.ok() ? *batch : Batch{};
  }
  std::string refusal(const TableQuery& query) {
    const auto sql = build_query(engine, context, tables, query);
    EXPECT_FALSE(sql.ok()) << *sql;
    return sql.ok() ? "" : sql.error().message;
  }
  std::string expression_refusal(std::string_view expression) {
    const auto checked = check_expression(engine, context, expression);
    EXPECT_FALSE(checked.ok()) << expression;
    return checked.ok() ? "" : checked.error().message;
  }
};

std::string names(const Batch& batch) {
  std::string out;
  for (const auto& column : batch.columns) out += column.name + " ";
  return out;
}

TEST_F(Joins, an_as_of_join_never_sees_a_later_row) {
  table("flights",
        "SELECT * FROM (VALUES (1, 'JFK', TIMESTAMP '2013-01-01 05:00'), (2, 'LGA', TIMESTAMP "
        "'2013-01-01 "
        "05:30'), (3, 'JFK', TIMESTAMP '2013-01-01 03:59:59'), (4, 'EWR', TIMESTAMP '2013-01-01 "
        "09:00'), (5, "
        "NULL, TIMESTAMP '2013-01-01 09:00'), (6, 'JFK', NULL), (7, 'JFK', TIMESTAMP '2013-01-01 "
        "09:00')) "
        "t(id, origin, \"at\")");
  table("weather",
        "SELECT * FROM (VALUES ('JFK', TIMESTAMP '2013-01-01 06:00', 60), ('JFK', TIMESTAMP "
        "'2013-01-01 "
        "04:00', 40), ('JFK', TIMESTAMP '2013-01-01 05:00', 50), ('LGA', TIMESTAMP '2013-01-01 "
        "05:00', 51), "
        "(NULL, TIMESTAMP '2013-01-01 00:00', 99), ('JFK', NULL, 98)) t(origin, seen, temp)");
  TableQuery query{
      "flights",
      {},
      {{"weather", {}, {{"origin", "origin"}}, AsOf{"at", "seen", 0}, {"temp"}, "w_"}}};
  const Batch batch = rows(query);
  EXPECT_EQ(names(batch), "id origin at w_temp ");
  ASSERT_EQ(batch.rows(), 7U);
  const Column& temp = *batch.find("w_temp");
  for (int i = 0; i < 7; ++i)
    EXPECT_EQ(batch.columns[0].numbers[static_cast<std::size_t>(i)], i + 1);
  EXPECT_EQ(temp.numbers[0], 50);  // at the very moment
  EXPECT_EQ(temp.numbers[1], 51);
  EXPECT_TRUE(temp.is_null(2));  // one second before the first
  EXPECT_TRUE(temp.is_null(3));
  EXPECT_TRUE(temp.is_null(4));
  EXPECT_TRUE(temp.is_null(5));
  EXPECT_EQ(temp.numbers[6], 60);
  // Three hours old does not count when two are allowed.
  query.joins[0].as_of->max_age_ms = 2 * 3'600'000;
  EXPECT_TRUE(rows(query).find("w_temp")->is_null(6));
  EXPECT_EQ(rows(query).find("w_temp")->numbers[1], 51);
}

TEST_F(Joins, of_equal_times_the_last_row_stands) {
  table("a", "SELECT 1 AS k, 10 AS t");
  table("b", "SELECT 1 AS k, 5 AS t, range AS v FROM range(50000)");
  const Batch batch = rows({"a", {}, {{"b", {}, {{"k", "k"}}, AsOf{"t", "t", 0}, {}, ""}}});
  EXPECT_EQ(names(batch), "k t v ");
  EXPECT_EQ(batch.find("v")->numbers[0], 49999);
}

TEST_F(Joins, an_as_of_join_works_without_keys_and_with_derived_times) {
  table("a", "SELECT range AS i, TIMESTAMP '2013-01-01' + to_hours(range) AS t FROM range(5)");
  table("b", "SELECT '2013-01-01T02:00:00Z' AS text_time, 'two' AS v");
  TableQuery query{
      "a",
      {{"known_at", "t - INTERVAL 1 HOUR"}},
      {{"b", {{"at", "CAST(text_time AS TIMESTAMPTZ)"}}, {}, AsOf{"known_at", "at", 0}, {"v"}, ""}},
      {{"both", "v || i"}},
      "i >= 2",
      {"both", "i"}};
  const Batch batch = rows(query);
  EXPECT_EQ(names(batch), "both i ");
  ASSERT_EQ(batch.rows(), 3U);
  EXPECT_TRUE(batch.columns[0].is_null(0));
  EXPECT_EQ(batch.columns[0].texts[1], "two3");
}

TEST_F(Joins, an_exact_join_keeps_the_rows_and_their_order) {
  table("flights", "SELECT range AS id, 'N' || (range * 7919 % 100) AS tail FROM range(10000)");
  table("planes",
        "SELECT 'N' || range AS tailnum, range AS seats, 2000 + range AS \"year\" FROM range(50)");
  const Batch batch = rows({"flights",
                            {},
                            {{"planes", {}, {{"tail", "tailnum"}}, std::nullopt, {}, "plane_"}},
                            {},
                            "",
                            {},
                            {"tail"}});
  EXPECT_EQ(names(batch), "id plane_seats plane_year ");
  ASSERT_EQ(batch.rows(), 10000U);
  for (std::size_t i = 0; i < 10000; ++i) {
    ASSERT_EQ(batch.columns[0].numbers[i], static_cast<double>(i));
    const auto tail = i * 7919 % 100;
    if (tail < 50) {
      ASSERT_EQ(batch.columns[1].numbers[i], static_cast<double>(tail));
    } else {
      ASSERT_TRUE(batch.columns[1].is_null(i));
    }
  }
}

TEST_F(Joins, an_exact_join_that_would_multiply_rows_is_refused) {
  table("a", "SELECT 'x' AS k");
  table("b",
        "SELECT 'x' AS k, range AS v FROM range(3) UNION ALL SELECT NULL, 1 UNION ALL SELECT NULL, "
        "2");
  EXPECT_EQ(refusal({"a", {}, {{"b", {}, {{"k", "k"}}}}}),
            "join with \"b\": 3 rows have the key \"x\"; an exact join needs at most one (add the "
            "keys that tell "
            "them apart, or as_of)");
}

// 2^53 and 2^53 + 1 are two keys, and one when they are compared with a fraction.
TEST_F(Joins, rows_that_a_conversion_multiplies_are_counted) {
  table("a", "SELECT 9007199254740992::DOUBLE AS k UNION ALL SELECT 1");
  table(
      "b",
      "SELECT 9007199254740992::BIGINT AS k, 1 AS v UNION ALL SELECT 9007199254740993::BIGINT, 2");
  const auto checked = check_rows(engine, context, tables, {"a", {}, {{"b", {}, {{"k", "k"}}}}});
  ASSERT_FALSE(checked.ok());
  EXPECT_EQ(checked.error().message,
            "the joins of table \"a\" make 1 rows more than it has; each row must match at most "
            "one row of a joined table");
  EXPECT_TRUE(check_rows(engine, context, tables, {"b", {}, {}}).ok());
}

TEST_F(Joins, names_what_is_not_there) {
  table("flights", "SELECT 1 AS distance, 'a' AS k, TIMESTAMP '2013-01-01' AS t");
  table("planes", "SELECT 1 AS k, 2 AS distance, 'noon' AS t");
  EXPECT_EQ(refusal({"flight"}), "there is no table \"flight\"; did you mean \"flights\"?");
  EXPECT_EQ(refusal({"flights", {}, {}, {}, "", {"distanse"}}),
            "select: the table has no column \"distanse\"; did you mean \"distance\"?");
  EXPECT_EQ(
      refusal({"flights", {}, {{"planes", {}, {{"k", "k"}}}}}),
      "join with \"planes\": \"k\" is text and \"k\" is integer; derive a column of the same type");
  EXPECT_EQ(refusal({"flights", {}, {{"planes", {}, {{"distance", "distance"}}, {}, {"k"}}}}),
            "join with \"planes\": column \"k\" is there already; set a prefix or name the columns "
            "to take");
  EXPECT_EQ(refusal({"flights", {}, {{"planes"}}}), "join with \"planes\": needs keys or as_of");
  EXPECT_NE(refusal({"flights", {}, {{"planes", {}, {}, AsOf{"t", "t"}}}})
                .find("is timestamp and \"t\" is text"),
            std::string::npos);
  EXPECT_NE(refusal({"flights", {{"x", "distanc * 2"}}})
                .find("column \"x\": sql: Referenced column \"distanc\""),
            std::string::npos)
      << refusal({"flights", {{"x", "distanc * 2"}}});
  EXPECT_NE(refusal({"flights", {}, {}, {}, "k +"}).find("where: expression \"k +\""),
            std::string::npos);
}

TEST_F(Joins, derived_columns_replace_and_build_on_one_another) {
  table("a", "SELECT 3 AS x, 'b\"c' AS \"q\"\"q\"");
  const Batch batch =
      rows({"a", {{"x", "x + 1"}, {"y", "x * 10"}, {"z", "upper(\"q\"\"q\") -- note"}}});
  EXPECT_EQ(names(batch), "x q\"q y z ");
  EXPECT_EQ(batch.find("x")->numbers[0], 4);
  EXPECT_EQ(batch.find("y")->numbers[0], 40);
  EXPECT_EQ(batch.find("z")->texts[0], "B\"C");
}

TEST_F(Joins, an_expression_is_one_expression) {
  for (const char* good :
       {"a + 1", "CASE WHEN a > 15 THEN 1 ELSE 0 END", "\"odd name\" || 'it''s; --'",
        "date_part('hour', t)", "a IN (1, 2)", "coalesce(a, b)::DOUBLE", "a -- the delay",
        "list_transform([1], x -> x + a)[1]"}) {
    const auto checked = check_expression(engine, context, good);
    EXPECT_TRUE(checked.ok()) << good << ": " << checked.error().message;
  }
  EXPECT_EQ(expression_refusal("1; DROP TABLE x"), expression_refusal("1; DROP TABLE x"));
  for (const char* bad : {"1) FROM secrets --", "1) AS ciclo_value FROM range(3) t(x", "1), (2", "",
                          "a b c", "1) AS ciclo_value, (2", "1) UNION SELECT (2",
                          "1) AS ciclo_value WHERE (true", "1); SELECT (2", "SELECT 1", "*"}) {
    EXPECT_NE(expression_refusal(bad).find("expression \""), std::string::npos) << bad;
  }
  EXPECT_NE(expression_refusal("(SELECT 1)").find("subquery"), std::string::npos);
  EXPECT_NE(expression_refusal("a IN (SELECT b FROM t)").find("subquery"), std::string::npos);
  EXPECT_NE(expression_refusal("sum(a) OVER ()").find("window"), std::string::npos);
  EXPECT_NE(expression_refusal("a + random()").find("random is not allowed"), std::string::npos);
  EXPECT_NE(expression_refusal("t < now()").find("now is not allowed"), std::string::npos);
  EXPECT_NE(expression_refusal("t < CURRENT_TIMESTAMP").find("not allowed"), std::string::npos);
  EXPECT_NE(expression_refusal("unnest([1, 2])").find("several rows of one"), std::string::npos);
  EXPECT_NE(expression_refusal("1 + UNLIST([a, b])").find("several rows"), std::string::npos);
  EXPECT_NE(expression_refusal("generate_subscripts([1, 2], 1)").find("several rows"),
            std::string::npos);
  EXPECT_NE(expression_refusal("regexp_split_to_table(a, ',')").find("several rows"),
            std::string::npos);
  EXPECT_NE(expression_refusal("$1").find("parameters"), std::string::npos);
}

// The engine's own list, so that an engine that gains one is noticed.
TEST_F(Joins, refuses_every_function_that_is_not_decided_by_its_arguments_or_makes_rows) {
  const auto known = engine.query_all(
      context, {},
      "SELECT DISTINCT function_name FROM duckdb_functions() WHERE regexp_full_match("
      "function_name, '[a-z_][a-z0-9_]*') AND ((function_type = 'scalar' AND stability <> "
      "'CONSISTENT') OR (function_type = 'macro' AND regexp_matches(lower(macro_definition), "
      "'(unnest|unlist|generate_subscripts|select|random|now|nextval)[( ]'))) ORDER BY ALL");
  ASSERT_TRUE(known.ok()) << known.error().message;
  EXPECT_GT(known->rows(), 10u);
  for (const auto& name : known->columns[0].texts) {
    if (name == "error") continue;  // has no value; stops the step with the author's message
    EXPECT_NE(expression_refusal(name + "(a)").find("is not allowed here"), std::string::npos)
        << name;
  }
}

}  // namespace
}  // namespace ciclo::data
