// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "api/mlflow/input.h"
#include "api/mlflow/routes.h"
#include "base/context.h"
#include "base/result.h"
#include "http/message.h"
#include "http/router.h"

// How calls are answered: one table from our error codes to MLflow's, and the shape of a plain
// call.

namespace ciclo::api::mlflow {

// {"error_code": …, "message": …} with MLflow's code and status.
http::Response error_response(const Error& error);
// The same for what the server itself refuses (404, 405, 413, …).
http::Response error_response(int status, std::string_view message);
// For a body that cannot be read: BAD_REQUEST, where error_response says INVALID_PARAMETER_VALUE.
http::Response malformed_response(const Error& error);

// Takes the input of a call and returns the JSON text of its answer.
using Call = std::function<Result<std::string>(const Context&, const Input&)>;

// Adds the call under /api and /ajax-api; `path` begins with "/2.0/" or "/3.0/".
void add_call(http::Router& router, std::string_view method, std::string_view path, Call call);
// The same for a handler that answers by itself.
void add_handler(http::Router& router, std::string_view method, std::string_view path,
                 http::Handler handler, http::RouteOptions options = {});

// The parts of the protocol, one file each.
void add_experiment_routes(http::Router& router, const Services& services);
void add_run_routes(http::Router& router, const Services& services);
void add_metric_routes(http::Router& router, const Services& services);
void add_logged_model_routes(http::Router& router, const Services& services);
void add_trace_routes(http::Router& router, const Services& services);
void add_otlp_routes(http::Router& router, const Services& services);
void add_registry_routes(http::Router& router, const Services& services);
void add_webhook_routes(http::Router& router, const Services& services);
void add_artifact_routes(http::Router& router, const Services& services);

}  // namespace ciclo::api::mlflow
