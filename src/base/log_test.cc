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

}  // namespace
}  // namespace ciclo
