// SPDX-License-Identifier: Apache-2.0
#include "pipeline/spec.h"

#include <gtest/gtest.h>

#include "pipeline/test_system.h"

namespace ciclo::pipeline {
namespace {

StepSpec step(std::string name, std::map<std::string, std::string> inputs = {},
              std::vector<std::string> after = {}) {
  StepSpec out;
  out.name = std::move(name);
  out.kind = "file";
  out.inputs = std::move(inputs);
  out.after = std::move(after);
  return out;
}

PipelineSpec pipeline(std::vector<StepSpec> steps) {
  return {.name = "p", .steps = std::move(steps)};
}

std::string problem(const PipelineSpec& spec) {
  const ShellCatalog catalog;
  const auto graph = resolve(spec, &catalog);
  return graph.ok() ? "" : graph.error().message;
}

TEST(PipelineSpec, orders_steps_after_what_they_need) {
  const auto graph = resolve(
      pipeline({step("c", {{"in0", "b.out"}}), step("a"), step("b", {{"in0", "a.out"}}, {"a"})}));
  ASSERT_TRUE(graph.ok());
  EXPECT_EQ(graph->order, (std::vector<std::size_t>{1, 2, 0}));
  EXPECT_EQ(graph->nodes[2].needs, std::vector<std::size_t>{1});
}

TEST(PipelineSpec, names_the_way_of_a_circle) {
  EXPECT_EQ(problem(pipeline({step("free"), step("a", {{"in0", "c.out"}}), step("b", {}, {"a"}),
                              step("c", {}, {"b"})})),
            "steps need one another in a circle: a → b → c → a");
  EXPECT_EQ(problem(pipeline({step("a", {}, {"a"})})), "steps need one another in a circle: a → a");
}

TEST(PipelineSpec, says_what_would_be_right) {
  EXPECT_EQ(problem(pipeline({step("train"), step("test", {{"in0", "trai.out"}})})),
            "step \"test\": input \"in0\": there is no step \"trai\"; did you mean \"train\"?");
  EXPECT_EQ(
      problem(pipeline({step("train"), step("test", {{"in0", "train.outt"}})})),
      "step \"test\": input \"in0\": step \"train\" has no output \"outt\"; did you mean \"out\"?");
  EXPECT_EQ(
      problem(pipeline({step("train"), step("test", {{"in0", "train"}})})),
      "step \"test\": input \"in0\": expected \"STEP.PORT\" or \"artifact:ID\", got \"train\"");
  EXPECT_EQ(problem(pipeline({step("a"), step("a")})),
            "step \"a\" appears twice; names of steps must be unique");
  StepSpec unknown = step("a");
  unknown.kind = "shel";
  EXPECT_EQ(problem(pipeline({unknown})),
            "step \"a\": unknown kind \"shel\"; did you mean \"shell\"?");
  StepSpec eager = step("a");
  eager.retries = 1'000;
  EXPECT_EQ(problem(pipeline({eager})), "step \"a\": retries must be from 0 to 100, got 1000");
  EXPECT_EQ(problem(pipeline({})), "pipeline \"p\" has no steps");
  EXPECT_EQ(problem(pipeline({step("a b")})),
            "a step's name has 1 to 100 letters, digits, '_' and '-', got \"a b\"");
}

TEST(PipelineSpec, a_condition_looks_at_an_output_of_the_run) {
  StepSpec gated = step("b", {{"in0", "artifact:x"}});
  gated.when = Condition{.port = "in0", .property = "approved", .equals = true};
  EXPECT_EQ(
      problem(pipeline({gated})),
      "step \"b\": its condition looks at input \"in0\", which does not come from another step");
}

TEST(PipelineSpec, survives_json) {
  PipelineSpec spec = pipeline({step("a"), step("b", {{"in0", "a.out"}})});
  spec.steps[1].when = Condition{.port = "in0", .property = "approved", .equals = true};
  spec.steps[1].retries = 2;
  const auto again = parse_pipeline_spec(to_json(spec));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(to_json(*again), to_json(spec));
}

}  // namespace
}  // namespace ciclo::pipeline
