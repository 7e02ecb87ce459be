// SPDX-License-Identifier: Apache-2.0
#include "data/guess.h"

#include <gtest/gtest.h>

#include <string>

#include "base/file.h"

namespace ciclo::data {
namespace {

struct Guesses : testing::Test {
  SystemClock clock;
  Engine engine{clock};
  Context context;
  TemporaryDirectory directory;

  Result<Guess> attempt(const std::string& select, std::string_view target, int rows = 1000) const {
    const std::string path = directory.path() / "t.parquet";
    TRY(engine.write_parquet(
        context, {}, "SELECT " + select + " FROM range(" + std::to_string(rows) + ") t(i)", path));
    const Table table{"t", {path}};
    TRY(const auto statistics, compute_statistics(engine, context, table));
    return guess_table(engine, context, table, statistics, target);
  }
  Guess guess(const std::string& select, std::string_view target, int rows = 1000) const {
    auto made = attempt(select, target, rows);
    EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message);
    return made.ok() ? *made : Guess{};
  }
  std::string refusal(const std::string& select, std::string_view target, int rows = 1000) const {
    const auto made = attempt(select, target, rows);
    EXPECT_FALSE(made.ok());
    return made.ok() ? "" : made.error().message;
  }
};

const ColumnGuess& column(const Guess& guess, std::string_view name) {
  for (const auto& one : guess.columns) {
    if (one.name == name) return one;
  }
  ADD_FAILURE() << name;
  return guess.columns.front();
}

TEST_F(Guesses, tell_the_kinds_of_columns) {
  const Guess guess = this->guess(
      "hash(i) % 2 = 0 AS y, i AS row_number, i * 7 AS customerId, 'N' || hash(i) AS token, sin(i) "
      "AS x, "
      "hash(i + 1) % 40 AS \"count\", hash(i + 2) % 2 AS flag, 'c' || hash(i + 3) % 12 AS carrier, "
      "'the service at desk ' || hash(i) % 997 || ' was fine' AS review, TIMESTAMP '2013-01-01' + "
      "to_hours(i) AS "
      "booked_at, NULL AS nothing, 5 AS five, hash(i + 9) % 7 AS store_id, hash(i) % 3 = 0 AS b",
      "y");
  const auto kind = [&](std::string_view name) { return column(guess, name).kind; };
  EXPECT_EQ(kind("row_number"), ColumnKind::kIdentifier);
  EXPECT_EQ(kind("customerId"), ColumnKind::kIdentifier);
  EXPECT_EQ(kind("token"), ColumnKind::kIdentifier);
  EXPECT_EQ(kind("x"), ColumnKind::kNumeric);
  EXPECT_EQ(kind("count"), ColumnKind::kNumeric);
  EXPECT_EQ(kind("flag"), ColumnKind::kBoolean);
  EXPECT_EQ(kind("carrier"), ColumnKind::kCategorical);
  EXPECT_EQ(kind("review"), ColumnKind::kFreeText);
  EXPECT_EQ(kind("booked_at"), ColumnKind::kTimestamp);
  EXPECT_EQ(kind("nothing"), ColumnKind::kEmpty);
  EXPECT_EQ(kind("five"), ColumnKind::kConstant);
  EXPECT_EQ(kind("store_id"), ColumnKind::kCategorical);
  EXPECT_EQ(kind("b"), ColumnKind::kBoolean);
  EXPECT_FALSE(column(guess, "token").use);
  EXPECT_FALSE(column(guess, "nothing").use);
  EXPECT_TRUE(column(guess, "review").use);
  EXPECT_EQ(guess.time_column, "booked_at");
  EXPECT_EQ(guess.key_columns, (std::vector<std::string>{"row_number", "customerId", "token"}));
  EXPECT_TRUE(guess.warnings.empty()) << guess.warnings[0];
}

TEST_F(Guesses, tell_the_task_from_the_target) {
  EXPECT_EQ(guess("i % 2 = 0 AS y, sin(i) AS x", "y").classes,
            (std::vector<std::string>{"false", "true"}));
  EXPECT_EQ(guess("CASE WHEN i % 3 = 0 THEN 'Yes' ELSE 'no' END AS y, sin(i) AS x", "y").classes,
            (std::vector<std::string>{"no", "Yes"}));
  const Guess classes = guess("i % 3 AS y, sin(i) AS x", "y", 150);
  EXPECT_EQ(classes.task, Task::kMulticlass);
  EXPECT_EQ(classes.classes, (std::vector<std::string>{"0", "1", "2"}));
  EXPECT_EQ(guess("(i % 10)::DOUBLE AS y, sin(i) AS x", "y").task, Task::kMulticlass);
  EXPECT_EQ(guess("i % 300 AS y, sin(i) AS x", "y").task, Task::kRegression);
  EXPECT_EQ(guess("cos(i) AS y, sin(i * 3) AS x", "y").task, Task::kRegression);
  EXPECT_EQ(guess("'k' || i % 5 AS y, sin(i) AS x", "y").task, Task::kMulticlass);
  EXPECT_TRUE(guess("cos(i) AS y, sin(i * 3) AS x", "y").classes.empty());
}

TEST_F(Guesses, refuse_what_cannot_be_learned) {
  EXPECT_EQ(refusal("1 AS churned, i AS x", "churn"),
            "there is no column \"churn\" to predict; did you mean \"churned\"?");
  EXPECT_EQ(refusal("'yes' AS y, i AS x", "y"),
            "target \"y\" is \"yes\" in every row; nothing can be learned from it");
  EXPECT_EQ(refusal("NULL AS y, i AS x", "y"), "target \"y\" is null in every row");
  EXPECT_EQ(refusal("'t' || i AS y, i AS x", "y"),
            "target \"y\" is text with 1000 different values in 1000 rows; expected at most 100 "
            "classes, or numbers");
}

TEST_F(Guesses, refuse_infinite_targets) {
  EXPECT_EQ(refusal("CASE WHEN i % 2 = 0 THEN 1 ELSE 'inf'::DOUBLE END AS y, i AS x", "y", 4),
            "target \"y\" is infinite in 2 rows; expected finite numbers, or no value where it is "
            "not known");
  EXPECT_EQ(refusal("CASE WHEN i = 0 THEN '-inf'::DOUBLE ELSE i * 1.5 END AS y, i AS x", "y"),
            "target \"y\" is infinite in 1 row; expected finite numbers, or no value where it is "
            "not known");
}

TEST_F(Guesses, take_no_date_of_birth_for_the_time) {
  const std::string born = "TIMESTAMP '1950-01-01' + to_days((hash(i) % 18000)::INTEGER)";
  EXPECT_EQ(guess("i % 2 = 0 AS y, sin(i) AS x, " + born + " AS date_of_birth", "y").time_column,
            "");
  // Whatever its name is: the rows happened decades later.
  EXPECT_EQ(guess("i % 2 = 0 AS y, " + born +
                      " AS start_date, TIMESTAMP '2019-01-01' + "
                      "to_hours(i) AS seen",
                  "y")
                .time_column,
            "seen");
  // A register of births is a table of events.
  EXPECT_EQ(
      guess("i % 2 = 0 AS y, TIMESTAMP '2019-01-01' + to_hours(i) AS birth_time", "y").time_column,
      "birth_time");
}

TEST_F(Guesses, take_no_heed_of_times_that_stand_for_never) {
  const std::string seen =
      "i % 2 = 0 AS y, TIMESTAMP '2024-01-01' + to_hours((i // 9)::INTEGER) AS seen";
  for (const char* never : {"9999-12-31", "2262-04-11"}) {
    const std::string until = std::string("CASE WHEN i % 3 = 0 THEN TIMESTAMP '2024-02-01' + ") +
                              "to_hours(i::INTEGER) ELSE TIMESTAMP '" + never + "' END";
    EXPECT_EQ(guess(seen + ", " + until + " AS valid_to", "y").time_column, "seen") << never;
    EXPECT_EQ(guess("i % 2 = 0 AS y, " + until + " AS valid_to", "y").time_column, "") << never;
  }
  // Moved as a whole to hide whose they are.
  EXPECT_EQ(guess("i % 2 = 0 AS y, TIMESTAMP '2150-01-01' + to_hours(i) AS seen", "y").time_column,
            "seen");
}

TEST_F(Guesses, suspect_columns_that_hold_the_answer) {
  const Guess guess = this->guess(
      "hash(i) % 4 = 0 AS y, (hash(i) % 4 = 0)::INTEGER + 5 AS copy, CASE WHEN hash(i) % 4 = 0 "
      "THEN 20 + i * 0.01 ELSE i "
      "* 0.001 END AS arr_delay, sin(i) AS x, 'c' || hash(i + 1) % 10 AS c",
      "y");
  EXPECT_TRUE(column(guess, "copy").leaks);
  EXPECT_TRUE(column(guess, "arr_delay").leaks);
  EXPECT_FALSE(column(guess, "arr_delay").use);
  EXPECT_FALSE(column(guess, "x").leaks);
  EXPECT_FALSE(column(guess, "c").leaks);
  EXPECT_EQ(guess.warnings.size(), 2U);
  const Guess regression =
      this->guess("sin(i) * 10 AS y, sin(i) * 22 + 3 AS scaled, cos(i) AS x", "y");
  EXPECT_TRUE(column(regression, "scaled").leaks);
  EXPECT_FALSE(column(regression, "x").leaks);
}

TEST_F(Guesses, warn_of_rare_classes_and_missing_targets) {
  const Guess guess = this->guess(
      "CASE WHEN i = 0 THEN 'b' WHEN i = 1 THEN NULL ELSE 'a' END AS y, sin(i) AS x", "y");
  ASSERT_EQ(guess.warnings.size(), 2U);
  EXPECT_EQ(guess.warnings[0], "1 rows (0.1 %) have no y and are left out");
  EXPECT_EQ(guess.warnings[1], "class \"b\" of y is rare: 1 of 999 rows");
}

}  // namespace
}  // namespace ciclo::data
