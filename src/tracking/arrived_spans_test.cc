// SPDX-License-Identifier: Apache-2.0
#include "tracking/arrived_spans.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace ciclo::tracking {
namespace {

store::SpanValue value(std::string id, std::string parent, std::optional<std::string> text) {
  return {std::move(id), std::move(parent), std::move(text)};
}

std::string sum(const std::vector<store::SpanValue>& spans) {
  const auto found = sum_of_spans(spans);
  return found ? json::dump(*found) : "(none)";
}

TEST(ArrivedSpans, a_sum_counts_no_span_below_one_that_has_the_value) {
  EXPECT_EQ(sum({}), "(none)");
  EXPECT_EQ(sum({value("a", "", std::nullopt)}), "(none)");
  EXPECT_EQ(sum({value("c", "b", R"({"n": 1})"), value("b", "a", std::nullopt),
                 value("a", "", R"({"n": 5})"), value("d", "gone", R"({"n": 2.5})")}),
            R"({"n":7.5})");
  EXPECT_EQ(sum({value("a", "", "nonsense"), value("b", "", "[1]"), value("c", "", R"({"n":"x"})"),
                 value("d", "", R"({"n":9223372036854775807})"), value("e", "", R"({"n":1})")}),
            R"({"n":9223372036854775807})");
}

TEST(ArrivedSpans, a_sum_ends_where_spans_are_their_own_ancestors) {
  EXPECT_EQ(sum({value("a", "a", std::nullopt)}), "(none)");
  EXPECT_EQ(sum({value("a", "b", std::nullopt), value("b", "a", std::nullopt),
                 value("c", "a", R"({"n": 3})")}),
            R"({"n":3})");
}

// The square of this many steps would take a quarter of an hour.
TEST(ArrivedSpans, a_sum_over_a_long_chain_takes_one_step_for_a_span) {
  std::vector<store::SpanValue> chain;
  constexpr int kSpans = 300'000;
  for (int i = 0; i < kSpans; ++i) {
    chain.push_back(value(std::to_string(i), std::to_string(i + 1), std::nullopt));
  }
  chain.front().value = R"({"n": 1})";
  EXPECT_EQ(sum(chain), R"({"n":1})");
  chain.back().value = R"({"n": 2})";
  EXPECT_EQ(sum(chain), R"({"n":2})");
}

TEST(ArrivedSpans, tags_of_clients_leave_the_servers_own_alone) {
  SpanBatch batch;
  Span& root = batch.spans.emplace_back();
  root.trace_id = std::string(32, 'a');
  root.attributes =
      json::Value::object({{"mlflow.traceTag.mlflow.artifactLocation", "file:///etc"},
                           {"mlflow.traceTag.mlflow.trace.spansLocation", "elsewhere"},
                           {"mlflow.traceTag.team", "red"}});
  const auto traces = arrived_traces(std::span(&batch, 1));
  ASSERT_TRUE(traces.ok());
  std::string tags;
  for (const auto& tag : traces->at(0).tags) tags += tag.key + "=" + tag.value + " ";
  EXPECT_EQ(tags, "team=red mlflow.trace.spansLocation=TRACKING_STORE ");
}

TEST(ArrivedSpans, a_request_takes_10000_spans) {
  SpanBatch batch;
  batch.spans.resize(10'000);
  EXPECT_TRUE(arrived_traces(std::span(&batch, 1)).ok());
  batch.spans.emplace_back();
  EXPECT_EQ(arrived_traces(std::span(&batch, 1)).error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace ciclo::tracking
