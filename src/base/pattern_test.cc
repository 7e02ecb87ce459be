// SPDX-License-Identifier: Apache-2.0
#include "base/pattern.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/test_patterns.h"

namespace ciclo {
namespace {

TEST(Pattern, finds_what_the_regular_expressions_of_python_find) {
  for (const auto& example : pattern_examples()) {
    SCOPED_TRACE(example.pattern);
    const auto parsed = Pattern::parse(example.pattern);
    ASSERT_TRUE(parsed.ok()) << parsed.error().message;
    for (const auto& text : example.found) EXPECT_TRUE(parsed->matches(text)) << text;
    for (const auto& text : example.missed) EXPECT_FALSE(parsed->matches(text)) << text;
  }
}

TEST(Pattern, its_text_is_the_same_pattern) {
  for (const auto& example : pattern_examples()) {
    const auto parsed = Pattern::parse(example.pattern);
    ASSERT_TRUE(parsed.ok());
    const auto again = Pattern::parse(parsed->text());
    ASSERT_TRUE(again.ok()) << parsed->text() << ": " << again.error().message;
    EXPECT_EQ(again->text(), parsed->text());
    for (const auto& text : example.found) EXPECT_TRUE(again->matches(text)) << text;
    for (const auto& text : example.missed) EXPECT_FALSE(again->matches(text)) << text;
  }
}

TEST(Pattern, the_text_of_the_largest_parses_too) {
  for (const auto& text :
       {std::string(50, '(') + "a|b" + std::string(50, ')'), std::string(999, '.'),
        "x|" + std::string(50, '(') + "a|b)+" + std::string(49, ')')}) {
    const auto parsed = Pattern::parse(text);
    ASSERT_TRUE(parsed.ok()) << parsed.error().message;
    const auto again = Pattern::parse(parsed->text());
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_EQ(again->text(), parsed->text());
  }
}

TEST(Pattern, what_is_wrong_or_not_understood_is_named) {
  const auto problem = [](const std::string& text) {
    const auto parsed = Pattern::parse(text);
    EXPECT_FALSE(parsed.ok()) << text;
    return parsed.ok() ? "" : parsed.error().message;
  };
  EXPECT_EQ(problem("a(b"), "the pattern \"a(b\", at byte 2: has a ( without its )");
  EXPECT_EQ(problem("a)b"), "the pattern \"a)b\", at byte 2: has a ) without its (");
  EXPECT_EQ(problem("[a"), "the pattern \"[a\", at byte 1: has a [ without its ]");
  EXPECT_EQ(problem("a\\"), "the pattern \"a\\\", at byte 2: ends in a backslash");
  for (const std::string& text : {std::string("*a"),
                                  std::string("a|+"),
                                  std::string("^*"),
                                  std::string("{2}"),
                                  std::string("a**"),
                                  std::string("a{2}{3}"),
                                  std::string("a++"),
                                  std::string("a{300}"),
                                  std::string("a{3,2}"),
                                  std::string("(a)\\1"),
                                  std::string("(?=a)"),
                                  std::string("(?<!a)"),
                                  std::string("(?P<n"),
                                  std::string("(?m)^a"),
                                  std::string("(?i"),
                                  std::string("\\q"),
                                  std::string("\\u12"),
                                  std::string("\\ud800"),
                                  std::string("\\U00110000"),
                                  std::string("[z-a]"),
                                  std::string("[^\\s\\S]"),
                                  std::string("a\0b", 3),
                                  std::string(60, '(') + std::string(60, ')'),
                                  std::string(5'000, 'a')}) {
    EXPECT_EQ(Pattern::parse(text).error().code, Code::kInvalidArgument) << text;
    EXPECT_TRUE(problem(text).starts_with("the pattern "));
  }
}

TEST(Pattern, one_that_is_too_large_is_refused_before_it_is_built) {
  for (const std::string text :
       {"(a{255}){255}", "((((a{255}){255}){255}){255}){255}", "((((a*|b?){255}){255}){255}){255}",
        "((((|)|){255}){255}){255}"}) {
    const auto parsed = Pattern::parse(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_NE(parsed.error().message.find("too large"), std::string::npos);
  }
  EXPECT_FALSE(Pattern::parse(std::string(100'000, '|')).ok());
  EXPECT_TRUE(Pattern::parse("((((){255}){255}){255}){255}").ok());
  EXPECT_TRUE(Pattern::parse("a{255}b{255}").ok());
}

// A search that goes back and tries again takes longer than anybody lives.
TEST(Pattern, hostile_patterns_take_time_in_proportion) {
  const std::string text(5'000, 'a');
  for (const std::string hostile :
       {"(a*)*b", "(a+)+$b", "(a|aa)+b", "(a|a)*b", "(.*a){20}b", "(a?){200}a{200}b", "((a*)*|b)*c",
        "(a*a*a*a*)*b", "(x+x+)+y"}) {
    const auto parsed = Pattern::parse(hostile);
    ASSERT_TRUE(parsed.ok()) << hostile;
    EXPECT_FALSE(parsed->matches(text)) << hostile;
  }
}

TEST(Pattern, bytes_that_are_no_text_are_single_characters) {
  const auto parsed = Pattern::parse("^a.b.?$");
  ASSERT_TRUE(parsed.ok());
  EXPECT_TRUE(
      parsed->matches("a\xFF"
                      "b"));
  EXPECT_TRUE(
      parsed->matches("a\xC3"
                      "b\xE2"));
  EXPECT_FALSE(
      parsed->matches("a\xE2\x82"
                      "b"));
}

}  // namespace
}  // namespace ciclo
