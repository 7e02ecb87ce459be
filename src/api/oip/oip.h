// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "http/router.h"
#include "serve/endpoints.h"

// The Open Inference Protocol, version 2, REST (KServe, Triton, MLServer clients) over endpoints:
// the protocol's model is an endpoint, its version the registry version that serves.
//
//   GET  /v2, /v2/health/live, /v2/health/ready
//   GET  /v2/models/{model}[/versions/{version}], …/ready
//   POST /v2/models/{model}[/versions/{version}]/infer
//
// Errors are {"error": text}: 400 malformed, 404 unknown model or version, 503 not loaded yet.

namespace ciclo::api::oip {

// The endpoints must outlive the router. `program_version` is told by GET /v2.
void add_routes(http::Router& router, serve::Endpoints& endpoints,
                const std::string& program_version);

}  // namespace ciclo::api::oip
