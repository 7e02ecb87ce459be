// SPDX-License-Identifier: Apache-2.0
#include "data/statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "base/file.h"
#include "base/random.h"
#include "base/text.h"

namespace ciclo::data {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

Column numbers(std::string name, std::vector<double> values) {
  return {std::move(name), ColumnType::kNumber, std::move(values), {}, {}};
}

ColumnStatistics of(Column column) {
  StatisticsBuilder builder;
  builder.add({{std::move(column)}});
  return builder.build().columns.at(0);
}

TEST(StatisticsBuilder, agrees_with_numpy_on_a_small_column) {
  // numpy 2: x = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5]; x.mean(), x.std(ddof=1),
  // np.quantile(x, levels, method="lower"). Tolerance: rounding of sums.
  const auto s = of(numbers("x", {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, kNaN}));
  EXPECT_EQ(s.rows, 12);
  EXPECT_EQ(s.nulls, 1);
  EXPECT_EQ(s.present(), 11);
  EXPECT_EQ(s.distinct, 7);
  EXPECT_TRUE(s.exact);
  EXPECT_TRUE(s.integral);
  EXPECT_EQ(s.min, 1);
  EXPECT_EQ(s.max, 9);
  EXPECT_NEAR(*s.mean, 4, 1e-15);
  EXPECT_NEAR(*s.std, 2.3664319132398464, 1e-14);
  EXPECT_EQ(s.quantiles, (std::vector<double>{1, 1, 1, 1, 2, 3, 3, 4, 5, 5, 5, 6, 6, 6, 9}));
  EXPECT_EQ(s.edges, (std::vector<double>{1, 2, 3, 4, 5, 6, 9}));
  EXPECT_EQ(s.counts, (std::vector<std::int64_t>{2, 1, 2, 1, 3, 2}));
  ASSERT_EQ(s.top.size(), 7U);
  EXPECT_EQ(s.top[0].value, "5");
  EXPECT_EQ(s.top[0].count, 3);
  EXPECT_TRUE(s.top_is_complete());
}

TEST(StatisticsBuilder, counts_nulls_infinities_and_zeros_apart) {
  const auto s = of(numbers("x", {kNaN, kInf, -kInf, kInf, 0, -0.0, 2.5}));
  EXPECT_EQ(s.nulls, 1);
  EXPECT_EQ(s.infinite, 3);
  EXPECT_EQ(s.zeros, 2);
  EXPECT_EQ(s.distinct, 4);
  EXPECT_EQ(s.max, 2.5);
  EXPECT_FALSE(s.integral);
  EXPECT_NEAR(*s.mean, 2.5 / 3, 1e-15);
}

TEST(StatisticsBuilder, leaves_unset_what_an_empty_column_does_not_have) {
  const auto s = of(numbers("x", {kNaN, kNaN}));
  EXPECT_FALSE(s.min || s.max || s.mean || s.std);
  EXPECT_TRUE(s.quantiles.empty());
  EXPECT_TRUE(s.edges.empty());
  EXPECT_EQ(s.distinct, 0);
  EXPECT_EQ(StatisticsBuilder().build().rows, 0);
  const auto one = of(numbers("x", {7}));
  EXPECT_FALSE(one.std);
  EXPECT_EQ(one.edges, (std::vector<double>{7, 7}));
  EXPECT_EQ(one.counts, (std::vector<std::int64_t>{1}));
}

TEST(StatisticsBuilder, measures_texts_in_bytes) {
  const auto s =
      of({"t", ColumnType::kText, {}, {"b", "", "a", "b", "", "größe"}, {1, 1, 1, 1, 0, 1}});
  EXPECT_EQ(s.nulls, 1);
  EXPECT_EQ(s.distinct, 4);
  EXPECT_EQ(s.empty_texts, 1);
  EXPECT_EQ(s.length_min, 0);
  EXPECT_EQ(s.length_max, 7);
  EXPECT_NEAR(*s.length_mean, 10.0 / 5, 1e-15);
  EXPECT_EQ(s.top[0].value, "b");
  EXPECT_EQ(s.top[1].value, "");
}

TEST(StatisticsBuilder, names_booleans_and_times_as_people_do) {
  EXPECT_EQ(of({"b", ColumnType::kBoolean, {1, 0, 1}, {}, {}}).top[0].value, "true");
  EXPECT_EQ(of({"t", ColumnType::kTimestamp, {1385078400000}, {}, {}}).top[0].value,
            "2013-11-22T00:00:00Z");
}

TEST(StatisticsBuilder, keeps_precision_far_from_zero) {
  // The variance of 0, 1, 2 repeated, shifted by 1e9: a sum of squares would have lost it.
  Column column = numbers("x", {});
  for (int i = 0; i < 30000; ++i) column.numbers.push_back(1e9 + i % 3);
  EXPECT_NEAR(*of(column).std, std::sqrt(2.0 / 3 * 30000 / 29999), 1e-12);
}

TEST(StatisticsBuilder, does_not_depend_on_how_rows_are_cut) {
  SeededRandom random(1);
  Batch batch{{numbers("x", {}), {"t", ColumnType::kText, {}, {}, {}}}};
  for (int i = 0; i < 5000; ++i) {
    batch.columns[0].append(static_cast<double>(random.below(300)));
    batch.columns[1].append(std::string_view("v" + std::to_string(random.below(200))));
  }
  StatisticsBuilder whole;
  whole.add(batch);
  StatisticsBuilder cut;
  for (std::size_t from = 0; from < 5000; from += 777) {
    Batch part{{numbers("x", {}), {"t", ColumnType::kText, {}, {}, {}}}};
    for (std::size_t i = from; i < std::min<std::size_t>(from + 777, 5000); ++i) {
      part.columns[0].append(batch.columns[0].numbers[i]);
      part.columns[1].append(std::string_view(batch.columns[1].texts[i]));
    }
    cut.add(part);
  }
  const auto a = whole.build();
  const auto b = cut.build();
  EXPECT_EQ(a.columns[0].quantiles, b.columns[0].quantiles);
  EXPECT_NEAR(*a.columns[0].std, *b.columns[0].std, 1e-9);
  EXPECT_EQ(a.columns[1].top.size(), 100U);
  for (std::size_t i = 0; i < 100; ++i)
    EXPECT_EQ(a.columns[1].top[i].value, b.columns[1].top[i].value);
}

TEST(StatisticsBuilder, estimates_within_its_stated_errors_beyond_the_exact_limit) {
  // 400,000 distinct values with one that is 20 % of the rows; errors are five standard errors.
  SeededRandom random(7);
  Column column = numbers("x", {});
  Column text{"t", ColumnType::kText, {}, {}, {}};
  constexpr int kRows = 500'000;
  for (int i = 0; i < kRows; ++i) {
    const bool frequent = i % 5 == 0;
    const double value = frequent ? 0.5 : i * 1e-6 + 1e-7;
    column.append(value);
    text.append(std::string_view(frequent ? "frequent" : "text-" + std::to_string(i)));
  }
  StatisticsBuilder builder;
  for (int from = 0; from < kRows; from += 2000) {
    Batch part{{numbers("x", {}), {"t", ColumnType::kText, {}, {}, {}}}};
    for (std::size_t i = static_cast<std::size_t>(from); i < static_cast<std::size_t>(from) + 2000;
         ++i) {
      part.columns[0].append(column.numbers[i]);
      part.columns[1].append(std::string_view(text.texts[i]));
    }
    builder.add(part);
  }
  const Statistics all = builder.build();
  for (const auto& s : all.columns) {
    EXPECT_FALSE(s.exact);
    EXPECT_NEAR(static_cast<double>(s.distinct), 400'001, 0.04 * 400'001) << s.name;
  }
  const auto& s = all.columns[0];
  std::sort(column.numbers.begin(), column.numbers.end());
  for (std::size_t i = 0; i < kQuantileLevels.size(); ++i) {
    const auto [low, high] =
        std::equal_range(column.numbers.begin(), column.numbers.end(), s.quantiles[i]);
    const double from = static_cast<double>(low - column.numbers.begin()) / kRows;
    const double to = static_cast<double>(high - column.numbers.begin()) / kRows;
    EXPECT_LE(from, kQuantileLevels[i] + 0.0025);
    EXPECT_GE(to, kQuantileLevels[i] - 0.0025);
  }
  EXPECT_EQ(s.min, column.numbers.front());
  EXPECT_EQ(s.max, column.numbers.back());
  std::int64_t sum = 0;
  for (const auto count : s.counts) sum += count;
  EXPECT_EQ(sum, kRows);
}

TEST(StatisticsBuilder, keeps_the_frequent_values_of_a_wide_column) {
  // Half of the rows are three values, the rest 60,000 others.
  Column column = numbers("x", {});
  for (int i = 0; i < 240'000; ++i) column.append(i % 2 == 0 ? i / 2 % 3 : 100 + i % 60'000);
  const auto s = of(column);
  ASSERT_GE(s.top.size(), 3U);
  for (int i = 0; i < 3; ++i) {
    EXPECT_LT(parse_double(s.top[static_cast<std::size_t>(i)].value), 3);
    EXPECT_LE(s.top[static_cast<std::size_t>(i)].count, 40'000);
    EXPECT_GE(s.top[static_cast<std::size_t>(i)].count, 40'000 - 2 * 240'000 / kDistinctExact);
  }
}

TEST(Statistics, round_trip_as_json) {
  StatisticsBuilder builder;
  builder.add({{numbers("x", {1, 2, kNaN, 0.1}),
                {"t", ColumnType::kText, {}, {"a", "b", "", "ü"}, {1, 1, 0, 1}}}});
  const Statistics statistics = builder.build();
  const auto back = statistics_from_json(to_json(statistics));
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(to_json(*back), to_json(statistics));
  EXPECT_EQ(back->columns[1].type, ColumnType::kText);
  EXPECT_EQ(
      statistics_from_json("{\"rows\": 1, \"columns\": [{\"name\": \"a\", \"type\": \"x\"}]}")
          .error()
          .message,
      "columns[0].type: expected one of boolean, integer, number, text, timestamp, got \"x\"");
}

struct TableStatistics : testing::Test {
  SystemClock clock;
  Engine engine{clock};
  Context context;
  TemporaryDirectory directory;

  Table write(const std::string& sql) const {
    const std::string path = directory.path() / "t.parquet";
    const auto written = engine.write_parquet(context, {}, sql, path);
    EXPECT_TRUE(written.ok()) << (written.ok() ? "" : written.error().message);
    return {"t", {path}, FileFormat::kParquet, {}, "none", {}};
  }
};

TEST_F(TableStatistics, agree_with_duckdb) {
  const Table table = write(
      "SELECT (range * 7919 % 1009)::INTEGER AS i, sin(range) AS x, 'k' || (range % 37) AS k, "
      "CASE WHEN range % 11 = 0 THEN NULL ELSE range % 2 = 0 END AS b, "
      "TIMESTAMP '2013-01-01' + to_hours(range % 5000) AS t, (range % 1000 / 10.0)::DECIMAL(9,2) "
      "AS d "
      "FROM range(200000)");
  const auto statistics = compute_statistics(engine, context, table);
  ASSERT_TRUE(statistics.ok()) << statistics.error().message;
  ASSERT_EQ(statistics->columns.size(), 6U);
  EXPECT_EQ(statistics->rows, 200'000);
  for (const std::string& name : {std::string("i"), std::string("x"), std::string("d")}) {
    const ColumnStatistics& s = *statistics->find(name);
    const auto reference = engine.query_all(
        context, {table},
        "SELECT min(c)::DOUBLE, max(c)::DOUBLE, avg(c), stddev_samp(c), count(DISTINCT c), "
        "list_sort(list(c))[100000]"
        "::DOUBLE, list_sort(list(c))[floor(0.9 * 199999)::BIGINT + 1]::DOUBLE FROM (SELECT " +
            name + " AS c FROM t)");
    ASSERT_TRUE(reference.ok()) << reference.error().message;
    const auto want = [&](std::size_t i) { return reference->columns[i].numbers[0]; };
    EXPECT_EQ(*s.min, want(0)) << name;
    EXPECT_EQ(*s.max, want(1)) << name;
    // Both sum 2e5 terms; 1e-9 relative allows for the order of summation.
    EXPECT_NEAR(*s.mean, want(2), 1e-9 * std::abs(want(1))) << name;
    EXPECT_NEAR(*s.std, want(3), 1e-9 * want(3)) << name;
    if (s.exact) {
      EXPECT_EQ(static_cast<double>(s.distinct), want(4)) << name;
      EXPECT_EQ(s.quantiles[7], want(5)) << name;
      EXPECT_EQ(s.quantiles[11], want(6)) << name;
    } else {
      EXPECT_NEAR(static_cast<double>(s.distinct), want(4), 0.04 * want(4)) << name;
      EXPECT_NEAR(s.quantiles[7], want(5), 0.01) << name;
      EXPECT_NEAR(s.quantiles[11], want(6), 0.01) << name;
    }
  }
  EXPECT_EQ(statistics->find("k")->distinct, 37);
  EXPECT_EQ(statistics->find("b")->nulls, 18'182);
  EXPECT_EQ(statistics->find("b")->distinct, 2);
  EXPECT_EQ(statistics->find("t")->distinct, 5000);
  EXPECT_EQ(statistics->find("t")->type, ColumnType::kTimestamp);
}

TEST_F(TableStatistics, do_not_depend_on_threads) {
  const Table table = write(
      "SELECT hash(range) % 100000 AS h, random() IS NULL AS r, 'a' || range % 30000 AS t, "
      "range * 0.1 AS x FROM range(150000)");
  const auto one = compute_statistics(engine.with_threads(1), context, table);
  const auto four = compute_statistics(engine.with_threads(4), context, table);
  ASSERT_TRUE(one.ok() && four.ok());
  EXPECT_EQ(to_json(*one), to_json(*four));
}

TEST_F(TableStatistics, of_two_thousand_columns) {
  std::string columns;
  for (int i = 0; i < 2000; ++i) {
    columns += (i == 0 ? "" : ", ") + std::string("range * ") + std::to_string(i) + " AS c" +
               std::to_string(i);
  }
  const auto statistics =
      compute_statistics(engine, context, write("SELECT " + columns + " FROM range(50)"));
  ASSERT_TRUE(statistics.ok()) << statistics.error().message;
  ASSERT_EQ(statistics->columns.size(), 2000U);
  EXPECT_EQ(statistics->columns[1999].name, "c1999");
  EXPECT_EQ(statistics->columns[1999].max, 49 * 1999);
}

TEST_F(TableStatistics, of_chosen_columns_and_refuses_others) {
  const Table table = write("SELECT 1 AS distance, 2 AS b");
  EXPECT_EQ(compute_statistics(engine, context, table, {"b"})->columns.size(), 1U);
  EXPECT_EQ(compute_statistics(engine, context, table, {"distanse"}).error().message,
            "table \"t\" has no column \"distanse\"; did you mean \"distance\"?");
}

}  // namespace
}  // namespace ciclo::data
