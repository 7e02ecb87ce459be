// SPDX-License-Identifier: Apache-2.0
#include "api/oip/oip.h"

#include <memory>
#include <string_view>
#include <utility>

#include "api/oip/infer.h"
#include "base/json.h"
#include "base/text.h"

namespace ciclo::api::oip {
namespace {

using Serving = std::shared_ptr<const serve::ServingVersion>;

constexpr http::RouteOptions kOnLoop{.run_on = http::RunOn::kLoop};
// A tree library takes 100 to 200 µs for one row, more than an event loop may be held; so
// predictions run on workers. See bench/serve_bench.cc.
constexpr http::RouteOptions kOnWorker{.run_on = http::RunOn::kWorker};

int status_of(Code code) {
  switch (code) {
    case Code::kInvalidArgument: return 400;
    case Code::kNotFound: return 404;
    case Code::kPermissionDenied: return 403;
    case Code::kUnauthenticated: return 401;
    case Code::kResourceExhausted: return 429;
    case Code::kUnavailable: return 503;
    case Code::kDeadlineExceeded: return 504;
    case Code::kUnimplemented: return 501;
    default: return 500;
  }
}

http::Response error_response(const Error& error) {
  std::string body;
  json::Writer(body).begin_object().key("error").string(error.message).end_object();
  return http::Response::json(std::move(body), status_of(error.code));
}

// The version that serves under the path's model, and is the path's version where that names one.
Result<Serving> find_serving(serve::Endpoints& endpoints, const http::Request& request) {
  TRY(auto serving, endpoints.serving(request.path_value("model")));
  const std::string_view version = request.path_value("version");
  if (!version.empty() && version != serving->version) {
    return not_found("endpoint " + quoted(serving->endpoint) + " serves version " +
                     serving->version + ", not " + quoted(version));
  }
  return serving;
}

Result<http::Response> infer(serve::Endpoints& endpoints, http::Request& request) {
  TRY(const auto serving, find_serving(endpoints, request));
  if (!request.headers.get("Inference-Header-Content-Length").empty()) {
    return invalid_argument("binary tensors are not supported; send the tensors' data as JSON");
  }
  TRY(const auto body, request.body->all());
  TRY(auto parsed, parse_infer(body, serving->loaded->signature()));
  TRY(const auto prediction,
      endpoints.predict(request.context, serving, std::move(parsed.rows), parsed.options));
  return http::Response::json(write_infer(parsed, prediction));
}

Result<http::Response> describe(serve::Endpoints& endpoints, http::Request& request) {
  TRY(const auto serving, find_serving(endpoints, request));
  return http::Response::json(write_metadata(*serving));
}

Result<http::Response> tell_ready(serve::Endpoints& endpoints, http::Request& request) {
  TRY(const auto serving, find_serving(endpoints, request));
  std::string body;
  json::Writer writer(body);
  writer.begin_object()
      .key("name")
      .string(serving->endpoint)
      .key("ready")
      .boolean(true)
      .end_object();
  return http::Response::json(std::move(body));
}

using Call = Result<http::Response> (*)(serve::Endpoints&, http::Request&);

void add(http::Router& router, serve::Endpoints& endpoints, std::string_view method,
         std::string_view path, Call call, const http::RouteOptions& options) {
  router.add(
      method, path,
      [&endpoints, call](http::Request& request, http::Reply reply) {
        auto response = call(endpoints, request);
        reply.send(response.ok() ? std::move(*response) : error_response(response.error()));
      },
      options);
}

}  // namespace

void add_routes(http::Router& router, serve::Endpoints& endpoints,
                const std::string& program_version) {
  std::string about;
  json::Writer(about)
      .begin_object()
      .key("name")
      .string("ciclo")
      .key("version")
      .string(program_version)
      .key("extensions")
      .begin_array()
      .end_array()
      .end_object();
  router.add(
      "GET", "/v2",
      [about](http::Request&, http::Reply reply) { reply.send(http::Response::json(about)); },
      kOnLoop);
  router.add(
      "GET", "/v2/health/live",
      [](http::Request&, http::Reply reply) {
        reply.send(http::Response::json(R"({"live":true})"));
      },
      kOnLoop);
  router.add(
      "GET", "/v2/health/ready",
      [&endpoints](http::Request&, http::Reply reply) {
        const bool is_ready = endpoints.is_ready();
        reply.send(http::Response::json(is_ready ? R"({"ready":true})" : R"({"ready":false})",
                                        is_ready ? 200 : 503));
      },
      kOnLoop);
  for (const std::string model : {"/v2/models/{model}", "/v2/models/{model}/versions/{version}"}) {
    add(router, endpoints, "GET", model, describe, kOnLoop);
    add(router, endpoints, "GET", model + "/ready", tell_ready, kOnLoop);
    add(router, endpoints, "POST", model + "/infer", infer, kOnWorker);
  }
}

}  // namespace ciclo::api::oip
