// SPDX-License-Identifier: Apache-2.0
#include "api/mlflow/routes.h"

#include <string_view>

#include "api/mlflow/answer.h"

namespace ciclo::api::mlflow {

namespace {

// What clients ask before they use newer calls, such as sending spans one by one.
constexpr std::string_view kVersionSpoken = "3.17.2";

// The client reads here how it may move artifacts; ours go through the proxy, whole.
constexpr std::string_view kServerInfo =
    R"({"store_type":"SqlStore","workspaces_enabled":false,"trace_archival_enabled":false,)"
    R"("multipart_uploads_enabled":false,"multipart_downloads_enabled":false,)"
    R"("presigned_upload_run_id_supported":false,"presigned_upload_model_id_supported":false,)"
    R"("features_enabled":{"gateway":false}})";

}  // namespace

void add_routes(http::Router& router, const Services& services) {
  add_experiment_routes(router, services);
  add_run_routes(router, services);
  add_metric_routes(router, services);
  add_logged_model_routes(router, services);
  add_trace_routes(router, services);
  add_otlp_routes(router, services);
  add_registry_routes(router, services);
  add_webhook_routes(router, services);
  add_artifact_routes(router, services);
  add_handler(router, "GET", "/3.0/mlflow/server-info", [](http::Request&, http::Reply reply) {
    reply.send(http::Response::json(std::string(kServerInfo)));
  });
  router.add("GET", "/version", [](http::Request&, http::Reply reply) {
    reply.send(http::Response::text(std::string(kVersionSpoken)));
  });
  for (const std::string_view prefix :
       {"/api/2.0/mlflow", "/ajax-api/2.0/mlflow", "/api/3.0/mlflow", "/ajax-api/3.0/mlflow"}) {
    router.set_error_shape(prefix, [](const http::Request&, int status, std::string_view message) {
      return error_response(status, message);
    });
  }
}

}  // namespace ciclo::api::mlflow
