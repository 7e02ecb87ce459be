// SPDX-License-Identifier: Apache-2.0
#include "cli/comparison.h"

#include <gtest/gtest.h>

#include <cmath>

namespace ciclo::cli {
namespace {

std::vector<ComparedRun> two_runs() {
  return {{.run_id = "0123456789abcdef",
           .name = "base",
           .status = "FINISHED",
           .params = {{"depth", "6"}, {"rate", "0.1"}},
           .metrics = {{"auc", 0.8}, {"val_loss", 0.5}, {"rows", 10}}},
          {.run_id = "fedcba9876543210",
           .name = "wide",
           .status = "FAILED",
           .params = {{"depth", "8"}, {"rate", "0.1"}, {"width", "3"}},
           .metrics = {{"auc", 0.75}, {"val_loss", 0.25}, {"rows", 12}}}};
}

TEST(Comparison, shows_what_differs_and_which_is_best) {
  EXPECT_EQ(to_text(compare(two_runs(), {}), false, 0),
            "   run     base              wide\n"
            "─  ──────  ────────────────  ────────────────\n"
            "   id      0123456789abcdef  fedcba9876543210\n"
            "   status  FINISHED          FAILED\n"
            "\n"
            "   param  base  wide\n"
            "─  ─────  ────  ────\n"
            "≠  depth     6     8\n"
            "   rate    0.1   0.1\n"
            "≠  width     -     3\n"
            "\n"
            "   metric    base   wide\n"
            "─  ────────  ─────  ──────\n"
            "≠  auc       0.8 ↑  0.75\n"
            "≠  rows      10     12\n"
            "≠  val_loss  0.5    0.25 ↓\n");
  EXPECT_EQ(to_text(compare(two_runs(), {}), true, 0).find("rate"), std::string::npos);
}

TEST(Comparison, what_the_caller_says_is_better_wins) {
  const Comparison comparison =
      compare(two_runs(), {{"rows", Better::kHigher}, {"auc", Better::kLower}});
  EXPECT_EQ(comparison.metrics[0].is_best, (std::vector<bool>{false, true}));
  EXPECT_EQ(comparison.metrics[1].is_best, (std::vector<bool>{false, true}));
}

TEST(Comparison, names_of_metrics_tell_the_better_end) {
  for (const char* name : {"loss", "val_loss", "test/RMSE", "error-rate", "auc_loss"}) {
    EXPECT_EQ(better_of(name), Better::kLower) << name;
  }
  for (const char* name : {"AUC", "f1_macro", "test accuracy", "ndcg@10"}) {
    EXPECT_EQ(better_of(name), Better::kHigher) << name;
  }
  for (const char* name : {"rows", "glossary", "lossless", ""}) {
    EXPECT_EQ(better_of(name), Better::kUnknown) << name;
  }
}

TEST(Comparison, not_a_number_is_never_best_and_missing_ones_differ) {
  auto runs = two_runs();
  runs[0].metrics = {{"auc", std::nan("")}, {"loss", std::nan("")}};
  runs[1].metrics = {{"auc", 0.1}, {"loss", std::nan("")}};
  const Comparison comparison = compare(runs, {});
  EXPECT_EQ(comparison.metrics[0].is_best, (std::vector<bool>{false, true}));
  EXPECT_FALSE(comparison.metrics[1].differs);
  EXPECT_EQ(json::dump(*to_json(comparison).find("metrics")),
            R"([{"key":"auc","values":["NaN",0.1],"differs":true,"better":"higher",)"
            R"("best":["fedcba9876543210"]},)"
            R"({"key":"loss","values":["NaN","NaN"],"differs":false,"better":"lower","best":[]}])");
}

TEST(Comparison, runs_of_one_name_are_told_apart_by_their_ids) {
  auto runs = two_runs();
  runs[1].name = "base";
  runs.push_back({.run_id = "00112233445566"});
  EXPECT_EQ(headings_of(runs),
            (std::vector<std::string>{"base 01234567", "base fedcba98", "00112233"}));
}

}  // namespace
}  // namespace ciclo::cli
