// SPDX-License-Identifier: Apache-2.0
#include "api/ciclo/answer.h"

#include "base/text.h"

namespace ciclo::api::native {
namespace {

int status_of(Code code) {
  switch (code) {
    case Code::kInvalidArgument: return 400;
    case Code::kUnauthenticated: return 401;
    case Code::kPermissionDenied: return 403;
    case Code::kNotFound: return 404;
    case Code::kAlreadyExists:
    case Code::kConflict:
    case Code::kFailedPrecondition: return 409;
    case Code::kResourceExhausted: return 429;
    case Code::kCancelled: return 499;
    case Code::kDataLoss:
    case Code::kInternal: return 500;
    case Code::kUnimplemented: return 501;
    case Code::kUnavailable: return 503;
    case Code::kDeadlineExceeded: return 504;
  }
  return 500;
}

}  // namespace

http::Response error_response(const Error& error) {
  const json::Value body = json::Value::object(
      {{"error",
        json::Value::object({{"code", code_name(error.code)}, {"message", error.message}})}});
  return http::Response::json(json::dump(body), status_of(error.code));
}

http::Handler answering(JsonHandler handler) {
  return [handler = std::move(handler)](http::Request& request, http::Reply reply) {
    auto answer = handler(request);
    if (answer.ok()) {
      reply.send(http::Response::json(json::dump(*answer)));
    } else {
      reply.send(error_response(answer.error()));
    }
  };
}

Result<std::int64_t> number_of(const http::Request& request, std::string_view name,
                               std::int64_t otherwise) {
  const std::string_view text = request.query_value(name);
  if (text.empty()) return otherwise;
  const auto number = parse_int(text);
  if (!number) {
    return invalid_argument("query parameter " + std::string(name) +
                            " must be a whole number, got " + ciclo::quoted(text));
  }
  return *number;
}

Result<int> limit_of(const http::Request& request) {
  TRY(const std::int64_t limit, number_of(request, "limit", 100));
  if (limit < 1 || limit > 1000) {
    return invalid_argument("limit must lie between 1 and 1000, got " + std::to_string(limit));
  }
  return static_cast<int>(limit);
}

json::Value page_of(json::Value::Array items, std::string next) {
  json::Value page = json::Value::object({{"items", std::move(items)}});
  if (!next.empty()) page["next"] = std::move(next);
  return page;
}

}  // namespace ciclo::api::native
