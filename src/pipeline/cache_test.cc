// SPDX-License-Identifier: Apache-2.0
#include "pipeline/cache.h"

#include <gtest/gtest.h>

namespace ciclo::pipeline {
namespace {

StepSpec train(double rate) {
  StepSpec step;
  step.name = "train";
  step.kind = "train";
  step.parameters["rate"] = rate;
  step.parameters["search"] = json::Value::object({{"trials", 3}, {"seed", 1}});
  return step;
}

KeyParts parts(const StepSpec& step, const std::string& input = "h1",
               const std::string& program = "1") {
  return key_parts(step, {{"the program", program}}, {{"rows", "artifact", input}});
}

TEST(Cache, key_depends_on_all_that_decides_the_result) {
  const std::string key = cache_key(parts(train(0.1)));
  EXPECT_EQ(cache_key(parts(train(0.1))), key);
  EXPECT_NE(cache_key(parts(train(0.2))), key);
  EXPECT_NE(cache_key(parts(train(0.1), "h2")), key);
  EXPECT_NE(cache_key(parts(train(0.1), "h1", "2")), key);
  StepSpec other = train(0.1);
  other.kind = "tune";
  EXPECT_NE(cache_key(parts(other)), key);
}

TEST(Cache, key_does_not_depend_on_order_and_name) {
  StepSpec other = train(0.1);
  other.name = "another";
  other.parameters = json::Value::object(
      {{"search", json::Value::object({{"seed", 1}, {"trials", 3}})}, {"rate", 0.1}});
  EXPECT_EQ(cache_key(parts(other)), cache_key(parts(train(0.1))));
}

TEST(Cache, tells_dotted_keys_from_nested_ones) {
  StepSpec nested;
  nested.parameters["a"] = json::Value::object({{"b", 1}});
  StepSpec dotted;
  dotted.parameters["a.b"] = 1;
  EXPECT_NE(cache_key(parts(nested)), cache_key(parts(dotted)));
}

TEST(Cache, explains_what_changed) {
  EXPECT_EQ(explain_change(parts(train(0.1)), parts(train(0.2))), "rate changed from 0.1 to 0.2");
  EXPECT_EQ(explain_change(parts(train(0.1)), parts(train(0.1), "h2", "2")),
            "input rows changed, the program changed");
  StepSpec more = train(0.1);
  more.parameters["depth"] = 3;
  EXPECT_EQ(explain_change(parts(train(0.1)), parts(more)), "depth is new: 3");
  EXPECT_EQ(explain_change(parts(more), parts(train(0.1))), "depth was removed");
  StepSpec bare;
  EXPECT_EQ(explain_change(parts(train(0.1)), parts(bare, "h2", "2")),
            "input rows changed, kind changed, parameters is new: {} and 4 more");
}

}  // namespace
}  // namespace ciclo::pipeline
