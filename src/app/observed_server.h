// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <optional>

#include "http/server.h"

namespace ciclo::app {

// The server that answers the routes, which are there before it. Safe to share between threads.
class ObservedServer {
 public:
  // nullptr: none any more. The server must outlive its observation.
  void set(const http::Server* server) { server_ = server; }
  std::optional<http::ServerStats> stats() const {
    const http::Server* server = server_;
    if (server == nullptr) return std::nullopt;
    return server->stats();
  }

 private:
  std::atomic<const http::Server*> server_{nullptr};
};

}  // namespace ciclo::app
