// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

namespace ciclo::http {

// For tests: a port of the loopback address that refuses connections and that the system gives to
// nobody else while this lives, be it another test beside or a client that connects to itself. A
// server that is told to listen there can: it shares the port as a restarted server would.
class HeldPort {
 public:
  HeldPort() {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int yes = 1;
    EXPECT_EQ(::setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes), 0);
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof here;
    auto* const address = reinterpret_cast<sockaddr*>(&here);
    // Bound, never listening.
    EXPECT_EQ(::bind(socket_, address, size), 0);
    EXPECT_EQ(::getsockname(socket_, address, &size), 0);
    address_ = "127.0.0.1:" + std::to_string(ntohs(here.sin_port));
  }
  ~HeldPort() { ::close(socket_); }
  HeldPort(const HeldPort&) = delete;
  HeldPort& operator=(const HeldPort&) = delete;

  const std::string& address() const { return address_; }  // "127.0.0.1:40312"

 private:
  int socket_ = -1;
  std::string address_;
};

}  // namespace ciclo::http
