// SPDX-License-Identifier: Apache-2.0
#include "tracking/search.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tracking/test_services.h"

namespace ciclo::tracking {
namespace {

class SearchTest : public TrackingTest {
 protected:
  void add(const std::string& name, const Batch& batch) {
    const auto logged = tracking.log_batch(context, new_run(name), batch);
    EXPECT_TRUE(logged.ok()) << logged.error().message;
  }
  // a: 0.9, lr 0.1; b: 0.5, lr 0.2; c: NaN; d: nothing.
  void add_four() {
    add("a", {.metrics = {{.key = "auc", .value = 0.9}, {.key = "val loss", .value = 1}},
              .params = {{"lr", "0.1"}},
              .tags = {{"team", "Red"}}});
    add("b", {.metrics = {{.key = "auc", .value = 0.5}},
              .params = {{"lr", "0.2"}},
              .tags = {{"team", "blue"}}});
    add("c", {.metrics = {{.key = "auc", .value = std::nan("")}}, .params = {{"lr", "50%"}}});
    add("d", {});
  }
};

TEST_P(SearchTest, newest_first_without_filter) {
  add_four();
  EXPECT_EQ(found(""), "d c b a");
  EXPECT_EQ(found("  "), "d c b a");
}

TEST_P(SearchTest, metrics_compare_the_latest_value_and_nan_matches_only_inequality) {
  add_four();
  EXPECT_EQ(found("metrics.auc > 0.5"), "a");
  EXPECT_EQ(found("metrics.auc >= .5 and metric.auc <= 0.9"), "b a");
  EXPECT_EQ(found("metrics.auc < 1e3"), "b a");
  EXPECT_EQ(found("metrics.auc != 0.5"), "c a");
  EXPECT_EQ(found("metrics.auc > -1"), "b a");
  EXPECT_EQ(found("metrics.`val loss` = 1"), "a");
  EXPECT_EQ(found("metrics.\"val loss\" = 1"), "a");
}

// Only ASCII has a case here, on both databases, whatever their collation.
TEST_P(SearchTest, ilike_leaves_other_letters_as_they_are) {
  add("a", {.tags = {{"team", "Ägypten"}}});
  EXPECT_EQ(found("tags.team ILIKE 'ÄGYP%'"), "a");
  EXPECT_EQ(found("tags.team ILIKE 'ägyp%'"), "");
}

TEST_P(SearchTest, texts_compare_by_case_and_ilike_does_not) {
  add_four();
  EXPECT_EQ(found("params.lr = '0.1'"), "a");
  EXPECT_EQ(found("params.lr != \"0.1\""), "c b");
  EXPECT_EQ(found("tags.team LIKE 'R%'"), "a");
  EXPECT_EQ(found("tags.team LIKE 'r%'"), "");
  EXPECT_EQ(found("tags.team ILIKE 'r_d'"), "a");
  EXPECT_EQ(found("params.lr LIKE '%\\%'"), "");
  EXPECT_EQ(found("params.lr LIKE '50_'"), "c");
  EXPECT_EQ(found("tags.team IS NULL"), "d c");
  EXPECT_EQ(found("params.lr is not null"), "c b a");
}

TEST_P(SearchTest, attributes) {
  add_four();
  EXPECT_EQ(found("run_name = 'a'"), "a");
  EXPECT_EQ(found("attributes.`run name` LIKE '_' AND attr.status = 'RUNNING'"), "d c b a");
  EXPECT_EQ(found("attributes.start_time > 1700000000002"), "d c");
  EXPECT_EQ(found("end_time > 0"), "");
  const RunId id = new_run("e");
  EXPECT_EQ(found("run_id IN ('" + id.str() + "', 'x')"), "e");
  EXPECT_EQ(found("run_id NOT IN ('" + id.str() + "',)"), "d c b a");
}

TEST_P(SearchTest, missing_values_sort_last_and_nan_before_them) {
  add_four();
  EXPECT_EQ(found("", {"metrics.auc ASC"}), "b a c d");
  EXPECT_EQ(found("", {"metrics.auc DESC"}), "a b c d");
  EXPECT_EQ(found("", {"params.lr"}), "a b c d");
  EXPECT_EQ(found("", {"params.lr desc"}), "c b a d");
  EXPECT_EQ(found("", {"tags.team", "attributes.run_name DESC"}), "a b d c");
  EXPECT_EQ(found("", {"end_time DESC", "start_time ASC"}), "a b c d");
}

TEST_P(SearchTest, pages_neither_repeat_nor_skip_while_runs_come_and_go) {
  for (int i = 0; i < 20; ++i) {
    add("r" + std::to_string(i),
        {.metrics = {{.key = "m", .value = i % 3 == 0 ? std::nan("") : i % 5}}});
  }
  for (const std::string order : {"metrics.m ASC", "metrics.m DESC", "attributes.start_time ASC",
                                  "metrics.other ASC", "end_time DESC"}) {
    RunSearch search{.experiment_ids = {ExperimentId("0")}, .order_by = {order}, .max_results = 20};
    search.filter = "run_name LIKE 'r%'";
    const auto whole = tracking.search_runs(context, search);
    search.max_results = 3;
    std::vector<std::string> seen;
    do {
      const auto page = tracking.search_runs(context, search);
      ASSERT_TRUE(page.ok()) << page.error().message;
      for (const auto& run : page->items) seen.push_back(run.info.name);
      search.page_token = page->next_page_token;
      new_run("x");
    } while (!search.page_token.empty());
    std::vector<std::string> all;
    for (const auto& run : whole->items) all.push_back(run.info.name);
    EXPECT_EQ(seen, all) << order;
  }
}

TEST_P(SearchTest, a_token_of_another_search_is_refused) {
  add_four();
  RunSearch search{.experiment_ids = {ExperimentId("0")}, .max_results = 1};
  const std::string token = tracking.search_runs(context, search)->next_page_token;
  ASSERT_FALSE(token.empty());
  for (const std::string& bad :
       {token.substr(2), token + "00", std::string("zz"), std::string("5b5d")}) {
    search.page_token = bad;
    EXPECT_EQ(tracking.search_runs(context, search).error().code, Code::kInvalidArgument) << bad;
  }
  search.page_token = token;
  search.filter = "params.lr = '0.1'";
  EXPECT_FALSE(tracking.search_runs(context, search).ok());
}

TEST_P(SearchTest, what_the_language_does_not_have_is_refused_with_its_place) {
  EXPECT_EQ(
      found("metrics.a > 1 OR metrics.b > 1"),
      "error: invalid filter: \"metrics.a > 1 OR metrics.b > 1\", at character 15: expected AND "
      "or the end; only AND joins comparisons");
  for (const std::string filter : {"(metrics.a > 1)",
                                   "NOT metrics.a > 1",
                                   "metrics.a BETWEEN 1 AND 2",
                                   "metrics.a > 'x'",
                                   "params.a > '1'",
                                   "params.a = 1",
                                   "start_time = '1'",
                                   "metrics.a LIKE 'x'",
                                   "foo.bar = 'x'",
                                   "unknown = 'x'",
                                   "metrics.a",
                                   "metrics.a >",
                                   "= 1",
                                   "metrics. = 1",
                                   "params.a = 'x",
                                   "run_id IN ()",
                                   "run_id IN 'x'",
                                   "status IN ('x')",
                                   "metrics.a = nan",
                                   "metrics.a IS NULL",
                                   "metrics.a = 1 AND",
                                   "metrics.a == 1",
                                   "metrics.a <> 1",
                                   "dataset.size = '1'",
                                   "params.a = 'x'; DROP TABLE runs",
                                   "metrics.a = 1 2",
                                   "run_id IN (1)"}) {
    EXPECT_TRUE(found(filter).starts_with("error: ")) << filter << ": " << found(filter);
  }
  EXPECT_TRUE(found("", {"metrics.a", "metrics.a DESC"}).starts_with("error: order_by names"));
  EXPECT_TRUE(found("", {"metrics.a SIDEWAYS"}).starts_with("error: "));
  EXPECT_TRUE(found("", {"created", "start_time"}).starts_with("error: "));
}

TEST_P(SearchTest, hostile_texts_are_only_texts) {
  add("a", {.params = {{"p", "x' OR '1'='1"}}});
  EXPECT_EQ(found("params.p = 'x'' OR ''1''=''1'"), "a");
  EXPECT_EQ(found("params.p = \"x' OR '1'='1\""), "a");
  EXPECT_EQ(found("params.`p' = p --` = 'x'"), "");
}

TEST_P(SearchTest, view_types) {
  new_run("kept");
  const RunId gone = new_run("gone");
  ASSERT_TRUE(tracking.delete_run(context, gone).ok());
  EXPECT_EQ(found("", {}, ViewType::kActiveOnly), "kept");
  EXPECT_EQ(found("", {}, ViewType::kDeletedOnly), "gone");
  EXPECT_EQ(found("", {}, ViewType::kAll), "gone kept");
}

TEST_P(SearchTest, experiments) {
  for (const char* name : {"alpha", "beta", "Alps"}) {
    clock.advance_ms(1);
    ASSERT_TRUE(tracking.create_experiment(context, {.name = name, .tags = {{"k", name}}}).ok());
  }
  const auto names = [&](const ExperimentSearch& search) {
    const auto page = tracking.search_experiments(context, search);
    if (!page.ok()) return "error: " + page.error().message;
    std::string out;
    for (const auto& experiment : page->items) out += experiment.name + " ";
    return out;
  };
  EXPECT_EQ(names({}), "Alps beta alpha Default ");
  EXPECT_EQ(names({.filter = "name ILIKE 'al%'", .order_by = {"name"}}), "Alps alpha ");
  EXPECT_EQ(names({.filter = "tags.k = 'beta'"}), "beta ");
  EXPECT_EQ(names({.filter = "experiment_id IN ('0', '2')", .order_by = {"experiment_id ASC"}}),
            "Default beta ");
  EXPECT_TRUE(names({.filter = "metrics.a > 1"}).starts_with("error: "));
  EXPECT_TRUE(names({.max_results = 0}).starts_with("error: "));
}

INSTANTIATE_TEST_SUITE_P(Engines, SearchTest, testing::ValuesIn(sql::available_engines()),
                         sql::engine_test_name);

}  // namespace
}  // namespace ciclo::tracking
