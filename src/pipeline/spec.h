// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

// A pipeline as its author wrote it: steps that name where their inputs come from. Pure values.

namespace ciclo::pipeline {

// The step runs only if `property` of the artifact on input `port` equals `equals`; otherwise it is
// skipped, and what needs it too, without failing the run. For gates.
struct Condition {
  std::string port;
  std::string property;
  json::Value equals;

  template <class V>
  void fields(V& v) {
    v("port", port);
    v("property", property);
    v("equals", equals);
  }
};

struct StepSpec {
  std::string name;  // letters, digits, '_' and '-'; unique in the pipeline
  std::string kind;  // known to the StepCatalog
  json::Value parameters = json::Value::object();
  // Input port → "step.port" for an output of another step, or "artifact:ID".
  std::map<std::string, std::string> inputs;
  std::vector<std::string> after;  // names of steps that must be done first
  std::optional<Condition> when;
  int retries = 0;  // attempts after the first that failed
  std::int64_t backoff_ms =
      1'000;                    // before the first retry; doubles, with jitter, up to five minutes
  std::int64_t timeout_ms = 0;  // per attempt; 0: none
  bool cache = true;            // false: always runs

  template <class V>
  void fields(V& v) {
    v("name", name);
    v("kind", kind);
    v.or_default("parameters", parameters);
    v.or_default("inputs", inputs);
    v.or_default("after", after);
    v("when", when);
    v.or_default("retries", retries);
    v.or_default("backoff_ms", backoff_ms);
    v.or_default("timeout_ms", timeout_ms);
    v.or_default("cache", cache);
  }
};

struct PipelineSpec {
  std::string name;
  std::vector<StepSpec> steps;
  int parallel_max = 0;  // steps of one run that run at once; 0: as many as the engine allows

  template <class V>
  void fields(V& v) {
    v("name", name);
    v("steps", steps);
    v.or_default("parallel_max", parallel_max);
  }
};

inline constexpr std::size_t kStepsMax = 1'000;

// Where an input comes from.
struct Source {
  // An output of a step of the same pipeline …
  std::optional<std::size_t> step;
  std::string port;
  // … or an artifact that exists.
  std::string artifact_id;
};

class StepCatalog;

// A PipelineSpec that was checked, with its edges resolved. Steps are numbered as in the spec.
struct Graph {
  struct Node {
    std::vector<std::size_t> needs;  // inputs and `after`, each once, ascending
    std::vector<std::size_t> needed_by;
    std::map<std::string, Source> inputs;
  };
  std::vector<Node> nodes;
  std::vector<std::size_t> order;  // each step after all that it needs; otherwise as in the spec
};

// Checks the spec and resolves its edges; with a catalog also kinds and ports. invalid_argument,
// naming the step and what would be right, for: no step, a bad or repeated name, an input from an
// unknown step or port (with the nearest known name), an unknown kind or port, a missing required
// input, a step that needs itself by any way (with the way: "a → b → a"), a number out of range.
Result<Graph> resolve(const PipelineSpec& spec, const StepCatalog* catalog = nullptr);

std::string to_json(const PipelineSpec& spec);
Result<PipelineSpec> parse_pipeline_spec(std::string_view json);

}  // namespace ciclo::pipeline
