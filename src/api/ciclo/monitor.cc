// SPDX-License-Identifier: Apache-2.0
#include "api/ciclo/answer.h"
#include "api/ciclo/routes.h"

namespace ciclo::api::native {
namespace {

std::string name_of(const http::Request& request) {
  return std::string(request.path_value("name"));
}

json::Value progress_json(const monitor::Progress& progress) {
  return json::Value::object({{"windows_closed", progress.windows_closed},
                              {"windows_measured", progress.windows_measured},
                              {"alerts", progress.alerts}});
}

// Brings the loop to rest: what was captured is on disk, windows that are due are closed and
// measured, and triggers have seen the alerts. Answers with the pipeline runs that are under way.
Result<json::Value> settle(const Services& services, http::Request& request) {
  TRY(services.capture.flush());
  TRY(const auto progress, services.monitor.advance(request.context, name_of(request)));
  TRY(const int started, services.triggers.check());
  json::Value active = json::Value::array();
  for (const auto state : {pipeline::State::kPending, pipeline::State::kRunning}) {
    pipeline::PipelineRunFilter filter;
    filter.state = state;
    TRY(const auto page, services.pipelines.list(request.context, filter, 100));
    for (const auto& run : page.runs) active.push_back(run.pipeline_run_id);
  }
  // An alias that was moved just now takes effect before the answer.
  if (active.items().empty()) TRY(services.endpoints.reconcile(request.context));
  json::Value answer = progress_json(progress);
  answer["runs_started"] = started;
  answer["runs_active"] = std::move(active);
  return answer;
}

Result<json::Value> close_windows(const Services& services, http::Request& request) {
  TRY(const auto progress,
      services.monitor.advance(request.context, name_of(request), monitor::Close::kAll));
  return progress_json(progress);
}

Result<json::Value> windows(const Services& services, http::Request& request) {
  TRY(const int limit, limit_of(request));
  TRY(const std::int64_t before, number_of(request, "page", 0));
  TRY(const auto all, services.monitor.windows(request.context, name_of(request), before, limit));
  json::Value::Array items;
  for (const auto& window : all) items.push_back(json::to_value(window));
  const bool more = all.size() == static_cast<std::size_t>(limit);
  return page_of(std::move(items), more ? std::to_string(all.back().start_ms) : "");
}

Result<json::Value> alerts(const Services& services, http::Request& request) {
  TRY(const int limit, limit_of(request));
  TRY(const std::int64_t before, number_of(request, "page", 0));
  TRY(const auto all,
      services.monitor.alerts(request.context, request.query_value("endpoint"), before, limit));
  json::Value::Array items;
  for (const auto& alert : all) items.push_back(json::to_value(alert));
  const bool more = all.size() == static_cast<std::size_t>(limit);
  return page_of(std::move(items), more ? std::to_string(all.back().id) : "");
}

Result<json::Value> performance(const Services& services, http::Request& request) {
  TRY(const std::int64_t from, number_of(request, "from_ms", 0));
  TRY(const std::int64_t to, number_of(request, "to_ms", INT64_MAX));
  TRY(const auto found, services.monitor.performance(request.context, name_of(request), from, to));
  return json::Value::object(
      {{"rows", found.rows}, {"labels", found.labels}, {"metrics", json::to_value(found.metrics)}});
}

}  // namespace

void add_monitor_routes(http::Router& router, const Services& services) {
  router.add("POST", "/api/v1/endpoints/{name}/settle",
             answering([services](http::Request& request) { return settle(services, request); }));
  router.add(
      "POST", "/api/v1/endpoints/{name}/windows/close",
      answering([services](http::Request& request) { return close_windows(services, request); }));
  router.add("GET", "/api/v1/endpoints/{name}/windows",
             answering([services](http::Request& request) { return windows(services, request); }));
  router.add(
      "GET", "/api/v1/endpoints/{name}/performance",
      answering([services](http::Request& request) { return performance(services, request); }));
  router.add("GET", "/api/v1/alerts",
             answering([services](http::Request& request) { return alerts(services, request); }));
}

}  // namespace ciclo::api::native
