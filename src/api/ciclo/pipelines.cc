// SPDX-License-Identifier: Apache-2.0
#include <optional>

#include "api/ciclo/answer.h"
#include "api/ciclo/routes.h"
#include "base/hash.h"
#include "base/text.h"

namespace ciclo::api::native {
namespace {

using pipeline::PipelineRunId;

PipelineRunId run_id_of(const http::Request& request) {
  return PipelineRunId(std::string(request.path_value("id")));
}

Result<json::Value> list(const Services& services, http::Request& request) {
  pipeline::PipelineRunFilter filter;
  filter.pipeline = request.query_value("pipeline");
  if (const std::string_view state = request.query_value("state"); !state.empty()) {
    filter.state = pipeline::parse_state(state);
    if (!filter.state) {
      return invalid_argument(
          "state must be pending, running, succeeded, failed or cancelled, got " +
          ciclo::quoted(state));
    }
  }
  TRY(const int limit, limit_of(request));
  TRY(auto page,
      services.pipelines.list(request.context, filter, limit, request.query_value("page")));
  json::Value::Array items;
  for (const auto& run : page.runs) items.push_back(json::to_value(run));
  return page_of(std::move(items), page.next_page);
}

// The log of the step's last attempt.
void log(const Services& services, http::Request& request, http::Reply reply) {
  const auto read = [&]() -> Result<std::string> {
    TRY(const auto run, services.pipelines.get(request.context, run_id_of(request)));
    for (const auto& step : run.steps) {
      if (step.name != request.path_value("step")) continue;
      if (step.execution_id.empty()) return std::string();
      TRY(const std::int64_t offset, number_of(request, "offset", 0));
      return services.pipelines.log(request.context, pipeline::ExecutionId(step.execution_id),
                                    static_cast<std::uint64_t>(std::max<std::int64_t>(0, offset)));
    }
    return not_found("the run has no step " + ciclo::quoted(request.path_value("step")));
  };
  auto text = read();
  reply.send(text.ok() ? http::Response::text(std::move(text).value())
                       : error_response(text.error()));
}

// The run as an event, whenever it has changed, until it has ended. The cursor is its hash.
Result<http::LiveStreams::News> news_of(pipeline::Pipelines& pipelines, const Context& context,
                                        const PipelineRunId& id, const std::string& cursor) {
  TRY(const auto run, pipelines.get(context, id));
  const std::string text = json::dump(json::to_value(run));
  http::LiveStreams::News news;
  news.cursor = hash_bytes(text);
  news.is_over = pipeline::is_final(run.state);
  if (news.cursor != cursor) news.events = http::event_text("pipeline_run", "", text);
  return news;
}

void events(const Services& services, http::Request& request, http::Reply reply) {
  // Not the request's own context: all who watch the run share what is looked up.
  Context context;
  context.workspace = request.context.workspace;
  context.caller = request.context.caller;
  const PipelineRunId id = run_id_of(request);
  const auto followed = services.live.follow(
      reply, context.workspace + "/pipeline-runs/" + id.str(),
      [&pipelines = services.pipelines, context, id](const std::string& cursor) {
        return news_of(pipelines, context, id, cursor);
      });
  if (!followed.ok()) reply.send(error_response(followed.error()));
}

}  // namespace

void add_pipeline_routes(http::Router& router, const Services& services) {
  router.add("GET", "/api/v1/pipeline-runs",
             answering([services](http::Request& request) { return list(services, request); }));
  router.add("GET", "/api/v1/pipeline-runs/{id}",
             answering([services](http::Request& request) -> Result<json::Value> {
               TRY(const auto run, services.pipelines.get(request.context, run_id_of(request)));
               return json::to_value(run);
             }));
  router.add("POST", "/api/v1/pipeline-runs/{id}/cancel",
             answering([services](http::Request& request) -> Result<json::Value> {
               TRY(services.pipelines.cancel(request.context, run_id_of(request)));
               return json::Value::object();
             }));
  router.add("POST", "/api/v1/pipeline-runs/{id}/retry",
             answering([services](http::Request& request) -> Result<json::Value> {
               TRY(services.pipelines.retry(request.context, run_id_of(request)));
               return json::Value::object();
             }));
  router.add("GET", "/api/v1/pipeline-runs/{id}/steps/{step}/log",
             [services](http::Request& request, http::Reply reply) {
               log(services, request, std::move(reply));
             });
  router.add("GET", "/api/v1/pipeline-runs/{id}/events",
             [services](http::Request& request, http::Reply reply) {
               events(services, request, std::move(reply));
             });
}

}  // namespace ciclo::api::native
