// SPDX-License-Identifier: Apache-2.0
#include "features/transform.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace ciclo::features {
namespace {

constexpr double kNull = std::numeric_limits<double>::quiet_NaN();

data::Column numbers(std::string name, std::vector<double> values,
                     data::ColumnType type = data::ColumnType::kNumber) {
  data::Column column;
  column.name = std::move(name);
  column.type = type;
  column.numbers = std::move(values);
  return column;
}

// "-" is null.
data::Column texts(std::string name, const std::vector<std::string>& values) {
  data::Column column;
  column.name = std::move(name);
  column.type = data::ColumnType::kText;
  for (const auto& value : values) {
    if (value == "-") {
      column.append_null();
    } else {
      column.append(std::string_view(value));
    }
  }
  return column;
}

ColumnSpec spec_of(std::string column, Encoding encode) {
  ColumnSpec spec;
  spec.column = std::move(column);
  spec.encode = encode;
  return spec;
}

Fitted fit(const Spec& spec, const data::Batch& rows, const Target& target = {}) {
  auto fitted = Transform::fit(spec, rows, target);
  EXPECT_TRUE(fitted.ok()) << (fitted.ok() ? "" : fitted.error().message);
  return std::move(fitted).value();
}

std::vector<float> apply(const Transform& transform, const data::Batch& rows) {
  std::vector<float> out(rows.rows() * transform.width());
  const auto applied = transform.apply(rows, out);
  EXPECT_TRUE(applied.ok()) << (applied.ok() ? "" : applied.error().message);
  return out;
}

std::string error_of(const Spec& spec, const data::Batch& rows, const Target& target = {}) {
  const auto fitted = Transform::fit(spec, rows, target);
  return fitted.ok() ? "" : fitted.error().message;
}

TEST(Transform, numbers_pass_unchanged_and_null_stays_missing) {
  const data::Batch rows{{numbers("x", {1, kNull, 3})}};
  const auto fitted = fit({spec_of("x", Encoding::kNumeric)}, rows);
  EXPECT_TRUE(fitted.transform.is_identity());
  const auto out = apply(fitted.transform, rows);
  EXPECT_EQ(out[0], 1);
  EXPECT_TRUE(std::isnan(out[1]));
  EXPECT_EQ(out[2], 3);
}

TEST(Transform, imputes_clips_takes_logarithm_and_standardises_in_this_order) {
  auto spec = spec_of("x", Encoding::kNumeric);
  spec.impute = ColumnSpec::Impute::kMedian;
  spec.clip_high = 7;
  spec.log = true;
  spec.standardise = true;
  spec.indicator = true;
  const data::Batch rows{{numbers("x", {0, 3, kNull, 100})}};
  const auto fitted = fit({spec}, rows);
  EXPECT_FALSE(fitted.transform.is_identity());
  EXPECT_EQ(fitted.transform.outputs(), (std::vector<std::string>{"x", "x.is_null"}));
  // Median 3; shaped: log 1, log 4, log 4, log 8 = 0, 2, 2, 3 times log 2; mean 1.75, variance
  // 1.1875 in units of log 2.
  const auto out = apply(fitted.transform, rows);
  const double deviation = std::sqrt(1.1875);
  EXPECT_NEAR(out[0], -1.75 / deviation, 1e-6);  // float
  EXPECT_NEAR(out[2], 0.25 / deviation, 1e-6);
  EXPECT_NEAR(out[4], 0.25 / deviation, 1e-6);
  EXPECT_NEAR(out[6], 1.25 / deviation, 1e-6);
  EXPECT_EQ(out[5], 1);
  EXPECT_EQ(out[7], 0);
}

TEST(Transform, constant_column_standardises_to_zero) {
  auto spec = spec_of("x", Encoding::kNumeric);
  spec.standardise = true;
  const data::Batch rows{{numbers("x", {0.1, 0.1, 0.1})}};
  EXPECT_NEAR(apply(fit({spec}, rows).transform, rows)[0], 0, 1e-12);
}

TEST(Transform, one_hot_orders_by_count_and_gathers_the_rest) {
  auto spec = spec_of("c", Encoding::kOneHot);
  spec.categories_max = 2;
  const data::Batch rows{{texts("c", {"b", "a", "a", "a", "b", "x", "y", "-"})}};
  const auto fitted = fit({spec}, rows);
  EXPECT_EQ(fitted.transform.outputs(),
            (std::vector<std::string>{"c=a", "c=b", "c=other", "c=null"}));
  const data::Batch asked{{texts("c", {"a", "b", "x", "never seen", "-"})}};
  const std::vector<float> expected = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1};
  EXPECT_EQ(apply(fitted.transform, asked), expected);
}

TEST(Transform, unseen_category_without_other_is_all_zero_or_missing) {
  const data::Batch rows{{texts("c", {"b", "a", "a"}), texts("d", {"b", "a", "a"})}};
  const auto fitted =
      fit({spec_of("c", Encoding::kOneHot), spec_of("d", Encoding::kOrdinal)}, rows);
  const auto out = apply(fitted.transform, {{texts("c", {"z", "b"}), texts("d", {"z", "b"})}});
  EXPECT_EQ(out[0] + out[1], 0);
  EXPECT_TRUE(std::isnan(out[2]));
  EXPECT_EQ(out[5], 1);
}

TEST(Transform, whole_numbers_can_be_categories) {
  const auto type = data::ColumnType::kInteger;
  const data::Batch rows{{numbers("n", {7, 7, 3, 11}, type)}};
  const auto fitted = fit({spec_of("n", Encoding::kOneHot)}, rows);
  EXPECT_EQ(fitted.transform.outputs(), (std::vector<std::string>{"n=7", "n=3", "n=11"}));
  EXPECT_EQ(apply(fitted.transform, {{numbers("n", {11}, type)}}), (std::vector<float>{0, 0, 1}));
}

TEST(Transform, frequency_is_the_share_of_training_rows) {
  const data::Batch rows{{texts("c", {"a", "a", "b", "-"})}};
  const auto fitted = fit({spec_of("c", Encoding::kFrequency)}, rows);
  EXPECT_EQ(apply(fitted.transform, {{texts("c", {"a", "b", "-", "z"})}}),
            (std::vector<float>{0.5F, 0.25F, 0.25F, 0}));
}

TEST(Transform, target_encoding_is_smoothed_towards_the_mean) {
  auto spec = spec_of("c", Encoding::kTarget);
  spec.smoothing = 2;
  const std::vector<float> target = {1, 1, 0, 0};
  const data::Batch rows{{texts("c", {"a", "a", "a", "b"})}};
  const auto fitted = fit({spec}, rows, {target, 2});
  // a: (2 + 2 · 0.5) / (3 + 2), b: (0 + 2 · 0.5) / (1 + 2), unseen: 0.5.
  const auto out = apply(fitted.transform, {{texts("c", {"a", "b", "z"})}});
  EXPECT_FLOAT_EQ(out[0], 0.6F);
  EXPECT_FLOAT_EQ(out[1], 1.0F / 3);
  EXPECT_FLOAT_EQ(out[2], 0.5F);
}

TEST(Transform, target_encoding_of_a_training_row_does_not_see_its_own_target) {
  // Each row its own category: out of fold only the mean of the other folds can be known, so rows
  // of equal fold have equal numbers whatever their target.
  auto spec = spec_of("c", Encoding::kTarget);
  spec.smoothing = 0;
  spec.folds = 2;
  std::vector<std::string> keys;
  std::vector<float> target;
  for (int i = 0; i < 200; ++i) {
    keys.push_back("key" + std::to_string(i));
    target.push_back(static_cast<float>(i % 2));
  }
  spec.categories_max = 1000;
  const data::Batch rows{{texts("c", keys)}};
  const auto fitted = fit({spec}, rows, {target, 2});
  for (const float value : fitted.training) EXPECT_NEAR(value, 0.5, 0.2);
  const auto frozen = apply(fitted.transform, rows);
  EXPECT_EQ(frozen[0], 0);
  EXPECT_EQ(frozen[1], 1);
}

TEST(Transform, target_encoding_of_several_classes_has_a_share_for_each) {
  auto spec = spec_of("c", Encoding::kTarget);
  spec.smoothing = 0;
  const std::vector<float> target = {0, 1, 2, 2};
  const data::Batch rows{{texts("c", {"a", "a", "b", "b"})}};
  const auto fitted = fit({spec}, rows, {target, 3});
  EXPECT_EQ(apply(fitted.transform, {{texts("c", {"a", "b", "z"})}}),
            (std::vector<float>{0.5F, 0.5F, 0, 0, 0, 1, 0.25F, 0.25F, 0.5F}));
}

TEST(Transform, timestamp_parts_are_utc) {
  auto spec = spec_of("t", Encoding::kTimestamp);
  spec.parts = {Part::kYear, Part::kMonth,  Part::kDay,       Part::kDayOfWeek, Part::kDayOfYear,
                Part::kHour, Part::kMinute, Part::kIsWeekend, Part::kEpochDay};
  const auto type = data::ColumnType::kTimestamp;
  // 2013-03-02 05:07:09.5 UTC, a Saturday; 1969-12-31 23:59:59.999, a Wednesday; null.
  const data::Batch rows{{numbers("t", {1362200829500.0, -1, kNull}, type)}};
  const auto out = apply(fit({spec}, rows).transform, rows);
  EXPECT_EQ(std::vector<float>(out.begin(), out.begin() + 9),
            (std::vector<float>{2013, 3, 2, 5, 61, 5, 7, 1, 15766}));
  EXPECT_EQ(std::vector<float>(out.begin() + 9, out.begin() + 18),
            (std::vector<float>{1969, 12, 31, 2, 365, 23, 59, 0, -1}));
  EXPECT_TRUE(std::isnan(out[18]));
}

TEST(Transform, timestamps_far_away_still_have_a_calendar) {
  auto spec = spec_of("t", Encoding::kTimestamp);
  spec.parts = {Part::kYear, Part::kMonth, Part::kDay, Part::kHour};
  const auto type = data::ColumnType::kTimestamp;
  // 100000-02-29T00:00:00 UTC, and a time beyond all calendars.
  const data::Batch rows{{numbers("t", {3093532646400000.0, 1e300}, type)}};
  const auto out = apply(fit({spec}, rows).transform, rows);
  EXPECT_EQ(out[3], 0);
  EXPECT_GT(out[0], 99'000);
  EXPECT_TRUE(std::isnan(out[4]));
}

TEST(Transform, hashed_text_counts_words_without_case) {
  auto spec = spec_of("t", Encoding::kHashedText);
  spec.buckets = 1024;
  const data::Batch rows{{texts("t", {"Red car, red CAR!", "-", "red"})}};
  const auto out = apply(fit({spec}, rows).transform, rows);
  float sum = 0;
  int buckets_used = 0;
  for (int i = 0; i < 1024; ++i) {
    const auto at = static_cast<std::size_t>(i);
    sum += out[at];
    buckets_used += out[at] != 0;
    EXPECT_EQ(out[1024 + at], 0);
    EXPECT_EQ(out[at] == 2 && out[2048 + at] == 1, out[at] != 0 && out[2048 + at] != 0);
  }
  EXPECT_EQ(sum, 4);
  EXPECT_EQ(buckets_used, 2);
}

TEST(Transform, read_gives_the_same_function_and_the_same_text) {
  auto shaped = spec_of("x", Encoding::kNumeric);
  shaped.impute = ColumnSpec::Impute::kMean;
  shaped.standardise = true;
  auto target_spec = spec_of("c", Encoding::kTarget);
  const data::Batch rows{
      {numbers("x", {0.1, kNull, 1.0 / 3, 1e100}), texts("c", {"ä\"quote", "b", "-", "b"}),
       numbers("t", {0, 1e12, 2e12, kNull}, data::ColumnType::kTimestamp),
       texts("f", {"one two", "three", "-", "four"}), numbers("k", {1.5, 1.5, 2, kNull})}};
  const std::vector<float> target = {1, 0, 1, 1};
  const Spec spec = {shaped, target_spec, spec_of("t", Encoding::kTimestamp),
                     spec_of("f", Encoding::kHashedText), spec_of("k", Encoding::kOneHot)};
  const auto fitted = fit(spec, rows, {target, 2});
  const auto text = fitted.transform.write();
  const auto read = Transform::read(text);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->write(), text);
  const auto before = apply(fitted.transform, rows);
  const auto after = apply(*read, rows);
  ASSERT_EQ(before.size(), after.size());
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (std::isnan(before[i])) {
      EXPECT_TRUE(std::isnan(after[i]));
    } else {
      EXPECT_EQ(before[i], after[i]);
    }
  }
}

TEST(Transform, columns_may_come_in_any_order_among_others) {
  const data::Batch rows{{numbers("x", {1, 2}), texts("c", {"a", "b"})}};
  const auto fitted =
      fit({spec_of("x", Encoding::kNumeric), spec_of("c", Encoding::kOrdinal)}, rows);
  const data::Batch asked{{texts("z", {"?", "?"}), texts("c", {"b", "a"}), numbers("x", {5, 6})}};
  EXPECT_EQ(apply(fitted.transform, asked), (std::vector<float>{5, 1, 6, 0}));
}

TEST(Transform, names_a_missing_column_and_one_of_the_wrong_kind) {
  const data::Batch rows{{numbers("x", {1, 2})}};
  const auto fitted = fit({spec_of("x", Encoding::kNumeric)}, rows);
  std::vector<float> out(1);
  EXPECT_EQ(fitted.transform.apply({{numbers("y", {1})}}, out).error().message,
            "column \"x\" is missing");
  EXPECT_EQ(fitted.transform.apply({{texts("x", {"1"})}}, out).error().message,
            "column \"x\" must hold number values, got text");
}

TEST(Transform, never_hands_an_infinity_to_a_learner) {
  const data::Batch rows{{numbers("x", {1, 2})}};
  const auto fitted = fit({spec_of("x", Encoding::kNumeric)}, rows);
  const double infinity = std::numeric_limits<double>::infinity();
  const auto out = apply(fitted.transform, {{numbers("x", {1e300, -infinity})}});
  EXPECT_EQ(out[0], std::numeric_limits<float>::max());
  EXPECT_EQ(out[1], std::numeric_limits<float>::lowest());
}

TEST(Transform, refuses_to_learn_from_what_holds_nothing) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(error_of({spec_of("x", Encoding::kNumeric)}, {{numbers("x", {kNull, kNull})}}),
            "column \"x\" holds no value in the training rows; leave it out of the features");
  EXPECT_EQ(error_of({spec_of("x", Encoding::kNumeric)}, {{numbers("x", {1, infinity})}}),
            "column \"x\" holds an infinite value in training row 2; replace it by a number or by "
            "null");
  auto standardised = spec_of("x", Encoding::kNumeric);
  standardised.standardise = true;
  EXPECT_EQ(error_of({standardised}, {{numbers("x", {0, 1e300})}}),
            "column \"x\" holds numbers too large to be standardised; add clip_low and clip_high");
  EXPECT_EQ(error_of({spec_of("y", Encoding::kNumeric)}, {{numbers("x", {1})}}),
            "column \"y\" is missing");
  EXPECT_EQ(
      error_of({spec_of("c", Encoding::kNumeric)}, {{texts("c", {"a"})}}),
      "column \"c\" holds text values, which encode numeric cannot use; try one_hot, target or "
      "hashed_text");
  EXPECT_EQ(error_of({spec_of("c", Encoding::kTarget)}, {{texts("c", {"a"})}}),
            "column \"c\" is encoded by the target, so the target of each row is needed");
}

TEST(Transform, damaged_text_is_data_loss) {
  for (
      const char* text :
      {"", "{}", R"({"format":9,"columns":[]})",
       R"({"format":1,"columns":[{"column":"c","type":"text","nullable":true,"encode":"target"}]})",
       R"({"format":1,"columns":[{"column":"c","type":"text","nullable":true,"encode":"numeric"}]})"}) {
    const auto read = Transform::read(text);
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_EQ(read.error().code, Code::kDataLoss);
  }
}

TEST(Spec, is_written_as_it_is_read) {
  const auto value = json::parse(R"([
    {"column": "x", "encode": "numeric", "impute": "median", "clip_low": 0, "standardise": true},
    {"column": "c", "encode": "target", "smoothing": 5},
    {"column": "t", "encode": "timestamp", "parts": ["hour"]}])");
  const auto spec = parse_spec(*value);
  ASSERT_TRUE(spec.ok()) << spec.error().message;
  EXPECT_EQ((*spec)[0].impute, ColumnSpec::Impute::kMedian);
  EXPECT_EQ((*spec)[0].clip_low, 0.0);
  EXPECT_EQ((*spec)[1].smoothing, 5);
  const auto again = parse_spec(spec_to_json(*spec));
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(spec_to_json(*again), spec_to_json(*spec));
}

TEST(Spec, errors_name_the_place_and_what_would_be_right) {
  const auto error = [](const char* text) {
    const auto spec = parse_spec(*json::parse(text));
    return spec.ok() ? std::string() : spec.error().message;
  };
  EXPECT_EQ(error(R"({"x": 1})"), "features: expected an array, got an object");
  EXPECT_EQ(error(R"([{"column": "a", "encode": "onehot"}])"),
            "features[0].encode: expected one of numeric, one_hot, ordinal, target, frequency, "
            "timestamp, hashed_text, got \"onehot\"");
  EXPECT_EQ(error(R"([{"column": "a"}, {"column": "b", "standardize": true}])"),
            "features[1]: \"standardize\" is no option of encode numeric; did you mean "
            "\"standardise\"?");
  EXPECT_EQ(error(R"([{"column": "a"}, {"column": "a"}])"),
            "features[1]: column \"a\" is named twice");
  EXPECT_EQ(error(R"([{"column": "a", "encode": "target", "folds": 1}])"),
            "features[0]: folds must lie between 2 and 100, got 1");
}

TEST(Spec, suggestion_fits_each_kind_of_column) {
  data::Batch rows{{numbers("n", {}), texts("few", {}), texts("many", {}), texts("key", {}),
                    texts("prose", {}), numbers("when", {}, data::ColumnType::kTimestamp),
                    numbers("constant", {}), texts("empty", {})}};
  for (int i = 0; i < 200; ++i) {
    rows.columns[0].append(i % 7 == 0 ? kNull : i);
    rows.columns[1].append(std::string_view(i % 2 == 0 ? "yes" : "no"));
    rows.columns[2].append(std::string_view("c" + std::to_string(i % 40)));
    rows.columns[3].append(std::string_view("id" + std::to_string(i)));
    rows.columns[4].append(std::string_view("some words and " + std::to_string(i)));
    rows.columns[5].append(i * 1e9);
    rows.columns[6].append(5);
    rows.columns[7].append_null();
  }
  const auto spec = suggest_spec(rows, Family::kLinear);
  ASSERT_EQ(spec.size(), 5U);
  EXPECT_EQ(spec[0].impute, ColumnSpec::Impute::kMedian);
  EXPECT_TRUE(spec[0].indicator);
  EXPECT_EQ(spec[1].encode, Encoding::kOneHot);
  EXPECT_EQ(spec[2].encode, Encoding::kTarget);
  EXPECT_EQ(spec[3].encode, Encoding::kHashedText);
  EXPECT_EQ(spec[4].encode, Encoding::kTimestamp);
  const auto trees = suggest_spec(rows, Family::kTrees);
  EXPECT_EQ(trees[0].impute, ColumnSpec::Impute::kNone);
}

}  // namespace
}  // namespace ciclo::features
