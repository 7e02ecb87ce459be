// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "http/message.h"
#include "http/parser.h"

// What keeps the pages of other sites from using a visitor's browser against this server: such a
// page can send requests to an address of the visitor's own network, and a name that its owner
// resolves to that address (DNS rebinding) makes it the server's own page. The first is told by the
// Origin header (RFC 6454), the second by the Host header (RFC 9110, 7.2). Programs that are no
// browser send no Origin, and the Host that they were told to ask. Values; safe to share between
// threads.

namespace ciclo::http {

struct SitePolicy {
  // Names of this server besides those that are always taken: IP addresses, localhost, names
  // without a dot, and names that end in .localhost, .local or .internal: nobody else can own
  // these.
  // "*.example.com" stands for all names below it, "*" for every name.
  std::vector<std::string> hosts;
  // Sites whose pages may change something here besides those of the request's own host and of
  // localhost: "https://notebooks.example.com". "*": all.
  std::vector<std::string> origins;
};

// A 403 with what would be right; nothing for a request that may go on.
std::optional<Refusal> refused_site(const Request& request, const SitePolicy& policy);

}  // namespace ciclo::http
