// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <gtest/gtest.h>

namespace ciclo {
namespace {

class Log : public testing::Test {
 protected:
  ~Log() override { log::configure(log::Level::kInfo, log::Format::kJson); }
};

TEST_F(Log, json_lines_parse_and_hold_the_fields) {
  log::configure(log::Level::kInfo, log::Format::kJson);
  testing::internal::CaptureStderr();
  log::info("model \"m\" loaded", {{"model", "m\n2"}, {"ms", 12}});
  const auto line = json::parse(testing::internal::GetCapturedStderr());
  ASSERT_TRUE(line.ok()) << line.error().message;
  EXPECT_EQ(line->string_or("message", ""), "model \"m\" loaded");
  EXPECT_EQ(line->string_or("level", ""), "info");
  EXPECT_EQ(line->string_or("model", ""), "m\n2");
  EXPECT_EQ(line->integer_or("ms", 0), 12);
  EXPECT_TRUE(line->string_or("time", "").ends_with("Z"));
}

TEST_F(Log, lower_levels_are_silent) {
  log::configure(log::Level::kWarn, log::Format::kText);
  testing::internal::CaptureStderr();
  log::info("not seen");
  log::warn("seen", {{"n", 1}});
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(text.find("not seen"), std::string::npos);
  EXPECT_NE(text.find("warn  seen  n=1\n"), std::string::npos) << text;
}

std::string text_of(const json::Value& value) {
  log::configure(log::Level::kInfo, log::Format::kText);
  testing::internal::CaptureStderr();
  log::info("request", {{"path", value}, {"status", 200}});
  std::string text = testing::internal::GetCapturedStderr();
  const std::size_t begin = text.find("path=") + 5;
  return text.substr(begin, text.rfind("  status=200\n") - begin);
}

TEST_F(Log, text_lines_have_a_time_a_level_a_message_and_fields) {
  log::configure(log::Level::kInfo, log::Format::kText);
  testing::internal::CaptureStderr();
  log::error("cannot", {{"name", "m"}, {"n", 1.5}, {"all", true}, {"none", json::Value()}});
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(text.ends_with(" error cannot  name=m  n=1.5  all=true  none=null\n")) << text;
  EXPECT_EQ(text.find(':'), 2U) << text;
}

TEST_F(Log, text_values_cannot_end_the_line_or_command_the_terminal) {
  EXPECT_EQ(text_of("/a\n12:00:00 info  forged\r"), "/a\\n12:00:00 info  forged\\x0d");
  EXPECT_EQ(text_of("\x1b[31mred\x7f\t"), "\\x1b[31mred\\x7f\\t");
  EXPECT_EQ(text_of("\xc2\x9b[2J"), "\\xc2\\x9b[2J");
  EXPECT_EQ(text_of("\xff\xc3("), "\\xff\\xc3(");
  EXPECT_EQ(text_of("grün € 😀"), "grün € 😀");
  EXPECT_EQ(text_of(json::Value::object({{"a", "\x7f"}})), "{\"a\":\"\\u007f\"}");
}

TEST_F(Log, a_message_is_as_harmless_as_a_value) {
  log::configure(log::Level::kInfo, log::Format::kText);
  testing::internal::CaptureStderr();
  log::info("a\nb");
  EXPECT_TRUE(testing::internal::GetCapturedStderr().ends_with("a\\nb\n"));
}

TEST_F(Log, json_lines_replace_what_is_not_utf_8) {
  log::configure(log::Level::kInfo, log::Format::kJson);
  testing::internal::CaptureStderr();
  log::info("request", {{"path", "\xff\n"}});
  const auto line = json::parse(testing::internal::GetCapturedStderr());
  ASSERT_TRUE(line.ok()) << line.error().message;
  EXPECT_EQ(line->string_or("path", ""), "\xef\xbf\xbd\n");
}

}  // namespace
}  // namespace ciclo
