// SPDX-License-Identifier: Apache-2.0
#include "evaluate/gate.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"
#include "evaluate/slices.h"

namespace ciclo::evaluate {
namespace {

// A good and a worse model on the same 2,000 rows; "a" and "b" are categories, "b" a tenth.
struct Rows {
  std::vector<double> labels;
  std::vector<double> good;
  std::vector<double> worse;
  data::Batch columns;

  Rows() {
    SeededRandom random(9);
    columns.columns = {{"c", data::ColumnType::kText, {}, {}, {}}};
    for (int i = 0; i < 2000; ++i) {
      const double p = random.uniform();
      labels.push_back(random.uniform() < p ? 1 : 0);
      good.push_back(p);
      worse.push_back(0.5 * p + 0.5 * random.uniform());
      columns.columns[0].append(std::string_view(i % 10 == 0 ? "b" : "a"));
    }
  }
};

const Rows& rows() {
  static const Rows all;
  return all;
}

Decision decided(std::string_view gate_text, const std::vector<double>& challenger,
                 const std::vector<double>* champion = nullptr) {
  const auto gate = parse_gate(json::parse(gate_text).value(), Task::kBinary);
  EXPECT_TRUE(gate.ok()) << (gate.ok() ? "" : gate.error().message);
  auto quick = *gate;
  quick.resamples = 200;
  std::optional<Scored> champion_scored;
  if (champion != nullptr) champion_scored = Scored{rows().labels, *champion, 1, {}};
  auto decision = decide(quick, Task::kBinary, {rows().labels, challenger, 1, {}}, champion_scored,
                         rows().columns);
  EXPECT_TRUE(decision.ok()) << (decision.ok() ? "" : decision.error().message);
  return std::move(decision).value();
}

TEST(Gate, passes_and_keeps_the_numbers) {
  const auto decision = decided(R"({"rows_min": 1000, "thresholds": [{"metric": "auc", "min": 0.7},
      {"metric": "log_loss", "max": 0.6, "confidence": 0.95}]})",
                                rows().good);
  EXPECT_TRUE(decision.passed) << decision.summary;
  EXPECT_EQ(decision.summary, "passed 3 checks");
  EXPECT_EQ(decision.checks[0].name, "rows ≥ 1000");
  EXPECT_EQ(decision.checks[1].name, "auc ≥ 0.7");
  EXPECT_GT(*decision.checks[1].observed, 0.7);
  EXPECT_EQ(decision.checks[1].required, 0.7);
  EXPECT_GT(*decision.checks[2].bound, *decision.checks[2].observed);
}

TEST(Gate, refuses_below_a_threshold_and_says_why) {
  const auto decision = decided(R"({"thresholds": [{"metric": "auc", "min": 0.99}]})", rows().good);
  EXPECT_FALSE(decision.passed);
  EXPECT_EQ(decision.summary.rfind("refused: auc of 0.8", 0), 0U) << decision.summary;
  EXPECT_NE(decision.summary.find("is below 0.99"), std::string::npos);
}

TEST(Gate, refuses_too_few_rows) {
  const auto decision = decided(R"({"rows_min": 5000})", rows().good);
  EXPECT_FALSE(decision.passed);
  EXPECT_EQ(decision.summary, "refused: 2000 evaluated rows are fewer than 5000");
}

TEST(Gate, confidence_asks_more_than_the_value) {
  const auto plain = decided(R"({"thresholds": [{"metric": "auc", "min": 0}]})", rows().good);
  const auto value = std::to_string(*plain.checks[1].observed - 1e-4);
  EXPECT_TRUE(
      decided(R"({"thresholds": [{"metric": "auc", "min": )" + value + "}]}", rows().good).passed);
  EXPECT_FALSE(
      decided(R"({"thresholds": [{"metric": "auc", "confidence": 0.9, "min": )" + value + "}]}",
              rows().good)
          .passed);
}

TEST(Gate, judges_each_slice_and_misses_none) {
  const auto each =
      decided(R"({"slices": [{"column": "c", "metric": "auc", "min": 0.6}]})", rows().good);
  EXPECT_TRUE(each.passed) << each.summary;
  ASSERT_EQ(each.checks.size(), 3U);
  EXPECT_EQ(each.checks[1].name, "c=a: auc ≥ 0.6");
  EXPECT_EQ(each.checks[2].rows, 200);
  // Small ones are left out when every value is meant, and fail when they are named.
  const auto large =
      decided(R"({"slices": [{"column": "c", "metric": "auc", "min": 0.6, "rows_min": 500}]})",
              rows().good);
  EXPECT_EQ(large.checks.size(), 2U);
  const auto named = decided(
      R"({"slices": [{"column": "c", "value": "b", "metric": "auc", "min": 0.6, "rows_min": 500}]})",
      rows().good);
  EXPECT_FALSE(named.passed);
  const auto missing = decided(
      R"({"slices": [{"column": "c", "value": "z", "metric": "auc", "min": 0.6}]})", rows().good);
  EXPECT_EQ(missing.summary, "refused: c=z has 0 rows, fewer than 1");
}

TEST(Gate, tells_better_from_not_worse) {
  const auto superior = R"({"champion": [{"metric": "auc", "mode": "superior"}]})";
  const auto not_inferior = R"({"champion": [{"metric": "auc", "margin": 0.005}]})";
  const auto& good = rows().good;
  const auto& worse = rows().worse;
  EXPECT_TRUE(decided(superior, good, &worse).passed);
  EXPECT_FALSE(decided(superior, worse, &good).passed);
  EXPECT_FALSE(decided(superior, good, &good).passed);
  EXPECT_TRUE(decided(not_inferior, good, &good).passed);
  EXPECT_FALSE(decided(not_inferior, worse, &good).passed);
  const auto decision = decided(superior, good, &worse);
  EXPECT_GT(*decision.checks[1].difference, 0);
  EXPECT_GT(*decision.checks[1].bound, 0);
  EXPECT_LT(*decision.checks[1].bound, *decision.checks[1].difference);
}

TEST(Gate, knows_that_a_lower_loss_is_better) {
  const auto superior = R"({"champion": [{"metric": "log_loss", "mode": "superior"}]})";
  const auto wide = R"({"champion": [{"metric": "log_loss", "margin": 10}]})";
  EXPECT_TRUE(decided(superior, rows().good, &rows().worse).passed);
  EXPECT_FALSE(decided(superior, rows().worse, &rows().good).passed);
  EXPECT_TRUE(decided(wide, rows().worse, &rows().good).passed);
}

TEST(Gate, first_model_has_no_champion) {
  const auto decision = decided(R"({"champion": [{"metric": "auc"}]})", rows().good);
  EXPECT_TRUE(decision.passed);
  EXPECT_EQ(decision.checks[1].reason, "there is no champion to compare with");
}

// A report names quarters of the rows; the gate knows them, and ranges in general.
TEST(Gate, a_slice_may_be_a_range_of_numbers) {
  data::Batch columns;
  columns.columns = {{"x", data::ColumnType::kNumber, {}, {}, {}}};
  for (int i = 0; i < 2000; ++i) columns.columns[0].append(i);
  const auto judged = [&](const char* value) {
    GateSpec gate;
    gate.slices = {{"x", value, "auc", 0.5, {}, 1}};
    const auto decision =
        decide(gate, Task::kBinary, {rows().labels, rows().good, 1, {}}, {}, columns);
    EXPECT_TRUE(decision.ok()) << value;
    return decision->checks[1];
  };
  const std::string written = slices_of(columns.columns[0], 20).front().value;
  EXPECT_EQ(written, "[0, 500)");
  EXPECT_EQ(*judged(written.c_str()).rows, 500);
  EXPECT_TRUE(judged(written.c_str()).passed);
  EXPECT_EQ(*judged("[1500, 1999]").rows, 500);
  EXPECT_EQ(*judged("[100, 250)").rows, 150);
  EXPECT_EQ(*judged("[100, 250]").rows, 151);
  EXPECT_EQ(*judged("[3000, 4000)").rows, 0);
  EXPECT_FALSE(judged("[3000, 4000)").passed);
}

TEST(Gate, a_champion_that_cannot_be_compared_is_refused_unless_it_may_be_replaced) {
  const auto judged = [](const std::string& more) {
    const auto gate = parse_gate(
        json::parse(R"({"champion": [{"metric": "auc"}, {"metric": "log_loss"}])" + more + "}")
            .value(),
        Task::kBinary);
    EXPECT_TRUE(gate.ok());
    return decide(*gate, Task::kBinary, {rows().labels, rows().good, 1, {}}, std::nullopt,
                  rows().columns, "the champion needs column \"b\"")
        .value();
  };
  const Decision refused = judged("");
  EXPECT_FALSE(refused.passed);
  EXPECT_EQ(refused.summary,
            "refused: the champion needs column \"b\" (gate.incomparable_champion: replace lets it "
            "be replaced)");
  EXPECT_TRUE(judged(R"(, "incomparable_champion": "replace")").passed);
  EXPECT_FALSE(
      parse_gate(json::parse(R"({"incomparable_champion": "never"})").value(), Task::kBinary).ok());
}

TEST(Gate, undefined_metric_fails) {
  const std::vector<double> labels = {1, 1};
  const std::vector<double> scores = {0.5, 0.6};
  GateSpec gate;
  gate.thresholds = {{"auc", 0.5, {}, {}}};
  const auto decision = decide(gate, Task::kBinary, {labels, scores, 1, {}}, {}, {});
  EXPECT_FALSE(decision->passed);
  EXPECT_EQ(decision->summary, "refused: auc is undefined on these rows");
}

TEST(Gate, decision_reads_back_as_written) {
  const auto decision = decided(R"({"champion": [{"metric": "auc"}]})", rows().good, &rows().worse);
  const auto text = write_decision(decision);
  const auto read = read_decision(text);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(write_decision(*read), text);
}

TEST(Gate, errors_name_the_place) {
  const auto error = [](std::string_view text) {
    const auto gate = parse_gate(json::parse(text).value(), Task::kBinary);
    return gate.ok() ? std::string() : gate.error().message;
  };
  EXPECT_EQ(error(R"({"thresholds": [{"metric": "rmse", "max": 1}]})"),
            "gate.thresholds[0]: metric \"rmse\" is not one of a binary task; use one of: auc, "
            "pr_auc, log_loss, brier, ece, accuracy, precision, recall, f1");
  EXPECT_EQ(error(R"({"thresholds": [{"metric": "auc"}]})"),
            "gate.thresholds[0]: give min or max for auc");
  EXPECT_EQ(error(R"({"champion": [{"metric": "auc", "margin": -1}]})"),
            "gate.champion[0]: margin must not be negative, got -1");
  EXPECT_EQ(error(R"({"champion": [{"metric": "auc", "mode": "better"}]})"),
            "gate.champion[0].mode: expected one of non_inferior, superior, got \"better\"");
  EXPECT_EQ(error(R"({"treshold": []})").rfind("gate.treshold: unknown field", 0), 0U);
}

}  // namespace
}  // namespace ciclo::evaluate
