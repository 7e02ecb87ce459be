// SPDX-License-Identifier: Apache-2.0
#include "evaluate/metrics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "evaluate/evaluate.h"

// Expected values are those of scikit-learn 1.9.1 (roc_auc_score, average_precision_score,
// log_loss, brier_score_loss, accuracy_score, precision_score, recall_score, f1_score,
// root_mean_squared_error, mean_absolute_error, r2_score) on these rows; ece was computed with
// NumPy by its definition. Both sides sum 30 doubles in another order, which is worth less than
// 1e-12.

namespace ciclo::evaluate {
namespace {

constexpr double kTolerance = 1e-12;

// Scores with many ties, among them 0 and 1.
const std::vector<double> kLabels = {1, 0, 1, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 1, 0,
                                     1, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 1};
const std::vector<double> kScores = {0.3, 0.1, 0.7, 0,   0,   0.3, 0,   1,   0.7, 0.9,
                                     0.5, 0.5, 0.5, 0.9, 0,   0.6, 0.6, 0.5, 0.5, 0.3,
                                     0.5, 0.6, 0.3, 0.4, 0.4, 0.5, 0.9, 0.4, 0.5, 0.6};
const std::vector<double> kWeights = {2.16, 2.69, 3.03, 2.99, 2.72, 0.53, 1.33, 0.36, 1.89, 2.64,
                                      0.4,  0.82, 1.35, 0.98, 2.64, 1.31, 2.17, 1.73, 2,    3.07,
                                      3.08, 0.59, 2.78, 1.29, 0.55, 1.4,  1.78, 3.13, 1.36, 0.29};
const std::vector<double> kClassLabels = {2, 2, 2, 2, 1, 0, 0, 0, 1, 0, 0, 0, 2, 2, 0,
                                          0, 0, 2, 1, 2, 0, 0, 2, 2, 1, 1, 1, 1, 2, 2};
const std::vector<double> kClassScores = {
    0.267929, 0.044693, 0.394824, 0.292554, 0.345607, 0.061811, 0.300396, 0.292186, 0.303033,
    0.278657, 0.234465, 0.183845, 0.147396, 0.196593, 0.505236, 0.150775, 0.330569, 0.441851,
    0.078393, 0.149187, 0.374422, 0.247066, 0.10289,  0.275622, 0.689148, 0.055074, 0.058495,
    0.197283, 0.340042, 0.238195, 0.195305, 0.226458, 0.347212, 0.27254,  0.23769,  0.142558,
    0.786709, 0.0184,   0.109854, 0.085037, 0.365078, 0.22988,  0.17418,  0.230862, 0.400724,
    0.124544, 0.28817,  0.186562, 0.364863, 0.041931, 0.274884, 0.318322, 0.075358, 0.131458,
    0.523988, 0.269196, 0.535839, 0.09587,  0.305229, 0.063062, 0.339106, 0.221026, 0.242026,
    0.197842, 0.466655, 0.254727, 0.253002, 0.025616, 0.086995, 0.243932, 0.572609, 0.096464,
    0.19753,  0.339493, 0.287425, 0.175552, 0.30926,  0.170978, 0.497477, 0.022285, 0.301285,
    0.302558, 0.180477, 0.21568,  0.317773, 0.092986, 0.300872, 0.288369, 0.170854, 0.307382,
    0.291063, 0.230701, 0.154585, 0.180996, 0.520842, 0.143577, 0.256216, 0.339271, 0.039969,
    0.364544, 0.236781, 0.322432, 0.258731, 0.182056, 0.305533, 0.329104, 0.01058,  0.354783,
    0.184272, 0.442414, 0.140535, 0.232779, 0.252762, 0.124744, 0.431575, 0.190919, 0.136472,
    0.013466, 0.718765, 0.131297};
const std::vector<double> kValues = {2.538,  -1.988, -0.522, -1.436, 5.716,  2.51,   8.361,  -0.453,
                                     2.912,  -2.168, 4.563,  -0.219, -0.432, -3.623, -0.978, -3.943,
                                     0.677,  0.966,  -2.022, -1.734, 0.339,  1.222,  -1.605, -5.904,
                                     -1.568, -0.48,  -0.233, -1.283, -1.31,  -2.909};
const std::vector<double> kEstimates = {
    1.354, -0.265, 0.164,  -3.14,  5.171,  3.43,   8.493,  1.416,  2.333,  -2.217,
    4.197, -0.305, 0.795,  -2.581, -1.136, -4.239, -0.728, 1.304,  -2.152, -1.829,
    2.781, 1.845,  -2.237, -5.266, -0.333, 0.272,  -0.711, -0.831, -1.552, -2.897};

void expect(Task task, const Scored& scored, const std::vector<double>& expected) {
  const auto& metrics = metrics_of(task);
  ASSERT_EQ(metrics.size(), expected.size());
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    const auto value = measure(task, metrics[i].name, scored);
    ASSERT_TRUE(value.ok()) << value.error().message;
    ASSERT_TRUE(value->has_value()) << metrics[i].name;
    EXPECT_NEAR(**value, expected[i], kTolerance) << metrics[i].name;
  }
}

TEST(Metrics, binary_equal_scikit_learn) {
  expect(Task::kBinary, {kLabels, kScores, 1, {}},
         {0.8169642857142858, 0.8320833333333333, 0.48644798607346995, 0.17, 0.14,
          0.6666666666666666, 0.6666666666666666, 0.75, 0.7058823529411765});
}

TEST(Metrics, weighted_binary_equal_scikit_learn) {
  expect(Task::kBinary, {kLabels, kScores, 1, kWeights},
         {0.8187239900066183, 0.7999164404157918, 0.46448525579811745, 0.16204485488126652,
          0.14656992084432718, 0.6690539012438749, 0.6033848417954379, 0.7075064710957724,
          0.6513105639396347});
}

TEST(Metrics, multiclass_equal_scikit_learn) {
  expect(Task::kMulticlass, {kClassLabels, kClassScores, 4, {}},
         {0.908714917420161, 0.7333333333333333, 0.5538461538461539});
}

TEST(Metrics, weighted_multiclass_equal_scikit_learn) {
  expect(Task::kMulticlass, {kClassLabels, kClassScores, 4, kWeights},
         {0.9141240169601001, 0.6767810026385225, 0.516306375421105});
}

TEST(Metrics, regression_equal_scikit_learn) {
  expect(Task::kRegression, {kValues, kEstimates, 1, {}},
         {0.9563133029155944, 0.7346666666666668, 0.8888951754155041});
}

TEST(Metrics, weighted_regression_equal_scikit_learn) {
  expect(Task::kRegression, {kValues, kEstimates, 1, kWeights},
         {1.0196567184143217, 0.7744389370523939, 0.8514092892428249});
}

std::optional<double> value(Task task, std::string_view metric, std::vector<double> labels,
                            std::vector<double> predictions) {
  return measure(task, metric, {labels, predictions, 1, {}}).value();
}

TEST(Metrics, undefined_is_no_value) {
  EXPECT_EQ(value(Task::kBinary, "auc", {1, 1}, {0.2, 0.3}), std::nullopt);
  EXPECT_EQ(value(Task::kBinary, "pr_auc", {0, 0}, {0.2, 0.3}), std::nullopt);
  EXPECT_EQ(value(Task::kRegression, "r2", {2, 2}, {1, 2}), std::nullopt);
  for (const auto& metric : metrics_of(Task::kBinary)) {
    EXPECT_EQ(value(Task::kBinary, metric.name, {}, {}), std::nullopt) << metric.name;
  }
}

TEST(Metrics, all_scores_equal_is_chance) {
  EXPECT_EQ(value(Task::kBinary, "auc", {1, 0, 1, 0}, {0.5, 0.5, 0.5, 0.5}), 0.5);
  EXPECT_EQ(value(Task::kBinary, "pr_auc", {1, 0, 1, 0}, {0.5, 0.5, 0.5, 0.5}), 0.5);
}

TEST(Metrics, certain_and_wrong_has_a_finite_log_loss) {
  EXPECT_NEAR(*value(Task::kBinary, "log_loss", {1}, {0}), 36.04365338911715, 1e-9);
}

TEST(Metrics, refuse_what_cannot_be_measured) {
  const auto error = [](Task task, std::string_view metric, std::vector<double> labels,
                        std::vector<double> predictions) {
    return measure(task, metric, {labels, predictions, 1, {}}).error().message;
  };
  EXPECT_EQ(error(Task::kBinary, "aucc", {}, {}),
            "metric \"aucc\" is not one of a binary task; did you mean \"auc\"?");
  EXPECT_EQ(error(Task::kBinary, "auc", {1}, {1.5}),
            "prediction of row 1 must be a probability, got 1.500000");
  EXPECT_EQ(error(Task::kRegression, "mae", {1, 2}, {1, std::nan("")}),
            "prediction of row 2 must be a number, got nan");
  EXPECT_EQ(error(Task::kBinary, "auc", {2}, {0.5}),
            "label of row 1 is 2.000000, which is none of the task");
  EXPECT_EQ(error(Task::kBinary, "auc", {1, 0}, {0.5}),
            "labels, predictions and weights differ in their rows");
}

}  // namespace
}  // namespace ciclo::evaluate
