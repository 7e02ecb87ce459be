// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "api/ciclo/answer.h"
#include "api/ciclo/routes.h"
#include "base/hash.h"
#include "base/json.h"

namespace ciclo::api::native {

namespace {

using tracking::RunId;
using tracking::RunStatus;

bool is_final(RunStatus status) {
  return status != RunStatus::kRunning && status != RunStatus::kScheduled;
}

json::Value state_of(const tracking::Run& run) {
  json::Value metrics = json::Value::array();
  for (const auto& metric : run.metrics) {
    // JSON has no NaN; here, as in MLflow's answers, it is a text.
    json::Value value =
        metric.value != metric.value ? json::Value("NaN") : json::Value(metric.value);
    metrics.push_back(json::Value::object({{"key", metric.key},
                                           {"value", std::move(value)},
                                           {"step", metric.step},
                                           {"timestamp_ms", metric.timestamp_ms}}));
  }
  return json::Value::object({{"run_id", run.info.run_id.str()},
                              {"status", name_of(run.info.status)},
                              {"metrics", std::move(metrics)}});
}

// The latest point of each metric, whenever one of them has changed, until the run has ended. The
// cursor is the hash of that state.
Result<http::LiveStreams::News> news_of(tracking::Tracking& tracking, const Context& context,
                                        const RunId& id, const std::string& cursor) {
  TRY(const auto run, tracking.run(context, id));
  const std::string text = json::dump(state_of(run));
  http::LiveStreams::News news;
  news.cursor = hash_bytes(text);
  news.is_over = is_final(run.info.status);
  if (news.cursor != cursor) news.events = http::event_text("metrics", "", text);
  return news;
}

void watch_metrics(const Services& services, http::Request& request, http::Reply reply) {
  // Not the request's own context: all who watch the run share what is looked up.
  Context context;
  context.workspace = request.context.workspace;
  context.caller = request.context.caller;
  const RunId id(std::string(request.path_value("run_id")));
  const auto followed =
      services.live.follow(reply, context.workspace + "/runs/" + id.str(),
                           [&tracking = services.tracking, context, id](const std::string& cursor) {
                             return news_of(tracking, context, id, cursor);
                           });
  if (!followed.ok()) reply.send(error_response(followed.error()));
}

}  // namespace

void add_run_routes(http::Router& router, const Services& services) {
  router.add("GET", "/api/v1/runs/{run_id}/metrics/events",
             [services](http::Request& request, http::Reply reply) {
               watch_metrics(services, request, std::move(reply));
             });
}

}  // namespace ciclo::api::native
