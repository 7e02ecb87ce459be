// SPDX-License-Identifier: Apache-2.0
#include "serve/request.h"

#include <gtest/gtest.h>

#include <cmath>

namespace ciclo::serve {
namespace {

data::Column column_of(data::ColumnType type) {
  data::Column column;
  column.name = "c";
  column.type = type;
  return column;
}

// The cell that a JSON text becomes; "null", or the error's message.
std::string cell(data::ColumnType type, std::string_view json_text) {
  const auto document = json::Document::parse(json_text);
  EXPECT_TRUE(document.ok()) << json_text;
  auto column = column_of(type);
  const auto appended = append_cell(column, document->root());
  if (!appended.ok()) return appended.error().message;
  EXPECT_EQ(column.rows(), 1u);
  if (column.is_null(0)) return "null";
  return type == data::ColumnType::kText ? column.texts[0] : json::dump(column.numbers[0]);
}

const std::vector<std::string> kNullTexts = {"", "NA", "-9"};

std::string field(data::ColumnType type, std::string_view text) {
  auto column = column_of(type);
  const auto appended = append_field(column, text, kNullTexts);
  if (!appended.ok()) return appended.error().message;
  if (column.is_null(0)) return "null";
  return type == data::ColumnType::kText ? column.texts[0] : json::dump(column.numbers[0]);
}

using enum data::ColumnType;

TEST(AppendCell, takes_what_the_type_holds) {
  EXPECT_EQ(cell(kNumber, "1.5"), json::dump(1.5));
  EXPECT_EQ(cell(kNumber, "3"), json::dump(3.0));
  EXPECT_EQ(cell(kNumber, "\"NaN\""), "null");
  EXPECT_EQ(cell(kInteger, "3.0"), json::dump(3.0));
  EXPECT_EQ(cell(kBoolean, "true"), json::dump(1.0));
  EXPECT_EQ(cell(kBoolean, "0"), json::dump(0.0));
  EXPECT_EQ(cell(kText, "\"a\""), "a");
  EXPECT_EQ(cell(kText, "\"\""), "");
  EXPECT_EQ(cell(kTimestamp, "5"), json::dump(5.0));
  EXPECT_EQ(cell(kTimestamp, "\"1970-01-02\""), json::dump(86'400'000.0));
  for (const auto type : {kNumber, kInteger, kBoolean, kText, kTimestamp}) {
    EXPECT_EQ(cell(type, "null"), "null");
  }
}

TEST(AppendCell, refuses_what_it_does_not_naming_the_column) {
  EXPECT_EQ(cell(kInteger, "1.5"), "column \"c\": takes whole numbers, got 1.500000");
  EXPECT_EQ(cell(kText, "7"), "column \"c\": takes texts, got a number");
  EXPECT_EQ(cell(kNumber, "\"seven\""), "column \"c\": takes number, got \"seven\"");
  EXPECT_NE(cell(kNumber, "[1]").find("got an array"), std::string::npos);
  EXPECT_NE(cell(kBoolean, "2").find("true or false"), std::string::npos);
  EXPECT_NE(cell(kTimestamp, "\"noon\"").find("2013-06-01T10:00:00Z"), std::string::npos);
}

TEST(AppendField, takes_text_and_empty_is_missing) {
  EXPECT_EQ(field(kNumber, " 1.5 "), json::dump(1.5));
  EXPECT_EQ(field(kNumber, ""), "null");
  EXPECT_EQ(field(kNumber, "nan"), "null");
  EXPECT_EQ(field(kText, ""), "null");
  EXPECT_EQ(field(kText, "NaN"), "NaN");
  // What had no value in training has none here, in columns of every type.
  EXPECT_EQ(field(kText, "NA"), "null");
  EXPECT_EQ(field(kNumber, "-9"), "null");
  EXPECT_EQ(field(kBoolean, "NA"), "null");
  EXPECT_EQ(field(kBoolean, "True"), json::dump(1.0));
  EXPECT_EQ(field(kTimestamp, "1970-01-01 00:00:01"), json::dump(1000.0));
  EXPECT_EQ(field(kNumber, "x"), "column \"c\": takes number, got \"x\"");
}

TEST(ReadOptions, takes_one_or_many) {
  const auto read = [](std::string_view text) {
    const auto document = json::Document::parse(text);
    EXPECT_TRUE(document.ok());
    return read_options(document->root());
  };
  const auto many = read(R"({"inference_ids":["a","b"],"event_times_ms":[1,2],"other":7})");
  ASSERT_TRUE(many.ok());
  EXPECT_EQ(many->inference_ids.size(), 2u);
  EXPECT_EQ(many->event_times_ms, (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(read(R"({"inference_id":"a","event_time_ms":5})")->event_times_ms.front(), 5);
  EXPECT_TRUE(read("null").ok());
  for (const auto* bad :
       {R"([])", R"({"inference_id":1})", R"({"inference_ids":"a"})",
        R"({"inference_ids":["a",1]})", R"({"event_time_ms":1.5})", R"({"event_times_ms":["1"]})",
        R"({"inference_id":"a","inference_ids":["b"]})"}) {
    EXPECT_FALSE(read(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace ciclo::serve
