// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <gtest/gtest.h>

namespace ciclo {
namespace {

TEST(Text, utf8_is_checked_as_the_rfc_says) {
  EXPECT_TRUE(is_utf8("a\u00e9\u20ac\U0001F600"));
  EXPECT_FALSE(is_utf8("\xc0\xaf"));          // overlong
  EXPECT_FALSE(is_utf8("\xed\xa0\x80"));      // surrogate
  EXPECT_FALSE(is_utf8("\xf4\x90\x80\x80"));  // beyond U+10FFFF
  EXPECT_FALSE(is_utf8("\xe2\x82"));          // cut off
  EXPECT_FALSE(is_utf8("\x80"));
}

TEST(Text, split_keeps_empty_parts) {
  EXPECT_EQ(split("a,,b,", ','), (std::vector<std::string_view>{"a", "", "b", ""}));
  EXPECT_EQ(split("", ','), (std::vector<std::string_view>{""}));
}

TEST(Text, join_and_trim) {
  EXPECT_EQ(join({"a", "", "b"}, ", "), "a, , b");
  EXPECT_EQ(join({}, ", "), "");
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(trim(" \n"), "");
  EXPECT_EQ(to_lower_ascii("AbÉ"), "abÉ");
}

TEST(Text, numbers_are_the_whole_text_or_nothing) {
  EXPECT_EQ(parse_int("-12"), -12);
  EXPECT_EQ(parse_int("+12"), 12);
  EXPECT_EQ(parse_int("9223372036854775807"), 9223372036854775807);
  EXPECT_FALSE(parse_int("9223372036854775808"));
  EXPECT_FALSE(parse_int("12 "));
  EXPECT_FALSE(parse_int(""));
  EXPECT_FALSE(parse_int("+"));
  EXPECT_FALSE(parse_int("+-1"));
  EXPECT_EQ(parse_double("1e3"), 1000.0);
  EXPECT_FALSE(parse_double("1e3x"));
}

TEST(Text, quotes_shorten_between_characters) {
  EXPECT_EQ(quoted("abc"), "\"abc\"");
  const std::string text = std::string(79, 'a') + "\u00e9 and more";
  EXPECT_EQ(quoted(text), "\"" + std::string(79, 'a') + "\u2026\"");
}

TEST(Text, the_nearest_word_is_near) {
  const std::vector<std::string> words = {"learning_rate", "max_depth", "subsample"};
  EXPECT_EQ(nearest("max_dept", words), "max_depth");
  EXPECT_EQ(nearest("Learning_Rate", words), "learning_rate");
  EXPECT_EQ(nearest("trian", {"train", "tune"}), "train");  // neighbours exchanged
  EXPECT_EQ(nearest("churn", {"churned"}), "churned");      // a beginning
  EXPECT_EQ(nearest("verbose", words), "");
  EXPECT_EQ(nearest("x", {}), "");
}

}  // namespace
}  // namespace ciclo
