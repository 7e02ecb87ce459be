// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

// A TCP client for tests that sends just what it is told, well-formed or not.

namespace ciclo::http {

class RawClient {
 public:
  // Of a server on the loopback address, "127.0.0.1:40312".
  explicit RawClient(const std::string& address);
  ~RawClient();
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  // False once the server has closed.
  bool send(std::string_view bytes);
  void close_sending();  // half-close
  void reset();          // as a client that crashes

  // Reads on until what was received and not yet taken holds `end`, and takes that much; empty when
  // the server closes before.
  std::string read_until(std::string_view end);
  std::string read_bytes(std::size_t count);
  // All up to the end of the connection.
  std::string read_all();
  // One response with Content-Length or chunked body: head and body as they were sent.
  std::string read_response();

 private:
  bool receive();

  int socket_ = -1;
  std::string received_;
};

}  // namespace ciclo::http
