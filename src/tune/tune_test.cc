// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "tune/sampler.h"
#include "tune/space.h"

namespace ciclo::tune {
namespace {

Space space(std::string_view text) {
  auto parsed = parse_space(json::parse(text).value());
  EXPECT_TRUE(parsed.ok()) << (parsed.ok() ? "" : parsed.error().message);
  return std::move(parsed).value();
}

std::string error(std::string_view text) {
  const auto parsed = parse_space(json::parse(text).value());
  return parsed.ok() ? "" : parsed.error().message;
}

TEST(Space, errors_name_the_parameter_and_what_would_be_right) {
  EXPECT_EQ(error("[1]"),
            "search space: expected an object with one member a parameter, got an array");
  EXPECT_EQ(error(R"({"a": {"low": 2, "high": 1}})"),
            "search space: parameter \"a\": low 2 is above high 1");
  EXPECT_EQ(error(R"({"a": {"low": 0, "high": 1, "log": true}})"),
            "search space: parameter \"a\": log needs a low above 0, got 0");
  EXPECT_EQ(error(R"({"a": {"low": 0.5, "high": 1, "type": "int"}})"),
            "search space: parameter \"a\": type int needs whole numbers as low and high");
  EXPECT_EQ(error(R"({"a": {"low": 1}})"),
            "search space: parameter \"a\": high is missing; a range needs low and high");
  EXPECT_EQ(error(R"({"a": {"low": 1, "hihgh": 2}})"),
            "search space: parameter \"a\": \"hihgh\" is not known here; did you mean \"high\"?");
  EXPECT_EQ(error(R"({"a": []})"),
            "search space: parameter \"a\": choices must be a list of at least one value");
  EXPECT_EQ(error(R"({"a": [1, 1]})"), "search space: parameter \"a\": 1 is listed twice");
}

TEST(RandomSampler, values_lie_in_the_space_and_reach_its_ends) {
  const RandomSampler sampler(space(R"({
      "rate": {"low": 0.001, "high": 1, "log": true}, "share": {"low": 0.5, "high": 1},
      "depth": {"low": 3, "high": 6, "type": "int"},
      "leaves": {"low": 1, "high": 4, "type": "int", "log": true},
      "kind": ["a", "b"], "fixed": 7})"),
                              42);
  std::map<std::int64_t, int> depths;
  std::set<std::int64_t> leaves;
  std::set<std::string> kinds;
  int small_rates = 0;
  for (std::uint64_t trial = 0; trial < 2000; ++trial) {
    const auto parameters = sampler.suggest(trial);
    const double rate = parameters.number_or("rate", 0);
    EXPECT_TRUE(rate >= 0.001 && rate <= 1);
    small_rates += rate < 0.0316;
    const double share = parameters.number_or("share", 0);
    EXPECT_TRUE(share >= 0.5 && share <= 1);
    ++depths[parameters.integer_or("depth", 0)];
    leaves.insert(parameters.integer_or("leaves", 0));
    kinds.insert(parameters.string_or("kind", ""));
    EXPECT_EQ(parameters.integer_or("fixed", 0), 7);
  }
  // Half of a logarithmic range lies below its geometric mean; 2,000 draws stay within ±80 (3.6 σ).
  EXPECT_NEAR(small_rates, 1000, 80);
  ASSERT_EQ(depths.size(), 4U);
  for (const auto& [depth, count] : depths) EXPECT_NEAR(count, 500, 80) << depth;
  EXPECT_EQ(leaves, (std::set<std::int64_t>{1, 2, 3, 4}));
  EXPECT_EQ(kinds.size(), 2U);
}

TEST(RandomSampler, trial_depends_on_seed_and_number_alone) {
  const auto text = R"({"a": {"low": 0, "high": 1}, "b": {"low": 0, "high": 1}})";
  const RandomSampler one(space(text), 1);
  const RandomSampler again(space(text), 1);
  const RandomSampler other(space(text), 2);
  EXPECT_EQ(one.suggest(17), again.suggest(17));
  EXPECT_NE(one.suggest(17), one.suggest(18));
  EXPECT_NE(one.suggest(17), other.suggest(17));
  EXPECT_NE(one.suggest(3).number_or("a", 0), one.suggest(3).number_or("b", 0));
}

TEST(RandomSampler, new_parameter_leaves_the_others_as_they_were) {
  const RandomSampler before(space(R"({"a": {"low": 0, "high": 1}})"), 5);
  const RandomSampler after(space(R"({"z": [1, 2, 3], "a": {"low": 0, "high": 1}})"), 5);
  EXPECT_EQ(before.suggest(4).number_or("a", -1), after.suggest(4).number_or("a", -2));
}

TEST(RandomSampler, keeps_its_values_from_release_to_release) {
  const RandomSampler sampler(space(R"({"a": {"low": 0, "high": 1000000, "type": "int"}})"), 1);
  EXPECT_EQ(sampler.suggest(0).integer_or("a", 0), 795650);
}

}  // namespace
}  // namespace ciclo::tune
