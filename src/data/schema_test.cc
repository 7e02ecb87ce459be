// SPDX-License-Identifier: Apache-2.0
#include "data/schema.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

namespace ciclo::data {
namespace {

Column text(std::string name, std::size_t rows, std::size_t values) {
  Column column{std::move(name), ColumnType::kText};
  for (std::size_t i = 0; i < rows; ++i)
    column.append(std::string_view("v" + std::to_string(i % values)));
  return column;
}

Schema inferred(Column column, const InferenceOptions& options = {}) {
  StatisticsBuilder builder;
  builder.add({{std::move(column)}});
  return infer_schema(builder.build(), options);
}

ColumnSchema one(Column column) { return inferred(std::move(column)).columns.at(0); }

TEST(InferSchema, closes_the_domain_of_few_texts) {
  EXPECT_EQ(one(text("t", 20, 3)).domain, (std::vector<std::string>{"v0", "v1", "v2"}));
  EXPECT_TRUE(one(text("t", 20, 5)).domain.empty());  // four rows a value are too few
  EXPECT_EQ(one(text("t", 20, 5)).length_max, 8);
  EXPECT_TRUE(one(text("t", 1000, 51)).domain.empty());
}

TEST(InferSchema, widens_ranges_and_keeps_counts_non_negative) {
  const auto i = one({"i", ColumnType::kInteger, {1, 5, 11, 1}});
  EXPECT_EQ(i.min, 0);
  EXPECT_EQ(i.max, 12);
  const auto x = one({"x", ColumnType::kNumber, {-1.5, 0.5, -1.5}});
  EXPECT_DOUBLE_EQ(*x.min, -1.7);
  EXPECT_DOUBLE_EQ(*x.max, 0.7);
  EXPECT_FALSE(one({"t", ColumnType::kTimestamp, {0, 1}}).min);
}

TEST(InferSchema, allows_as_many_nulls_as_there_were_and_a_few_more) {
  const double null = std::nan("");
  EXPECT_EQ(one({"x", ColumnType::kNumber, {1, 2, 3, 3}}).present_min, 1);
  EXPECT_DOUBLE_EQ(one({"x", ColumnType::kNumber, {1, 1, 3, null}}).present_min, 0.7);
  const auto all_null = one({"t", ColumnType::kText, {}, {"", ""}, {0, 0}});
  EXPECT_EQ(all_null.present_min, 0);
  EXPECT_TRUE(all_null.domain.empty());
  EXPECT_FALSE(all_null.length_max);
}

TEST(InferSchema, calls_keys_unique_and_gives_them_no_range) {
  Column id{"id", ColumnType::kInteger};
  for (int i = 0; i < 100; ++i) id.append(i);
  EXPECT_TRUE(one(id).unique);
  EXPECT_FALSE(one(id).max);
  id.numbers.back() = 0;
  EXPECT_FALSE(one(id).unique);
  EXPECT_TRUE(one(text("t", 100, 100)).unique);
  EXPECT_FALSE(one(text("t", 99, 99)).unique);
}

TEST(Schema, round_trips_as_yaml_and_json) {
  Schema schema;
  schema.closed = true;
  schema.rows_min = 10;
  schema.columns = {
      {"plain", ColumnType::kNumber, true, 0.95, {}, 1, -0.1, 1e300},
      {"no: \"x\"\n#", ColumnType::kText, false, 1, {"yes", "null", "1", "größe", ""}, 0.9},
      {"key", ColumnType::kInteger, true, 1, {}, 1, 0.0, std::nullopt, true},
      {"free", ColumnType::kText, true, 0, {}, 1, {}, {}, false, 400}};
  const auto from_yaml = read_schema(to_yaml(schema));
  ASSERT_TRUE(from_yaml.ok()) << from_yaml.error().message << "\n" << to_yaml(schema);
  EXPECT_EQ(to_json(*from_yaml), to_json(schema));
  const auto from_json = read_schema(to_json(schema));
  ASSERT_TRUE(from_json.ok()) << from_json.error().message;
  EXPECT_EQ(to_json(*from_json), to_json(schema));
  EXPECT_TRUE(read_schema(to_yaml(Schema{})).ok());
}

TEST(Schema, says_where_and_what_is_wrong) {
  const auto refusal = [](std::string_view yaml) {
    const auto schema = read_schema(yaml);
    return schema.ok() ? "" : schema.error().message;
  };
  EXPECT_EQ(refusal("columns:\n  - name: a\n    type: float\n"),
            "schema: 3:11: columns[0].type: expected one of boolean, integer, number, text, "
            "timestamp, got \"float\"");
  EXPECT_NE(
      refusal("columns:\n  - name: a\n    type: text\n    maximum: 3\n").find("unknown field"),
      std::string::npos);
  EXPECT_EQ(refusal("columns:\n- {name: a, type: text}\n- {name: a, type: number}\n"),
            "schema: column \"a\" is there twice");
  EXPECT_EQ(refusal("columns: [{name: a, type: number, min: 2, max: 1}]"),
            "schema: column \"a\": min must not be above max");
  EXPECT_EQ(refusal("columns: [{name: a, type: number, present_min: 1.5}]"),
            "schema: column \"a\": present_min must be between 0 and 1");
  EXPECT_NE(refusal("columns: [").find("line 1"), std::string::npos);
  EXPECT_NE(refusal("").find("expected an object"), std::string::npos);
}

}  // namespace
}  // namespace ciclo::data
