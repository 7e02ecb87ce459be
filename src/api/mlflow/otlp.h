// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tracking/trace_types.h"

// OpenTelemetry's ExportTraceServiceRequest and -Response (OTLP 1.x over HTTP), as protobuf and as
// JSON. Reads only what MLflow keeps of a span; of the wire format, what these messages need.
//
// invalid_argument for a request that cannot be read, resource_exhausted for one that holds more
// than a million values or nests values more than 100 deep. A span without proper ids or times is
// left out and counted; a time that is missing is 0.

namespace ciclo::api::mlflow {

struct OtlpRequest {
  std::vector<tracking::SpanBatch> batches;  // one for each resource that has spans
  bool has_resources = false;                // whether there was any, with spans or without
  std::int64_t rejected = 0;                 // spans left out
  std::string reason;                        // of the first of them
};

enum class OtlpEncoding { kProtobuf, kJson };

Result<OtlpRequest> parse_otlp(std::string_view body, OtlpEncoding encoding);

// The answer to a request that was taken, and google.rpc.Status for one that was not. The JSON of
// an error is MLflow's too: "error_code" besides "code" and "message".
std::string otlp_response(const OtlpRequest& request, OtlpEncoding encoding);
std::string otlp_error(int code, std::string_view error_code, std::string_view message,
                       OtlpEncoding encoding);

}  // namespace ciclo::api::mlflow
