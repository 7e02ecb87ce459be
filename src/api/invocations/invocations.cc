// SPDX-License-Identifier: Apache-2.0
#include "api/invocations/invocations.h"

#include <string>
#include <string_view>
#include <utility>

#include "api/invocations/body.h"
#include "base/json.h"
#include "base/text.h"

namespace ciclo::api::invocations {
namespace {

// MLflow's word for an error, and the status that goes with it.
struct Word {
  std::string_view error_code;
  int status;
};

Word word_of(Code code) {
  switch (code) {
    case Code::kInvalidArgument: return {"BAD_REQUEST", 400};
    case Code::kFailedPrecondition: return {"INVALID_STATE", 400};
    case Code::kNotFound: return {"RESOURCE_DOES_NOT_EXIST", 404};
    case Code::kUnimplemented: return {"BAD_REQUEST", 415};
    case Code::kPermissionDenied: return {"PERMISSION_DENIED", 403};
    case Code::kUnauthenticated: return {"UNAUTHENTICATED", 401};
    case Code::kResourceExhausted: return {"RESOURCE_EXHAUSTED", 429};
    case Code::kUnavailable: return {"TEMPORARILY_UNAVAILABLE", 503};
    case Code::kDeadlineExceeded: return {"DEADLINE_EXCEEDED", 504};
    default: return {"INTERNAL_ERROR", 500};
  }
}

http::Response error_response(const Error& error) {
  const Word word = word_of(error.code);
  std::string body;
  json::Writer writer(body);
  writer.begin_object();
  writer.key("error_code").string(word.error_code);
  writer.key("message").string(error.message);
  writer.end_object();
  return http::Response::json(std::move(body), word.status);
}

// What the headers say of the inference, where the body says nothing.
Result<void> add_header_options(const http::Headers& headers, serve::PredictOptions& options) {
  if (options.inference_ids.empty()) {
    for (const std::string_view name : {"x-ciclo-inference-id", "X-Amzn-SageMaker-Inference-Id"}) {
      const std::string_view id = headers.get(name);
      if (id.empty()) continue;
      options.inference_ids.emplace_back(id);
      break;
    }
  }
  const std::string_view time = headers.get("x-ciclo-event-time-ms");
  if (options.event_times_ms.empty() && !time.empty()) {
    const auto time_ms = parse_int(time);
    if (!time_ms) {
      return invalid_argument("header x-ciclo-event-time-ms: must be an integer, got " +
                              quoted(time));
    }
    options.event_times_ms.push_back(*time_ms);
  }
  return {};
}

bool wants_csv(const http::Headers& headers) {
  return to_lower_ascii(headers.get("Accept")).starts_with("text/csv");
}

Result<http::Response> invoke(serve::Endpoints& endpoints, std::string_view name,
                              http::Request& request) {
  TRY(const auto serving, endpoints.serving(name));
  TRY(const auto body, request.body->all());
  TRY(auto parsed,
      parse_body(request.headers.get("Content-Type"), body, serving->loaded->signature()));
  TRY(add_header_options(request.headers, parsed.options));
  TRY(const auto prediction,
      endpoints.predict(request.context, serving, std::move(parsed.rows), parsed.options));
  http::Response response;
  if (wants_csv(request.headers)) {
    response.body = write_csv(prediction.outputs);
    response.headers.set("Content-Type", "text/csv; charset=utf-8");
  } else {
    response = http::Response::json(write_json(prediction.outputs));
  }
  response.headers.set("x-ciclo-model-version", prediction.version);
  if (!prediction.inference_id.empty()) {
    response.headers.set("x-ciclo-inference-id", http::percent_encode(prediction.inference_id));
  }
  return response;
}

Result<std::string> only_endpoint(const serve::Endpoints& endpoints) {
  auto names = endpoints.names();
  if (names.size() == 1) return std::move(names.front());
  if (names.empty()) return not_found("there is no endpoint yet");
  return not_found("there are " + std::to_string(names.size()) +
                   " endpoints; call /endpoints/NAME/invocations, NAME being one of " +
                   join(names, ", "));
}

void answer(http::Reply& reply, Result<http::Response> response) {
  reply.send(response.ok() ? std::move(*response) : error_response(response.error()));
}

}  // namespace

void add_routes(http::Router& router, serve::Endpoints& endpoints) {
  router.add("POST", "/endpoints/{endpoint}/invocations",
             [&endpoints](http::Request& request, http::Reply reply) {
               answer(reply, invoke(endpoints, request.path_value("endpoint"), request));
             });
  router.add("POST", "/invocations", [&endpoints](http::Request& request, http::Reply reply) {
    const auto name = only_endpoint(endpoints);
    answer(reply,
           name.ok() ? invoke(endpoints, *name, request) : Result<http::Response>(name.error()));
  });
  router.add("GET", "/ping",
             [&endpoints](http::Request&, http::Reply reply) {
               const bool is_up = endpoints.is_ready() && !endpoints.names().empty();
               reply.send(http::Response::text("\n", is_up ? 200 : 404));
             },
             {.run_on = http::RunOn::kLoop});
}

}  // namespace ciclo::api::invocations
