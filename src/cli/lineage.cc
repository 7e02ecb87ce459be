// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <map>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "http/message.h"

namespace ciclo::cli {
namespace {

// "MODEL/VERSION", otherwise the id of an artifact.
std::string path_of(const std::string& subject) {
  const std::size_t slash = subject.rfind('/');
  if (slash == std::string::npos) {
    return "/api/v1/lineage/artifacts/" + http::percent_encode(subject);
  }
  return "/api/v1/lineage/models/" + http::percent_encode(subject.substr(0, slash)) + "/versions/" +
         http::percent_encode(subject.substr(slash + 1));
}

// Artifact → the step that made it.
std::map<std::string, const json::Value*> makers_of(const json::Value& graph) {
  std::map<std::string, const json::Value*> makers;
  for (const auto& execution : items_of(graph, "executions")) {
    for (const auto& output : items_of(execution, "outputs")) {
      makers[output.string_or("artifact_id", "")] = &execution;
    }
  }
  return makers;
}

// "churn/1, churn/4"
std::string versions_of(const json::Value& graph, const std::string& artifact) {
  std::vector<std::string> names;
  for (const auto& version : items_of(graph, "model_versions")) {
    if (version.string_or("artifact_id", "") != artifact) continue;
    names.push_back(version.string_or("model", "") + "/" +
                    std::to_string(version.integer_or("version", 0)));
  }
  return names.empty() ? "-" : join(names, ", ");
}

void print_graph(const char* title, const json::Value& graph) {
  std::printf("%s\n", title);
  const auto makers = makers_of(graph);
  Table table({"artifact", "type", "made by", "pipeline run", "registered as", "hash"});
  for (const auto& artifact : items_of(graph, "artifacts")) {
    const std::string id = artifact.string_or("artifact_id", "");
    const auto maker = makers.find(id);
    const json::Value none = json::Value::object();
    const json::Value& step = maker == makers.end() ? none : *maker->second;
    const json::Value* properties = step.find("properties");
    table.add({id, artifact.string_or("type", ""), step.string_or("name", "-"),
               properties == nullptr ? "-" : properties->string_or("pipeline_run_id", "-"),
               versions_of(graph, id), artifact.string_or("hash", "").substr(0, 12)});
  }
  table.print();
  if (graph.boolean_or("truncated", false)) std::printf("… and more: the graph was cut off\n");
}

}  // namespace

Result<void> lineage(Session& session, const std::string& subject) {
  TRY(Api * api, session.api());
  TRY(const json::Value found, api->get(path_of(subject)));
  session.show(found, [&] {
    print_graph("came from", *found.find("upstream"));
    std::printf("\n");
    print_graph("led to", *found.find("downstream"));
  });
  return {};
}

}  // namespace ciclo::cli
