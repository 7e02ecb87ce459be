// SPDX-License-Identifier: Apache-2.0
#include "http/site.h"

#include <algorithm>
#include <string_view>

#include "base/text.h"

namespace ciclo::http {
namespace {

// "example.com:8080" and "[::1]:8080" without the port.
std::string_view without_port(std::string_view authority) {
  if (authority.starts_with('[')) return authority.substr(0, authority.find(']') + 1);
  return authority.substr(0, authority.find(':'));
}

bool is_address(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) return true;
  return !host.empty() && host.find_first_not_of("0123456789.") == std::string_view::npos;
}

// Loopback, as pages under development are served from.
bool is_localhost(std::string_view host) {
  return host == "localhost" || host.ends_with(".localhost") || host == "[::1]" ||
         (is_address(host) && host.starts_with("127."));
}

bool is_own_name(std::string_view host) {
  return is_address(host) || host.find('.') == std::string_view::npos || is_localhost(host) ||
         host.ends_with(".local") || host.ends_with(".internal") || host.ends_with(".svc");
}

bool matches(std::string_view host, const std::string& pattern) {
  if (pattern == "*") return true;
  const std::string wanted = to_lower_ascii(pattern);
  if (wanted.starts_with("*.")) return host.ends_with(std::string_view(wanted).substr(1));
  return host == wanted;
}

bool changes_something(std::string_view method) {
  return method != "GET" && method != "HEAD" && method != "OPTIONS";
}

bool is_taken_origin(std::string_view origin, std::string_view host, const SitePolicy& policy) {
  for (const auto& known : policy.origins) {
    if (known == "*" || to_lower_ascii(known) == origin) return true;
  }
  const std::size_t scheme = origin.find("://");
  if (scheme == std::string_view::npos) return false;
  const std::string_view authority = origin.substr(scheme + 3);
  return authority == host || is_localhost(without_port(authority));
}

}  // namespace

std::optional<Refusal> refused_site(const Request& request, const SitePolicy& policy) {
  const std::string authority = to_lower_ascii(request.headers.get("Host"));
  const std::string_view host = without_port(authority);
  const bool is_known =
      is_own_name(host) || std::any_of(policy.hosts.begin(), policy.hosts.end(),
                                       [&](const auto& name) { return matches(host, name); });
  if (!is_known) {
    return Refusal{403, "this server does not answer to the name " + quoted(host) +
                            ": if it is its own, add it to http.allowed_hosts"};
  }
  const std::string origin = to_lower_ascii(request.headers.get("Origin"));
  if (origin.empty() || !changes_something(request.method)) return std::nullopt;
  if (is_taken_origin(origin, authority, policy)) return std::nullopt;
  return Refusal{403, "pages of " + quoted(origin) +
                          " may not change anything here: if they should, add that to "
                          "http.allowed_origins"};
}

}  // namespace ciclo::http
