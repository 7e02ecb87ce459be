// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <string>

#include "api/ciclo/answer.h"
#include "api/ciclo/routes.h"
#include "base/text.h"
#include "base/utc.h"

// The past of the registry, and of what served its versions.

namespace ciclo::api::native {
namespace {

// By model: what served of it.
using DeploymentsByModel = std::map<std::string, std::vector<serve::Deployment>>;

// ?as_of= as ISO 8601 in UTC; now without it.
Result<std::int64_t> moment_of(const Services& services, const http::Request& request) {
  const std::string_view text = request.query_value("as_of");
  if (text.empty()) return services.clock.now_ms();
  if (const auto time_ms = parse_utc(text)) return *time_ms;
  return invalid_argument("as_of must be a time such as 2013-07-01 or 2013-07-01T12:00:00Z, got " +
                          ciclo::quoted(text));
}

json::Value deployment_json(const serve::Deployment& deployment) {
  return json::Value::object({{"endpoint", deployment.endpoint},
                              {"version", deployment.version},
                              {"since_ms", deployment.time_ms},
                              {"caller", deployment.caller}});
}

json::Value version_json(const registry::PastVersion& version) {
  return json::Value::object({{"version", version.version},
                              {"created_ms", version.created_ms},
                              {"source", version.source},
                              {"run_id", version.run_id},
                              {"stage", version.stage}});
}

json::Value model_json(const registry::PastModel& model, const DeploymentsByModel& deployments) {
  json::Value versions = json::Value::array();
  for (const auto& [number, version] : model.versions) versions.push_back(version_json(version));
  json::Value aliases = json::Value::object();
  for (const auto& [alias, version] : model.aliases) aliases[alias] = version;
  json::Value served = json::Value::array();
  if (const auto found = deployments.find(model.name); found != deployments.end()) {
    for (const auto& one : found->second) served.push_back(deployment_json(one));
  }
  return json::Value::object({{"name", model.name},
                              {"created_ms", model.created_ms},
                              {"versions", std::move(versions)},
                              {"aliases", std::move(aliases)},
                              {"deployments", std::move(served)}});
}

Result<DeploymentsByModel> deployments_at(const Services& services, const Context& context,
                                          std::int64_t time_ms) {
  TRY(auto all, services.endpoints.deployments_at(context, time_ms));
  DeploymentsByModel by_model;
  for (auto& one : all) by_model[one.model].push_back(std::move(one));
  return by_model;
}

Result<json::Value> list(const Services& services, http::Request& request) {
  TRY(const std::int64_t time_ms, moment_of(services, request));
  TRY(const auto models, services.history.models_at(request.context, time_ms));
  TRY(const auto deployments, deployments_at(services, request.context, time_ms));
  json::Value::Array items;
  for (const auto& model : models) items.push_back(model_json(model, deployments));
  json::Value page = page_of(std::move(items), "");
  page["as_of_ms"] = time_ms;
  return page;
}

Result<json::Value> show(const Services& services, http::Request& request) {
  TRY(const std::int64_t time_ms, moment_of(services, request));
  const std::string name(request.path_value("name"));
  TRY(const auto model, services.history.model_at(request.context, name, time_ms));
  TRY(const auto deployments, deployments_at(services, request.context, time_ms));
  json::Value document = model_json(model, deployments);
  document["as_of_ms"] = time_ms;
  return document;
}

// What the gate said of the model that a version was made from; empty when none judged it, or the
// run is gone.
std::string decision_of(const Services& services, const Context& context,
                        const std::string& run_id) {
  if (run_id.empty()) return "";
  const auto run = services.tracking.run(context, tracking::RunId(run_id));
  if (!run.ok()) return "";
  for (const auto& tag : run->tags) {
    if (tag.key == "ciclo.gate") return tag.value;
  }
  return "";
}

json::Value change_json(const Services& services, const Context& context,
                        const registry::ModelChange& change) {
  json::Value out = json::Value::object(
      {{"time_ms", change.time_ms}, {"kind", change.kind}, {"caller", change.caller}});
  out["version"] = change.version ? json::Value(*change.version) : json::Value();
  for (const auto& [name, text] :
       {std::pair("alias", &change.alias), std::pair("value", &change.value),
        std::pair("previous", &change.previous), std::pair("source", &change.source),
        std::pair("run_id", &change.run_id), std::pair("reason", &change.reason)}) {
    if (!text->empty()) out[name] = *text;
  }
  if (change.kind == "version.created") {
    if (auto decision = decision_of(services, context, change.run_id); !decision.empty()) {
      out["gate"] = std::move(decision);
    }
  }
  return out;
}

json::Value served_json(const serve::Deployment& deployment) {
  json::Value out = json::Value::object(
      {{"time_ms", deployment.time_ms},
       {"kind", deployment.version.empty() ? "endpoint.removed" : "endpoint.deployed"},
       {"caller", deployment.caller},
       {"endpoint", deployment.endpoint}});
  const auto number = parse_int(deployment.version);
  out["version"] = number ? json::Value(*number) : json::Value();
  if (!deployment.previous.empty()) out["previous"] = deployment.previous;
  return out;
}

// Both in one list, newest first.
Result<json::Value> history(const Services& services, http::Request& request) {
  TRY(const int limit, limit_of(request));
  const std::string name(request.path_value("name"));
  const Context& context = request.context;
  TRY(const auto changes, services.history.changes(context, name, limit));
  TRY(const auto deployments, services.endpoints.deployments_of(context, name, limit));
  json::Value::Array items;
  for (const auto& change : changes) items.push_back(change_json(services, context, change));
  for (const auto& one : deployments) items.push_back(served_json(one));
  std::stable_sort(items.begin(), items.end(), [](const json::Value& a, const json::Value& b) {
    return a.integer_or("time_ms", 0) > b.integer_or("time_ms", 0);
  });
  if (std::ssize(items) > limit) items.resize(static_cast<std::size_t>(limit));
  return page_of(std::move(items), "");
}

}  // namespace

void add_model_routes(http::Router& router, const Services& services) {
  router.add("GET", "/api/v1/models",
             answering([services](http::Request& request) { return list(services, request); }));
  router.add("GET", "/api/v1/models/{name}",
             answering([services](http::Request& request) { return show(services, request); }));
  router.add("GET", "/api/v1/models/{name}/history",
             answering([services](http::Request& request) { return history(services, request); }));
}

}  // namespace ciclo::api::native
