// SPDX-License-Identifier: Apache-2.0
#include "api/ciclo/routes.h"

#include "api/ciclo/answer.h"

namespace ciclo::api::native {
namespace {

Code code_of(int status) {
  switch (status) {
    case 403: return Code::kPermissionDenied;
    case 404: return Code::kNotFound;
    case 413:
    case 429: return Code::kResourceExhausted;
    case 503: return Code::kUnavailable;
    default: return status < 500 ? Code::kInvalidArgument : Code::kInternal;
  }
}

}  // namespace

void add_routes(http::Router& router, const Services& services) {
  router.set_error_shape("/api/v1", [](const http::Request&, int status, std::string_view message) {
    http::Response response = error_response({code_of(status), std::string(message)});
    response.status = status;
    return response;
  });
  add_status_routes(router, services);
  add_blob_routes(router, services);
  add_project_routes(router, services);
  add_pipeline_routes(router, services);
  add_data_routes(router, services);
  add_endpoint_routes(router, services);
  add_monitor_routes(router, services);
  add_event_routes(router, services);
  add_webhook_routes(router, services);
  add_lineage_routes(router, services);
  add_run_routes(router, services);
  add_comment_routes(router, services);
  add_model_routes(router, services);
  add_gc_routes(router, services);
}

}  // namespace ciclo::api::native
