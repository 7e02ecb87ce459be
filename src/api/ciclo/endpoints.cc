// SPDX-License-Identifier: Apache-2.0
#include <numeric>

#include "api/ciclo/answer.h"
#include "api/ciclo/routes.h"
#include "base/text.h"

namespace ciclo::api::native {
namespace {

std::string name_of(const http::Request& request) {
  return std::string(request.path_value("name"));
}

json::Value signature_json(const serve::Signature& signature) {
  const auto columns = [](const std::vector<serve::Signature::Column>& all, bool inputs) {
    json::Value list = json::Value::array();
    for (const auto& column : all) {
      json::Value item =
          json::Value::object({{"name", column.name}, {"type", data::type_name(column.type)}});
      if (inputs) item["required"] = column.required;
      list.push_back(std::move(item));
    }
    return list;
  };
  json::Value out = json::Value::object({{"inputs", columns(signature.inputs, true)},
                                         {"outputs", columns(signature.outputs, false)}});
  if (!signature.positive.empty()) out["positive"] = signature.positive;
  return out;
}

// The upper bound of the bucket in which the share of requests lies; null without requests.
json::Value quantile_us(const serve::EndpointStats& stats, double share) {
  const auto& buckets = stats.duration_us;
  const std::uint64_t total = std::accumulate(buckets.begin(), buckets.end(), std::uint64_t{0});
  if (total == 0) return {};
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    below += buckets[i];
    if (static_cast<double>(below) >= share * static_cast<double>(total))
      return std::int64_t{1} << i;
  }
  return std::int64_t{1} << buckets.size();
}

json::Value stats_json(const serve::EndpointStats& stats) {
  return json::Value::object({{"requests", stats.requests},
                              {"failures", stats.failures},
                              {"rows", stats.rows},
                              {"p50_us", quantile_us(stats, 0.5)},
                              {"p99_us", quantile_us(stats, 0.99)}});
}

json::Value endpoint_json(const Services& services, const serve::Endpoint& endpoint) {
  json::Value all = json::to_value(endpoint.spec);
  all["state"] = serve::state_name(endpoint.state);
  all["serving_version"] = endpoint.serving_version;
  all["message"] = endpoint.message;
  all["created_ms"] = endpoint.created_ms;
  all["updated_ms"] = endpoint.updated_ms;
  all["stats"] = stats_json(services.endpoints.stats(endpoint.spec.name));
  return all;
}

Result<json::Value> list(const Services& services, http::Request& request) {
  TRY(const auto all, services.endpoints.list(request.context));
  json::Value::Array items;
  for (const auto& endpoint : all) items.push_back(endpoint_json(services, endpoint));
  return page_of(std::move(items), "");
}

Result<json::Value> show(const Services& services, http::Request& request) {
  TRY(const auto endpoint, services.endpoints.get(request.context, name_of(request)));
  json::Value all = endpoint_json(services, endpoint);
  if (auto serving = services.endpoints.serving(name_of(request)); serving.ok()) {
    all["signature"] = signature_json((*serving)->loaded->signature());
  }
  return all;
}

struct SpecBody {
  std::string model;
  std::string alias = "champion";
  std::string version;
  bool capture = true;
  json::Value monitor;
  template <class V>
  void fields(V& v) {
    v("model", model);
    v.or_default("alias", alias);
    v.or_default("version", version);
    v.or_default("capture", capture);
    v.or_default("monitor", monitor);
  }
};

Result<json::Value> put(const Services& services, http::Request& request) {
  TRY(const auto body, read_body<SpecBody>(request));
  TRY(monitor::parse_config(body.monitor));
  serve::EndpointSpec spec;
  spec.name = name_of(request);
  spec.model = body.model;
  spec.version = body.version;
  spec.alias = body.version.empty() ? body.alias : "";
  spec.capture = body.capture;
  spec.monitor = body.monitor;
  TRY(const auto endpoint, services.endpoints.put(request.context, spec));
  return endpoint_json(services, endpoint);
}

Result<json::Value> deployments(const Services& services, http::Request& request) {
  TRY(const int limit, limit_of(request));
  TRY(const std::int64_t before, number_of(request, "page", 0));
  TRY(const auto all,
      services.endpoints.deployments(request.context, name_of(request), before, limit));
  json::Value::Array items;
  for (const auto& deployment : all) {
    items.push_back(json::Value::object({{"id", deployment.id},
                                         {"model", deployment.model},
                                         {"version", deployment.version},
                                         {"previous", deployment.previous},
                                         {"time_ms", deployment.time_ms},
                                         {"caller", deployment.caller}}));
  }
  const bool more = all.size() == static_cast<std::size_t>(limit);
  return page_of(std::move(items), more ? std::to_string(all.back().id) : "");
}

struct LabelBody {
  std::string inference_id;
  json::Value label;
  std::optional<std::int64_t> time_ms;
  template <class V>
  void fields(V& v) {
    v("inference_id", inference_id);
    v("label", label);
    v("time_ms", time_ms);
  }
};
struct LabelsBody {
  std::vector<LabelBody> labels;
  template <class V>
  void fields(V& v) {
    v("labels", labels);
  }
};

Result<json::Value> labels(const Services& services, http::Request& request) {
  TRY(const auto body, read_body<LabelsBody>(request));
  std::vector<serve::Label> all;
  for (const auto& label : body.labels)
    all.push_back({label.inference_id, label.label, label.time_ms});
  TRY(const auto taken, services.endpoints.add_labels(request.context, name_of(request), all));
  return json::Value::object({{"accepted", taken.accepted}, {"unknown", taken.unknown}});
}

}  // namespace

void add_endpoint_routes(http::Router& router, const Services& services) {
  router.add("GET", "/api/v1/endpoints",
             answering([services](http::Request& request) { return list(services, request); }));
  router.add("GET", "/api/v1/endpoints/{name}",
             answering([services](http::Request& request) { return show(services, request); }));
  router.add("PUT", "/api/v1/endpoints/{name}",
             answering([services](http::Request& request) { return put(services, request); }));
  router.add("DELETE", "/api/v1/endpoints/{name}",
             answering([services](http::Request& request) -> Result<json::Value> {
               TRY(services.endpoints.remove(request.context, name_of(request)));
               return json::Value::object();
             }));
  router.add(
      "GET", "/api/v1/endpoints/{name}/deployments",
      answering([services](http::Request& request) { return deployments(services, request); }));
  router.add("POST", "/api/v1/endpoints/{name}/labels",
             answering([services](http::Request& request) { return labels(services, request); }));
}

}  // namespace ciclo::api::native
