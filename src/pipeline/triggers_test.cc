// SPDX-License-Identifier: Apache-2.0
#include "pipeline/triggers.h"

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <thread>

#include "pipeline/test_storage.h"
#include "pipeline/test_system.h"

namespace ciclo::pipeline {
namespace {

class Source final : public PipelineSource {
 public:
  Result<PipelineSpec> build(const Context&, const TriggerSpec& trigger,
                             const events::Event* event) override {
    while_building();
    if (error && (error_of.empty() || error_of == trigger.pipeline)) return *error;
    PipelineSpec spec{.name = trigger.pipeline, .steps = {shell_step("a", "true")}};
    if (event != nullptr) spec.steps[0].parameters["window"] = event->body.string_or("window", "");
    return spec;
  }
  Result<void> submitted(sql::Txn& txn, const Context&, const TriggerSpec& trigger,
                         const events::Event*) override {
    if (refusal) return *refusal;
    TRY(txn.execute("CREATE TABLE IF NOT EXISTS submitted (pipeline TEXT NOT NULL)"));
    TRY(txn.execute("INSERT INTO submitted (pipeline) VALUES ($1)",
                    {std::string_view(trigger.pipeline)}));
    return {};
  }
  std::optional<Error> error;
  std::string error_of;  // the pipeline; empty: any
  std::optional<Error> refusal;
  std::function<void()> while_building = [] {};
};

// No engine runs here: a submitted run stays active until the test ends it.
class TriggerTest : public testing::TestWithParam<sql::Engine> {
 protected:
  void happen(std::string_view kind, std::string_view subject, const json::Value& body) {
    ASSERT_TRUE(database_
                    ->transaction([&](sql::Txn& txn) {
                      return events_.append(txn, "default", kind, subject, body);
                    })
                    .ok());
  }
  void drift(const std::string& window) {
    happen("drift.detected", "late",
           json::Value::object({{"window", window}, {"effect", "large"}}));
  }
  int check() { return triggers_.check().value(); }
  TriggerView view() { return triggers_.list(context_)->at(0); }
  void end_runs() {
    ASSERT_TRUE(database_
                    ->transaction([&](sql::Txn& txn) -> Result<void> {
                      TRY(txn.execute("UPDATE pipeline_runs SET state = 'succeeded'"));
                      return {};
                    })
                    .ok());
  }
  std::size_t runs() { return pipelines_.list(context_, {}, 100)->runs.size(); }

  TriggerSpec on_drift() {
    TriggerSpec trigger;
    trigger.name = "retrain";
    trigger.pipeline = "flights";
    trigger.on = "drift.detected";
    return trigger;
  }

  TemporaryDirectory directory_;
  TestStorage storage_{GetParam(), directory_.path()};
  Context context_;
  SimClock clock_;
  SeededRandom random_{1};
  IdSource ids_{clock_, random_};
  std::unique_ptr<sql::Database> database_ = open_test_database(storage_.url());
  std::unique_ptr<blob::Store> blobs_ = open_test_blobs(directory_.path());
  events::Log events_{*database_, clock_};
  lineage::Lineage lineage_{*database_, *blobs_, clock_, ids_};
  ShellCatalog catalog_;
  Engine engine_{*database_, events_, clock_, random_, ids_, {}};
  Pipelines pipelines_{*database_, events_, *blobs_, lineage_, catalog_, engine_, clock_, ids_, ""};
  Source source_;
  Triggers triggers_{*database_, events_, pipelines_, engine_, source_, clock_};
};

INSTANTIATE_TEST_SUITE_P(Engines, TriggerTest, testing::ValuesIn(sql::available_engines()),
                         sql::engine_test_name);

TEST_P(TriggerTest, starts_one_run_per_event_and_none_for_old_events) {
  drift("old");
  ASSERT_TRUE(triggers_.put(context_, on_drift()).ok());
  EXPECT_EQ(check(), 0);
  drift("2013-07");
  EXPECT_EQ(check(), 1);
  EXPECT_EQ(check(), 0);
  const auto run = pipelines_.get(context_, PipelineRunId(view().last_pipeline_run_id));
  ASSERT_TRUE(run.ok());
  EXPECT_EQ(run->cause.string_or("trigger", ""), "retrain");
  EXPECT_EQ(run->cause.find("event")->find("body")->string_or("window", ""), "2013-07");
  const auto spec = pipelines_.spec(context_, PipelineRunId(view().last_pipeline_run_id));
  EXPECT_EQ(spec->steps[0].parameters.string_or("window", ""), "2013-07");
}

TEST_P(TriggerTest, one_that_cannot_be_built_now_keeps_its_event_and_holds_up_no_other) {
  auto second = on_drift();
  second.name = "second";
  second.pipeline = "other";
  ASSERT_TRUE(triggers_.put(context_, on_drift()).ok());
  ASSERT_TRUE(triggers_.put(context_, second).ok());
  drift("1");
  source_.error_of = "flights";
  source_.error = unavailable("the endpoint has no model loaded on this server");
  EXPECT_EQ(triggers_.check().error().code, Code::kUnavailable);
  const auto all = triggers_.list(context_);
  std::map<std::string, std::int64_t> runs;
  for (const auto& one : *all) runs[one.spec.name] = one.runs;
  EXPECT_EQ(runs, (std::map<std::string, std::int64_t>{{"retrain", 0}, {"second", 1}}));
  source_.error.reset();
  EXPECT_EQ(check(), 1);
}

TEST_P(TriggerTest, at_most_one_run_is_active) {
  ASSERT_TRUE(triggers_.put(context_, on_drift()).ok());
  drift("1");
  drift("2");
  EXPECT_EQ(check(), 1);
  EXPECT_EQ(view().passed, 1);
  end_runs();
  drift("3");
  EXPECT_EQ(check(), 1);
  EXPECT_EQ(view().runs, 2);
}

TEST_P(TriggerTest, passes_over_events_during_the_cool_down) {
  TriggerSpec trigger = on_drift();
  trigger.cool_down_ms = 1'000;
  ASSERT_TRUE(triggers_.put(context_, trigger).ok());
  drift("1");
  EXPECT_EQ(check(), 1);
  end_runs();
  clock_.advance_ms(999);
  drift("2");
  EXPECT_EQ(check(), 0);
  clock_.advance_ms(1);
  EXPECT_EQ(check(), 0);
  drift("3");
  EXPECT_EQ(check(), 1);
}

TEST_P(TriggerTest, looks_at_subject_and_body) {
  TriggerSpec trigger = on_drift();
  trigger.subject = "late";
  trigger.where["column.name"] = "dep_hour";
  ASSERT_TRUE(triggers_.put(context_, trigger).ok());
  const auto body = json::Value::object({{"column", json::Value::object({{"name", "dep_hour"}})}});
  happen("drift.detected", "early", body);
  happen("drift.detected", "late", json::Value::object({{"column", "dep_hour"}}));
  happen("quality.degraded", "late", body);
  EXPECT_EQ(check(), 0);
  EXPECT_EQ(view().passed, 0);
  happen("drift.detected", "late", body);
  EXPECT_EQ(check(), 1);
}

TEST_P(TriggerTest, starts_by_time) {
  TriggerSpec trigger;
  trigger.name = "nightly";
  trigger.pipeline = "flights";
  trigger.every_ms = 1'000;
  ASSERT_TRUE(triggers_.put(context_, trigger).ok());
  EXPECT_EQ(check(), 0);
  clock_.advance_ms(1'000);
  EXPECT_EQ(check(), 1);
  clock_.advance_ms(1'000);
  EXPECT_EQ(check(), 0) << "the last run is still active";
  end_runs();
  EXPECT_EQ(check(), 1);
}

TEST_P(TriggerTest, a_pipeline_that_cannot_be_built_is_told_and_passed_over) {
  ASSERT_TRUE(triggers_.put(context_, on_drift()).ok());
  source_.error = invalid_argument("the project is gone");
  drift("1");
  EXPECT_EQ(check(), 0);
  EXPECT_EQ(view().last_error, "the project is gone");
  source_.error.reset();
  EXPECT_EQ(check(), 0);
  drift("2");
  EXPECT_EQ(check(), 1);
  EXPECT_EQ(view().last_error, "");
}

TEST_P(TriggerTest, an_error_that_passes_keeps_the_event) {
  ASSERT_TRUE(triggers_.put(context_, on_drift()).ok());
  source_.error = unavailable("the store is away");
  drift("1");
  EXPECT_FALSE(triggers_.check().ok());
  source_.error.reset();
  EXPECT_EQ(check(), 1);
}

TEST_P(TriggerTest, a_disabled_one_sleeps_and_wakes_without_old_events) {
  TriggerSpec trigger = on_drift();
  trigger.enabled = false;
  ASSERT_TRUE(triggers_.put(context_, trigger).ok());
  drift("1");
  EXPECT_EQ(check(), 0);
  trigger.enabled = true;
  ASSERT_TRUE(triggers_.put(context_, trigger).ok());
  EXPECT_EQ(check(), 0);
  ASSERT_TRUE(triggers_.remove(context_, "retrain").ok());
  EXPECT_EQ(triggers_.remove(context_, "retrain").error().code, Code::kNotFound);
  EXPECT_EQ(runs(), 0U);
}

TEST_P(TriggerTest, refuses_one_that_nothing_starts) {
  TriggerSpec trigger = on_drift();
  trigger.on.clear();
  EXPECT_EQ(triggers_.put(context_, trigger).error().message,
            "trigger \"retrain\" needs an event kind (on) or a time between runs (every)");
}

// What the source records of a submission stands or falls with it.
TEST_P(TriggerTest, the_source_records_in_the_transaction_of_the_submission) {
  ASSERT_TRUE(triggers_.put(context_, on_drift()).ok());
  source_.refusal = failed_precondition("cooling down since a moment ago");
  drift("1");
  EXPECT_EQ(check(), 0);
  EXPECT_EQ(runs(), 0U);
  EXPECT_EQ(view().last_error, "cooling down since a moment ago");
  source_.refusal = unavailable("the database is away");
  drift("2");
  EXPECT_FALSE(triggers_.check().ok());
  EXPECT_EQ(runs(), 0U);
  source_.refusal.reset();
  EXPECT_EQ(check(), 1);
  const auto recorded = database_->view([](sql::Reader& reader) {
    return reader.query_one("SELECT COUNT(*) FROM submitted", {},
                            [](const sql::Row& row) { return row.integer(0); });
  });
  EXPECT_EQ(recorded.value(), 1);
}

// Two platforms on one database read the same event; the second one finds it taken.
TEST_P(TriggerTest, an_event_that_another_platform_took_is_left_to_it) {
  ASSERT_TRUE(triggers_.put(context_, on_drift()).ok());
  drift("1");
  Source elsewhere;
  Triggers other(*database_, events_, pipelines_, engine_, elsewhere, clock_);
  source_.while_building = [&] {
    EXPECT_EQ(other.check().value(), 1);
    end_runs();
  };
  EXPECT_EQ(check(), 0);
  EXPECT_EQ(runs(), 1U);
  EXPECT_EQ(view().passed, 0);
}

// Whoever checks second waits, and finds the run that the first one started.
TEST_P(TriggerTest, a_check_waits_for_the_one_under_way) {
  ASSERT_TRUE(triggers_.put(context_, on_drift()).ok());
  drift("1");
  std::jthread second;
  std::size_t seen = 0;
  source_.while_building = [&] {
    second = std::jthread([&] {
      EXPECT_EQ(check(), 0);
      seen = runs();
    });
    std::this_thread::yield();
  };
  EXPECT_EQ(check(), 1);
  second.join();
  EXPECT_EQ(seen, 1U);
}

}  // namespace
}  // namespace ciclo::pipeline
