// SPDX-License-Identifier: Apache-2.0
#include "data/choose_split.h"

#include <array>
#include <cstdint>
#include <utility>

#include "base/text.h"

namespace ciclo::data {
namespace {

class Trial {
 public:
  Trial(const Engine& engine, const Context& context, const Table& table, const Guess& guess)
      : engine_(engine), context_(context), table_(table), guess_(guess) {}

  // What is wrong with the parts, in a few words; empty: nothing.
  Result<std::string> problem_of(const SplitRule& rule) const {
    TRY(const auto parts, plan_split(engine_, context_, table_, rule));
    for (const auto& part : parts) {
      if (part.rows == 0) return "it leaves no rows for " + part.name;
    }
    for (const auto& part : parts) {
      TRY(const std::int64_t values,
          count("SELECT count(DISTINCT y) AS n FROM (" + y_of(part) + ")"));
      // A part of many classes may lack some; with one value nothing can be learned or judged.
      if (values < 2)
        return "the rows for " + part.name + " would have one value of the target only";
    }
    if (guess_.task != Task::kMulticlass) return std::string();
    for (const auto& part : parts) {
      TRY(const std::int64_t unknown, count("SELECT count(DISTINCT y) AS n FROM (" + y_of(part) +
                                            ") WHERE y NOT IN (" + y_of(parts[0]) + ")"));
      if (unknown > 0) return part.name + " would have a class that training has not";
    }
    return std::string();
  }

 private:
  std::string y_of(const SplitPart& part) const {
    return "SELECT " + quote_identifier(guess_.target) + " AS y FROM (" + part.sql + ")";
  }
  Result<std::int64_t> count(const std::string& sql) const {
    return engine_.query_integer(context_, {table_}, sql);
  }

  const Engine& engine_;
  const Context& context_;
  const Table& table_;
  const Guess& guess_;
};

SplitRule random_rule(const Guess& guess, double validation, double test) {
  SplitRule rule;
  rule.kind = SplitKind::kRandom;
  if (guess.task != Task::kRegression) rule.stratify = guess.target;
  rule.validation = validation;
  rule.test = test;
  rule.seed = 7;
  return rule;
}

}  // namespace

Result<SplitChoice> choose_split(const Engine& engine, const Context& context, const Table& table,
                                 const Guess& guess) {
  const Trial trial(engine, context, table, guess);
  SplitChoice choice;
  if (!guess.time_column.empty()) {
    choice.rule.kind = SplitKind::kTime;
    choice.rule.columns = {guess.time_column};
    choice.rule.validation = 0.15;
    choice.rule.test = 0.15;
    TRY(const std::string problem, trial.problem_of(choice.rule));
    if (problem.empty()) return choice;
    choice.reasons.push_back("not by time (" + guess.time_column + "): " + problem);
  }
  constexpr std::array<std::pair<double, double>, 3> kShares = {
      {{0.15, 0.2}, {0.25, 0.25}, {0.33, 0.33}}};
  std::string problem;
  for (const auto& [validation, test] : kShares) {
    choice.rule = random_rule(guess, validation, test);
    TRY(problem, trial.problem_of(choice.rule));
    if (problem.empty()) {
      if (validation > kShares[0].first) {
        choice.reasons.push_back("the table is small, so validation and test take larger parts");
      }
      return choice;
    }
  }
  return invalid_argument("target " + quoted(guess.target) +
                          " has too few rows to train, validate and test a model: a random split "
                          "fails, as " +
                          problem);
}

}  // namespace ciclo::data
