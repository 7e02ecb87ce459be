// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/result.h"
#include "http/message.h"

namespace ciclo::http {

// Whom a client may connect to. kPublic refuses, at the moment of the connection, every address
// that is not of the public Internet (http/address.h), whatever name led to it, and takes no proxy
// from the environment: for URLs that users choose.
enum class Reach { kAny, kPublic };

struct ClientOptions {
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds timeout{60'000};   // of one attempt, without a byte received
  std::chrono::milliseconds whole_timeout{0};  // of one attempt from its start; 0: none
  Reach reach = Reach::kAny;
  int attempts_max = 4;                    // of one call, for what may be retried
  std::chrono::milliseconds backoff{200};  // doubles with each attempt, with full jitter
  std::size_t response_bytes_max = 256 << 20;
  std::size_t connections_per_host_max = 16;
  std::string ca_file;  // PEM; the system's when empty
};

struct ClientRequest {
  std::string method = "GET";
  std::string url;  // http:// or https://
  Headers headers;
  std::string body;
  // When set, the body is this file's bytes, streamed.
  std::string body_file;
  // GET, HEAD, PUT, DELETE are retried on a lost connection and on 429, 502, 503, 504 (honouring
  // Retry-After); POST and PATCH only where the caller says that a second call does no harm.
  bool idempotent = false;
  // Once a stop is requested the call ends with cancelled, within about a second.
  std::stop_token stop;
};

// Keeps connections alive and reuses them. Safe to share between threads; calls block. `random`, of
// which retries take their jitter, must outlive the client.
class Client {
 public:
  static std::unique_ptr<Client> create(Random& random, ClientOptions options = {});
  virtual ~Client() = default;

  // Any status is a success of the call. unavailable when the host cannot be reached,
  // deadline_exceeded for a time-out, permission_denied for an address out of reach.
  virtual Result<Response> call(const ClientRequest& request) = 0;

  // The body goes to `piece` as it arrives, for any status; the response returned has none. Not
  // retried once a piece was delivered.
  virtual Result<Response> stream(const ClientRequest& request,
                                  const std::function<Result<void>(std::string_view)>& piece) = 0;
};

}  // namespace ciclo::http
