// SPDX-License-Identifier: Apache-2.0
#include "data/split.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "base/file.h"
#include "base/hash.h"

namespace ciclo::data {
namespace {

struct Splitter : testing::Test {
  SystemClock clock;
  Engine engine{clock};
  Context context;
  TemporaryDirectory directory;

  Table table(const std::string& sql) const {
    const std::string path = directory.path() / "t.parquet";
    const auto written = engine.write_parquet(context, {}, sql, path);
    EXPECT_TRUE(written.ok()) << (written.ok() ? "" : written.error().message);
    return {"t", {path}};
  }
  std::vector<SplitPart> split(const Table& from, const SplitRule& rule) const {
    const auto parts = write_split(engine, context, from, rule, directory.path());
    EXPECT_TRUE(parts.ok()) << (parts.ok() ? "" : parts.error().message);
    return parts.ok() ? *parts : std::vector<SplitPart>(3);
  }
  std::string refusal(const Table& from, const SplitRule& rule) const {
    const auto parts = write_split(engine, context, from, rule, directory.path());
    EXPECT_FALSE(parts.ok());
    return parts.ok() ? "" : parts.error().message;
  }
  Batch read(const SplitPart& part) const {
    return *engine.query_all(context, {{"p", {part.path}}}, "SELECT * FROM p");
  }
};

TEST_F(Splitter, by_time_puts_earlier_rows_before_later_ones) {
  const Table from = table(
      "SELECT TIMESTAMP '2013-01-01' + to_hours(range * 7919 % 1000) AS t, range AS i FROM "
      "range(1000)");
  const auto parts = split(from, {SplitKind::kTime, {"t"}});
  EXPECT_EQ(parts[0].rows, 700);
  EXPECT_EQ(parts[1].rows, 150);
  EXPECT_EQ(parts[2].rows, 150);
  double last = 0;
  for (const auto& part : parts) {
    const Batch batch = read(part);
    EXPECT_EQ(batch.rows(), static_cast<std::size_t>(part.rows));
    double highest = 0;
    for (const double t : batch.columns[0].numbers) {
      EXPECT_GT(t, last);
      highest = std::max(highest, t);
    }
    last = highest;
    // Rows keep the order of the table.
    for (std::size_t i = 1; i < batch.rows(); ++i)
      ASSERT_LT(batch.columns[1].numbers[i - 1], batch.columns[1].numbers[i]);
  }
}

TEST_F(Splitter, by_time_keeps_equal_times_together) {
  const auto parts =
      split(table("SELECT range // 100 AS day FROM range(1000)"), {SplitKind::kTime, {"day"}});
  EXPECT_EQ(parts[0].rows, 700);
  EXPECT_EQ(parts[1].rows, 100);
  EXPECT_EQ(parts[2].rows, 200);
}

TEST_F(Splitter, by_time_takes_boundaries) {
  const Table from = table("SELECT DATE '2013-01-01' + range::INTEGER AS d FROM range(365)");
  SplitRule rule{SplitKind::kTime, {"d"}};
  rule.validation_from = "2013-05-01";
  rule.test_from = "2013-06-01";
  const auto parts = split(from, rule);
  EXPECT_EQ(parts[0].rows, 120);
  EXPECT_EQ(parts[1].rows, 31);
  EXPECT_EQ(parts[2].rows, 214);
  rule.validation_from = "";
  EXPECT_EQ(split(from, rule)[1].rows, 23);  // its share of the 151 days before June
  rule.validation = 0;
  EXPECT_EQ(split(from, rule)[1].rows, 0);
  rule.validation = 0.15;
  rule.validation_from = "2013-05-01";
  rule.test_from = "";
  EXPECT_EQ(split(from, rule)[1].rows, 245);
  rule.test_from = "2013-04-01";
  EXPECT_EQ(refusal(from, rule),
            "split: validation_from \"2013-05-01\" is after test_from \"2013-04-01\"");
  rule.test_from = "June";
  EXPECT_EQ(refusal(from, rule), "split: boundary \"June\" is no value of column \"d\" (DATE)");
}

TEST_F(Splitter, by_hash_keeps_a_key_in_its_part_when_the_table_grows) {
  const auto parts_of = [&](int rows) {
    std::map<double, std::string> out;
    for (const auto& part :
         split(table("SELECT range % 500 AS k FROM range(" + std::to_string(rows) + ")"),
               {SplitKind::kHash, {"k"}})) {
      const Batch batch = read(part);
      for (const double key : batch.columns[0].numbers) {
        const auto [at, is_new] = out.emplace(key, part.name);
        EXPECT_EQ(at->second, part.name);
      }
    }
    return out;
  };
  const auto small = parts_of(300);
  for (const auto& [key, part] : parts_of(5000)) {
    if (small.contains(key)) {
      EXPECT_EQ(small.at(key), part);
    }
  }
  EXPECT_EQ(small.size(), 300U);
}

TEST_F(Splitter, by_group_never_divides_a_group_and_keeps_the_shares) {
  const Table from =
      table("SELECT 'g' || (range % 97) * (range % 97) // 100 AS g, range AS i FROM range(20000)");
  const auto parts = split(from, {SplitKind::kGroup, {"g"}});
  std::set<std::string> seen;
  std::size_t groups = 0;
  std::int64_t rows = 0;
  for (const auto& part : parts) {
    const Batch batch = read(part);
    std::set<std::string> here(batch.columns[0].texts.begin(), batch.columns[0].texts.end());
    groups += here.size();
    seen.merge(here);
    rows += part.rows;
  }
  EXPECT_EQ(groups, seen.size());
  EXPECT_EQ(rows, 20000);
  EXPECT_NEAR(static_cast<double>(parts[2].rows), 3000, 600);
}

TEST_F(Splitter, at_random_is_exact_in_each_stratum_and_repeatable) {
  const Table from = table(
      "SELECT range AS i, CASE WHEN range % 50 = 0 THEN 'rare' WHEN range % 7 = 0 THEN NULL ELSE "
      "'common' END AS y "
      "FROM range(10000)");
  SplitRule rule;
  rule.stratify = "y";
  rule.validation = 0.1;
  rule.test = 0.2;
  const auto parts = split(from, rule);
  EXPECT_EQ(parts[0].rows + parts[1].rows + parts[2].rows, 10000);
  EXPECT_NEAR(static_cast<double>(parts[2].rows), 2000, 2);
  const Batch test = read(parts[2]);
  const auto rare = std::count(test.columns[1].texts.begin(), test.columns[1].texts.end(), "rare");
  EXPECT_NEAR(static_cast<double>(rare), 40, 1);
  const std::string hash = *hash_file(parts[2].path);
  EXPECT_EQ(*hash_file(split(from, rule)[2].path), hash);
  rule.seed = 1;
  EXPECT_NE(*hash_file(split(from, rule)[2].path), hash);
}

TEST_F(Splitter, writes_empty_parts_that_were_asked_for) {
  SplitRule rule;
  rule.validation = 0;
  rule.test = 0;
  const auto parts = split(table("SELECT range AS i FROM range(10)"), rule);
  EXPECT_EQ(parts[0].rows, 10);
  EXPECT_EQ(read(parts[2]).columns.size(), 1U);
}

TEST_F(Splitter, refuses_rules_that_make_no_sense) {
  const Table from = table(
      "SELECT range AS i, 'x' AS name, CASE WHEN range > 2 THEN range END AS t FROM range(10)");
  SplitRule rule;
  rule.test = 0.9;
  EXPECT_EQ(
      refusal(from, rule),
      "split: validation (0.15) and test (0.9) must be shares from 0 that leave rows to train");
  EXPECT_EQ(refusal(from, {SplitKind::kTime, {"nam"}}),
            "split: table \"t\" has no column \"nam\"; did you mean \"name\"?");
  EXPECT_EQ(refusal(from, {SplitKind::kTime, {"name"}}),
            "split: time column \"name\" is text; expected a timestamp or a number");
  EXPECT_EQ(refusal(from, {SplitKind::kTime, {"t"}}), "split: time column \"t\" is null in 3 rows");
  EXPECT_EQ(refusal(from, {SplitKind::kHash, {}}), "split: name the key columns in columns");
  EXPECT_NE(refusal(from, {SplitKind::kGroup, {"name"}}).find("no rows are left for"),
            std::string::npos);
}

}  // namespace
}  // namespace ciclo::data
