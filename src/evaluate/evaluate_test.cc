// SPDX-License-Identifier: Apache-2.0
#include "evaluate/evaluate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/random.h"

namespace ciclo::evaluate {
namespace {

// A model that is right more often than not, with a text and a number column.
struct Rows {
  std::vector<double> labels;
  std::vector<double> scores;
  data::Batch columns;

  explicit Rows(std::size_t count, std::uint64_t seed = 1) {
    SeededRandom random(seed);
    columns.columns = {{"c", data::ColumnType::kText, {}, {}, {}},
                       {"x", data::ColumnType::kNumber, {}, {}, {}}};
    for (std::size_t i = 0; i < count; ++i) {
      const double p = random.uniform();
      scores.push_back(p);
      labels.push_back(random.uniform() < p ? 1 : 0);
      columns.columns[0].append(std::string_view(i % 4 == 0 ? "few" : "many"));
      columns.columns[1].append(i % 10 == 0 ? std::numeric_limits<double>::quiet_NaN()
                                            : random.normal());
    }
  }
  Scored scored() const { return {labels, scores, 1, {}}; }
};

Report evaluated(const Rows& rows, EvaluateOptions options) {
  if (options.bootstrap.resamples == 0) options.bootstrap.resamples = 200;
  auto report = evaluate(Task::kBinary, rows.scored(), rows.columns, options);
  EXPECT_TRUE(report.ok()) << (report.ok() ? "" : report.error().message);
  return std::move(report).value();
}

TEST(Evaluate, interval_holds_the_value_and_narrows_with_rows) {
  const auto few = evaluated(Rows(200), {.metrics = {"auc"}}).metrics[0];
  const auto many = evaluated(Rows(5000), {.metrics = {"auc"}}).metrics[0];
  EXPECT_EQ(few.metric, "auc");
  EXPECT_LT(*few.low, *few.value);
  EXPECT_GT(*few.high, *few.value);
  // By about the square root of 25.
  EXPECT_NEAR((*few.high - *few.low) / (*many.high - *many.low), 5, 2);
}

TEST(Evaluate, interval_of_a_mean_is_that_of_the_normal_distribution) {
  // Accuracy is a mean: its standard error is sqrt(p (1 − p) / n); 1,000 resamples give the ends of
  // the interval within about 5 % of its width.
  EvaluateOptions options;
  options.metrics = {"accuracy"};
  options.bootstrap.resamples = 1000;
  const auto report = evaluated(Rows(4000), options);
  const double p = *report.metrics[0].value;
  const double half = 1.96 * std::sqrt(p * (1 - p) / 4000);
  EXPECT_NEAR(*report.metrics[0].high - p, half, 0.1 * half);
  EXPECT_NEAR(p - *report.metrics[0].low, half, 0.1 * half);
}

TEST(Evaluate, result_depends_on_the_seed_and_not_on_the_threads) {
  // Enough work for several threads.
  const Rows rows(30'000);
  EvaluateOptions options;
  options.metrics = {"accuracy"};
  options.bootstrap.seed = 5;
  options.bootstrap.threads = 1;
  const auto one = write_report(evaluated(rows, options));
  options.bootstrap.threads = 3;
  EXPECT_EQ(write_report(evaluated(rows, options)), one);
  options.bootstrap.seed = 6;
  EXPECT_NE(write_report(evaluated(rows, options)), one);
}

TEST(Evaluate, slices_categories_and_ranges_and_nulls) {
  const auto report = evaluated(Rows(400), {.slice_columns = {"c", "x"}});
  ASSERT_EQ(report.slices.size(), 7U);
  EXPECT_EQ(report.slices[0].value, "many");
  EXPECT_EQ(report.slices[0].rows, 300);
  EXPECT_EQ(report.slices[1].value, "few");
  EXPECT_EQ(report.slices[2].rows, 90);
  EXPECT_EQ(report.slices[6].value, "(null)");
  EXPECT_EQ(report.slices[6].rows, 40);
  EXPECT_EQ(report.slices[0].metrics.size(), metrics_of(Task::kBinary).size());
}

TEST(Evaluate, rare_categories_share_a_slice) {
  Rows rows(100);
  for (std::size_t i = 0; i < 100; ++i) {
    rows.columns.columns[0].texts[i] = i < 50 ? "a" : "rare" + std::to_string(i);
  }
  EvaluateOptions options;
  options.slice_columns = {"c"};
  options.slices_max = 3;
  const auto report = evaluated(rows, options);
  ASSERT_EQ(report.slices.size(), 4U);
  EXPECT_EQ(report.slices[0].value, "a");
  EXPECT_EQ(report.slices[3].value, "(other)");
  EXPECT_EQ(report.slices[3].rows, 48);
}

TEST(Evaluate, curves_run_from_end_to_end_and_stay_small) {
  const auto report = evaluated(Rows(5000), {});
  ASSERT_LE(report.roc.size(), 200U);
  ASSERT_LE(report.pr.size(), 200U);
  EXPECT_GT(report.roc.size(), 100U);
  EXPECT_EQ(report.roc.front().x, 0);
  EXPECT_EQ(report.roc.back().x, 1);
  EXPECT_EQ(report.roc.back().y, 1);
  EXPECT_EQ(report.pr.back().x, 1);
  // The thinned curve still has the area of the whole one, to a few thousandths.
  double area = 0;
  for (std::size_t i = 1; i < report.roc.size(); ++i) {
    area += (report.roc[i].x - report.roc[i - 1].x) * (report.roc[i].y + report.roc[i - 1].y) / 2;
  }
  EXPECT_NEAR(area, *report.value("auc"), 3e-3);
}

TEST(Evaluate, calibration_and_confusion_count_every_row) {
  const auto report = evaluated(Rows(1000), {});
  std::int64_t rows = 0;
  for (const auto& bin : report.calibration) {
    rows += bin.rows;
    EXPECT_NEAR(bin.observed, bin.predicted, 0.2);
    EXPECT_GE(bin.predicted, bin.low);
    EXPECT_LE(bin.predicted, bin.high);
  }
  EXPECT_EQ(rows, 1000);
  const auto& c = report.confusion;
  EXPECT_EQ(c[0][0] + c[0][1] + c[1][0] + c[1][1], 1000);
  EXPECT_NEAR(static_cast<double>(c[0][0] + c[1][1]) / 1000, *report.value("accuracy"), 1e-12);
}

TEST(Evaluate, report_reads_back_as_written) {
  const auto report = evaluated(Rows(300), {.slice_columns = {"c"}});
  const auto text = write_report(report);
  const auto read = read_report(text);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(write_report(*read), text);
}

TEST(Evaluate, one_class_leaves_undefined_metrics_empty) {
  const std::vector<double> labels = {1, 1, 1};
  const std::vector<double> scores = {0.2, 0.5, 0.9};
  const auto report = evaluate(Task::kBinary, {labels, scores, 1, {}}, {});
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_EQ(report->value("auc"), std::nullopt);
  EXPECT_TRUE(report->value("log_loss").has_value());
  EXPECT_TRUE(report->roc.empty());
}

TEST(Evaluate, unknown_slice_column_is_named) {
  const Rows rows(10);
  const auto report =
      evaluate(Task::kBinary, rows.scored(), rows.columns, {.slice_columns = {"nowhere"}});
  EXPECT_EQ(report.error().message, "slice column \"nowhere\" is not in the evaluated rows");
}

TEST(PairedDifferences, are_zero_for_equal_models_and_far_less_noisy_than_the_metrics) {
  const Rows rows(2000);
  const auto same =
      paired_differences(Task::kBinary, "auc", rows.scored(), rows.scored(), {.resamples = 100});
  for (const double difference : *same) EXPECT_EQ(difference, 0);
  auto close = rows;
  for (double& score : close.scores) score = 0.98 * score + 0.01;
  close.scores[0] = 1 - close.scores[0];
  const auto differences =
      paired_differences(Task::kBinary, "auc", close.scored(), rows.scored(), {.resamples = 200});
  const auto auc = evaluated(rows, {}).metrics[0];
  EXPECT_LT(differences->back() - differences->front(), (*auc.high - *auc.low) / 2);
}

}  // namespace
}  // namespace ciclo::evaluate
