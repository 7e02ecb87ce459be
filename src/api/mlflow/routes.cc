// SPDX-License-Identifier: Apache-2.0
#include "api/mlflow/routes.h"

#include <string>
#include <string_view>

#include "api/mlflow/answer.h"
#include "api/mlflow/messages.h"
#include "tracking/transfers.h"

namespace ciclo::api::mlflow {

namespace {

// What clients ask before they use newer calls, such as sending spans one by one.
constexpr std::string_view kVersionSpoken = "3.17.2";

// The client reads here how it may move artifacts: whole and through the proxy, or also in parts
// and past it.
std::string server_info(bool has_direct_transfers) {
  return object([&](json::Writer& out) {
    out.key("store_type").string("SqlStore");
    out.key("workspaces_enabled").boolean(false);
    out.key("trace_archival_enabled").boolean(false);
    out.key("multipart_uploads_enabled").boolean(has_direct_transfers);
    out.key("multipart_downloads_enabled").boolean(has_direct_transfers);
    out.key("presigned_upload_run_id_supported").boolean(false);
    out.key("presigned_upload_model_id_supported").boolean(false);
    out.key("features_enabled").begin_object();
    out.key("gateway").boolean(false);
    out.end_object();
  });
}

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
  router.add("GET", "/version", [](http::Request&, http::Reply reply) {
    reply.send(http::Response::text(std::string(kVersionSpoken)));
  });
  add_handler(
      router, "GET", "/3.0/mlflow/server-info",
      [info = server_info(tracking::Transfers(services.artifacts, services.blobs).are_possible())](
          http::Request&, http::Reply reply) { reply.send(http::Response::json(info)); });
  for (const std::string_view prefix :
       {"/api/2.0/mlflow", "/ajax-api/2.0/mlflow", "/api/3.0/mlflow", "/ajax-api/3.0/mlflow"}) {
    router.set_error_shape(prefix, [](const http::Request&, int status, std::string_view message) {
      return error_response(status, message);
    });
  }
}

}  // namespace ciclo::api::mlflow
