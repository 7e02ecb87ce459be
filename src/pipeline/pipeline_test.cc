// SPDX-License-Identifier: Apache-2.0
#include "pipeline/pipeline.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "base/json_fields.h"
#include "pipeline/test_storage.h"
#include "pipeline/test_system.h"

namespace ciclo::pipeline {
namespace {

PipelineSpec pipeline(std::vector<StepSpec> steps) {
  return {.name = "p", .steps = std::move(steps)};
}

StepSpec file_step(std::string name, std::string script,
                   std::map<std::string, std::string> inputs = {}) {
  StepSpec step = shell_step(std::move(name), std::move(script));
  step.kind = "file";
  step.inputs = std::move(inputs);
  return step;
}

class PipelineRun : public testing::TestWithParam<sql::Engine> {
 protected:
  std::string root() const { return directory_.path().string(); }
  const std::string& url() const { return storage_.url(); }
  std::vector<std::string> states(const PipelineRunView& run) const {
    std::vector<std::string> all;
    for (const StepView& step : run.steps) all.push_back(std::string(state_name(step.state)));
    return all;
  }
  using States = std::vector<std::string>;

  TemporaryDirectory directory_;
  TestStorage storage_{GetParam(), directory_.path()};
};

INSTANTIATE_TEST_SUITE_P(Engines, PipelineRun, testing::ValuesIn(sql::available_engines()),
                         sql::engine_test_name);

TEST_P(PipelineRun, passes_artifacts_from_step_to_step) {
  TestSystem platform(root(), url());
  const auto run = platform.run(pipeline(
      {file_step("make", "echo hello > ../out/out/text"),
       file_step(
           "copy",
           "cat ../in/in0/text ../in/in0/text > ../out/out/text; "
           "echo '{\"kind\":\"property\",\"port\":\"out\",\"key\":\"lines\",\"value\":2}' >&3",
           {{"in0", "make.out"}})}));
  EXPECT_EQ(run.state, State::kSucceeded) << run.error;
  ASSERT_EQ(run.steps[1].outputs.size(), 1U);
  EXPECT_EQ(run.steps[1].outputs[0].properties.integer_or("lines", 0), 2);
  EXPECT_EQ(run.steps[1].needs, std::vector<std::string>{"make"});
  const auto tree = platform.lineage.tree(platform.context,
                                          lineage::ArtifactId(run.steps[1].outputs[0].artifact_id));
  ASSERT_TRUE(tree.ok());
  EXPECT_EQ(platform.blobs->get(tree->files.at(0).hash).value(), "hello\nhello\n");
  const auto producer = platform.lineage.producer(
      platform.context, lineage::ArtifactId(run.steps[1].outputs[0].artifact_id));
  EXPECT_EQ(producer->execution_id.str(), run.steps[1].execution_id);
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path() / "work"));
}

TEST_P(PipelineRun, tells_the_process_what_to_do) {
  TestSystem platform(root(), url());
  const auto run = platform.run(pipeline({shell_step("look", "cp $2 " + root() + "/spec.json")}));
  ASSERT_EQ(run.state, State::kSucceeded) << run.error;
  const auto spec = json::parse(platform.file("spec.json"));
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ(spec->string_or("kind", ""), "shell");
  const json::Value& context = *spec->find("context");
  EXPECT_EQ(context.string_or("pipeline_run_id", ""), run.pipeline_run_id);
  EXPECT_EQ(context.string_or("execution_id", ""), run.steps[0].execution_id);
  EXPECT_EQ(context.string_or("step", ""), "look");
  EXPECT_EQ(context.string_or("run_id", ""), "tracked");
}

TEST_P(PipelineRun, second_run_takes_everything_from_the_cache) {
  TestSystem platform(root(), url());
  const PipelineSpec spec = pipeline(
      {file_step("a", "echo a >> " + root() + "/ran; echo 1 > ../out/out/x"),
       file_step("b", "echo b >> " + root() + "/ran; echo 2 > ../out/out/x", {{"in0", "a.out"}})});
  const auto first = platform.run(spec);
  EXPECT_EQ(first.steps[0].why, "never run");
  const auto second = platform.run(spec);
  EXPECT_EQ(second.state, State::kSucceeded);
  EXPECT_EQ(states(second), (States{"cached", "cached"}));
  EXPECT_EQ(second.steps[1].execution_id, first.steps[1].execution_id);
  EXPECT_EQ(platform.file("ran"), "a\nb\n");

  PipelineSpec changed = spec;
  changed.steps[1].parameters["rate"] = 0.5;
  const auto third = platform.run(changed);
  EXPECT_EQ(states(third), (States{"cached", "succeeded"}));
  EXPECT_EQ(third.steps[1].why, "rate is new: 0.5");
  changed.steps[1].parameters["rate"] = 0.7;
  EXPECT_EQ(platform.pipelines.plan(platform.context, changed)->at(1).why,
            "rate changed from 0.5 to 0.7");

  platform.catalog.set_version("2");
  const auto plan = platform.pipelines.plan(platform.context, spec);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->at(0).why, "the program changed");
  EXPECT_EQ(plan->at(1).why, "comes after step \"a\", which runs");
}

// The same content made again keeps what follows cached.
TEST_P(PipelineRun, an_unchanged_output_stops_the_change) {
  TestSystem platform(root(), url());
  PipelineSpec spec = pipeline({file_step("a", "echo 1 > ../out/out/x"),
                                file_step("b", "echo 2 > ../out/out/x", {{"in0", "a.out"}})});
  platform.run(spec);
  spec.steps[0].parameters["comment"] = "new";
  EXPECT_EQ(states(platform.run(spec)), (States{"succeeded", "cached"}));
}

// An effect that somebody undid is made again, although nothing that decides it has changed.
TEST_P(PipelineRun, an_execution_stands_only_while_its_effects_hold) {
  TestSystem platform(root(), url());
  StepSpec effect;
  effect.name = "deploy";
  effect.kind = "effect";
  const PipelineSpec spec = pipeline({effect});
  platform.run(spec);
  EXPECT_EQ(states(platform.run(spec)), States{"cached"});

  platform.catalog.set_standing({.holds = false, .remark = "endpoint x is gone"});
  EXPECT_FALSE(platform.pipelines.plan(platform.context, spec)->at(0).cached);
  auto again = platform.run(spec);
  EXPECT_EQ(states(again), States{"succeeded"});
  EXPECT_EQ(again.steps[0].why, "endpoint x is gone");

  platform.catalog.set_standing({.remark = "version 8 took over"});
  again = platform.run(spec);
  EXPECT_EQ(states(again), States{"cached"});
  EXPECT_EQ(again.steps[0].why, "nothing that decides its result has changed; version 8 took over");
}

TEST_P(PipelineRun, a_step_may_ask_never_to_be_cached) {
  TestSystem platform(root(), url());
  StepSpec always = shell_step("always", "true");
  always.cache = false;
  StepSpec daily = shell_step("daily", "true");
  daily.kind = "daily";
  platform.run(pipeline({always, daily}));
  const auto again = platform.run(pipeline({always, daily}));
  EXPECT_EQ(states(again), (States{"succeeded", "succeeded"}));
  EXPECT_EQ(again.steps[0].why, "it always runs (cache: false)");
  EXPECT_EQ(again.steps[1].why, "a step of this kind always runs");
}

TEST_P(PipelineRun, a_failure_skips_what_needs_it_and_nothing_else) {
  TestSystem platform(root(), url());
  const auto run = platform.run(
      pipeline({shell_step("bad", "echo cause; exit 3"), shell_step("needs", "true", {"bad"}),
                shell_step("needs-too", "true", {"needs"}), shell_step("free", "true")}));
  EXPECT_EQ(run.state, State::kFailed);
  EXPECT_EQ(states(run), (States{"failed", "skipped", "skipped", "succeeded"}));
  EXPECT_EQ(run.error, "step \"bad\": the step's process exited with status 3: cause");
  EXPECT_EQ(run.steps[1].why, "step \"bad\" failed");
  EXPECT_EQ(run.steps[2].why, "step \"needs\" was skipped");
}

TEST_P(PipelineRun, retries_what_may_pass_and_not_what_the_author_did) {
  TestSystem platform(root(), url());
  StepSpec passing =
      shell_step("passing", "cd " + root() + "; echo x >> tries; test $(wc -l < tries) -ge 3");
  passing.retries = 3;
  passing.backoff_ms = 1;
  StepSpec author =
      shell_step("author",
                 "echo '{\"kind\":\"error\",\"code\":\"invalid_argument\",\"message\":\"no such "
                 "column\"}' >&3; "
                 "exit 1");
  author.retries = 3;
  author.backoff_ms = 1;
  const auto run = platform.run(pipeline({passing, author}));
  EXPECT_EQ(states(run), (States{"succeeded", "failed"}));
  EXPECT_EQ(run.steps[0].attempts, 3);
  EXPECT_EQ(run.steps[1].attempts, 1);
  EXPECT_EQ(run.steps[1].error_code, "invalid_argument");
  EXPECT_EQ(run.error, "step \"author\": no such column");
  const auto executions =
      platform.pipelines.executions(platform.context, PipelineRunId(run.pipeline_run_id));
  EXPECT_EQ(executions->size(), 4U);
}

TEST_P(PipelineRun, names_every_way_in_which_a_process_can_end_badly) {
  TestSystem platform(root(), url());
  StepSpec slow = shell_step("slow", "trap '' TERM; while :; do sleep 0.05; done");
  slow.timeout_ms = 50;
  const auto run =
      platform.run(pipeline({shell_step("signal", "kill -SEGV $$"), file_step("nothing", "true"),
                             file_step("link", "ln -s /etc/passwd ../out/out/x"),
                             shell_step("flood", "yes | head -c 20000000; exit 1"), slow}));
  EXPECT_EQ(states(run), (States{"failed", "failed", "failed", "failed", "failed"}));
  EXPECT_EQ(run.steps[0].error, "the step's process was ended by signal 11 (Segmentation fault)");
  EXPECT_EQ(run.steps[1].error, "the step ended well but left no file on its output \"out\"");
  EXPECT_EQ(run.steps[2].error_code, "invalid_argument");
  EXPECT_EQ(run.steps[3].error, "the step's process exited with status 1: y");
  EXPECT_EQ(run.steps[4].error_code, "deadline_exceeded");
}

TEST_P(PipelineRun, keeps_logs_short_and_long) {
  TestSystem platform(root(), url());
  const auto run = platform.run(pipeline(
      {shell_step("short", "echo short"), shell_step("long", "yes long | head -n 10000")}));
  const ExecutionId short_one(run.steps[0].execution_id);
  EXPECT_EQ(platform.pipelines.log(platform.context, short_one).value(), "short\n");
  const ExecutionId long_one(run.steps[1].execution_id);
  EXPECT_EQ(platform.pipelines.log(platform.context, long_one)->size(), 50'000U);
  EXPECT_EQ(platform.pipelines.log(platform.context, long_one, 49'995).value(), "long\n");
  EXPECT_EQ(platform.pipelines.log(platform.context, ExecutionId("none")).error().code,
            Code::kNotFound);
}

TEST_P(PipelineRun, cancel_ends_processes_and_what_waits) {
  TestSystem platform(root(), url());
  const std::string fifo = root() + "/ready";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const auto id = platform.pipelines.submit(
      platform.context,
      pipeline({shell_step("long", "sleep 1000 & echo ready > " + fifo + "; sleep 1000"),
                shell_step("after", "true", {"long"})}));
  ASSERT_TRUE(id.ok());
  ASSERT_TRUE(read_file(fifo).ok());
  ASSERT_TRUE(platform.pipelines.cancel(platform.context, *id).ok());
  const auto run = platform.wait_for_end(*id);
  EXPECT_EQ(run.state, State::kCancelled);
  EXPECT_EQ(states(run), (States{"cancelled", "cancelled"}));
  EXPECT_EQ(platform.pipelines.cancel(platform.context, *id).error().code,
            Code::kFailedPrecondition);
}

TEST_P(PipelineRun, retry_continues_where_it_failed) {
  TestSystem platform(root(), url());
  const auto failed = platform.run(pipeline(
      {shell_step("first", "echo first >> " + root() + "/ran"),
       shell_step("second", "echo second >> " + root() + "/ran; test -e " + root() + "/fixed",
                  {"first"}),
       shell_step("third", "true", {"second"})}));
  EXPECT_EQ(states(failed), (States{"succeeded", "failed", "skipped"}));
  ASSERT_TRUE(write_file_durably(root() + "/fixed", "").ok());
  const PipelineRunId id(failed.pipeline_run_id);
  ASSERT_TRUE(platform.pipelines.retry(platform.context, id).ok());
  const auto run = platform.wait_for_end(id);
  EXPECT_EQ(states(run), (States{"succeeded", "succeeded", "succeeded"}));
  EXPECT_EQ(run.error, "");
  EXPECT_EQ(platform.file("ran"), "first\nsecond\nsecond\n");
  EXPECT_EQ(platform.pipelines.retry(platform.context, id).error().code, Code::kFailedPrecondition);
}

TEST_P(PipelineRun, an_unmet_condition_skips_without_failing_the_run) {
  TestSystem platform(root(), url());
  StepSpec gate{.name = "gate", .kind = "effect"};
  gate.parameters["approved"] = false;
  StepSpec promote = shell_step("promote", "true");
  promote.inputs["in0"] = "gate.out";
  promote.when = Condition{.port = "in0", .property = "approved", .equals = true};
  const auto run = platform.run(pipeline({gate, promote, shell_step("tell", "true", {"promote"})}));
  EXPECT_EQ(run.state, State::kSucceeded);
  EXPECT_EQ(states(run), (States{"succeeded", "skipped", "skipped"}));
  EXPECT_EQ(run.steps[1].why, "in0.approved is false, not true");
  EXPECT_TRUE(platform.pipelines.plan(platform.context, pipeline({gate, promote}))->at(1).skipped);
}

TEST_P(PipelineRun, a_refused_effect_fails_the_step_and_leaves_nothing) {
  TestSystem platform(root(), url());
  StepSpec good{.name = "good", .kind = "effect"};
  StepSpec bad{.name = "bad", .kind = "effect"};
  bad.parameters["error"] = "the version exists";
  StepSpec hook = file_step("hook", "echo 1 > ../out/out/x");
  hook.parameters["refusal"] = "the data set is frozen";
  const auto run = platform.run(pipeline({good, bad, hook}));
  EXPECT_EQ(states(run), (States{"succeeded", "failed", "failed"}));
  EXPECT_EQ(run.steps[1].error, "the version exists");
  EXPECT_EQ(run.steps[2].error, "the data set is frozen");
  const auto steps = platform.database->view([](sql::Reader& reader) {
    return reader.query_all("SELECT step FROM effects", {},
                            [](const sql::Row& row) { return row.string(0); });
  });
  EXPECT_EQ(steps.value(), std::vector<std::string>{"good"});
  EXPECT_EQ(platform.lineage.list_artifacts(platform.context, "", {}, 100)->size(), 1U);
}

TEST_P(PipelineRun, the_observer_hears_everything_in_order) {
  TestSystem platform(root(), url());
  platform.run(
      pipeline({shell_step("talk",
                           "echo '{\"kind\":\"metric\",\"key\":\"auc\",\"value\":0.5}' >&3; "
                           "echo nonsense >&3; "
                           "echo '{\"kind\":\"param\",\"key\":\"rate\",\"value\":\"0.1\"}' >&3")}));
  EXPECT_EQ(platform.observer.taken(),
            (std::vector<std::string>{"started talk", "said auc", "said rate0.1",
                                      "ended talk succeeded"}));
}

TEST_P(PipelineRun, the_newest_submission_joins_its_like_and_cancels_others) {
  const std::string fifo = root() + "/ready";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  TestSystem platform(root(), url());
  const PipelineSpec first = pipeline({shell_step("a", "echo > " + fifo + "; sleep 1000")});
  const auto one = platform.pipelines.submit_newest(platform.context, first);
  ASSERT_TRUE(one.ok());
  EXPECT_FALSE(one->joined);
  ASSERT_TRUE(read_file(fifo).ok());

  const auto same = platform.pipelines.submit_newest(platform.context, first);
  EXPECT_TRUE(same->joined);
  EXPECT_EQ(same->pipeline_run_id, one->pipeline_run_id);
  EXPECT_TRUE(same->superseded.empty());

  const PipelineSpec second = pipeline({shell_step("a", "echo > " + root() + "/second")});
  const auto other = platform.pipelines.submit_newest(platform.context, second);
  EXPECT_FALSE(other->joined);
  EXPECT_EQ(other->superseded, std::vector{one->pipeline_run_id});
  EXPECT_EQ(platform.wait_for_end(other->pipeline_run_id).state, State::kSucceeded);
  EXPECT_EQ(platform.wait_for_end(one->pipeline_run_id).state, State::kCancelled);

  PipelineSpec elsewhere = first;
  elsewhere.name = "q";
  elsewhere.steps[0].parameters["script"] = "true";
  EXPECT_TRUE(platform.pipelines.submit_newest(platform.context, elsewhere)->superseded.empty());
}

TEST_P(PipelineRun, runs_of_one_pipeline_go_one_after_another) {
  TestSystem platform(root(), url());
  std::vector<PipelineRunId> ids;
  for (int i = 0; i < 4; ++i) {
    const std::string script = "test ! -e " + root() + "/busy && touch " + root() +
                               "/busy && sleep 0.05 && rm " + root() + "/busy && echo " +
                               std::to_string(i) + " >> " + root() + "/order";
    ids.push_back(
        platform.pipelines.submit(platform.context, pipeline({shell_step("a", script)})).value());
  }
  for (const PipelineRunId& id : ids) {
    EXPECT_EQ(platform.wait_for_end(id).state, State::kSucceeded);
  }
  EXPECT_EQ(platform.file("order"), "0\n1\n2\n3\n");
}

// What a function uses may be destroyed once close() has returned.
TEST_P(PipelineRun, close_waits_for_the_function_that_runs) {
  TestSystem platform(root(), url());
  StepSpec effect;
  effect.name = "deploy";
  effect.kind = "effect";
  platform.catalog.hold_services();
  ASSERT_TRUE(platform.pipelines.submit(platform.context, pipeline({effect})).ok());
  platform.catalog.wait_for_service();
  platform.engine.stop_thread();
  std::jthread closer([&] { platform.runner.close(); });
  EXPECT_FALSE(platform.catalog.service_has_ended());
  platform.catalog.release_services();
  closer.join();
  EXPECT_TRUE(platform.catalog.service_has_ended());
}

TEST_P(PipelineRun, lists_page_by_page_newest_first) {
  TestSystem platform(root(), url());
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i)
    ids.push_back(platform.run(pipeline({shell_step("a", "true")})).pipeline_run_id);
  const auto first = platform.pipelines.list(platform.context, {}, 2);
  ASSERT_TRUE(first.ok());
  ASSERT_EQ(first->runs.size(), 2U);
  EXPECT_EQ(first->runs[0].pipeline_run_id, ids[2]);
  const auto second =
      platform.pipelines.list(platform.context, {.pipeline = "p"}, 2, first->next_page);
  ASSERT_EQ(second->runs.size(), 1U);
  EXPECT_EQ(second->runs[0].pipeline_run_id, ids[0]);
  EXPECT_EQ(second->next_page, "");
  EXPECT_TRUE(
      platform.pipelines.list(platform.context, {.state = State::kFailed}, 2)->runs.empty());
  Context other;
  other.workspace = "other";
  EXPECT_TRUE(platform.pipelines.list(other, {}, 2)->runs.empty());
  EXPECT_EQ(platform.pipelines.get(other, PipelineRunId(ids[0])).error().code, Code::kNotFound);
}

// A process runs a pipeline and is killed in its third step; its successor finishes the run.
TEST_P(PipelineRun, survives_kill_9_without_repeating_what_was_done) {
  const std::string fifo = root() + "/ready";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const auto mark = [&](const std::string& name) {
    return "echo " + name + " >> " + root() + "/ran";
  };
  const std::string orphan = root() + "/orphan";
  const PipelineSpec spec = pipeline(
      {file_step("a", mark("a") + "; echo 1 > ../out/out/x"),
       file_step("b", mark("b") + "; cat ../in/in0/x > ../out/out/x", {{"in0", "a.out"}}),
       file_step("c",
                 mark("c") + "; echo half > ../out/out/x; test -e " + orphan +
                     " || { sleep 1000 & echo $! > " + orphan + "; echo > " + fifo +
                     "; sleep 1000; }",
                 {{"in0", "b.out"}}),
       file_step("d", mark("d") + "; cat ../in/in0/x > ../out/out/x", {{"in0", "c.out"}})});

  const pid_t server = ::fork();
  if (server == 0) {
    TestSystem platform(root(), url());
    platform.run(spec);
    ::_exit(1);
  }
  ASSERT_TRUE(read_file(fifo).ok());
  ::kill(server, SIGKILL);
  ::waitpid(server, nullptr, 0);

  TestSystem platform(root(), url());
  const auto page = platform.pipelines.list(platform.context, {}, 10);
  ASSERT_EQ(page->runs.size(), 1U);
  const auto run = platform.wait_for_end(PipelineRunId(page->runs[0].pipeline_run_id));
  EXPECT_EQ(run.state, State::kSucceeded) << run.error;
  EXPECT_EQ(platform.file("ran"), "a\nb\nc\nc\nd\n");
  EXPECT_EQ(platform.observer.taken().front(), "discarded file");
  EXPECT_EQ(run.steps[2].attempts, 2);
  const int grandchild = std::stoi(platform.file("orphan"));
  const auto status = read_file("/proc/" + std::to_string(grandchild) + "/stat");
  EXPECT_TRUE(!status.ok() || status->find(") Z ") != std::string::npos);
}

// Stopping the engine is no failure of what runs.
TEST_P(PipelineRun, a_stopped_system_continues_later) {
  const std::string fifo = root() + "/ready";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  PipelineRunId id;
  {
    TestSystem platform(root(), url());
    id = platform.pipelines
             .submit(platform.context,
                     pipeline({shell_step("long", "test -e " + root() + "/second || { echo > " +
                                                      fifo + "; sleep 1000; }")}))
             .value();
    ASSERT_TRUE(read_file(fifo).ok());
  }
  ASSERT_TRUE(write_file_durably(root() + "/second", "").ok());
  TestSystem platform(root(), url());
  EXPECT_EQ(platform.wait_for_end(id).state, State::kSucceeded);
}

}  // namespace
}  // namespace ciclo::pipeline
