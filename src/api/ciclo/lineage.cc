// SPDX-License-Identifier: Apache-2.0
#include "api/ciclo/answer.h"
#include "api/ciclo/routes.h"
#include "base/text.h"
#include "steps/champion.h"

namespace ciclo::api::native {
namespace {

constexpr int kDepthDefault = 64;

// The registered versions that were made from the models of a graph.
Result<json::Value> versions_of(const Services& services, const Context& context,
                                const lineage::Graph& graph) {
  json::Value versions = json::Value::array();
  for (const auto& artifact : graph.artifacts) {
    if (artifact.type != "model") continue;
    registry::ModelSearch search;
    search.filter = "tags.`" + std::string(steps::kArtifactHashTag) + "` = '" + artifact.hash + "'";
    TRY(const auto page, services.registry.search_versions(context, search));
    for (const auto& version : page.items) {
      versions.push_back(json::Value::object({{"artifact_id", artifact.artifact_id.str()},
                                              {"model", version.name},
                                              {"version", version.version}}));
    }
  }
  return versions;
}

Result<json::Value> graph_json(const Services& services, const Context& context,
                               const lineage::Graph& graph) {
  json::Value document = json::to_value(graph);
  TRY(document["model_versions"], versions_of(services, context, graph));
  return document;
}

// Both directions from one artifact.
Result<json::Value> around(const Services& services, const http::Request& request,
                           const lineage::ArtifactId& id) {
  TRY(const std::int64_t depth, number_of(request, "depth", kDepthDefault));
  if (depth < 1 || depth > kDepthDefault) {
    return invalid_argument("depth must be from 1 to " + std::to_string(kDepthDefault) + ", got " +
                            std::to_string(depth));
  }
  const Context& context = request.context;
  TRY(const auto artifact, services.lineage.artifact(context, id));
  TRY(const auto up, services.lineage.upstream(context, id, static_cast<int>(depth)));
  TRY(const auto down, services.lineage.downstream(context, id, static_cast<int>(depth)));
  json::Value document = json::Value::object({{"artifact", json::to_value(artifact)}});
  TRY(document["upstream"], graph_json(services, context, up));
  TRY(document["downstream"], graph_json(services, context, down));
  return document;
}

// VERSION is a number or an alias.
Result<registry::ModelVersion> find_version(const Services& services,
                                            const http::Request& request) {
  const std::string name(request.path_value("name"));
  const std::string_view version = request.path_value("version");
  if (const auto number = parse_int(version)) {
    return services.registry.version(request.context, name, *number);
  }
  return services.registry.version_by_alias(request.context, name, version);
}

Result<json::Value> of_model(const Services& services, http::Request& request) {
  TRY(const auto version, find_version(services, request));
  for (const auto& tag : version.tags) {
    if (tag.key == steps::kArtifactTag) {
      return around(services, request, lineage::ArtifactId(tag.value));
    }
  }
  return failed_precondition("version " + std::to_string(version.version) + " of model " +
                             ciclo::quoted(version.name) +
                             " was registered from outside of pipelines, so it has no lineage");
}

}  // namespace

void add_lineage_routes(http::Router& router, const Services& services) {
  router.add("GET", "/api/v1/lineage/artifacts/{id}", answering([services](http::Request& request) {
               return around(services, request,
                             lineage::ArtifactId(std::string(request.path_value("id"))));
             }));
  router.add("GET", "/api/v1/lineage/models/{name}/versions/{version}",
             answering([services](http::Request& request) { return of_model(services, request); }));
}

}  // namespace ciclo::api::native
