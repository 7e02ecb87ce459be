// SPDX-License-Identifier: Apache-2.0
#include "data/validate.h"

#include <gtest/gtest.h>

#include <string>

#include "base/file.h"

namespace ciclo::data {
namespace {

struct Validate : testing::Test {
  SystemClock clock;
  Engine engine{clock};
  Context context;
  TemporaryDirectory directory;

  Validation check(const std::string& sql, const std::string& schema_yaml) const {
    const std::string path = directory.path() / "t.parquet";
    const auto written = engine.write_parquet(context, {}, sql, path);
    EXPECT_TRUE(written.ok()) << (written.ok() ? "" : written.error().message);
    const Table table{"t", {path}};
    const auto statistics = compute_statistics(engine, context, table);
    const auto schema = read_schema(schema_yaml);
    EXPECT_TRUE(schema.ok()) << (schema.ok() ? "" : schema.error().message);
    const auto validation = validate(engine, context, table, *statistics, *schema);
    EXPECT_TRUE(validation.ok()) << (validation.ok() ? "" : validation.error().message);
    return validation.ok() ? *validation : Validation{};
  }
  Finding one(const std::string& sql, const std::string& column_yaml) const {
    const auto validation = check(sql, "columns: [" + column_yaml + "]");
    EXPECT_EQ(validation.findings.size(), 1U) << to_text(validation);
    return validation.findings.empty() ? Finding{} : validation.findings[0];
  }
};

TEST_F(Validate, finds_nothing_in_the_table_a_schema_was_inferred_from) {
  const std::string path = directory.path() / "t.parquet";
  ASSERT_TRUE(
      engine
          .write_parquet(
              context, {},
              "SELECT range AS id, range % 7 AS d, 'k' || range % 4 AS k, range * 0.1 AS x, "
              "CASE WHEN range % 3 = 0 THEN range END AS n, NULL AS nothing, range % 2 = 0 AS b, "
              "TIMESTAMP '2013-01-01' + to_hours(range) AS t, 'NaN'::DOUBLE AS nan FROM "
              "range(1000)",
              path)
          .ok());
  const Table table{"t", {path}};
  const auto statistics = compute_statistics(engine, context, table);
  const auto validation = validate(engine, context, table, *statistics, infer_schema(*statistics));
  ASSERT_TRUE(validation.ok()) << validation.error().message;
  EXPECT_TRUE(validation->findings.empty()) << to_text(*validation);
  EXPECT_TRUE(validation->passed());
}

TEST_F(Validate, counts_values_outside_the_range_and_names_the_first_row) {
  const auto below =
      one("SELECT range - 3 AS \"x y\" FROM range(1000)", "{name: x y, type: integer, min: 0}");
  EXPECT_EQ(below.kind, "below_min");
  EXPECT_EQ(below.count, 3);
  EXPECT_DOUBLE_EQ(below.percent, 0.3);
  EXPECT_EQ(below.first_row, 1);
  EXPECT_EQ(below.examples, (std::vector<std::string>{"-1", "-2", "-3"}));
  EXPECT_EQ(below.message,
            "column \"x y\": 3 rows (0.3 %) are too small, for instance \"-1\" in row 1 first; "
            "allowed is at least 0");
  const auto above =
      one("SELECT range / 10 AS x FROM range(100000)", "{name: x, type: number, max: 9999.8}");
  EXPECT_EQ(above.kind, "above_max");
  EXPECT_EQ(above.count, 1);
  EXPECT_EQ(above.first_row, 100000);
  const auto time = one("SELECT TIMESTAMP '2013-01-01' + to_hours(range) AS t FROM range(10)",
                        "{name: t, type: timestamp, max: 1357023600000}");
  EXPECT_EQ(time.count, 2);
  EXPECT_NE(time.message.find("at most 2013-01-01T07:00:00Z"), std::string::npos) << time.message;
}

TEST_F(Validate, finds_values_outside_the_domain) {
  const auto finding =
      one("SELECT CASE WHEN range % 10 = 3 THEN 'it''s' ELSE 'a' END AS k FROM range(100)",
          "{name: k, type: text, domain: [a, b]}");
  EXPECT_EQ(finding.kind, "unexpected_values");
  EXPECT_EQ(finding.count, 10);
  EXPECT_EQ(finding.first_row, 4);
  EXPECT_EQ(finding.examples, (std::vector<std::string>{"it's"}));
  EXPECT_EQ(finding.message,
            "column \"k\": 10 rows (10.0 %) are not among the allowed values, for instance "
            "\"it's\" in row 4 first; allowed are \"a\", \"b\"");
  const auto tolerated =
      check("SELECT CASE WHEN range % 10 = 3 THEN 'c' ELSE 'a' END AS k FROM range(100)",
            "columns: [{name: k, type: text, domain: [a], domain_share_min: 0.9}]");
  EXPECT_TRUE(tolerated.findings.empty());
  EXPECT_EQ(
      one("SELECT range % 3 AS i FROM range(9)", "{name: i, type: integer, domain: ['0', '1']}")
          .count,
      3);
  const auto many =
      one("SELECT 'v' || range AS k FROM range(1000)", "{name: k, type: text, domain: [v1]}");
  EXPECT_EQ(many.count, 999);
  EXPECT_EQ(many.examples.size(), 5U);
}

TEST_F(Validate, finds_missing_new_and_renamed_columns) {
  const auto validation = check("SELECT 1 AS distanc, 2 AS other",
                                "columns: [{name: distance, type: integer}, "
                                "{name: note, type: text, required: false}]");
  ASSERT_EQ(validation.findings.size(), 3U);
  EXPECT_EQ(validation.findings[0].kind, "column_missing");
  EXPECT_EQ(validation.findings[1].message,
            "column \"distanc\" is not in the schema; is it \"distance\", renamed?");
  EXPECT_EQ(validation.findings[1].severity, Severity::kInfo);
  EXPECT_FALSE(validation.passed());
  EXPECT_FALSE(check("SELECT 1 AS a", "{closed: true, columns: []}").passed());
}

TEST_F(Validate, finds_changed_types_and_shows_what_is_no_number) {
  const auto finding =
      one("SELECT CASE WHEN range = 5 THEN 'five' ELSE range::VARCHAR END AS x FROM range(10)",
          "{name: x, type: integer}");
  EXPECT_EQ(finding.kind, "type_changed");
  EXPECT_EQ(finding.examples, (std::vector<std::string>{"five"}));
  EXPECT_EQ(finding.first_row, 6);
  EXPECT_EQ(finding.message, "column \"x\" is text; expected integer");
  EXPECT_TRUE(check("SELECT 1 AS x", "columns: [{name: x, type: number}]").passed());
  EXPECT_TRUE(check("SELECT 1.0::DOUBLE AS x", "columns: [{name: x, type: integer}]").passed());
  EXPECT_FALSE(check("SELECT 1.5::DOUBLE AS x", "columns: [{name: x, type: integer}]").passed());
}

TEST_F(Validate, counts_nulls_and_nan) {
  const auto finding = one(
      "SELECT CASE range WHEN 2 THEN 'NaN'::DOUBLE WHEN 5 THEN NULL ELSE 1 END AS x FROM range(10)",
      "{name: x, type: number}");
  EXPECT_EQ(finding.kind, "nulls");
  EXPECT_EQ(finding.count, 2);
  EXPECT_EQ(finding.first_row, 3);
  EXPECT_EQ(finding.message, "column \"x\": 2 rows (20.0 %) are null; none are allowed");
  EXPECT_TRUE(check("SELECT NULL::DOUBLE AS x", "columns: [{name: x, type: text, present_min: 0}]")
                  .passed());
  EXPECT_EQ(one("SELECT 'inf'::DOUBLE AS x", "{name: x, type: number, max: 5}").kind, "infinite");
}

TEST_F(Validate, finds_what_occurs_twice_and_what_is_too_long) {
  const auto finding =
      one("SELECT range % 99 AS id FROM range(100)", "{name: id, type: integer, unique: true}");
  EXPECT_EQ(finding.kind, "not_unique");
  EXPECT_EQ(finding.count, 1);
  EXPECT_EQ(finding.first_row, 100);
  EXPECT_TRUE(check("SELECT range AS id FROM range(50000)",
                    "columns: [{name: id, type: integer, unique: true}]")
                  .findings.empty());
  const auto length = one("SELECT repeat('x', 9) AS t", "{name: t, type: text, length_max: 8}");
  EXPECT_EQ(length.severity, Severity::kWarning);
  EXPECT_EQ(
      check("SELECT 1 AS a WHERE false", "columns: [{name: a, type: integer}]").findings[0].kind,
      "too_few_rows");
}

TEST_F(Validate, is_printed_for_people_and_programs) {
  const auto validation = check("SELECT -1 AS a", "columns: [{name: a, type: integer, min: 0}]");
  EXPECT_EQ(to_text(validation), "error: " + validation.findings[0].message + "\n");
  EXPECT_NE(to_json(validation).find("\"severity\":\"error\""), std::string::npos);
}

}  // namespace
}  // namespace ciclo::data
