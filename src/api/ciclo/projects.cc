// SPDX-License-Identifier: Apache-2.0
#include "api/ciclo/answer.h"
#include "api/ciclo/routes.h"
#include "steps/project.h"

namespace ciclo::api::native {
namespace {

json::Value summary(const steps::ProjectView& view) {
  return json::Value::object({{"name", view.name},
                              {"project", view.submission.project},
                              {"retrained_until_ms", view.retrained_until_ms},
                              {"created_ms", view.created_ms},
                              {"updated_ms", view.updated_ms}});
}

Result<json::Value> submit(const Services& services, http::Request& request) {
  TRY(const auto submission, read_body<steps::Submission>(request));
  TRY(const auto submitted,
      services.projects.submit(request.context, submission, services.triggers));
  json::Value superseded = json::Value::array();
  for (const auto& run : submitted.superseded) superseded.push_back(run.str());
  return json::Value::object({{"pipeline_run_id", submitted.pipeline_run_id.str()},
                              {"joined", submitted.joined},
                              {"superseded", std::move(superseded)}});
}

Result<json::Value> plan(const Services& services, http::Request& request) {
  TRY(const auto submission, read_body<steps::Submission>(request));
  TRY(const auto steps, services.projects.plan(request.context, submission));
  return json::Value::object({{"steps", json::to_value(steps)}});
}

struct RetrainBody {
  std::int64_t until_ms = 0;
  template <class V>
  void fields(V& v) {
    v("until_ms", until_ms);
  }
};

Result<json::Value> retrain(const Services& services, http::Request& request) {
  TRY(const auto body, read_body<RetrainBody>(request));
  TRY(const auto run,
      services.projects.retrain(request.context, request.path_value("name"), body.until_ms));
  return json::Value::object({{"pipeline_run_id", run.str()}});
}

}  // namespace

void add_project_routes(http::Router& router, const Services& services) {
  router.add("POST", "/api/v1/projects/runs",
             answering([services](http::Request& request) { return submit(services, request); }));
  router.add("POST", "/api/v1/projects/plan",
             answering([services](http::Request& request) { return plan(services, request); }));
  router.add("POST", "/api/v1/projects/{name}/retrain",
             answering([services](http::Request& request) { return retrain(services, request); }));
  router.add("GET", "/api/v1/projects",
             answering([services](http::Request& request) -> Result<json::Value> {
               TRY(const auto all, services.projects.list(request.context));
               json::Value::Array items;
               for (const auto& view : all) items.push_back(summary(view));
               return page_of(std::move(items), "");
             }));
  router.add("GET", "/api/v1/projects/{name}",
             answering([services](http::Request& request) -> Result<json::Value> {
               TRY(const auto view,
                   services.projects.get(request.context, request.path_value("name")));
               return summary(view);
             }));
  router.add("GET", "/api/v1/triggers",
             answering([services](http::Request& request) -> Result<json::Value> {
               TRY(const auto all, services.triggers.list(request.context));
               json::Value::Array items;
               for (const auto& view : all) {
                 json::Value item = json::to_value(view.spec);
                 item["runs"] = view.runs;
                 item["passed"] = view.passed;
                 item["last_run_ms"] =
                     view.last_run_ms ? json::Value(*view.last_run_ms) : json::Value();
                 item["last_pipeline_run_id"] = view.last_pipeline_run_id;
                 item["last_error"] = view.last_error;
                 items.push_back(std::move(item));
               }
               return page_of(std::move(items), "");
             }));
}

}  // namespace ciclo::api::native
