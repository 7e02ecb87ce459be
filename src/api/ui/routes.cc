// SPDX-License-Identifier: Apache-2.0
#include "api/ui/routes.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "base/text.h"

namespace ciclo::api::ui {
namespace {

// Scripts and styles come from here alone; inline styles are what the chart library sets.
constexpr std::string_view kPolicy =
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'";

// Whether "gzip" or "*" is in the list and not refused by "q=0" (RFC 9110, 12.5.3).
bool takes_gzip(std::string_view accept_encoding) {
  for (const std::string_view item : split(accept_encoding, ',')) {
    const auto parts = split(item, ';');
    const std::string coding = to_lower_ascii(trim(parts[0]));
    if (coding != "gzip" && coding != "*") continue;
    const std::string_view weight = parts.size() > 1 ? trim(parts[1]) : std::string_view();
    return !weight.starts_with("q=0") || weight.find_first_of("123456789") != weight.npos;
  }
  return false;
}

// Whether the list of tags names this one; a weak tag counts (RFC 9110, 13.1.2).
bool names_tag(std::string_view if_none_match, std::string_view tag) {
  for (std::string_view item : split(if_none_match, ',')) {
    item = trim(item);
    if (item.starts_with("W/")) item.remove_prefix(2);
    if (item == "*" || item == tag) return true;
  }
  return false;
}

http::Response answer(const EmbeddedFile& file, const http::Request& request) {
  const bool is_packed = !file.gzip.empty() && takes_gzip(request.headers.get("Accept-Encoding"));
  const std::string tag = "\"" + std::string(file.tag) + (is_packed ? "-gz\"" : "\"");
  http::Response response;
  response.headers.set("ETag", tag);
  response.headers.set("Vary", "Accept-Encoding");
  response.headers.set("Cache-Control", file.path.starts_with("/assets/")
                                            ? "public, max-age=31536000, immutable"
                                            : "no-cache");
  if (names_tag(request.headers.get("If-None-Match"), tag)) {
    response.status = 304;
    return response;
  }
  response.headers.set("Content-Type", std::string(file.content_type));
  response.headers.set("Content-Security-Policy", std::string(kPolicy));
  response.headers.set("X-Content-Type-Options", "nosniff");
  if (is_packed) response.headers.set("Content-Encoding", "gzip");
  response.body = is_packed ? file.gzip : file.content;
  return response;
}

// First segments of paths that belong to programs: what is wrong there is told in their language.
constexpr std::array<std::string_view, 12> kOfPrograms = {
    "api",    "ajax-api", "v2",      "endpoints", "invocations", "get-artifact", "model-versions",
    "assets", "health",   "version", "metrics",   "ping"};

bool is_for_people(const http::Request& request) {
  if (request.method != "GET" && request.method != "HEAD") return false;
  if (request.headers.get("Accept").find("text/html") == std::string_view::npos) return false;
  const std::string_view path = std::string_view(request.path).substr(1);
  const std::string_view first = path.substr(0, path.find('/'));
  return std::find(kOfPrograms.begin(), kOfPrograms.end(), first) == kOfPrograms.end();
}

// The pages have their paths behind the "#"; who leaves it out is sent there.
http::Response to_page(const http::Request& request) {
  std::string place = "/#";
  for (const std::string_view segment : split(std::string_view(request.path).substr(1), '/'))
    place += "/" + http::percent_encode(segment);
  http::Response response;
  response.status = 302;
  response.headers.set("Location", place);
  response.headers.set("Vary", "Accept");
  return response;
}

}  // namespace

void add_routes(http::Router& router, std::span<const EmbeddedFile> served) {
  for (const EmbeddedFile& file : served) {
    const auto handler = [&file](http::Request& request, http::Reply reply) {
      reply.send(answer(file, request));
    };
    router.add("GET", file.path, handler, {.run_on = http::RunOn::kLoop});
    if (file.path == "/index.html") {
      router.add("GET", "/", handler, {.run_on = http::RunOn::kLoop});
      router.set_error_shape("/",
                             [](const http::Request& asked, int status, std::string_view message) {
                               if (status == 404 && is_for_people(asked)) return to_page(asked);
                               return http::Router::plain_error(status, message);
                             });
    }
  }
}

}  // namespace ciclo::api::ui
