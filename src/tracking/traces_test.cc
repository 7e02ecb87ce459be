// SPDX-License-Identifier: Apache-2.0
#include "tracking/traces.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "base/text.h"
#include "tracking/store_traces.h"
#include "tracking/test_services.h"
#include "tracking/trace_rows.h"

namespace ciclo::tracking {
namespace {

class TracesTest : public TrackingTest {
 protected:
  // A trace of the default experiment that begins `at` milliseconds after the first.
  TraceInfo trace(const std::string& id, std::int64_t at = 0) {
    TraceInfo out;
    out.trace_id = TraceId(id);
    out.experiment_id = ExperimentId("0");
    out.state = TraceState::kOk;
    out.request_ms = 1'700'000'000'000 + at;
    out.duration_ms = 10;
    return out;
  }
  TraceInfo started(const TraceInfo& wanted) {
    auto out = traces.start(context, wanted);
    EXPECT_TRUE(out.ok()) << out.error().message;
    return out.ok() ? *out : TraceInfo();
  }
  // Ids of the traces found, joined by spaces; "error: …" for an error.
  std::string found(const std::string& filter, std::vector<std::string> order_by = {}) {
    const auto page = traces.search(
        context,
        {.experiment_ids = {ExperimentId("0")}, .filter = filter, .order_by = std::move(order_by)});
    if (!page.ok()) return "error: " + page.error().message;
    std::vector<std::string> ids_found;
    for (const auto& item : page->items) ids_found.push_back(item.trace_id.str());
    return join(ids_found, " ");
  }
  static std::string value_of(const std::vector<Tag>& pairs, std::string_view key) {
    for (const auto& pair : pairs) {
      if (pair.key == key) return pair.value;
    }
    return "(none)";
  }
  Assessment said(const std::string& trace_id, const std::string& name, json::Value value) {
    Assessment out;
    out.trace_id = TraceId(trace_id);
    out.name = name;
    out.value = std::move(value);
    out.source_type = "HUMAN";
    const auto made = traces.create_assessment(context, out);
    EXPECT_TRUE(made.ok()) << made.error().message;
    return made.ok() ? *made : out;
  }

  Traces traces{*database, clock, ids};
};

TEST_P(TracesTest, an_info_sent_twice_is_one_trace_with_what_both_said) {
  auto first = trace("tr-1");
  first.tags = {{"a", "1"}, {"mlflow.traceName", "predict"}};
  first.request_preview = "in";
  EXPECT_EQ(value_of(started(first).tags, "mlflow.artifactLocation"),
            "mlflow-artifacts:/0/traces/tr-1/artifacts");
  auto second = trace("tr-1", 5);
  second.tags = {{"a", "2"}};
  second.metadata = {{"k", "v"}};
  second.state = TraceState::kError;
  const auto both = started(second);
  EXPECT_EQ(value_of(both.tags, "a"), "2");
  EXPECT_EQ(value_of(both.tags, "mlflow.traceName"), "predict");
  EXPECT_EQ(value_of(both.metadata, "mlflow.trace.infoFinalized"), "true");
  EXPECT_EQ(both.request_preview, "in");
  EXPECT_EQ(both.state, TraceState::kError);
  EXPECT_EQ(both.request_ms, 1'700'000'000'005);
  EXPECT_EQ(found(""), "tr-1");
}

TEST_P(TracesTest, a_trace_that_comes_again_in_another_experiment_moves_there) {
  const auto other = tracking.create_experiment(context, {.name = "other"});
  auto info = trace("tr-1");
  info.tags = {{"a", "1"}};
  started(info);
  info.experiment_id = *other;
  EXPECT_EQ(started(info).experiment_id, *other);
  EXPECT_EQ(found("tag.a = '1'"), "");
  const auto page = traces.search(context, {.experiment_ids = {*other}, .filter = "tag.a = '1'"});
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->items.size(), 1U);
}

TEST_P(TracesTest, a_deleted_experiment_takes_no_traces_and_keeps_those_it_has) {
  const auto other = tracking.create_experiment(context, {.name = "other"});
  auto info = trace("tr-1");
  info.experiment_id = *other;
  started(info);
  ASSERT_TRUE(tracking.delete_experiment(context, *other).ok());
  EXPECT_TRUE(traces.info(context, TraceId("tr-1")).ok());
  info.trace_id = TraceId("tr-2");
  EXPECT_EQ(traces.start(context, info).error().code, Code::kFailedPrecondition);
  info.experiment_id = ExperimentId("77");
  EXPECT_EQ(traces.start(context, info).error().code, Code::kNotFound);
}

TEST_P(TracesTest, limits_name_what_is_too_long) {
  auto info = trace(std::string(251, 'x'));
  EXPECT_EQ(traces.start(context, info).error().code, Code::kInvalidArgument);
  info = trace("tr-1");
  info.metadata = {{"mlflow.trace.session", std::string(251, 's')}};
  EXPECT_NE(traces.start(context, info).error().message.find("session id"), std::string::npos);
  info.metadata.clear();
  info.tags = {{"mlflow.traceName", std::string(4'097, 'n')}};
  EXPECT_NE(traces.start(context, info).error().message.find("trace name"), std::string::npos);
  info.tags = {{std::string(251, 'k'), "v"}};
  EXPECT_EQ(traces.start(context, info).error().code, Code::kInvalidArgument);
  info.tags = {{"long", std::string(9'000, 'v')}};
  EXPECT_EQ(value_of(started(info).tags, "long").size(), 8'000U);
}

TEST_P(TracesTest, a_search_finds_by_attributes_tags_and_metadata) {
  auto a = trace("tr-a", 0);
  a.tags = {{"mlflow.traceName", "predict"}, {"team", "red"}};
  a.metadata = {{"mlflow.trace.session", "s1"}};
  a.client_request_id = "c1";
  started(a);
  auto b = trace("tr-b", 100);
  b.state = TraceState::kError;
  b.tags = {{"mlflow.traceName", "train"}, {"team", "Blue"}};
  b.duration_ms.reset();
  started(b);
  started(trace("tr-c", 200));
  EXPECT_EQ(found(""), "tr-c tr-b tr-a");
  EXPECT_EQ(found("status = 'ERROR'"), "tr-b");
  EXPECT_EQ(found("trace.status IN ('OK')"), "tr-c tr-a");
  EXPECT_EQ(found("name = 'predict'"), "tr-a");
  EXPECT_EQ(found("name IN ('predict', 'train')"), "tr-b tr-a");
  EXPECT_EQ(found("name IS NULL"), "tr-c");
  EXPECT_EQ(found("tags.team ILIKE 'b%'"), "tr-b");
  EXPECT_EQ(found("tag.`mlflow.traceName` = 'train'"), "tr-b");
  EXPECT_EQ(found("metadata.`mlflow.trace.session` = 's1'"), "tr-a");
  EXPECT_EQ(found("metadata.mlflow.trace.session IS NULL"), "tr-c tr-b");
  EXPECT_EQ(found("timestamp_ms > 1700000000000 AND execution_time < 11"), "tr-c");
  EXPECT_EQ(found("end_time_ms = 1700000000100"), "tr-b");
  EXPECT_EQ(found("client_request_id = 'c1'"), "tr-a");
  EXPECT_EQ(found("request_id IN ('tr-a', 'tr-c')", {"timestamp ASC"}), "tr-a tr-c");
  EXPECT_EQ(found("", {"execution_time DESC", "name ASC"}), "tr-a tr-c tr-b");
  EXPECT_TRUE(found("nonsense = 'x'").starts_with("error: "));
  EXPECT_TRUE(found("metrics.x > 1").starts_with("error: "));
  EXPECT_TRUE(found("tag.team > 'a'").starts_with("error: "));
}

TEST_P(TracesTest, rlike_looks_for_a_pattern) {
  auto a = trace("tr-a");
  a.tags = {{"mlflow.traceName", "predict v2"}, {"team", "red 7"}};
  a.metadata = {{"who", "anna@example.com"}, {"mlflow.sourceRun", "run-17"}};
  a.client_request_id = "c-1";
  started(a);
  auto b = trace("tr-b", 1);
  b.state = TraceState::kError;
  b.tags = {{"mlflow.traceName", "train"}, {"team", "Blue"}};
  started(b);
  said("tr-b", "why", "too slow");
  EXPECT_EQ(found("name RLIKE 'v\\d$'"), "tr-a");
  EXPECT_EQ(found("trace.name rlike '^(predict|train)'"), "tr-b tr-a");
  EXPECT_EQ(found("tags.team RLIKE '(?i)^BLUE$'"), "tr-b");
  EXPECT_EQ(found("tags.team RLIKE '^lue'"), "");
  EXPECT_EQ(found("metadata.who RLIKE '^[^@]+@example\\.com$'"), "tr-a");
  EXPECT_EQ(found("run_id RLIKE '^run-\\d{2}$'"), "tr-a");
  EXPECT_EQ(found("status RLIKE 'OR$'"), "tr-b");
  EXPECT_EQ(found("request_id RLIKE '[b-z]$'"), "tr-b");
  EXPECT_EQ(found("client_request_id RLIKE 'c.1'"), "tr-a");
  EXPECT_EQ(found("feedback.why RLIKE '\\bslow\\b'"), "tr-b");
  EXPECT_EQ(found("tags.team RLIKE '('"),
            "error: tags.team: the pattern \"(\", at byte 1: has a ( without its )");
  for (const std::string bad :
       {"timestamp_ms RLIKE '1'", "prompt RLIKE 'a/1'", "issue.id RLIKE 'a'",
        "span.content RLIKE 'a'", "tags.team RLIKE 5"}) {
    EXPECT_TRUE(found(bad).starts_with("error: ")) << bad;
  }
  EXPECT_TRUE(TrackingTest::found("params.a RLIKE 'a'").starts_with("error: "));
}

TEST_P(TracesTest, pages_neither_repeat_nor_skip) {
  for (int i = 0; i < 7; ++i) started(trace("tr-" + std::to_string(i), i / 2));
  TraceSearch search{.experiment_ids = {ExperimentId("0")}, .max_results = 3};
  std::string all;
  do {
    const auto page = traces.search(context, search);
    ASSERT_TRUE(page.ok());
    for (const auto& item : page->items) all += item.trace_id.str().substr(3);
    search.page_token = page->next_page_token;
  } while (!search.page_token.empty());
  EXPECT_EQ(all, "6452301");
  search.max_results = 501;
  EXPECT_EQ(traces.search(context, search).error().code, Code::kInvalidArgument);
}

// Hands on to another reader, and keeps what was asked.
class RecordingReader : public sql::Reader {
 public:
  explicit RecordingReader(sql::Reader& reader) : reader_(reader) {}
  sql::Engine engine() const override { return reader_.engine(); }
  Result<void> query(std::string_view statement, const sql::Params& params,
                     const sql::OnRow& on_row) override {
    statements.emplace_back(statement);
    return reader_.query(statement, params, on_row);
  }
  std::vector<std::string> statements;

 private:
  sql::Reader& reader_;
};

TEST_P(TracesTest, a_search_starts_from_what_is_rare_and_not_from_all_traces) {
  const RunId run = new_run("r");
  for (int i = 0; i < 3; ++i) {
    auto info = trace("tr-" + std::to_string(i), i);
    info.tags = {{"kind", i == 1 ? "rare" : "usual"}};
    if (i == 1) info.metadata = {{"mlflow.sourceRun", run.str()}};
    if (i < 2) info.metadata.push_back({"mlflow.trace.session", "s"});
    started(info);
  }
  const std::vector<std::string> prompts = {"greet/1"};
  ASSERT_TRUE(traces.link_prompts(context, TraceId("tr-1"), prompts).ok());
  said("tr-1", "ok", "yes");
  Assessment of_session;
  of_session.trace_id = TraceId("tr-0");
  of_session.name = "whole";
  of_session.value = 1.0;
  of_session.metadata = {{"mlflow.trace.session", "s"}};
  ASSERT_TRUE(traces.create_assessment(context, of_session).ok());
  Assessment issue;
  issue.trace_id = TraceId("tr-1");
  issue.kind = AssessmentKind::kIssue;
  issue.name = "i-1";
  ASSERT_TRUE(traces.create_assessment(context, issue).ok());
  const auto searched = [&](const std::string& filter) {
    const std::vector<ExperimentId> experiments = {ExperimentId("0")};
    std::string out;
    const auto read = database->read([&](sql::Reader& reader) -> Result<void> {
      RecordingReader recording(reader);
      TRY(const auto page,
          store::search_traces(recording, context.workspace, experiments, {.filter = filter}, 10));
      for (const auto& item : page.items) out += item.trace_id.str() + " ";
      for (const auto& statement : recording.statements) {
        if (statement.find("SELECT DISTINCT d.trace_number") != std::string::npos) out += "rare";
      }
      return {};
    });
    EXPECT_TRUE(read.ok()) << read.error().message;
    return out;
  };
  EXPECT_EQ(searched("status = 'OK'"), "tr-2 tr-1 tr-0 ");
  EXPECT_EQ(searched("tag.kind = 'rare'"), "tr-1 rare");
  EXPECT_EQ(searched("run_id = '" + run.str() + "'"), "tr-1 rare");
  EXPECT_EQ(searched("prompt = 'greet/1'"), "tr-1 rare");
  EXPECT_EQ(searched("feedback.ok = 'yes'"), "tr-1 rare");
  EXPECT_EQ(searched("feedback.ok != 'yes'"), "rare");
  EXPECT_EQ(searched("feedback.whole IS NOT NULL"), "tr-1 tr-0 rare");
  EXPECT_EQ(searched("feedback.whole IS NULL"), "tr-2 ");
  EXPECT_EQ(searched("issue.id = 'i-1'"), "tr-1 rare");
}

TEST_P(TracesTest, a_run_has_the_traces_made_in_it_and_those_linked_to_it) {
  const RunId run = new_run("r");
  auto made = trace("tr-made");
  made.metadata = {{"mlflow.sourceRun", run.str()}};
  started(made);
  started(trace("tr-linked", 1));
  started(trace("tr-other", 2));
  const std::vector<std::string> linked = {"tr-linked", "tr-none"};
  ASSERT_TRUE(traces.link_to_run(context, linked, run).ok());
  ASSERT_TRUE(traces.link_to_run(context, linked, run).ok());
  EXPECT_EQ(found("run_id = '" + run.str() + "'"), "tr-linked tr-made");
  EXPECT_EQ(traces.link_to_run(context, linked, RunId("none")).error().code, Code::kNotFound);
  const std::vector<std::string> many(101, "tr-linked");
  EXPECT_EQ(traces.link_to_run(context, many, run).error().code, Code::kInvalidArgument);
  const std::vector<std::string> prompts = {"greet/1"};
  ASSERT_TRUE(traces.link_prompts(context, TraceId("tr-other"), prompts).ok());
  EXPECT_EQ(found("prompt = 'greet/1'"), "tr-other");
  EXPECT_TRUE(found("prompt = 'greet'").starts_with("error: "));
}

TEST_P(TracesTest, assessments_are_found_by_their_value_and_speak_for_their_session) {
  for (const std::string id : {"tr-a", "tr-b", "tr-c"}) {
    auto info = trace(id);
    if (id != "tr-c") info.metadata = {{"mlflow.trace.session", "s"}};
    started(info);
  }
  said("tr-a", "ok", "yes");
  said("tr-b", "ok", false);
  said("tr-c", "score", 0.75);
  EXPECT_EQ(found("feedback.ok = 'yes'"), "tr-a");
  EXPECT_EQ(found("feedback.ok = 'false'"), "tr-b");
  EXPECT_EQ(found("feedback.ok != 'yes'"), "tr-b");
  EXPECT_EQ(found("feedback.score >= 0.7"), "tr-c");
  EXPECT_EQ(found("feedback.score > 0.75"), "");
  EXPECT_EQ(found("feedback.ok IS NULL"), "tr-c");
  EXPECT_EQ(found("expectation.ok = 'yes'"), "");
  Assessment of_session;
  of_session.trace_id = TraceId("tr-a");
  of_session.name = "whole";
  of_session.value = "good";
  of_session.metadata = {{"mlflow.trace.session", "s"}};
  ASSERT_TRUE(traces.create_assessment(context, of_session).ok());
  EXPECT_EQ(found("feedback.whole = 'good'"), "tr-a tr-b");
  EXPECT_EQ(found("feedback.whole IS NULL"), "tr-c");
}

TEST_P(TracesTest, an_assessment_that_overrides_another_makes_it_invalid_until_it_goes) {
  started(trace("tr-1"));
  const auto first = said("tr-1", "q", 1.0);
  Assessment second;
  second.trace_id = TraceId("tr-1");
  second.name = "q";
  second.value = 2.0;
  second.overrides = first.assessment_id.str();
  const auto made = traces.create_assessment(context, second);
  ASSERT_TRUE(made.ok());
  EXPECT_FALSE(traces.assessment(context, TraceId("tr-1"), first.assessment_id)->is_valid);
  ASSERT_TRUE(traces.delete_assessment(context, TraceId("tr-1"), made->assessment_id).ok());
  ASSERT_TRUE(traces.delete_assessment(context, TraceId("tr-1"), made->assessment_id).ok());
  EXPECT_TRUE(traces.assessment(context, TraceId("tr-1"), first.assessment_id)->is_valid);
  second.overrides = "a-none";
  EXPECT_EQ(traces.create_assessment(context, second).error().code, Code::kNotFound);
}

TEST_P(TracesTest, an_update_changes_what_it_names_and_merges_metadata) {
  started(trace("tr-1"));
  Assessment wanted;
  wanted.trace_id = TraceId("tr-1");
  wanted.name = "q";
  wanted.value = "no";
  wanted.rationale = "why";
  wanted.metadata = {{"a", "1"}, {"b", "2"}};
  const auto made = traces.create_assessment(context, wanted);
  ASSERT_TRUE(made.ok());
  clock.advance_ms(5);
  const auto changed =
      traces.update_assessment(context, TraceId("tr-1"), made->assessment_id,
                               {.feedback = json::Value("yes"), .metadata = {{"b", "3"}}});
  ASSERT_TRUE(changed.ok()) << changed.error().message;
  EXPECT_EQ(changed->value.string(), "yes");
  EXPECT_EQ(changed->rationale, "why");
  EXPECT_EQ(value_of(changed->metadata, "a"), "1");
  EXPECT_EQ(value_of(changed->metadata, "b"), "3");
  EXPECT_EQ(changed->updated_ms, made->updated_ms + 5);
  EXPECT_EQ(traces
                .update_assessment(context, TraceId("tr-1"), made->assessment_id,
                                   {.expectation = json::Value("x")})
                .error()
                .code,
            Code::kInvalidArgument);
}

TEST_P(TracesTest, deletion_takes_the_oldest_or_those_named_with_all_they_have) {
  for (int i = 0; i < 4; ++i) started(trace("tr-" + std::to_string(i), i));
  said("tr-0", "q", "x");
  const auto removed = traces.remove(
      context,
      {.experiment_id = ExperimentId("0"), .until_ms = 1'700'000'000'002, .traces_max = 2});
  ASSERT_TRUE(removed.ok());
  EXPECT_EQ(*removed, 2);
  EXPECT_EQ(found(""), "tr-3 tr-2");
  EXPECT_EQ(traces.info(context, TraceId("tr-0")).error().code, Code::kNotFound);
  EXPECT_EQ(
      *traces.remove(context, {.experiment_id = ExperimentId("0"), .trace_ids = {"tr-3", "tr-9"}}),
      1);
  started(trace("tr-0"));
  EXPECT_EQ(found("feedback.q IS NOT NULL"), "");
  for (const auto& bad :
       {TraceDeletion{.experiment_id = ExperimentId("0")},
        TraceDeletion{.experiment_id = ExperimentId("0"), .trace_ids = {"a"}, .until_ms = 1},
        TraceDeletion{.experiment_id = ExperimentId("0"), .trace_ids = {"a"}, .traces_max = 1},
        TraceDeletion{.experiment_id = ExperimentId("0"), .until_ms = 1, .traces_max = 0}}) {
    EXPECT_EQ(traces.remove(context, bad).error().code, Code::kInvalidArgument);
  }
}

TEST_P(TracesTest, many_traces_go_in_several_transactions_and_count_once) {
  std::vector<std::string> all;
  for (int i = 0; i < 450; ++i) {
    all.push_back("tr-" + std::to_string(i));
    started(trace(all.back(), i));
  }
  const auto transactions = [&] { return database->stats().transactions; };
  const auto before = transactions();
  TraceDeletion oldest{.experiment_id = ExperimentId("0"), .until_ms = 1'700'000'000'000 + 230};
  EXPECT_EQ(*traces.remove(context, oldest), 231);
  EXPECT_EQ(transactions() - before, 2U);
  all.push_back(all.back());
  for (int i = 0; i < 200; ++i) all.push_back("tr-none-" + std::to_string(i));
  all.push_back(all[300]);
  EXPECT_EQ(*traces.remove(context, {.experiment_id = ExperimentId("0"), .trace_ids = all}), 219);
  EXPECT_EQ(found(""), "");
}

TEST_P(TracesTest, an_id_that_is_asked_twice_is_answered_once) {
  auto info = trace("tr-1");
  info.tags = {{"a", "1"}};
  started(info);
  std::vector<std::string> wanted = {"tr-1"};
  for (int i = 0; i < 600; ++i) wanted.push_back("tr-none-" + std::to_string(i));
  wanted.push_back("tr-1");
  const auto infos = traces.infos(context, wanted, std::nullopt);
  ASSERT_TRUE(infos.ok());
  ASSERT_EQ(infos->size(), 1U);
  EXPECT_EQ(value_of(infos->front().tags, "a"), "1");
}

TEST_P(TracesTest, times_that_no_client_can_read_are_refused) {
  auto info = trace("tr-1");
  for (const std::int64_t ms :
       {std::numeric_limits<std::int64_t>::min(), std::int64_t{-62'135'596'800'001},
        std::int64_t{253'402'300'800'000}, std::numeric_limits<std::int64_t>::max()}) {
    info.request_ms = ms;
    EXPECT_EQ(traces.start(context, info).error().code, Code::kInvalidArgument) << ms;
    EXPECT_EQ(traces.begin(context, info).error().code, Code::kInvalidArgument) << ms;
  }
  info.request_ms = 253'402'300'799'999;
  const auto begun = traces.begin(context, info);
  ASSERT_TRUE(begun.ok());
  EXPECT_EQ(
      traces.end(context, begun->trace_id, {.end_ms = std::numeric_limits<std::int64_t>::min()})
          .error()
          .code,
      Code::kInvalidArgument);
  ASSERT_TRUE(traces.end(context, begun->trace_id, {.end_ms = info.request_ms}).ok());
  EXPECT_EQ(found("end_time_ms > 1"), begun->trace_id.str());
  Assessment early;
  early.trace_id = begun->trace_id;
  early.name = "q";
  early.value = 1.0;
  early.created_ms = -62'167'219'200'000;  // the year 0
  EXPECT_EQ(traces.create_assessment(context, early).error().code, Code::kInvalidArgument);
}

TEST_P(TracesTest, a_trace_of_two_steps_ends_with_its_duration) {
  auto begun = traces.begin(context, trace("ignored"));
  ASSERT_TRUE(begun.ok());
  EXPECT_EQ(begun->state, TraceState::kInProgress);
  const auto ended = traces.end(context, begun->trace_id,
                                {.end_ms = begun->request_ms + 42,
                                 .state = TraceState::kOk,
                                 .metadata = {{"m", "1"}},
                                 .tags = {{"t", "2"}}});
  ASSERT_TRUE(ended.ok());
  EXPECT_EQ(ended->duration_ms, 42);
  EXPECT_EQ(value_of(ended->metadata, "m"), "1");
  EXPECT_EQ(value_of(ended->tags, "t"), "2");
}

TEST_P(TracesTest, two_filters_are_counted_alone_and_together) {
  for (int i = 0; i < 4; ++i) {
    auto info = trace("tr-" + std::to_string(i), i);
    if (i < 2) info.state = TraceState::kError;
    if (i > 0) info.tags = {{"t", "1"}};
    started(info);
  }
  const std::vector<ExperimentId> experiments = {ExperimentId("0")};
  const auto counts =
      traces.correlation(context, experiments, "status = 'ERROR'", "tag.t = '1'", "");
  ASSERT_TRUE(counts.ok());
  EXPECT_EQ(counts->all, 4);
  EXPECT_EQ(counts->first, 2);
  EXPECT_EQ(counts->second, 3);
  EXPECT_EQ(counts->both, 1);
}

TEST_P(TracesTest, traces_of_another_workspace_are_not_there) {
  started(trace("tr-1"));
  Context other = context;
  other.workspace = "other";
  EXPECT_EQ(traces.info(other, TraceId("tr-1")).error().code, Code::kNotFound);
  EXPECT_EQ(traces.set_tag(other, TraceId("tr-1"), {"a", "b"}).error().code, Code::kNotFound);
  const std::vector<std::string> wanted = {"tr-1"};
  EXPECT_TRUE(traces.infos(other, wanted, std::nullopt)->empty());
}

class SpansTest : public TracesTest {
 protected:
  static Span span(const std::string& id, const std::string& parent = {}) {
    Span out;
    out.trace_id = std::string(31, '0') + "1";
    out.span_id = std::string(16 - id.size(), '0') + id;
    if (!parent.empty()) out.parent_span_id = std::string(16 - parent.size(), '0') + parent;
    out.name = "span " + id;
    out.start_ns = 1'700'000'000'000'000'000;
    out.end_ns = out.start_ns + 5'000'000;
    return out;
  }
  Result<void> log_spans(std::vector<Span> spans, json::Value resource = json::Value::object()) {
    const SpanBatch batch{std::move(resource), std::move(spans)};
    return traces.log_spans(context, ExperimentId("0"), std::span(&batch, 1));
  }
  TraceInfo the_trace() {
    auto out = traces.info(context, id_);
    EXPECT_TRUE(out.ok()) << out.error().message;
    return out.ok() ? *out : TraceInfo();
  }
  const TraceId id_{"tr-" + std::string(31, '0') + "1"};
};

TEST_P(SpansTest, spans_make_their_trace_and_a_root_completes_it) {
  ASSERT_TRUE(log_spans({span("2", "1")}).ok());
  EXPECT_EQ(the_trace().state, TraceState::kInProgress);
  Span root = span("1");
  root.start_ns -= 2'000'000;
  root.status = SpanStatus::kError;
  root.attributes = json::Value::object({{"mlflow.spanInputs", R"({"q": 1})"},
                                         {"mlflow.traceTag.team", "red"},
                                         {"session.id", "s1"}});
  ASSERT_TRUE(log_spans({root}, json::Value::object({{"service.name", "svc"},
                                                     {"telemetry.sdk.name", "x"},
                                                     {"mlflow.trace.spansLocation", "y"}}))
                  .ok());
  const auto info = the_trace();
  EXPECT_EQ(info.state, TraceState::kError);
  EXPECT_EQ(info.request_ms, 1'699'999'999'998);
  EXPECT_EQ(info.duration_ms, 7);
  EXPECT_EQ(info.request_preview, R"({"q": 1})");
  EXPECT_EQ(value_of(info.tags, "team"), "red");
  EXPECT_EQ(value_of(info.tags, "service.name"), "svc");
  EXPECT_EQ(value_of(info.tags, "telemetry.sdk.name"), "(none)");
  EXPECT_EQ(value_of(info.tags, "mlflow.trace.spansLocation"), "TRACKING_STORE");
  EXPECT_EQ(value_of(info.metadata, "mlflow.trace.session"), "s1");
  const auto whole = traces.get(context, id_, Traces::Missing::kRefuse);
  ASSERT_TRUE(whole.ok()) << whole.error().message;
  ASSERT_EQ(whole->spans.size(), 2U);
  EXPECT_EQ(whole->spans[0].name, "span 1");
  EXPECT_EQ(json::dump(*whole->spans[0].attributes.find("mlflow.spanInputs")), R"({"q":1})");
}

TEST_P(SpansTest, what_the_info_says_wins_over_what_spans_say) {
  auto info = trace(id_.str(), 100);
  info.metadata = {{"mlflow.trace.session", "mine"}};
  info.request_preview = "shown";
  started(info);
  Span root = span("1");
  root.status = SpanStatus::kError;
  root.attributes = json::Value::object({{"session.id", "theirs"}, {"mlflow.spanInputs", "other"}});
  ASSERT_TRUE(log_spans({root}).ok());
  const auto found_now = the_trace();
  EXPECT_EQ(found_now.state, TraceState::kOk);
  EXPECT_EQ(found_now.request_ms, 1'700'000'000'100);
  EXPECT_EQ(found_now.duration_ms, 10);
  EXPECT_EQ(found_now.request_preview, "shown");
  EXPECT_EQ(value_of(found_now.metadata, "mlflow.trace.session"), "mine");
}

TEST_P(SpansTest, a_trace_is_refused_while_spans_that_were_promised_are_missing) {
  auto info = trace(id_.str());
  info.metadata = {{"mlflow.trace.sizeStats", R"({"num_spans": 2})"}};
  started(info);
  EXPECT_EQ(traces.get(context, id_, Traces::Missing::kAllow).error().code,
            Code::kFailedPrecondition);
  ASSERT_TRUE(log_spans({span("1")}).ok());
  EXPECT_EQ(traces.get(context, id_, Traces::Missing::kRefuse).error().code, Code::kNotFound);
  EXPECT_EQ(traces.get(context, id_, Traces::Missing::kAllow)->spans.size(), 1U);
  ASSERT_TRUE(log_spans({span("1"), span("2", "1")}).ok());
  EXPECT_EQ(traces.get(context, id_, Traces::Missing::kRefuse)->spans.size(), 2U);
  const std::vector<std::string> wanted = {id_.str(), "tr-none"};
  EXPECT_EQ(traces.get_many(context, wanted, std::nullopt)->size(), 1U);
  EXPECT_TRUE(
      traces.get_many(context, wanted, std::vector<ExperimentId>{ExperimentId("7")})->empty());
}

TEST_P(SpansTest, spans_longer_than_an_answer_holds_are_not_read) {
  ASSERT_TRUE(log_spans({span("1"), span("2", "1")}).ok());
  ASSERT_TRUE(database
                  ->read([&](sql::Reader& reader) -> Result<void> {
                    TRY(const auto row, store::find_trace(reader, context.workspace, id_));
                    TRY(const auto all, store::span_contents(reader, row->number, 10'000));
                    EXPECT_EQ(all->size(), 2U);
                    TRY(const auto none,
                        store::span_contents(reader, row->number, all->at(0).size() + 1));
                    EXPECT_FALSE(none.has_value());
                    return {};
                  })
                  .ok());
}

// PostgreSQL has room for some thousand locks of all transactions together.
TEST_P(SpansTest, a_transaction_takes_few_locks_for_many_traces) {
  if (GetParam() != sql::Engine::kPostgres) GTEST_SKIP() << "only PostgreSQL takes locks";
  std::vector<TraceId> many;
  for (int i = 0; i < 10'000; ++i) many.emplace_back("tr-" + std::to_string(i));
  const auto locks = database->transact([&](sql::Txn& txn) -> Result<std::int64_t> {
    TRY(lock_traces(txn, many));
    TRY(const auto count,
        txn.query_one("SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = "
                      "pg_backend_pid()",
                      {}, [](const sql::Row& row) { return row.integer(0); }));
    return count.value_or(0);
  });
  ASSERT_TRUE(locks.ok()) << locks.error().message;
  EXPECT_EQ(*locks, 256);
}

TEST_P(SpansTest, a_search_asks_one_and_the_same_span) {
  Span root = span("1");
  root.name = "chain";
  root.attributes = json::Value::object({{"mlflow.spanType", "CHAIN"}, {"model", "gpt"}});
  Span tool = span("2", "1");
  tool.name = "search";
  tool.status = SpanStatus::kError;
  tool.attributes = json::Value::object({{"mlflow.spanType", "TOOL"}, {"n", 3}});
  ASSERT_TRUE(log_spans({root, tool}).ok());
  started(trace("tr-without", 5));
  EXPECT_EQ(found("span.name = 'search'"), id_.str());
  EXPECT_EQ(found("span.type IN ('TOOL', 'LLM') AND span.status = 'ERROR'"), id_.str());
  EXPECT_EQ(found("span.type = 'CHAIN' AND span.status = 'ERROR'"), "");
  EXPECT_EQ(found("span.attributes.model = 'gpt'"), id_.str());
  EXPECT_EQ(found("span.attributes.model LIKE 'g%' AND span.name = 'search'"), "");
  EXPECT_EQ(found("span.attributes.n = '3'"), id_.str());
  EXPECT_EQ(found("span.name RLIKE '^sea' AND span.status RLIKE 'ERR'"), id_.str());
  EXPECT_EQ(found("span.attributes.model RLIKE '^g.t$'"), id_.str());
  EXPECT_EQ(found("span.attributes.model RLIKE '^p'"), "");
  EXPECT_EQ(found("span.content LIKE '%\"model\"%'"), id_.str());
  EXPECT_EQ(found("trace.text ILIKE '%GPT%'"), id_.str());
  EXPECT_TRUE(found("span.content = 'x'").starts_with("error: "));
  EXPECT_TRUE(found("span.nonsense = 'x'").starts_with("error: "));
}

TEST_P(SpansTest, token_usage_counts_no_span_below_another_that_has_it) {
  const auto usage = [](int input) {
    return json::Value::object(
        {{"mlflow.chat.tokenUsage",
          json::Value::object(
              {{"input_tokens", input}, {"output_tokens", 1}, {"total_tokens", input + 1}})}});
  };
  Span child = span("3", "2");
  child.attributes = usage(5);
  ASSERT_TRUE(log_spans({child}).ok());
  EXPECT_EQ(value_of(the_trace().metadata, "mlflow.trace.tokenUsage"),
            R"({"input_tokens": 5, "output_tokens": 1, "total_tokens": 6})");
  Span parent = span("2", "1");
  parent.attributes = usage(7);
  Span sibling = span("4", "1");
  sibling.attributes = usage(1);
  ASSERT_TRUE(log_spans({parent, sibling}).ok());
  EXPECT_EQ(value_of(the_trace().metadata, "mlflow.trace.tokenUsage"),
            R"({"input_tokens": 8, "output_tokens": 2, "total_tokens": 10})");
}

TEST_P(SpansTest, spans_go_to_an_active_experiment_only) {
  const SpanBatch batch{json::Value::object(), {span("1")}};
  EXPECT_EQ(traces.log_spans(context, ExperimentId("77"), std::span(&batch, 1)).error().code,
            Code::kNotFound);
  const auto other = tracking.create_experiment(context, {.name = "other"});
  ASSERT_TRUE(tracking.delete_experiment(context, *other).ok());
  EXPECT_EQ(traces.log_spans(context, *other, std::span(&batch, 1)).error().code,
            Code::kFailedPrecondition);
}

TEST_P(SpansTest, spans_move_with_their_trace) {
  const auto other = tracking.create_experiment(context, {.name = "other"});
  Span root = span("1");
  root.attributes = json::Value::object({{"model", "gpt"}});
  ASSERT_TRUE(log_spans({root}).ok());
  auto info = trace(id_.str());
  info.experiment_id = *other;
  started(info);
  const std::string filter = "span.attributes.model = 'gpt' AND span.name = 'span 1'";
  EXPECT_EQ(found(filter), "");
  const auto page = traces.search(context, {.experiment_ids = {*other}, .filter = filter});
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->items.size(), 1U);
}

TEST_P(SpansTest, deletion_takes_the_spans) {
  Span root = span("1");
  root.attributes = json::Value::object({{"model", "gpt"}});
  ASSERT_TRUE(log_spans({root}).ok());
  ASSERT_TRUE(
      traces.remove(context, {.experiment_id = ExperimentId("0"), .trace_ids = {id_.str()}}).ok());
  started(trace(id_.str()));
  EXPECT_EQ(found("span.name = 'span 1'"), "");
  const auto left = database->view([](sql::Reader& reader) {
    return reader.query_one("SELECT COUNT(*) FROM span_attributes", {},
                            [](const sql::Row& row) { return row.integer(0); });
  });
  ASSERT_TRUE(left.ok());
  EXPECT_EQ(*left, 0);
}

INSTANTIATE_TEST_SUITE_P(Engines, SpansTest, testing::ValuesIn(sql::available_engines()),
                         sql::engine_test_name);
INSTANTIATE_TEST_SUITE_P(Engines, TracesTest, testing::ValuesIn(sql::available_engines()),
                         sql::engine_test_name);

}  // namespace
}  // namespace ciclo::tracking
