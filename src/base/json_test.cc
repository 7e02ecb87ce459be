// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/json_fields.h"

namespace ciclo {
namespace {

struct Point {
  double x = 0;
  std::optional<std::int64_t> step;
  std::string unit = "m";
  template <class V>
  void fields(V& v) {
    v("x", x);
    v("step", step);
    v.or_default("unit", unit);
  }
};

struct Path {
  std::string name;
  std::vector<Point> points;
  std::map<std::string, std::string> tags;
  template <class V>
  void fields(V& v) {
    v("name", name);
    v("points", points);
    v.or_default("tags", tags);
  }
};

struct Small {
  std::int32_t n = 0;
  template <class V>
  void fields(V& v) {
    v("n", n);
  }
};

TEST(Json, round_trip_keeps_order_kinds_and_64_bit_integers) {
  const std::string text =
      R"({"b":[1,-9223372036854775808,9223372036854775807,1.5,true,null],"a":{"é":"\"\\\n"}})";
  auto value = json::parse(text);
  ASSERT_TRUE(value.ok()) << value.error().message;
  EXPECT_EQ(json::dump(*value), text);
}

TEST(Json, doubles_stay_doubles_and_read_back_exactly) {
  for (const double number : {0.1, 1.0, -0.0, 1e300, 5e-324, std::numeric_limits<double>::max()}) {
    auto back = json::parse(json::dump(json::Value(number)));
    ASSERT_TRUE(back.ok());
    EXPECT_EQ(back->kind(), json::Kind::kDouble);
    EXPECT_EQ(back->number(), number);
  }
}

TEST(Json, non_finite_numbers_follow_the_policy) {
  const json::Value nan(std::nan(""));
  const json::Value infinity(-std::numeric_limits<double>::infinity());
  EXPECT_EQ(json::dump(nan), "null");
  EXPECT_EQ(json::dump(nan, json::NonFinite::kString), "\"NaN\"");
  EXPECT_EQ(json::dump(infinity, json::NonFinite::kBare), "-Infinity");
}

TEST(Json, syntax_errors_name_line_and_column) {
  auto value = json::parse("{\"a\": 1,\n  \"b\": }");
  ASSERT_FALSE(value.ok());
  EXPECT_EQ(value.error().code, Code::kInvalidArgument);
  EXPECT_NE(value.error().message.find("line 2, column 8"), std::string::npos)
      << value.error().message;
}

TEST(Json, refuses_deep_nesting_invalid_utf8_and_empty_text) {
  EXPECT_FALSE(json::parse(std::string(100000, '[') + std::string(100000, ']')).ok());
  EXPECT_FALSE(json::parse("\"\xff\"").ok());
  EXPECT_FALSE(json::parse("").ok());
  EXPECT_FALSE(json::parse("[NaN]").ok());
}

TEST(Json, writer_replaces_bytes_that_are_not_utf8) {
  EXPECT_EQ(json::dump(json::Value("a\xff\x01")), "\"a\xEF\xBF\xBD\\u0001\"");
}

TEST(JsonFields, reads_and_writes_structs) {
  const std::string text =
      R"({"name":"p","points":[{"x":1.0,"step":3,"unit":"m"},{"x":2.5,"unit":"km"}],"tags":{"k":"v"}})";
  auto path = json::read<Path>(text);
  ASSERT_TRUE(path.ok()) << path.error().message;
  EXPECT_EQ(path->points[0].step, 3);
  EXPECT_FALSE(path->points[1].step.has_value());
  EXPECT_EQ(json::write(*path), text);
}

TEST(JsonFields, errors_name_the_path_and_the_kind_found) {
  auto path = json::read<Path>(R"({"name":"p","points":[{"x":1},{"x":"two"}]})");
  ASSERT_FALSE(path.ok());
  EXPECT_EQ(path.error().message, "points[1].x: expected a number, got a string");
  EXPECT_EQ(json::read<Path>(R"({"points":[]})").error().message, "name: required, but missing");
}

TEST(JsonFields, unknown_fields_are_refused_where_asked) {
  const std::string text = R"({"x":1,"y":2})";
  EXPECT_TRUE(json::read<Point>(text).ok());
  auto strict = json::read<Point>(text, json::Unknown::kRefuse);
  ASSERT_FALSE(strict.ok());
  EXPECT_EQ(strict.error().message, "y: unknown field; known here: x step unit");
}

TEST(JsonFields, integers_are_range_checked) {
  EXPECT_EQ(json::read<Small>(R"({"n":3000000000})").error().message,
            "n: 3000000000 is out of range");
  EXPECT_FALSE(json::read<Small>(R"({"n":1.5})").ok());
}

}  // namespace
}  // namespace ciclo
