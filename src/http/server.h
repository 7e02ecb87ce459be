// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "http/request_counts.h"
#include "http/router.h"
#include "http/site.h"

// An HTTP/1.1 server. Event loops own the sockets, so an idle connection costs no thread; handlers
// run on a bounded pool of workers (or on the loop, where their route says so). When all workers
// are busy and the queue is full, requests are answered 503 with Retry-After at once.

namespace ciclo::http {

struct ServerOptions {
  std::string listen = "127.0.0.1:0";  // HOST:PORT; [::1]:0 for IPv6; port 0 takes a free one
  std::size_t loops = 2;               // threads with an event loop each
  std::size_t workers = 16;
  std::size_t queue_max = 1024;  // requests that wait for a worker
  std::size_t connections_max = 20'000;
  std::size_t header_bytes_max = 64 << 10;
  // Of routes that set no limit of their own; after decoding.
  std::size_t body_bytes_max = 64 << 20;                    // that comes whole
  std::size_t upload_bytes_max = std::size_t{1} << 40;      // that is read as it comes
  std::size_t buffered_bytes_max = std::size_t{512} << 20;  // whole bodies, over all connections
  std::chrono::milliseconds header_timeout{10'000};  // from the first byte to the end of the header
  std::chrono::milliseconds body_timeout{60'000};    // without a byte of the body
  // A body must bring so many bytes a second on average; it may lag behind by the grace. The time
  // in which the handler, not the client, is slow does not count. 0: no such limit.
  std::size_t body_rate_min = 0;
  std::chrono::milliseconds body_rate_grace{20'000};
  std::chrono::milliseconds idle_timeout{120'000};  // between requests
  // Becomes Context::deadline_ns, but for bodies that are read as they come and for streamed
  // answers; 0: none.
  std::chrono::milliseconds request_timeout{0};
  SitePolicy sites;
  std::string certificate_file;  // PEM; TLS when both are set
  std::string private_key_file;
  bool access_log = true;
};

struct ServerStats {
  std::uint64_t requests = 0;
  std::uint64_t connections_open = 0;
  std::uint64_t refused = 0;          // 503 for want of a worker, a connection or body memory
  std::uint64_t body_bytes_held = 0;  // of buffered_bytes_max
  std::vector<RouteCounts> routes;
};

class Server {
 public:
  // Binds and serves. All must outlive the server. unavailable when the address is taken.
  static Result<std::unique_ptr<Server>> start(const Router& router, Clock& clock, Random& random,
                                               ServerOptions options);
  virtual ~Server() = default;

  virtual std::string address() const = 0;  // "127.0.0.1:40312", the port that was taken
  virtual ServerStats stats() const = 0;

  // Its end closes what drain has left, sets Context::cancellation of the requests under way, and
  // waits for their handlers: a handler that neither looks at its context nor reads or writes
  // streams holds it up until it is done.

  // Takes no new connection, answers what is under way (with `Connection: close`), closes idle
  // connections, and returns when all are closed or `limit` has passed.
  virtual void drain(std::chrono::milliseconds limit) = 0;
};

}  // namespace ciclo::http
