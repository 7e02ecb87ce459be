// SPDX-License-Identifier: Apache-2.0
#include "http/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/text.h"

namespace ciclo::http {
namespace {

struct Block {
  std::string_view prefix;  // of IPv4 in the mapped form
  int bits;
};

// IPv4 counts from bit 96.
constexpr std::array<Block, 16> kSpecialIpv4 = {{
    {"0.0.0.0", 8},
    {"10.0.0.0", 8},
    {"100.64.0.0", 10},
    {"127.0.0.0", 8},
    {"168.63.129.16", 32},
    {"169.254.0.0", 16},
    {"172.16.0.0", 12},
    {"192.0.0.0", 24},
    {"192.0.2.0", 24},
    {"192.88.99.0", 24},
    {"192.168.0.0", 16},
    {"198.18.0.0", 15},
    {"198.51.100.0", 24},
    {"203.0.113.0", 24},
    {"224.0.0.0", 4},
    {"240.0.0.0", 4},
}};

// Of global unicast, 2000::/3, what is set aside: protocol assignments with Teredo, documentation.
constexpr std::array<Block, 3> kSpecialIpv6 = {{
    {"2001::", 23},
    {"2001:db8::", 32},
    {"3fff::", 20},
}};

constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
constexpr std::array<std::uint8_t, 12> kNat64 = {0, 0x64, 0xFF, 0x9B};

bool begins_with(const Address& address, const std::array<std::uint8_t, 12>& prefix) {
  return std::equal(prefix.begin(), prefix.end(), address.begin());
}

bool lies_in(const Address& address, const Address& block, int bits) {
  for (int bit = 0; bit < bits; bit += 8) {
    const auto byte = static_cast<std::size_t>(bit / 8);
    const int mask = bits - bit >= 8 ? 0xFF : 0xFF << (8 - (bits - bit)) & 0xFF;
    if (((address[byte] ^ block[byte]) & mask) != 0) return false;
  }
  return true;
}

template <std::size_t N>
bool lies_in_any(const Address& address, const std::array<Block, N>& blocks, int bits_before) {
  return std::any_of(blocks.begin(), blocks.end(), [&](const Block& block) {
    return lies_in(address, *parse_address(block.prefix), bits_before + block.bits);
  });
}

Address mapped(const std::uint8_t* four) {
  Address address{};
  std::copy(kMapped.begin(), kMapped.end(), address.begin());
  std::copy_n(four, 4, address.begin() + 12);
  return address;
}

bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

Error refused(std::string_view url, std::string_view why) {
  return invalid_argument("the URL " + quoted(url) + " " + std::string(why));
}

// The port behind the host: ":8080", or nothing.
Result<int> port_of(std::string_view url, std::string_view rest, std::string_view scheme) {
  if (rest.empty() || rest == ":") return scheme == "https" ? 443 : scheme == "http" ? 80 : 0;
  const std::string_view digits = rest.substr(1);
  const auto port = parse_int(digits);
  const bool is_number = digits.find_first_not_of("0123456789") == std::string_view::npos;
  if (rest[0] != ':' || !is_number || !port || *port < 1 || *port > 65535) {
    return refused(url, "needs a port between 1 and 65535 after its host");
  }
  return static_cast<int>(*port);
}

}  // namespace

std::optional<Address> parse_address(std::string_view text) {
  const std::string copy(text);
  std::array<std::uint8_t, 4> four{};
  if (inet_pton(AF_INET, copy.c_str(), four.data()) == 1) return mapped(four.data());
  Address address{};
  if (inet_pton(AF_INET6, copy.c_str(), address.data()) == 1) return address;
  return std::nullopt;
}

std::optional<Address> address_of(const sockaddr& socket_address) {
  if (socket_address.sa_family == AF_INET) {
    sockaddr_in ipv4{};
    std::memcpy(&ipv4, &socket_address, sizeof ipv4);
    std::array<std::uint8_t, 4> four{};
    std::memcpy(four.data(), &ipv4.sin_addr, four.size());
    return mapped(four.data());
  }
  if (socket_address.sa_family != AF_INET6) return std::nullopt;
  sockaddr_in6 ipv6{};
  std::memcpy(&ipv6, &socket_address, sizeof ipv6);
  Address address{};
  std::memcpy(address.data(), &ipv6.sin6_addr, address.size());
  return address;
}

std::string text_of(const Address& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (begins_with(address, kMapped)) {
    inet_ntop(AF_INET, address.data() + 12, text.data(), text.size());
  } else {
    inet_ntop(AF_INET6, address.data(), text.data(), text.size());
  }
  return text.data();
}

bool is_public(const Address& address) {
  if (begins_with(address, kMapped)) return !lies_in_any(address, kSpecialIpv4, 96);
  if (begins_with(address, kNat64)) return is_public(mapped(address.data() + 12));
  if (address[0] == 0x20 && address[1] == 0x02) return is_public(mapped(address.data() + 2));
  return (address[0] & 0xE0) == 0x20 && !lies_in_any(address, kSpecialIpv6, 0);
}

Result<std::vector<Address>> resolve(const std::string& host) {
  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int code = getaddrinfo(host.c_str(), nullptr, &wanted, &list);
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, [](addrinfo* head) {
    if (head != nullptr) freeaddrinfo(head);
  });
  if (code == EAI_AGAIN || code == EAI_SYSTEM) {
    return unavailable("cannot resolve the host " + quoted(host) + ": " + gai_strerror(code));
  }
  std::vector<Address> found;
  for (const addrinfo* at = list; code == 0 && at != nullptr; at = at->ai_next) {
    if (const auto address = address_of(*at->ai_addr); address) found.push_back(*address);
  }
  if (found.empty()) return invalid_argument("the host " + quoted(host) + " has no address");
  return found;
}

Result<Origin> parse_origin(std::string_view url) {
  const auto is_odd = [](unsigned char c) { return c <= 0x20 || c == 0x7F || c == '\\'; };
  if (std::any_of(url.begin(), url.end(), is_odd)) {
    return refused(url, "must hold no blank, control character or backslash");
  }
  const std::size_t mark = url.find("://");
  if (mark == std::string_view::npos || mark == 0) {
    return refused(url, "must begin with a scheme, such as https://");
  }
  Origin origin;
  origin.scheme = to_lower_ascii(url.substr(0, mark));
  std::string_view authority = url.substr(mark + 3);
  authority = authority.substr(0, authority.find_first_of("/?#"));
  if (authority.find('@') != std::string_view::npos) {
    return refused(url, "must name no user before its host");
  }
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    const auto inside = authority.substr(1, end == std::string_view::npos ? end : end - 1);
    if (end == std::string_view::npos || inside.find(':') == std::string_view::npos ||
        !parse_address(inside)) {
      return refused(url, "must have an IPv6 address between its brackets");
    }
    origin.host = to_lower_ascii(inside);
    TRY(origin.port, port_of(url, authority.substr(end + 1), origin.scheme));
    return origin;
  }
  const std::size_t colon = authority.find(':');
  origin.host = to_lower_ascii(authority.substr(0, colon));
  if (origin.host.empty()) return refused(url, "must name a host");
  if (!std::all_of(origin.host.begin(), origin.host.end(), is_host_character)) {
    return refused(url, "must name its host with letters, digits, dots and dashes only");
  }
  const auto rest = colon == std::string_view::npos ? std::string_view() : authority.substr(colon);
  TRY(origin.port, port_of(url, rest, origin.scheme));
  return origin;
}

}  // namespace ciclo::http
