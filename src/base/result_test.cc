// SPDX-License-Identifier: Apache-2.0
#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "base/context.h"

namespace ciclo {
namespace {

Result<int> half(int number) {
  if (number % 2 != 0) return invalid_argument(std::to_string(number) + " is odd");
  return number / 2;
}

Result<int> quarter(int number) {
  TRY(const int once, half(number));
  TRY(const int twice, half(once));
  return twice;
}

Result<void> check_even(int number) {
  TRY(half(number));
  return {};
}

TEST(Result, try_declares_the_value_or_returns_the_error) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(6).error().message, "3 is odd");
  EXPECT_TRUE(check_even(2).ok());
  EXPECT_EQ(check_even(5).error().code, Code::kInvalidArgument);
}

TEST(Result, values_may_be_moved_out_and_convert) {
  Result<std::unique_ptr<int>> owned = std::make_unique<int>(7);
  const std::unique_ptr<int> taken = std::move(owned).value();
  EXPECT_EQ(*taken, 7);
  const Result<std::string> text = "abc";
  EXPECT_EQ(text->size(), 3U);
}

TEST(Result, context_stands_before_the_message) {
  const Error error = not_found("run r1 does not exist").with_context("log-batch");
  EXPECT_EQ(error.message, "log-batch: run r1 does not exist");
  EXPECT_EQ(code_name(error.code), "not_found");
}

TEST(ResultDeathTest, reading_the_value_of_a_failure_ends_the_process) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(static_cast<void>(half(1).value()), "CHECK");
}

TEST(Context, a_passed_deadline_is_an_error_and_none_never_passes) {
  SimClock clock;
  Context context;
  EXPECT_TRUE(context.check_deadline(clock).ok());
  context.deadline_ns = clock.monotonic_ns() + 5'000'000;
  EXPECT_TRUE(context.check_deadline(clock).ok());
  clock.advance_ms(6);
  EXPECT_EQ(context.check_deadline(clock).error().code, Code::kDeadlineExceeded);
}

TEST(Context, work_that_nobody_waits_for_is_cancelled_in_every_copy) {
  SimClock clock;
  Context context;
  EXPECT_FALSE(context.is_cancelled());
  const auto gone = std::make_shared<std::atomic<bool>>(false);
  context.cancellation = gone;
  const Context copy = context;
  EXPECT_TRUE(copy.check_deadline(clock).ok());
  *gone = true;
  EXPECT_TRUE(copy.is_cancelled());
  EXPECT_EQ(copy.check_deadline(clock).error().code, Code::kCancelled);
}

}  // namespace
}  // namespace ciclo
