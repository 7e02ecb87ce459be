// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

struct sockaddr;

// Internet addresses, and which of them are public: what a server must know before it calls a URL
// that a user chose, lest it be made to reach into its own network.

namespace ciclo::http {

// An IPv6 address in network order; of IPv4 the mapped form, ::ffff:a.b.c.d.
using Address = std::array<std::uint8_t, 16>;

// "10.0.0.1" or "fd00::1"; nullopt for anything else.
std::optional<Address> parse_address(std::string_view text);
// nullopt for another family than IPv4 and IPv6.
std::optional<Address> address_of(const sockaddr& socket_address);
std::string text_of(const Address& address);

// Whether the address is one of the public Internet: in none of IANA's special-purpose registries
// (RFC 6890: this host, private, shared, loopback, link-local with the metadata services of clouds,
// documentation, benchmarks, multicast, reserved), nor the service address of Azure's hosts
// (168.63.129.16). Of an IPv6 address that carries one of IPv4 (mapped, 6to4, NAT64), that one
// counts.
bool is_public(const Address& address);

// All addresses of a host's name, or the one that is written out. Blocks as long as the system's
// resolver does. invalid_argument when there are none, unavailable when the resolver cannot tell.
Result<std::vector<Address>> resolve(const std::string& host);

// The parts of a URL that say whom it reaches.
struct Origin {
  std::string scheme;  // in lower case
  std::string host;    // a name in lower case, or an address, without brackets
  int port = 0;        // the scheme's own (80, 443) when none is written; 0 when it has none
};

// Of "SCHEME://HOST[:PORT][/…]" (RFC 3986). invalid_argument for what readers of URLs take in
// different ways, and so might reach another host than the one that was checked: a user name,
// blanks, control characters, backslashes, escapes or other characters in the host.
Result<Origin> parse_origin(std::string_view url);

}  // namespace ciclo::http
