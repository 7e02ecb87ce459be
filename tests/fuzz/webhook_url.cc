// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "http/address.h"

namespace {

using namespace ciclo::http;

bool is_plain(std::string_view host) {
  return host.find_first_of("@/\\ ?#[]%\t\r\n") == std::string_view::npos && !host.empty();
}

}  // namespace

// What the policy for webhooks looks at is what the URL says, however it is written: the parts put
// together again name the same origin, and no part holds what ends another.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto origin = parse_origin(text); origin.ok()) {
    CHECK(is_plain(origin->host));
    CHECK(origin->port >= 0);
    CHECK(origin->port <= 65535);
    const bool is_ipv6 = origin->host.find(':') != std::string::npos;
    std::string again = origin->scheme + "://";
    again += is_ipv6 ? "[" + origin->host + "]" : origin->host;
    if (origin->port != 0) again += ":" + std::to_string(origin->port);
    const auto same = parse_origin(again);
    CHECK(same.ok());
    CHECK(same->scheme == origin->scheme);
    CHECK(same->host == origin->host);
    CHECK(same->port == origin->port);
  }
  if (const auto address = parse_address(text)) {
    CHECK(parse_address(text_of(*address)) == address);
    // The mapped form of an IPv4 address counts as that address.
    if (text.find(':') == std::string_view::npos) {
      CHECK(is_public(*parse_address("::ffff:" + std::string(text))) == is_public(*address));
    }
  }
  return 0;
}
