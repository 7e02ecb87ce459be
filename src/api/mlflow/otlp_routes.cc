// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/mlflow/answer.h"
#include "api/mlflow/otlp.h"
#include "base/log.h"
#include "base/text.h"

// POST /v1/traces: what OpenTelemetry's exporters, and clients of MLflow since 3.4, send spans to.

namespace ciclo::api::mlflow {

namespace {

constexpr std::string_view kProtobufType = "application/x-protobuf";
constexpr std::string_view kJsonType = "application/json";
constexpr std::size_t kLinksAtOnce = 100;

std::optional<OtlpEncoding> encoding_of(const http::Request& request) {
  const std::string_view given = request.headers.get("Content-Type");
  const std::string type = to_lower_ascii(trim(given.substr(0, given.find(';'))));
  if (type == kProtobufType) return OtlpEncoding::kProtobuf;
  if (type == kJsonType) return OtlpEncoding::kJson;
  return std::nullopt;
}

http::Response answer_of(std::string body, OtlpEncoding encoding, int status) {
  http::Response response;
  response.status = status;
  response.headers.set("Content-Type",
                       std::string(encoding == OtlpEncoding::kJson ? kJsonType : kProtobufType));
  response.body = std::move(body);
  return response;
}

// Status codes as google.rpc.Code numbers them.
int rpc_code(Code code) {
  switch (code) {
    case Code::kCancelled: return 1;
    case Code::kInvalidArgument: return 3;
    case Code::kDeadlineExceeded: return 4;
    case Code::kNotFound: return 5;
    case Code::kAlreadyExists: return 6;
    case Code::kPermissionDenied: return 7;
    case Code::kResourceExhausted: return 8;
    case Code::kFailedPrecondition: return 9;
    case Code::kConflict: return 10;
    case Code::kUnimplemented: return 12;
    case Code::kInternal: return 13;
    case Code::kUnavailable: return 14;
    case Code::kDataLoss: return 15;
    case Code::kUnauthenticated: return 16;
  }
  return 2;
}

http::Response refusal(const Error& error, OtlpEncoding encoding) {
  const http::Response known = error_response(error);
  const auto words = json::parse(known.body);
  const std::string error_code = words.ok() ? words->string_or("error_code", "") : "";
  return answer_of(otlp_error(rpc_code(error.code), error_code, error.message, encoding), encoding,
                   known.status);
}

// A request that is too large stays so: exporters that see 429, as for a queue that is full, send
// it again.
Result<OtlpRequest> parsed(std::string_view body, OtlpEncoding encoding) {
  auto spans = parse_otlp(body, encoding);
  if (spans.ok() || spans.error().code != Code::kResourceExhausted) return spans;
  return invalid_argument(spans.error().message);
}

// Ids of the traces whose root span has come.
std::vector<std::string> begun_traces(const OtlpRequest& request) {
  std::vector<std::string> ids;
  for (const auto& batch : request.batches) {
    for (const auto& span : batch.spans) {
      if (span.parent_span_id.empty()) ids.push_back("tr-" + span.trace_id);
    }
  }
  return ids;
}

// The spans are kept whatever comes of the link.
void link_to_run(tracking::Traces& traces, const http::Request& request, const OtlpRequest& spans) {
  const tracking::RunId run(std::string(request.headers.get("x-mlflow-run-id")));
  if (run.empty()) return;
  const auto ids = begun_traces(spans);
  for (std::size_t start = 0; start < ids.size(); start += kLinksAtOnce) {
    const auto some = std::span(ids).subspan(start, std::min(kLinksAtOnce, ids.size() - start));
    const auto linked = traces.link_to_run(request.context, some, run);
    if (!linked.ok()) {
      log::warn("traces were not linked to their run",
                {{"run_id", run.str()}, {"error", linked.error().message}});
      return;
    }
  }
}

Result<OtlpRequest> take(tracking::Traces& traces, http::Request& request, OtlpEncoding encoding) {
  const std::string experiment(request.headers.get("x-mlflow-experiment-id"));
  if (experiment.empty()) {
    return invalid_argument(
        "the header x-mlflow-experiment-id is missing: it names the experiment "
        "that takes the spans");
  }
  TRY(const std::string_view body, request.body->all());
  TRY(auto spans, parsed(body, encoding));
  if (!spans.has_resources) return invalid_argument("the request holds no resource_spans");
  TRY(traces.log_spans(request.context, tracking::ExperimentId(experiment), spans.batches));
  link_to_run(traces, request, spans);
  return spans;
}

}  // namespace

void add_otlp_routes(http::Router& router, const Services& services) {
  router.add("POST", "/v1/traces",
             [&traces = services.traces](http::Request& request, http::Reply reply) {
               const auto encoding = encoding_of(request);
               if (!encoding) {
                 return reply.send(
                     refusal(invalid_argument("Content-Type: expected application/x-protobuf or "
                                              "application/json, got " +
                                              quoted(request.headers.get("Content-Type"))),
                             OtlpEncoding::kJson));
               }
               const auto taken = take(traces, request, *encoding);
               reply.send(taken.ok() ? answer_of(otlp_response(*taken, *encoding), *encoding, 200)
                                     : refusal(taken.error(), *encoding));
             });
}

}  // namespace ciclo::api::mlflow
