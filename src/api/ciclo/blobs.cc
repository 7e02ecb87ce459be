// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>

#include "api/ciclo/answer.h"
#include "api/ciclo/routes.h"
#include "base/text.h"

// Source files travel as blobs named by their hash: what is there already is not sent again.

namespace ciclo::api::native {
namespace {

Result<std::string> hash_of(const http::Request& request) {
  const std::string hash(request.path_value("hash"));
  const bool valid = hash.size() == 64 && std::all_of(hash.begin(), hash.end(), [](char c) {
                       return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                     });
  if (!valid) {
    return invalid_argument(
        "a blob is named by the 64 hexadecimal digits of its BLAKE3 hash, got " +
        ciclo::quoted(hash));
  }
  return hash;
}

void probe(const Services& services, http::Request& request, http::Reply reply) {
  auto hash = hash_of(request);
  if (!hash.ok()) return reply.send(error_response(hash.error()));
  auto size = services.blobs.touch(*hash);
  if (!size.ok()) return reply.send(error_response(size.error()));
  http::Response response = http::Response::empty(200);
  response.headers.set("X-Blob-Size", std::to_string(*size));
  reply.send(std::move(response));
}

Result<json::Value> store(const Services& services, http::Request& request) {
  TRY(const std::string hash, hash_of(request));
  TRY(const auto writer, services.blobs.create());
  TRY(request.body->read([&](std::string_view piece) { return writer->write(piece); }));
  TRY(const blob::Writer::Committed stored, writer->commit());
  // The bytes are kept under their own hash, which harms nobody; but the sender must know.
  if (stored.hash != hash) {
    return invalid_argument("the body's hash is " + stored.hash + ", the path says " + hash);
  }
  return json::Value::object({{"hash", stored.hash}, {"size", stored.size}});
}

}  // namespace

void add_blob_routes(http::Router& router, const Services& services) {
  router.add("HEAD", "/api/v1/blobs/{hash}", [services](http::Request& request, http::Reply reply) {
    probe(services, request, std::move(reply));
  });
  http::RouteOptions upload;
  upload.stream_body = true;
  router.add("PUT", "/api/v1/blobs/{hash}",
             answering([services](http::Request& request) { return store(services, request); }),
             upload);
}

}  // namespace ciclo::api::native
