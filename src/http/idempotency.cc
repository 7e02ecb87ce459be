// SPDX-License-Identifier: Apache-2.0
#include "http/idempotency.h"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "base/text.h"

namespace ciclo::http {
namespace {

constexpr std::string_view kHeader = "Idempotency-Key";
constexpr std::size_t kKeyLengthMax = 255;

bool is_safe(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

Result<void> check_key(std::string_view key) {
  const bool is_visible =
      std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (is_visible && !key.empty() && key.size() <= kKeyLengthMax) return {};
  return invalid_argument(
      "Idempotency-Key must be 1 to 255 visible ASCII characters, got " +
      (key.size() > kKeyLengthMax ? std::to_string(key.size()) + " characters" : quoted(key)));
}

}  // namespace

Result<void> read_idempotency_key(Request& request, std::int64_t now_ms) {
  if (!request.headers.has(kHeader) || is_safe(request.method)) return {};
  const auto is_key = [](const auto& field) {
    return to_lower_ascii(field.first) == "idempotency-key";
  };
  const auto& fields = request.headers.all();
  if (std::count_if(fields.begin(), fields.end(), is_key) > 1) {
    return invalid_argument("Idempotency-Key stands twice: a request has one key");
  }
  const std::string_view key = request.headers.get(kHeader);
  TRY(check_key(key));
  TRY(const std::string_view body, request.body->all());
  auto call = std::make_shared<KeyedCall>();
  call->key = key;
  call->request = request.method + " " + request.path;
  if (!request.query_text.empty()) call->request += "?" + request.query_text;
  call->body_hash = hash_bytes(body);
  call->received_ms = now_ms;
  request.context.keyed = std::move(call);
  return {};
}

void mark_replay(const Context& context, Response& response) {
  if (context.keyed == nullptr || !context.keyed->is_replayed()) return;
  response.headers.set("Idempotent-Replayed", "true");
}

}  // namespace ciclo::http
