// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/check.h"

// For tests: stands between a client and a server on loopback and does to chosen requests what
// networks do.

namespace ciclo::blob {

class FaultProxy {
 public:
  struct Fault {
    std::string answer = {};          // sent instead of the server's, then the connection is closed
    std::int64_t cut_upwards = -1;    // the connection is cut after so many bytes to the server
    std::int64_t cut_downwards = -1;  // … from the server
    bool is_silent = false;           // everything is taken, nothing is answered
  };

  // `choose` is told the number of each request (from 0) and its first bytes.
  FaultProxy(std::uint16_t server_port, std::function<Fault(int, std::string_view)> choose)
      : server_port_(server_port), choose_(std::move(choose)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(0);
    CHECK(::bind(listener_, as_address(address), sizeof address) == 0);
    CHECK(::listen(listener_, 64) == 0);
    socklen_t length = sizeof address;
    CHECK(::getsockname(listener_, as_address(address), &length) == 0);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::jthread([this](const std::stop_token& stop) { accept_all(stop); });
  }
  ~FaultProxy() {
    acceptor_.request_stop();
    acceptor_.join();
    for (auto& thread : threads_) thread.request_stop();
    threads_.clear();
    ::close(listener_);
  }

  std::string endpoint() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int requests() const { return requests_; }

 private:
  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }
  static sockaddr* as_address(sockaddr_in& address) {
    return reinterpret_cast<sockaddr*>(&address);
  }

  void accept_all(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      pollfd waiting{listener_, POLLIN, 0};
      if (::poll(&waiting, 1, 20) <= 0) continue;
      const int client = ::accept(listener_, nullptr, nullptr);
      if (client < 0) continue;
      threads_.emplace_back(
          [this, client](const std::stop_token& ending) { serve(client, ending); });
    }
  }

  // The fault is chosen anew for each request that comes over the connection.
  void serve(int client, const std::stop_token& stop) {
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(server_port_);
    Fault fault;
    bool lives = ::connect(server, as_address(address), sizeof address) == 0;
    while (lives && !stop.stop_requested()) {
      std::array<pollfd, 2> waiting{{{client, POLLIN, 0}, {server, POLLIN, 0}}};
      if (::poll(waiting.data(), waiting.size(), 20) < 0) break;
      if (waiting[0].revents != 0) {
        std::array<char, 4096> head{};
        const ssize_t got = ::recv(client, head.data(), head.size(), MSG_PEEK);
        const std::string_view text(head.data(),
                                    static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        if (begins_request(text)) fault = choose_(requests_++, text);
        if (!fault.answer.empty()) {
          ::send(client, fault.answer.data(), fault.answer.size(), MSG_NOSIGNAL);
          ::shutdown(client, SHUT_WR);
        }
        if (!fault.answer.empty() || fault.is_silent) {
          drain(client, stop);
          break;
        }
        lives = pass(client, server, fault.cut_upwards);
      }
      if (lives && waiting[1].revents != 0) lives = pass(server, client, fault.cut_downwards);
    }
    ::close(server);
    ::close(client);
  }

  static bool begins_request(std::string_view text) {
    for (const std::string_view method : {"GET /", "PUT /", "HEAD /", "POST /", "DELETE /"}) {
      if (text.starts_with(method)) return true;
    }
    return false;
  }

  // Takes what comes until the client goes.
  static void drain(int client, const std::stop_token& stop) {
    std::array<char, 65536> buffer{};
    while (!stop.stop_requested()) {
      pollfd waiting{client, POLLIN, 0};
      if (::poll(&waiting, 1, 20) > 0 && ::recv(client, buffer.data(), buffer.size(), 0) <= 0) {
        return;
      }
    }
  }

  // False when the connection ends, by itself or because `left` bytes were all that may pass.
  static bool pass(int from, int to, std::int64_t& left) {
    std::array<char, 65536> buffer{};
    ssize_t got = ::recv(from, buffer.data(), buffer.size(), 0);
    if (got <= 0) return false;
    if (left >= 0) {
      got = std::min<ssize_t>(got, left);
      left -= got;
    }
    std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
    while (!bytes.empty()) {
      const ssize_t sent = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return left != 0;
  }

  const std::uint16_t server_port_;
  const std::function<Fault(int, std::string_view)> choose_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> requests_{0};
  std::vector<std::jthread> threads_;  // of the acceptor's thread, until it has ended
  std::jthread acceptor_;
};

}  // namespace ciclo::blob
