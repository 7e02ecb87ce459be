// SPDX-License-Identifier: Apache-2.0
#include "base/yaml.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "base/file.h"

namespace ciclo {
namespace {

std::string as_json(std::string_view text) {
  const auto value = yaml::parse(text);
  return value.ok() ? json::dump(*value, json::NonFinite::kString) : value.error().message;
}

std::string message_of(std::string_view text) {
  const auto value = yaml::parse(text, "ciclo.yaml");
  return value.ok() ? "no error" : value.error().message;
}

TEST(Yaml, plain_scalars_follow_the_core_schema) {
  EXPECT_EQ(as_json("[~, null, Null, NULL, true, True, FALSE]"),
            "[null,null,null,null,true,true,false]");
  EXPECT_EQ(as_json("[0, -7, +7, 007, 0o17, 0xfF]"), "[0,-7,7,7,15,255]");
  EXPECT_EQ(as_json("[1.5, 1., .5, -1e3, 1E-2, +.5]"), "[1.5,1.0,0.5,-1000.0,0.01,0.5]");
  EXPECT_EQ(as_json("[.inf, -.INF, .nan]"), R"(["Infinity","-Infinity","NaN"])");
}

TEST(Yaml, plain_scalars_may_stay_the_texts_that_were_written) {
  const auto read = yaml::parse("a: 12345e67\nb: 0o7\nc: null\nd: true\ne: ~\nf:\n", {}, {},
                                yaml::Scalars::kTexts);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->string_or("a", ""), "12345e67");
  EXPECT_EQ(read->string_or("b", ""), "0o7");
  EXPECT_EQ(read->string_or("d", ""), "true");
  for (const char* key : {"c", "e", "f"}) EXPECT_TRUE(read->find(key)->is_null()) << key;
}

TEST(Yaml, what_only_looks_like_a_value_stays_a_string) {
  EXPECT_EQ(
      as_json("[yes, no, on, off, 1.2.3, 1_000, 0b1, 1e, ., +, 12:30, 2013-01-31, e5]"),
      R"(["yes","no","on","off","1.2.3","1_000","0b1","1e",".","+","12:30","2013-01-31","e5"])");
}

TEST(Yaml, quoted_and_tagged_scalars_stay_strings) {
  EXPECT_EQ(as_json(R"(["1", '2', "true", "", !!str 3, !!int 4])"), R"(["1","2","true","","3",4])");
  EXPECT_EQ(as_json("text: |\n  1\n  2\n"), R"({"text":"1\n2\n"})");
}

TEST(Yaml, numbers_beyond_the_range_become_doubles) {
  EXPECT_EQ(as_json("[9223372036854775807, -9223372036854775808]"),
            "[9223372036854775807,-9223372036854775808]");
  EXPECT_EQ(as_json("[9223372036854775808, 1e400, 1e-400]"),
            R"([9223372036854775808.0,"Infinity",0.0])");
}

TEST(Yaml, objects_keep_their_order_and_keys_are_text) {
  EXPECT_EQ(as_json("b: 1\na: {x: [1, {y: }]}\n2013: true\n"),
            R"({"b":1,"a":{"x":[1,{"y":null}]},"2013":true})");
  EXPECT_EQ(as_json(""), "null");
  EXPECT_EQ(as_json("# only a comment\n"), "null");
  EXPECT_EQ(as_json("---\na: 1\n...\n"), R"({"a":1})");
}

TEST(Yaml, values_know_their_line_and_column) {
  const auto value = yaml::parse("name: flights\nsteps:\n  - kind: train\n");
  ASSERT_TRUE(value.ok()) << value.error().message;
  const json::Value& kind = *value->find("steps")->items()[0].find("kind");
  EXPECT_EQ(kind.mark.line, 3U);
  EXPECT_EQ(kind.mark.column, 11U);
}

TEST(Yaml, aliases_are_copies_with_their_own_mark) {
  const auto value = yaml::parse("a: &x {k: [1, 2]}\nb: *x\n");
  ASSERT_TRUE(value.ok()) << value.error().message;
  EXPECT_EQ(*value->find("a"), *value->find("b"));
  EXPECT_EQ(value->find("b")->mark.line, 2U);
}

TEST(Yaml, aliases_cannot_expand_without_bound) {
  std::string text = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) text += (j > 0 ? ", " : "") + before;
    text += "]\n";
  }
  EXPECT_NE(message_of(text).find("more than 200000 values"), std::string::npos);
}

TEST(Yaml, an_alias_inside_its_own_value_is_refused) {
  EXPECT_EQ(message_of("a: &x\n  - *x\n"),
            "ciclo.yaml:2:5: the alias stands inside the value that it names");
}

TEST(Yaml, nesting_is_limited) {
  EXPECT_NE(message_of(std::string(65, '[') + std::string(65, ']')).find("deeper than 64"),
            std::string::npos);
  const std::string forty = std::string(40, '[') + "*b" + std::string(40, ']');
  EXPECT_NE(message_of("a: &b " + std::string(40, '[') + std::string(40, ']') + "\nc: " + forty)
                .find("deeper than 64"),
            std::string::npos);
  // Deeper than the parser itself follows.
  EXPECT_NE(message_of(std::string(100'000, '[')), "no error");
}

TEST(Yaml, errors_name_file_line_and_column) {
  EXPECT_EQ(message_of("a: 1\nb: 2\na: 3\n"),
            "ciclo.yaml:3:1: key \"a\" is given twice, first on line 1");
  EXPECT_EQ(message_of("a: !secret x\n").substr(0, 15), "ciclo.yaml:1:4:");
  EXPECT_EQ(message_of("a: [1, 2\nb: 3\n").substr(0, 13), "ciclo.yaml:2:");
  EXPECT_EQ(message_of("? [1, 2]\n: 3\n"),
            "ciclo.yaml:1:3: a key must be a plain text, not a collection");
  EXPECT_NE(message_of("base: &b {x: 1}\nc:\n  <<: *b\n").find("merge keys"), std::string::npos);
  EXPECT_EQ(yaml::parse("a: 1\na: 2\n").error().message,
            "line 2, column 1: key \"a\" is given twice, first on line 1");
}

TEST(Yaml, refuses_several_documents_and_forbidden_characters) {
  EXPECT_NE(message_of("a: 1\n---\nb: 2\n").find("several YAML documents"), std::string::npos);
  EXPECT_EQ(message_of("a: 1\nb: \x04\n"),
            "ciclo.yaml:2:4: control character 4 is not allowed in YAML");
  EXPECT_EQ(message_of("a: \xff\n"), "ciclo.yaml:1:4: the text is not UTF-8");
}

TEST(Yaml, a_missing_file_is_not_found) {
  const TemporaryDirectory directory;
  EXPECT_EQ(yaml::read_file(directory.path() / "none.yaml").error().code, Code::kNotFound);
}

}  // namespace
}  // namespace ciclo
