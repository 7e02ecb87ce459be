// SPDX-License-Identifier: Apache-2.0
#include "monitor/drift.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"

// Reference values are those of SciPy 1.17.1 and statsmodels 0.14, printed with repr(); both sides
// compute in doubles, so they agree to a few units in the twelfth digit.

namespace ciclo::monitor {
namespace {

constexpr double kRelative = 1e-11;

void expect_near(double actual, double expected) {
  EXPECT_NEAR(actual, expected, std::abs(expected) * kRelative);
}

TEST(Tails, agree_with_scipy) {
  expect_near(normal_upper_tail(1.0), 0.15865525393145707);
  expect_near(normal_upper_tail(5.0), 2.866515718791933e-07);
  expect_near(normal_upper_tail(10.0), 7.61985302416047e-24);
  expect_near(chi_square_upper_tail(0.1, 1), 0.7518296340458492);
  expect_near(chi_square_upper_tail(3.841458820694124, 1), 0.04999999999999989);
  expect_near(chi_square_upper_tail(10, 4), 0.04042768199451279);
  expect_near(chi_square_upper_tail(50, 20), 0.0002214766382487835);
  expect_near(chi_square_upper_tail(100, 20), 1.2596084591660847e-12);
  expect_near(chi_square_upper_tail(1500, 1499), 0.4878601322706867);
  expect_near(chi_square_upper_tail(0.5, 9), 0.9999695662588389);
  expect_near(kolmogorov_upper_tail(0.2), 0.999999999999495);
  expect_near(kolmogorov_upper_tail(0.5), 0.9639452436648751);
  expect_near(kolmogorov_upper_tail(1.0), 0.26999967167735456);
  expect_near(kolmogorov_upper_tail(1.18), 0.1234538094297657);
  expect_near(kolmogorov_upper_tail(1.36), 0.049485876755377876);
  expect_near(kolmogorov_upper_tail(3.0), 3.045995948942526e-08);
}

TEST(Tails, are_one_where_nothing_is_seen) {
  EXPECT_EQ(chi_square_upper_tail(0, 3), 1);
  EXPECT_EQ(kolmogorov_upper_tail(0), 1);
  EXPECT_EQ(normal_upper_tail(0), 0.5);
}

// Both levels of each value, so that the distance is exact.
std::vector<QuantileKnot> knots_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  std::vector<QuantileKnot> knots;
  const double n = static_cast<double>(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    knots.push_back({static_cast<double>(i) / n, values[i]});
    knots.push_back({static_cast<double>(i + 1) / n, values[i]});
  }
  return knots;
}

// As a table's statistics give them: the values at a few levels.
std::vector<QuantileKnot> sketch_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  std::vector<QuantileKnot> knots;
  for (const double level : {0., .01, .05, .1, .2, .3, .4, .5, .6, .7, .8, .9, .95, .99, 1.}) {
    knots.push_back(
        {level, values[static_cast<std::size_t>(level * static_cast<double>(values.size() - 1))]});
  }
  return knots;
}

std::vector<KnotRank> ranks_of(const std::vector<QuantileKnot>& knots, std::vector<double> sample) {
  std::sort(sample.begin(), sample.end());
  std::vector<KnotRank> ranks;
  for (const auto& knot : knots) {
    const auto [low, high] = std::equal_range(sample.begin(), sample.end(), knot.value);
    ranks.push_back(
        {static_cast<double>(low - sample.begin()), static_cast<double>(high - sample.begin())});
  }
  return ranks;
}

TEST(KolmogorovSmirnov, agrees_with_scipy_when_all_values_are_known) {
  const auto reference =
      knots_of({0.11, 0.24, 0.37, 0.41, 0.52, 0.63, 0.70, 0.88, 0.93, 1.07, 1.15, 1.32});
  const std::vector<double> sample = {0.35, 0.47, 0.59, 0.77, 0.95, 1.21, 1.44, 1.51, 1.78};
  const auto result = kolmogorov_smirnov(reference, 12, ranks_of(reference, sample), 9);
  expect_near(result.statistic, 0.36111111111111105);
  expect_near(result.p_value, 0.5136840166159736);
}

TEST(KolmogorovSmirnov, sees_no_distance_in_equal_mass_points) {
  // 93 % zeros on both sides: the levels below 0.93 all fall into the sample's own jump at zero.
  std::vector<double> values(1000, 0.0);
  for (int i = 0; i < 70; ++i) values[static_cast<std::size_t>(i)] = 0.01 * (i + 1);
  const auto sketch = sketch_of(values);
  EXPECT_LT(kolmogorov_smirnov(sketch, 1000, ranks_of(sketch, values), 1000).statistic, 0.002);
}

TEST(ChiSquare, agrees_with_scipy) {
  const std::vector<double> a = {120, 80, 60, 40};
  const std::vector<double> b = {90, 95, 70, 45};
  const auto result = chi_square_homogeneity(a, b);
  expect_near(result.statistic, 6.634776987718164);
  expect_near(result.p_value, 0.08449611483091504);
  EXPECT_EQ(result.degrees, 3);
}

TEST(ChiSquare, one_odd_row_in_a_new_category_is_no_evidence) {
  const std::vector<double> a = {500, 500, 0};
  const std::vector<double> b = {500, 499, 1};
  EXPECT_GT(chi_square_homogeneity(a, b).p_value, 0.5);
}

TEST(TwoProportions, agrees_with_statsmodels) {
  const auto result = two_proportions(50, 1000, 90, 1000);
  expect_near(result.statistic, -3.505536546997458);
  expect_near(result.p_value, 0.0004556879346453961);
  EXPECT_EQ(two_proportions(0, 10, 0, 10).p_value, 1);
}

TEST(UnseenInReference, agrees_with_fishers_exact_test) {
  expect_near(unseen_in_reference(1, 200, 1000), 0.16666666666666666);
  expect_near(unseen_in_reference(4, 200, 1000), 0.0007524247816091054);
  EXPECT_EQ(unseen_in_reference(0, 200, 1000), 1);
}

TEST(BenjaminiHochberg, agrees_with_scipy) {
  const std::vector<double> p = {0.01, 0.04, 0.03, 0.005, 0.5, 0.02};
  const std::vector<double> expected = {0.03, 0.048, 0.045, 0.03, 0.5, 0.04};
  const auto q = benjamini_hochberg(p);
  for (std::size_t i = 0; i < p.size(); ++i) expect_near(q[i], expected[i]);
  EXPECT_TRUE(benjamini_hochberg({}).empty());
}

TEST(PopulationStabilityIndex, agrees_with_its_formula) {
  const std::vector<double> a = {100, 200, 300, 400};
  const std::vector<double> b = {150, 150, 350, 350};
  expect_near(population_stability_index(a, b), 0.04879852952997231);
  EXPECT_EQ(population_stability_index(a, a), 0);
  EXPECT_EQ(population_stability_index(a, std::vector<double>(4, 0.0)), 0);
}

// The cases of the field in which usual tools go wrong: see docs on drift.
class Columns : public ::testing::Test {
 protected:
  static std::vector<double> normals(std::size_t count, double mean, double sd,
                                     std::uint64_t seed) {
    SeededRandom random(seed);
    std::vector<double> out(count);
    for (double& value : out) value = mean + sd * random.normal();
    return out;
  }
  static ColumnReference numeric(const std::vector<double>& values, double nulls = 0) {
    return {.name = "x",
            .rows = static_cast<double>(values.size()) + nulls,
            .nulls = nulls,
            .quantiles = sketch_of(values)};
  }
  struct Rows {
    int nulls = 0;
    std::vector<double> numbers;
    std::vector<std::pair<std::string, double>> categories;  // with their counts
  };
  static ColumnDrift verdict(const ColumnReference& reference, const Rows& rows) {
    ColumnSample sample(reference);
    for (int i = 0; i < rows.nulls; ++i) sample.add_null();
    for (const double number : rows.numbers) sample.add(number);
    for (const auto& [value, count] : rows.categories) {
      for (int i = 0; i < static_cast<int>(count); ++i) sample.add(value);
    }
    std::vector<ColumnDrift> columns = {sample.measure()};
    judge_drift(columns, {});
    return columns.front();
  }
};

TEST_F(Columns, the_same_law_is_quiet_at_any_size) {
  for (const std::size_t size : {40u, 400u, 20'000u}) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      const auto drift =
          verdict(numeric(normals(15'000, 0, 1, 99)), {.numbers = normals(size, 0, 1, seed)});
      EXPECT_FALSE(drift.is_drifted) << size << " rows, PSI " << drift.psi;
    }
  }
}

TEST_F(Columns, a_trifling_shift_is_quiet_though_it_is_significant) {
  const auto drift =
      verdict(numeric(normals(20'000, 0, 1, 1)), {.numbers = normals(20'000, 0.05, 1, 2)});
  EXPECT_LT(drift.p_value, 0.01);
  EXPECT_FALSE(drift.is_drifted);
}

TEST_F(Columns, a_real_shift_is_seen_in_a_small_window) {
  const auto drift =
      verdict(numeric(normals(20'000, 0, 1, 1)), {.numbers = normals(300, 0.7, 1, 2)});
  EXPECT_TRUE(drift.is_drifted);
  EXPECT_EQ(drift.reasons, std::vector<std::string>{"distribution"});
}

TEST_F(Columns, a_change_of_the_tail_is_seen) {
  const auto pareto = [](double exponent, std::uint64_t seed) {
    SeededRandom random(seed);
    std::vector<double> out(10'000);
    for (double& value : out) value = std::pow(1 - random.uniform(), -1 / exponent);
    return out;
  };
  EXPECT_TRUE(verdict(numeric(pareto(3, 1)), {.numbers = pareto(1.7, 2)}).is_drifted);
  EXPECT_FALSE(verdict(numeric(pareto(3, 1)), {.numbers = pareto(3, 2)}).is_drifted);
}

TEST_F(Columns, more_nulls_are_seen) {
  const auto values = normals(9'500, 0, 1, 1);
  const auto drift =
      verdict(numeric(values, 500), {.nulls = 300, .numbers = normals(700, 0, 1, 2)});
  EXPECT_EQ(drift.reasons, std::vector<std::string>{"nulls"});
  EXPECT_NEAR(drift.null_share, 0.3, 1e-12);
  EXPECT_NEAR(drift.null_share_reference, 0.05, 1e-12);
}

TEST_F(Columns, a_column_that_was_constant_and_moves_either_way_is_seen) {
  const auto reference = numeric(std::vector<double>(1000, 7.0));
  EXPECT_FALSE(verdict(reference, {.numbers = std::vector<double>(500, 7.0)}).is_drifted);
  EXPECT_TRUE(verdict(reference, {.numbers = std::vector<double>(500, 6.0)}).is_drifted);
  EXPECT_TRUE(verdict(reference, {.numbers = std::vector<double>(500, 8.0)}).is_drifted);
}

TEST_F(Columns, values_that_are_all_null_are_an_empty_distribution) {
  const auto drift = verdict(numeric(normals(1000, 0, 1, 1)), {.nulls = 500});
  EXPECT_EQ(drift.reasons, std::vector<std::string>{"nulls"});
}

std::vector<std::pair<std::string, double>> draw_categories(std::size_t kinds, std::size_t rows,
                                                            std::uint64_t seed) {
  SeededRandom random(seed);
  std::vector<std::pair<std::string, double>> counts;
  for (std::size_t i = 0; i < kinds; ++i) counts.emplace_back("c" + std::to_string(i), 0);
  for (std::size_t i = 0; i < rows; ++i) counts[random.below(kinds)].second += 1;
  return counts;
}

TEST_F(Columns, many_categories_of_the_same_law_are_quiet) {
  ColumnReference reference{.name = "x",
                            .is_categorical = true,
                            .rows = 20'000,
                            .categories = draw_categories(1500, 20'000, 1)};
  for (std::uint64_t seed = 2; seed < 7; ++seed) {
    const auto drift = verdict(reference, {.categories = draw_categories(1500, 10'000, seed)});
    EXPECT_FALSE(drift.is_drifted) << "PSI " << drift.psi << " less chance " << drift.psi_corrected;
  }
}

TEST_F(Columns, shares_that_move_are_seen) {
  ColumnReference reference{
      .name = "x", .is_categorical = true, .rows = 1000, .categories = {{"a", 700}, {"b", 300}}};
  EXPECT_TRUE(verdict(reference, {.categories = {{"a", 200}, {"b", 300}}}).is_drifted);
  EXPECT_FALSE(verdict(reference, {.categories = {{"a", 340}, {"b", 160}}}).is_drifted);
}

TEST_F(Columns, a_new_category_is_seen_once_it_has_weight) {
  ColumnReference reference{
      .name = "x", .is_categorical = true, .rows = 1000, .categories = {{"a", 700}, {"b", 300}}};
  const auto drift = verdict(reference, {.categories = {{"a", 340}, {"b", 145}, {"new", 15}}});
  EXPECT_EQ(drift.reasons, std::vector<std::string>{"new_categories"});
  EXPECT_FALSE(verdict(reference, {.categories = {{"a", 27}, {"b", 12}, {"new", 1}}}).is_drifted);
}

TEST_F(Columns, unlisted_categories_are_not_new_when_the_list_was_cut) {
  ColumnReference reference{
      .name = "x", .is_categorical = true, .rows = 1000, .categories = {{"a", 700}}, .other = 300};
  const auto drift = verdict(reference, {.categories = {{"a", 350}, {"z", 150}}});
  EXPECT_FALSE(drift.is_drifted);
  EXPECT_EQ(drift.new_category_share, 0);
}

TEST(JudgeDrift, corrects_for_many_columns) {
  // One in a hundred columns at p = 0.005 is what chance gives.
  std::vector<ColumnDrift> columns(100);
  for (auto& column : columns) column.psi_nearest = 1;
  columns[7].p_value = 0.005;
  judge_drift(columns, {});
  EXPECT_FALSE(columns[7].is_drifted);
  columns[7].p_value = 1e-9;
  judge_drift(columns, {});
  EXPECT_TRUE(columns[7].is_drifted);
}

}  // namespace
}  // namespace ciclo::monitor
