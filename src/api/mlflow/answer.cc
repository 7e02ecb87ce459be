// SPDX-License-Identifier: Apache-2.0
#include "api/mlflow/answer.h"

#include <array>
#include <utility>

#include "base/json.h"

namespace ciclo::api::mlflow {

namespace {

struct Word {
  Code code;
  std::string_view error_code;
  int status;
};

// A state that does not allow the request is a wrong request in MLflow's eyes.
constexpr std::array<Word, 14> kWords = {{
    {Code::kInvalidArgument, "INVALID_PARAMETER_VALUE", 400},
    {Code::kNotFound, "RESOURCE_DOES_NOT_EXIST", 404},
    {Code::kAlreadyExists, "RESOURCE_ALREADY_EXISTS", 400},
    {Code::kConflict, "RESOURCE_CONFLICT", 409},
    {Code::kFailedPrecondition, "INVALID_PARAMETER_VALUE", 400},
    {Code::kPermissionDenied, "PERMISSION_DENIED", 403},
    {Code::kUnauthenticated, "UNAUTHENTICATED", 401},
    {Code::kResourceExhausted, "RESOURCE_EXHAUSTED", 429},
    {Code::kUnavailable, "TEMPORARILY_UNAVAILABLE", 503},
    {Code::kDeadlineExceeded, "DEADLINE_EXCEEDED", 504},
    {Code::kCancelled, "CANCELLED", 499},
    {Code::kUnimplemented, "NOT_IMPLEMENTED", 501},
    {Code::kDataLoss, "DATA_LOSS", 500},
    {Code::kInternal, "INTERNAL_ERROR", 500},
}};

std::string_view error_code_of_status(int status) {
  switch (status) {
    case 403: return "PERMISSION_DENIED";
    case 404: return "ENDPOINT_NOT_FOUND";
    case 429: return "REQUEST_LIMIT_EXCEEDED";
    case 503: return "TEMPORARILY_UNAVAILABLE";
    default: return status < 500 ? "BAD_REQUEST" : "INTERNAL_ERROR";
  }
}

http::Response response_of(std::string_view error_code, std::string_view message, int status) {
  std::string body;
  json::Writer(body)
      .begin_object()
      .key("error_code")
      .string(error_code)
      .key("message")
      .string(message)
      .end_object();
  return http::Response::json(std::move(body), status);
}

}  // namespace

http::Response error_response(const Error& error) {
  for (const auto& word : kWords) {
    if (word.code == error.code) return response_of(word.error_code, error.message, word.status);
  }
  return response_of("INTERNAL_ERROR", error.message, 500);
}

http::Response error_response(int status, std::string_view message) {
  return response_of(error_code_of_status(status), message, status);
}

http::Response malformed_response(const Error& error) {
  return error.code == Code::kInvalidArgument ? error_response(400, error.message)
                                              : error_response(error);
}

void add_call(http::Router& router, std::string_view method, std::string_view path, Call call) {
  add_handler(router, method, path,
              [call = std::move(call)](http::Request& request, http::Reply reply) {
                const auto input = Input::of(request);
                if (!input.ok()) return reply.send(malformed_response(input.error()));
                auto answer = call(request.context, *input);
                reply.send(answer.ok() ? http::Response::json(std::move(answer).value())
                                       : error_response(answer.error()));
              });
}

void add_handler(http::Router& router, std::string_view method, std::string_view path,
                 http::Handler handler, http::RouteOptions options) {
  router.add(method, "/api" + std::string(path), handler, options);
  router.add(method, "/ajax-api" + std::string(path), std::move(handler), options);
}

}  // namespace ciclo::api::mlflow
