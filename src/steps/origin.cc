// SPDX-License-Identifier: Apache-2.0
#include "steps/origin.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "data/datasets.h"
#include "steps/data_set.h"

namespace ciclo::steps {
namespace {

using Version = std::pair<std::string, std::string>;  // name of the data set, version hash

// Steps that make a data set name it in their parameters; others, such as split, do not.
Result<void> add_versions(lineage::Lineage& lineage, const Context& context,
                          const std::string& artifact_id, std::set<Version>& versions) {
  TRY(const lineage::Graph graph,
      lineage.upstream(context, lineage::ArtifactId(artifact_id), lineage::Limits().depth_max));
  for (const auto& execution : graph.executions) {
    const json::Value* parameters = execution.properties.find("parameters");
    const std::string name = parameters == nullptr ? "" : parameters->string_or("name", "");
    if (name.empty()) continue;
    for (const auto& output : execution.outputs) {
      const auto artifact =
          std::find_if(graph.artifacts.begin(), graph.artifacts.end(),
                       [&](const auto& one) { return one.artifact_id == output.artifact_id; });
      if (artifact == graph.artifacts.end()) continue;
      const std::string blob = artifact->properties.string_or("data_blob", "");
      if (blob.empty()) continue;
      versions.emplace(name, data::version_hash(
                                 {{kDataFile, blob, artifact->properties.integer_or("bytes", 0)}}));
    }
  }
  return {};
}

}  // namespace

Result<json::Value> origin_of(lineage::Lineage& lineage, const Context& context,
                              const pipeline::StepRun& run) {
  json::Value inputs = json::Value::object();
  std::set<Version> versions;
  for (const auto& input : run.inputs) {
    inputs[input.port] = input.hash;
    TRY(add_versions(lineage, context, input.artifact_id, versions));
  }
  json::Value data_sets = json::Value::array();
  for (const auto& [name, version] : versions) {
    data_sets.push_back(json::Value::object({{"name", name}, {"version", version}}));
  }
  return json::Value::object({{"inputs", std::move(inputs)}, {"data_sets", std::move(data_sets)}});
}

}  // namespace ciclo::steps
