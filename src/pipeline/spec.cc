// SPDX-License-Identifier: Apache-2.0
#include "pipeline/spec.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "base/json_fields.h"
#include "base/text.h"
#include "pipeline/catalog.h"

namespace ciclo::pipeline {
namespace {

constexpr std::string_view kArtifactPrefix = "artifact:";
constexpr int kRetriesMax = 100;
constexpr std::int64_t kDurationMsMax = std::int64_t{30} * 24 * 3'600'000;

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
  const std::string_view near = nearest(word, known);
  if (!near.empty()) return "; did you mean " + quoted(near) + "?";
  return known.empty() ? "" : "; known: " + join(known, ", ");
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 100 && std::all_of(text.begin(), text.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
  });
}

// Resolves one spec; holds what the checks share.
class Resolver {
 public:
  Resolver(const PipelineSpec& spec, const StepCatalog* catalog) : spec_(spec), catalog_(catalog) {
    for (const StepSpec& step : spec.steps) names_.push_back(step.name);
  }

  Result<Graph> resolve() {
    TRY(check_pipeline());
    for (std::size_t i = 0; i < spec_.steps.size(); ++i) TRY(check_step(i));
    graph_.nodes.resize(spec_.steps.size());
    for (std::size_t i = 0; i < spec_.steps.size(); ++i) {
      const auto resolved = resolve_edges(i);
      if (!resolved.ok()) return resolved.error().with_context(label(i));
    }
    TRY(order());
    return std::move(graph_);
  }

 private:
  std::string label(std::size_t step) const { return "step " + quoted(spec_.steps[step].name); }

  Result<void> check_pipeline() const {
    if (!is_name(spec_.name)) {
      return invalid_argument("a pipeline's name has 1 to 100 letters, digits, '_' and '-', got " +
                              quoted(spec_.name));
    }
    if (spec_.steps.empty()) {
      return invalid_argument("pipeline " + quoted(spec_.name) + " has no steps");
    }
    if (spec_.steps.size() > kStepsMax) {
      return invalid_argument("pipeline " + quoted(spec_.name) + " has " +
                              std::to_string(spec_.steps.size()) + " steps; at most " +
                              std::to_string(kStepsMax) + " are allowed");
    }
    if (spec_.parallel_max < 0) {
      return invalid_argument("parallel_max of pipeline " + quoted(spec_.name) +
                              " must not be negative");
    }
    return {};
  }

  Result<void> check_step(std::size_t i) const {
    const StepSpec& step = spec_.steps[i];
    if (!is_name(step.name)) {
      return invalid_argument("a step's name has 1 to 100 letters, digits, '_' and '-', got " +
                              quoted(step.name));
    }
    if (std::find(names_.begin(), names_.begin() + static_cast<std::ptrdiff_t>(i), step.name) !=
        names_.begin() + static_cast<std::ptrdiff_t>(i)) {
      return invalid_argument(label(i) + " appears twice; names of steps must be unique");
    }
    if (!step.parameters.is_object()) {
      return invalid_argument(label(i) + ": parameters must be an object, got " +
                              std::string(json::kind_name(step.parameters.kind())));
    }
    TRY(check_range(i, "retries", step.retries, kRetriesMax));
    TRY(check_range(i, "backoff_ms", step.backoff_ms, kDurationMsMax));
    TRY(check_range(i, "timeout_ms", step.timeout_ms, kDurationMsMax));
    return {};
  }

  Result<void> check_range(std::size_t i, std::string_view name, std::int64_t value,
                           std::int64_t most) const {
    if (value >= 0 && value <= most) return {};
    return invalid_argument(label(i) + ": " + std::string(name) + " must be from 0 to " +
                            std::to_string(most) + ", got " + std::to_string(value));
  }

  Result<void> resolve_edges(std::size_t i) {
    const StepSpec& step = spec_.steps[i];
    TRY(check_ports(step));
    std::set<std::size_t> needs;
    for (const auto& [port, text] : step.inputs) {
      const auto source = resolve_source(text);
      if (!source.ok()) return source.error().with_context("input " + quoted(port));
      if (source->step) needs.insert(*source->step);
      graph_.nodes[i].inputs[port] = *source;
    }
    for (const std::string& name : step.after) {
      TRY(const std::size_t before, find_step(name));
      needs.insert(before);
    }
    for (const std::size_t before : needs) graph_.nodes[before].needed_by.push_back(i);
    graph_.nodes[i].needs.assign(needs.begin(), needs.end());
    return check_condition(i);
  }

  Result<void> check_ports(const StepSpec& step) const {
    if (catalog_ == nullptr) return {};
    const StepKind* kind = catalog_->find(step.kind);
    if (kind == nullptr) {
      return invalid_argument("unknown kind " + quoted(step.kind) +
                              did_you_mean(step.kind, catalog_->kinds()));
    }
    std::vector<std::string> known;
    for (const InputPort& port : kind->inputs) {
      known.push_back(port.name);
      if (port.required && !step.inputs.contains(port.name)) {
        return invalid_argument("the required input " + quoted(port.name) + " is missing");
      }
    }
    for (const auto& input : step.inputs) {
      if (std::find(known.begin(), known.end(), input.first) != known.end()) continue;
      return invalid_argument("kind " + quoted(step.kind) + " has no input " + quoted(input.first) +
                              did_you_mean(input.first, known));
    }
    return {};
  }

  Result<Source> resolve_source(const std::string& text) const {
    Source source;
    if (text.starts_with(kArtifactPrefix)) {
      source.artifact_id = text.substr(kArtifactPrefix.size());
      if (source.artifact_id.empty())
        return invalid_argument("\"artifact:\" needs an id behind it");
      return source;
    }
    const std::size_t dot = text.find('.');
    if (dot == std::string::npos || dot + 1 == text.size()) {
      return invalid_argument("expected \"STEP.PORT\" or \"artifact:ID\", got " + quoted(text));
    }
    TRY(source.step, find_step(text.substr(0, dot)));
    source.port = text.substr(dot + 1);
    TRY(check_output(*source.step, source.port));
    return source;
  }

  Result<std::size_t> find_step(const std::string& name) const {
    const auto found = std::find(names_.begin(), names_.end(), name);
    if (found == names_.end()) {
      return invalid_argument("there is no step " + quoted(name) + did_you_mean(name, names_));
    }
    return static_cast<std::size_t>(found - names_.begin());
  }

  Result<void> check_output(std::size_t i, const std::string& port) const {
    const StepKind* kind = catalog_ == nullptr ? nullptr : catalog_->find(spec_.steps[i].kind);
    if (kind == nullptr) return {};
    std::vector<std::string> known;
    for (const OutputPort& output : kind->outputs) known.push_back(output.name);
    if (std::find(known.begin(), known.end(), port) != known.end()) return {};
    return invalid_argument(label(i) + " has no output " + quoted(port) +
                            did_you_mean(port, known));
  }

  // The scheduler knows the properties of what steps of the run have made, not those of other
  // artifacts.
  Result<void> check_condition(std::size_t i) const {
    const auto& when = spec_.steps[i].when;
    if (!when) return {};
    const auto input = graph_.nodes[i].inputs.find(when->port);
    if (input != graph_.nodes[i].inputs.end() && input->second.step) return {};
    return invalid_argument("its condition looks at input " + quoted(when->port) +
                            ", which does not come from another step");
  }

  // Kahn's algorithm, always taking the step that stands first in the spec.
  Result<void> order() {
    std::vector<std::size_t> missing;
    std::set<std::size_t> ready;
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      missing.push_back(graph_.nodes[i].needs.size());
      if (missing.back() == 0) ready.insert(i);
    }
    while (!ready.empty()) {
      const std::size_t next = *ready.begin();
      ready.erase(ready.begin());
      graph_.order.push_back(next);
      for (const std::size_t later : graph_.nodes[next].needed_by) {
        if (--missing[later] == 0) ready.insert(later);
      }
    }
    if (graph_.order.size() == graph_.nodes.size()) return {};
    return invalid_argument("steps need one another in a circle: " + circle(missing));
  }

  // Every step that still misses something needs one that does too, so walking back must meet
  // itself.
  std::string circle(const std::vector<std::size_t>& missing) const {
    std::vector<std::size_t> path;
    std::size_t at = 0;
    while (missing[at] == 0) ++at;
    while (std::find(path.begin(), path.end(), at) == path.end()) {
      path.push_back(at);
      const auto& needs = graph_.nodes[at].needs;
      at = *std::find_if(needs.begin(), needs.end(), [&](std::size_t i) { return missing[i] > 0; });
    }
    std::string text = spec_.steps[at].name;
    for (auto step = path.rbegin(); *step != at; ++step) text += " → " + spec_.steps[*step].name;
    return text + " → " + spec_.steps[at].name;
  }

  const PipelineSpec& spec_;
  const StepCatalog* catalog_;
  std::vector<std::string> names_;
  Graph graph_;
};

}  // namespace

Result<Graph> resolve(const PipelineSpec& spec, const StepCatalog* catalog) {
  return Resolver(spec, catalog).resolve();
}

std::string to_json(const PipelineSpec& spec) { return json::write(spec); }

Result<PipelineSpec> parse_pipeline_spec(std::string_view json) {
  return json::read<PipelineSpec>(json);
}

}  // namespace ciclo::pipeline
