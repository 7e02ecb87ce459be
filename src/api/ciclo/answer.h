// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/json.h"
#include "base/json_fields.h"
#include "base/result.h"
#include "http/router.h"

// How the native API reads requests and writes answers.

namespace ciclo::api::native {

// {"error": {"code": "not_found", "message": "…"}} with the code's status.
http::Response error_response(const Error& error);

using JsonHandler = std::function<Result<json::Value>(http::Request&)>;

// A handler that answers with a JSON document, or with the error.
http::Handler answering(JsonHandler handler);

// The body as a struct; an empty body reads as {}.
template <class T>
Result<T> read_body(http::Request& request, json::Unknown unknown = json::Unknown::kRefuse) {
  TRY(const std::string_view text, request.body->all());
  return json::read<T>(text.empty() ? "{}" : text, unknown);
}

// ?limit= within [1, 1000]; 100 without one.
Result<int> limit_of(const http::Request& request);
// A whole number from the query; `otherwise` without one.
Result<std::int64_t> number_of(const http::Request& request, std::string_view name,
                               std::int64_t otherwise);

// {"items": […], "next": "…"}; without `next` when it is empty.
json::Value page_of(json::Value::Array items, std::string next);

}  // namespace ciclo::api::native
