// SPDX-License-Identifier: Apache-2.0
#include "data/engine.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <string>

#include "base/file.h"
#include "base/hash.h"

namespace ciclo::data {
namespace {

struct EngineTest : testing::Test {
  SystemClock clock;
  Engine engine{clock};
  Context context;
  TemporaryDirectory directory;

  std::string path(std::string_view name) const { return directory.path() / name; }
  std::string write(std::string_view name, std::string_view content) const {
    EXPECT_TRUE(write_file_durably(path(name), content).ok());
    return path(name);
  }
  Batch all(std::string_view sql, const std::vector<Table>& tables = {}) const {
    auto result = engine.query_all(context, tables, sql);
    EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message);
    return result.ok() ? *result : Batch{};
  }
  std::string refusal(std::string_view sql, const std::vector<Table>& tables = {}) const {
    const auto result = engine.query_all(context, tables, sql);
    EXPECT_FALSE(result.ok()) << sql;
    return result.ok() ? "" : result.error().message;
  }
};

TEST_F(EngineTest, reads_every_type_as_a_column_type) {
  const Batch batch = all(
      "SELECT true AS b, 5::UTINYINT AS i, 170141183460469231731687303715884105727::HUGEINT AS h, "
      "1.5::FLOAT AS f, 12.345::DECIMAL(9,3) AS d, 1.5::DECIMAL(3,1) AS d2, -0.01::DECIMAL(30,2) "
      "AS d3, "
      "DATE '1970-01-02' AS day, TIMESTAMP '1970-01-01 00:00:01.5' AS t, "
      "TIMESTAMPTZ '1970-01-01 02:00:00+02' AS z, TIMESTAMP_S '1970-01-01 00:01:00' AS s, "
      "'x'::ENUM('y', 'x') AS e, [1, 2] AS l, {'a': 1} AS st, TIME '01:02:03' AS ti, NULL AS n, "
      "'a longer text than twelve' AS text, 'NaN'::DOUBLE AS nan, "
      "'6ba7b810-9dad-11d1-80b4-00c04fd430c8'::UUID AS u");
  ASSERT_EQ(batch.rows(), 1U);
  const auto number = [&](std::string_view name) { return batch.find(name)->numbers.at(0); };
  const auto text = [&](std::string_view name) { return batch.find(name)->texts.at(0); };
  EXPECT_EQ(batch.find("b")->type, ColumnType::kBoolean);
  EXPECT_EQ(number("b"), 1);
  EXPECT_EQ(batch.find("i")->type, ColumnType::kInteger);
  EXPECT_EQ(number("i"), 5);
  EXPECT_DOUBLE_EQ(number("h"), 1.7014118346046923e38);
  EXPECT_EQ(batch.find("f")->type, ColumnType::kNumber);
  EXPECT_EQ(number("f"), 1.5);
  EXPECT_DOUBLE_EQ(number("d"), 12.345);
  EXPECT_EQ(number("d2"), 1.5);
  EXPECT_DOUBLE_EQ(number("d3"), -0.01);
  EXPECT_EQ(batch.find("day")->type, ColumnType::kTimestamp);
  EXPECT_EQ(number("day"), 86'400'000);
  EXPECT_EQ(number("t"), 1500);
  EXPECT_EQ(number("z"), 0);
  EXPECT_EQ(number("s"), 60'000);
  EXPECT_EQ(text("e"), "x");
  EXPECT_EQ(text("l"), "[1, 2]");
  EXPECT_EQ(text("st"), "{'a': 1}");
  EXPECT_EQ(text("ti"), "01:02:03");
  EXPECT_TRUE(batch.find("n")->is_null(0));
  EXPECT_EQ(text("text"), "a longer text than twelve");
  EXPECT_TRUE(batch.find("nan")->is_null(0));
  EXPECT_EQ(text("u"), "6ba7b810-9dad-11d1-80b4-00c04fd430c8");
}

TEST_F(EngineTest, describes_without_running) {
  const auto columns = engine.describe(context, {}, "SELECT 1 AS a, 2.50 AS \"b c\", 'x' AS d");
  ASSERT_TRUE(columns.ok());
  ASSERT_EQ(columns->size(), 3U);
  EXPECT_EQ((*columns)[1].name, "b c");
  EXPECT_EQ((*columns)[1].sql_type, "DECIMAL(3,2)");
  EXPECT_EQ((*columns)[2].type, ColumnType::kText);
}

TEST_F(EngineTest, gives_rows_in_their_order_and_columns_when_there_are_none) {
  const Batch batch = all("SELECT range AS i FROM range(100000)");
  ASSERT_EQ(batch.rows(), 100000U);
  for (std::size_t i = 0; i < 100000; ++i)
    ASSERT_EQ(batch.columns[0].numbers[i], static_cast<double>(i));
  const Batch none = all("SELECT 1 AS a, 'x' AS b WHERE false");
  EXPECT_EQ(none.rows(), 0U);
  ASSERT_EQ(none.columns.size(), 2U);
  EXPECT_EQ(none.columns[1].name, "b");
}

TEST_F(EngineTest, sees_bound_files_and_nothing_else) {
  const std::string bound = write("bound.csv", "a\n1\n");
  const std::string other = write("other.csv", "a\n2\n");
  const Table table{"t", {bound}, FileFormat::kCsv, {}, "none", {}};
  EXPECT_EQ(all("SELECT a FROM t", {table}).rows(), 1U);
  for (const std::string& sql :
       {"SELECT * FROM read_csv('" + other + "')",
        std::string("SELECT * FROM read_text('/etc/passwd')"),
        std::string("SELECT * FROM glob('/etc/*')"), "SELECT * FROM '" + other + "'"}) {
    EXPECT_NE(refusal(sql, {table}).find("disabled"), std::string::npos)
        << sql << refusal(sql, {table});
  }
}

TEST_F(EngineTest, takes_one_select_only) {
  EXPECT_EQ(refusal("SELECT 1; SELECT 2"), "sql: expected one SELECT statement, got 2 statements");
  EXPECT_EQ(refusal(""), "sql: expected one SELECT statement, got none");
  for (const char* sql : {"CREATE TABLE x (a INT)", "SET threads = 9",
                          "COPY (SELECT 1) TO '/tmp/x.csv'", "ATTACH '/tmp/x.db'", "LOAD httpfs"}) {
    refusal(sql);
  }
  EXPECT_EQ(all("SELECT 1 AS a -- with a comment").rows(), 1U);
}

TEST_F(EngineTest, errors_are_one_line_that_names_the_reason) {
  EXPECT_EQ(refusal("SELECT nope FROM (SELECT 1 AS a)").find('\n'), std::string::npos);
  EXPECT_NE(refusal("SELECT nope FROM (SELECT 1 AS a)").find("\"nope\" not found"),
            std::string::npos);
  EXPECT_NE(refusal("SELEC 1").find("syntax error at or near \"SELEC\""), std::string::npos);
  EXPECT_EQ(
      refusal("SELECT * FROM t", {{"t", {path("missing")}, FileFormat::kParquet, {}, "none", {}}}),
      "table \"t\": there is no file " + path("missing"));
  EXPECT_EQ(refusal("SELECT 1 AS a, 2 AS a"),
            "sql: the result has two columns named \"a\"; name one of them differently with AS");
  EXPECT_NE(refusal("SELECT CAST(x AS INT) FROM (VALUES ('1'), ('two')) t(x)").find("'two'"),
            std::string::npos);
}

TEST_F(EngineTest, keeps_to_its_memory) {
  const Engine small(clock, {std::size_t{32} << 20, 1, ""});
  const auto result = small.query_all(
      context, {},
      "SELECT count(*) AS n FROM (SELECT DISTINCT hash(range) AS h FROM range(20000000))");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::kResourceExhausted) << result.error().message;
}

TEST_F(EngineTest, writes_the_same_bytes_for_the_same_rows) {
  const std::string sql =
      "SELECT k, count(*) AS n, sum(v) AS s FROM (SELECT range % 5000 AS k, range * 0.5 AS v, "
      "range AS i "
      "FROM range(300000)) GROUP BY k";
  const auto first = engine.write_parquet(context, {}, sql, path("a.parquet"));
  ASSERT_TRUE(first.ok()) << first.error().message;
  EXPECT_EQ(first->rows, 5000);
  const Engine wide(clock, {std::size_t{1} << 30, 4, ""});
  ASSERT_TRUE(wide.write_parquet(context, {}, sql, path("b.parquet")).ok());
  EXPECT_EQ(*hash_file(path("a.parquet")), *hash_file(path("b.parquet")));
  EXPECT_EQ(all("SELECT sum(n)::BIGINT AS n FROM t",
                {{"t", {path("a.parquet")}, FileFormat::kParquet, {}, "none", {}}})
                .columns[0]
                .numbers[0],
            300000);
}

TEST_F(EngineTest, leaves_no_file_behind_a_failed_write) {
  const auto written = engine.write_parquet(
      context, {},
      "SELECT CASE WHEN range > 200000 THEN error('late') ELSE 'x' END AS a FROM range(300000)",
      path("a.parquet"));
  ASSERT_FALSE(written.ok());
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST_F(EngineTest, writes_rows_from_memory_and_reads_them_back) {
  Batch batch;
  batch.columns = {{"b", ColumnType::kBoolean, {1, 0, std::nan("")}, {}, {}},
                   {"i", ColumnType::kInteger, {1, -2, std::nan("")}, {}, {}},
                   {"t", ColumnType::kTimestamp, {0, 1385078400123, std::nan("")}, {}, {}},
                   {"x\"y", ColumnType::kText, {}, {"a", "", "c"}, {1, 1, 0}}};
  ASSERT_TRUE(engine.write_parquet(context, batch, path("m.parquet")).ok());
  const Batch back =
      all("SELECT * FROM m", {{"m", {path("m.parquet")}, FileFormat::kParquet, {}, "none", {}}});
  ASSERT_EQ(back.rows(), 3U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(back.columns[i].name, batch.columns[i].name);
    EXPECT_EQ(back.columns[i].type, batch.columns[i].type);
    EXPECT_TRUE(back.columns[i].is_null(2));
  }
  EXPECT_EQ(back.columns[2].numbers[1], 1385078400123);
  EXPECT_FALSE(back.columns[3].is_null(1));
}

TEST_F(EngineTest, stops_at_the_deadline) {
  context.deadline_ns = 1;
  EXPECT_EQ(engine.query_all(context, {}, "SELECT 1 AS a").error().code, Code::kDeadlineExceeded);
}

TEST_F(EngineTest, quotes_whatever_a_name_holds) {
  EXPECT_EQ(quote_identifier("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(quote_literal("it's"), "'it''s'");
  const Batch batch = all("SELECT 1 AS " + quote_identifier("a\" FROM x; --"));
  EXPECT_EQ(batch.columns[0].name, "a\" FROM x; --");
}

}  // namespace
}  // namespace ciclo::data
