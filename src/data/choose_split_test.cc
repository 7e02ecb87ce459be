// SPDX-License-Identifier: Apache-2.0
#include "data/choose_split.h"

#include <gtest/gtest.h>

#include <string>

#include "base/file.h"

namespace ciclo::data {
namespace {

struct Choices : testing::Test {
  SystemClock clock;
  Engine engine{clock};
  Context context;
  TemporaryDirectory directory;

  Result<SplitChoice> choose(const std::string& select, int rows) const {
    const std::string path = directory.path() / "t.parquet";
    TRY(engine.write_parquet(
        context, {}, "SELECT " + select + " FROM range(" + std::to_string(rows) + ") t(i)", path));
    const Table table{"t", {path}};
    TRY(const auto statistics, compute_statistics(engine, context, table));
    TRY(const Guess guess, guess_table(engine, context, table, statistics, "y"));
    return choose_split(engine, context, table, guess);
  }
};

TEST_F(Choices, a_table_with_event_times_is_split_by_time) {
  const auto choice =
      choose("hash(i) % 2 = 0 AS y, TIMESTAMP '2019-01-01' + to_hours(i) AS seen", 200);
  ASSERT_TRUE(choice.ok()) << choice.error().message;
  EXPECT_EQ(choice->rule.kind, SplitKind::kTime);
  EXPECT_EQ(choice->rule.columns, std::vector<std::string>{"seen"});
  EXPECT_TRUE(choice->reasons.empty());
}

TEST_F(Choices, two_dates_are_too_few_to_split_by_time) {
  const auto choice = choose(
      "hash(i) % 2 = 0 AS y, sin(i) AS x, TIMESTAMP '2019-01-01' + to_days((i % 2)::INTEGER) AS "
      "day",
      200);
  ASSERT_TRUE(choice.ok()) << choice.error().message;
  EXPECT_EQ(choice->rule.kind, SplitKind::kRandom);
  EXPECT_EQ(choice->rule.stratify, "y");
  ASSERT_EQ(choice->reasons.size(), 1U);
  EXPECT_EQ(choice->reasons[0], "not by time (day): it leaves no rows for validation");
}

TEST_F(Choices, a_class_that_comes_late_is_not_split_by_time) {
  const auto choice =
      choose("i > 180 AS y, sin(i) AS x, TIMESTAMP '2019-01-01' + to_hours(i) AS seen", 200);
  ASSERT_TRUE(choice.ok()) << choice.error().message;
  EXPECT_EQ(choice->rule.kind, SplitKind::kRandom);
  EXPECT_EQ(choice->reasons[0],
            "not by time (seen): the rows for train would have one value of the target only");
}

TEST_F(Choices, a_small_table_gives_more_to_validation_and_test) {
  const auto choice = choose("i % 2 AS y, sin(i) AS x", 8);
  ASSERT_TRUE(choice.ok()) << choice.error().message;
  EXPECT_DOUBLE_EQ(choice->rule.validation, 0.25);
  EXPECT_DOUBLE_EQ(choice->rule.test, 0.25);
  EXPECT_EQ(choice->reasons.size(), 1U);
}

TEST_F(Choices, a_table_that_no_split_serves_is_refused) {
  const auto choice = choose("i = 0 AS y, sin(i) AS x", 100);
  ASSERT_FALSE(choice.ok());
  EXPECT_EQ(choice.error().code, Code::kInvalidArgument);
  EXPECT_EQ(choice.error().message,
            "target \"y\" has too few rows to train, validate and test a model: a random split "
            "fails, as the rows for train would have one value of the target only");
}

}  // namespace
}  // namespace ciclo::data
