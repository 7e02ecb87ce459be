// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/router.h"
#include "serve/endpoints.h"

// Predictions in the words of MLflow's scoring server and SageMaker's containers and runtime:
//
//   POST /endpoints/{endpoint}/invocations   always
//   POST /invocations                        while there is exactly one endpoint
//   GET  /ping                               200 once endpoints serve, 404 while there is none
//
// The answer names the version in x-ciclo-model-version and the inference in x-ciclo-inference-id;
// rows of a request with several are ID-0, ID-1, …. The caller may give the id in
// x-ciclo-inference-id or X-Amzn-SageMaker-Inference-Id, and the event time in
// x-ciclo-event-time-ms; what "params" says goes before. `Accept: text/csv` gives lines. Errors are
// {"error_code", "message"}.

namespace ciclo::api::invocations {

// The endpoints must outlive the router.
void add_routes(http::Router& router, serve::Endpoints& endpoints);

}  // namespace ciclo::api::invocations
