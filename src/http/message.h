// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/context.h"
#include "base/result.h"

// Requests and replies of HTTP/1.1 (RFC 9110, 9112), as handlers see them. Knows no model, run or
// user.

namespace ciclo::http {

// Header fields in their order; names compare without regard to case.
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<std::pair<std::string, std::string>> fields) : fields_(fields) {}

  // The value of the first field with that name; empty when there is none.
  std::string_view get(std::string_view name) const;
  bool has(std::string_view name) const;
  void add(std::string name, std::string value);
  void set(std::string_view name, std::string value);  // replaces all of that name
  const std::vector<std::pair<std::string, std::string>>& all() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

// The bytes of a request's body. Already decoded (chunked, gzip, zstd, deflate).
class Body {
 public:
  virtual ~Body() = default;
  // Calls `piece` for the bytes as they arrive and returns at the end of the body. Errors:
  // resource_exhausted over the route's limit, unavailable when the client went away,
  // invalid_argument for a broken encoding. Blocks; only on a worker.
  virtual Result<void> read(const std::function<Result<void>(std::string_view)>& piece) = 0;
  // The whole body; the view lives as long as the request. At most the route's limit.
  virtual Result<std::string_view> all() = 0;
};

struct Request {
  std::string method;
  std::string path;                                                 // decoded; begins with '/'
  std::string query_text;                                           // after '?', not decoded
  std::multimap<std::string, std::string, std::less<>> query;       // decoded
  std::map<std::string, std::string, std::less<>> path_parameters;  // decoded, by name in the route
  Headers headers;
  std::string remote;   // "127.0.0.1:40312"
  bool secure = false;  // over TLS
  Context context;
  std::unique_ptr<Body> body;  // never null

  // The first value of a query or path parameter; empty when there is none.
  std::string_view query_value(std::string_view name) const;
  std::string_view path_value(std::string_view name) const;
};

struct Response {
  int status = 200;
  Headers headers;
  std::string body;

  static Response json(std::string text, int status = 200);
  static Response text(std::string text, int status = 200);
  static Response empty(int status = 204);
};

// A body sent piece by piece, chunked, with back-pressure: write blocks while the client is slow
// and fails with unavailable once it has gone. Used by one thread at a time; destroyed without
// finish, the connection is cut, so that the client sees the failure. On an event loop write does
// not wait: it fails with resource_exhausted instead.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual Result<void> write(std::string_view bytes) = 0;
  virtual Result<void> finish() = 0;
  // Whether the next write returns without waiting for the client. For senders that serve many.
  virtual bool has_room() const = 0;
  // True once the client has gone or closed its side and, for a stream of server-sent events, once
  // the server drains. For senders that wait between events.
  virtual bool closed() const = 0;
};

// The right and the duty to answer one request. May be kept and answered later from any thread; one
// that is dropped without an answer sends 500.
class Reply {
 public:
  class Sink;  // the connection's side
  explicit Reply(std::shared_ptr<Sink> sink);
  Reply(Reply&&) noexcept;
  Reply& operator=(Reply&&) noexcept;
  ~Reply();

  void send(Response response);
  // Sends status and headers and opens the body. Content-Length in the headers fixes the size.
  std::unique_ptr<Stream> stream(int status, Headers headers);
  // A file's bytes from `offset`, `length` of them, without passing through user space where
  // possible. The file is opened at once and may be removed after.
  void send_file(int status, Headers headers, const std::string& path, std::uint64_t offset,
                 std::uint64_t length);

 private:
  std::shared_ptr<Sink> sink_;
};

// What the connection (or a test) implements.
class Reply::Sink {
 public:
  virtual ~Sink() = default;
  virtual void send(Response response) = 0;
  virtual std::unique_ptr<Stream> stream(int status, Headers headers) = 0;
  virtual void send_file(int status, Headers headers, const std::string& path, std::uint64_t offset,
                         std::uint64_t length) = 0;
  // The reply was dropped without an answer, because its handler threw or forgot it.
  virtual void drop();
};

// One server-sent event (WHATWG HTML, "event-stream"): "event: kind\nid: 7\ndata: …\n\n".
std::string event_text(std::string_view kind, std::string_view id, std::string_view data);

// "%2F" → "/", and "+" → " " where asked; nullopt for a broken escape or a NUL.
enum class Plus { kKeep, kSpace };
std::optional<std::string> percent_decode(std::string_view text, Plus plus);
std::string percent_encode(std::string_view text);

// "a=1&b=x+y" decoded, in order for equal names; nullopt where percent_decode says so.
std::optional<std::multimap<std::string, std::string, std::less<>>> parse_query(
    std::string_view text);

// The reason phrase of a status: "Not Found".
std::string_view reason(int status);

}  // namespace ciclo::http
