// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.h"
#include "blob/s3.h"

namespace ciclo::blob {
namespace {

constexpr std::string_view kScheme = "s3://";
constexpr std::string_view kDefaultRegion = "us-east-1";

Error malformed(std::string_view url, std::string_view why) {
  return invalid_argument(
      "blob store " + ciclo::quoted(url) + ": " + std::string(why) +
      "; expected s3://BUCKET[/PREFIX][?endpoint=URL&region=NAME&addressing=path|virtual]");
}

std::optional<std::string> decoded(std::string_view text) {
  const auto digit = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size() || digit(text[i + 1]) < 0 || digit(text[i + 2]) < 0) {
      return std::nullopt;
    }
    out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
    i += 2;
  }
  return out;
}

bool is_bucket_name(std::string_view name) {
  return name.size() >= 3 && name.size() <= 63 && std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
                  c == '_' || (c >= 'A' && c <= 'Z');
         });
}

Result<void> set_endpoint(std::string_view url, std::string_view endpoint, S3Options& out) {
  const std::size_t end = endpoint.find("://");
  out.scheme = std::string(endpoint.substr(0, end == std::string_view::npos ? 0 : end));
  std::string_view host = end == std::string_view::npos ? "" : endpoint.substr(end + 3);
  while (host.ends_with('/')) host.remove_suffix(1);
  const bool is_host = !host.empty() && host.find_first_of("/?#@ ") == std::string_view::npos;
  if ((out.scheme != "http" && out.scheme != "https") || !is_host) {
    return malformed(url, "its endpoint " + ciclo::quoted(endpoint) +
                              " is not http://HOST[:PORT] or https://HOST[:PORT]");
  }
  const std::string_view usual = out.scheme == "http" ? ":80" : ":443";
  if (host.ends_with(usual)) host.remove_suffix(usual.size());
  out.host = to_lower_ascii(host);
  return {};
}

struct Query {
  std::string endpoint;
  std::string region;
  std::string addressing;
};

Result<Query> parse_query(std::string_view url, std::string_view text) {
  Query query;
  for (const auto part : split(text, '&')) {
    if (part.empty()) continue;
    const std::size_t equals = std::min(part.find('='), part.size());
    const auto value = decoded(part.substr(std::min(equals + 1, part.size())));
    const std::string_view name = part.substr(0, equals);
    if (!value) return malformed(url, "a % needs two hexadecimal digits after it");
    if (name == "endpoint") {
      query.endpoint = *value;
    } else if (name == "region") {
      query.region = *value;
    } else if (name == "addressing" && (*value == "path" || *value == "virtual")) {
      query.addressing = *value;
    } else {
      return malformed(url, ciclo::quoted(part) + " is none of its settings");
    }
  }
  return query;
}

Result<std::string> parse_prefix(std::string_view url, std::string_view text) {
  std::string prefix;
  for (const auto part : split(text, '/')) {
    if (part.empty()) continue;
    if (part == "." || part == "..") return malformed(url, "its prefix must hold no dots alone");
    prefix += std::string(part) + "/";
  }
  return prefix;
}

}  // namespace

Result<S3Location> parse_s3_url(std::string_view url, const OpenOptions& options) {
  if (!url.starts_with(kScheme)) return malformed(url, "it does not begin with s3://");
  const std::string_view rest = url.substr(kScheme.size());
  const std::size_t question = std::min(rest.find('?'), rest.size());
  const std::string_view place = rest.substr(0, question);
  const std::size_t slash = std::min(place.find('/'), place.size());
  S3Location location;
  S3Options& client = location.client;
  client.bucket = place.substr(0, slash);
  if (!is_bucket_name(client.bucket)) {
    return malformed(url, "its bucket " + ciclo::quoted(client.bucket) +
                              " must have 3 to 63 letters, digits, dots and dashes");
  }
  TRY(location.prefix, parse_prefix(url, place.substr(slash)));
  TRY(const Query query, parse_query(url, rest.substr(std::min(question + 1, rest.size()))));
  client.region = !query.region.empty()     ? query.region
                  : !options.region.empty() ? options.region
                                            : std::string(kDefaultRegion);
  const std::string endpoint = query.endpoint.empty() ? options.endpoint : query.endpoint;
  if (endpoint.empty()) {
    client.host = "s3." + client.region + ".amazonaws.com";
  } else {
    TRY(set_endpoint(url, endpoint, client));
  }
  // A certificate for *.s3.… does not cover a bucket with a dot.
  const bool is_virtual = query.addressing.empty()
                              ? endpoint.empty() && client.bucket.find('.') == std::string::npos
                              : query.addressing == "virtual";
  client.path = is_virtual ? "" : "/" + client.bucket;
  if (is_virtual) client.host = client.bucket + "." + client.host;
  client.credentials = options.credentials;
  if (client.credentials.access_key_id.empty() || client.credentials.secret_access_key.empty()) {
    return invalid_argument("blob store " + ciclo::quoted(url) +
                            " needs credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
  }
  client.ca_file = options.ca_file;
  client.connect_timeout = options.connect_timeout;
  client.timeout = options.timeout;
  client.attempts_max = options.attempts_max;
  client.backoff = options.backoff;
  return location;
}

}  // namespace ciclo::blob
