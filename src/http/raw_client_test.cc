// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "http/raw_client.h"

namespace ciclo::http {

RawClient::RawClient(const std::string& address) {
  const auto colon = address.rfind(':');
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_port =
      htons(static_cast<std::uint16_t>(parse_int(address.substr(colon + 1)).value_or(0)));
  CHECK(::inet_pton(AF_INET, address.substr(0, colon).c_str(), &peer.sin_addr) == 1);
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  // A server that does not answer fails the test rather than hang it.
  const timeval limit{60, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  CHECK(::connect(socket_, reinterpret_cast<const sockaddr*>(&peer), sizeof peer) == 0);
}

RawClient::~RawClient() { ::close(socket_); }

bool RawClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void RawClient::close_sending() { ::shutdown(socket_, SHUT_WR); }

void RawClient::reset() {
  const linger hard{1, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  ::close(std::exchange(socket_, -1));
}

std::string RawClient::read_until(std::string_view end) {
  while (true) {
    const auto found = received_.find(end);
    if (found != std::string::npos) return read_bytes(found + end.size());
    if (!receive()) return {};
  }
}

std::string RawClient::read_bytes(std::size_t count) {
  while (received_.size() < count) {
    if (!receive()) return {};
  }
  std::string out = received_.substr(0, count);
  received_.erase(0, count);
  return out;
}

std::string RawClient::read_all() {
  while (receive()) {
  }
  return std::exchange(received_, {});
}

std::string RawClient::read_response() {
  std::string head = read_until("\r\n\r\n");
  const auto length = head.find("Content-Length: ");
  if (length != std::string::npos) {
    std::size_t bytes = 0;
    std::from_chars(head.data() + length + 16, head.data() + head.size(), bytes);
    return head + read_bytes(bytes);
  }
  if (head.find("Transfer-Encoding: chunked") != std::string::npos)
    return head + read_until("0\r\n\r\n");
  return head;
}

bool RawClient::receive() {
  std::array<char, 16384> buffer{};
  const auto got = ::recv(socket_, buffer.data(), buffer.size(), 0);
  if (got <= 0) return false;
  received_.append(buffer.data(), static_cast<std::size_t>(got));
  return true;
}

}  // namespace ciclo::http
