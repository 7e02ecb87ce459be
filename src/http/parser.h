// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/message.h"

// Requests on the wire (RFC 9112), read strictly: whatever two implementations might read
// differently is refused, since that is how requests are smuggled past a proxy. Pure: bytes in,
// parts out; no sockets.

namespace ciclo::http {

// Why a request is refused before a handler sees it.
struct Refusal {
  int status = 400;
  std::string message;
};

struct RequestHead {
  std::string method;
  std::string target;  // in origin form: "/path?query", or "*"
  int minor_version = 1;
  Headers headers;
  bool keep_alive = true;
  bool expect_continue = false;
  bool chunked = false;
  std::uint64_t content_length = 0;  // 0 when chunked

  bool has_body() const { return chunked || content_length > 0; }
};

// Finds and reads the head of a request at the start of a growing buffer.
class HeadParser {
 public:
  explicit HeadParser(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  enum class Step { kMore, kDone, kRefused };
  // `buffered` is all that was received of this request so far: what the call before saw, and more.
  Step look(std::string_view buffered);

  // After kDone: the head, and how many bytes it took.
  RequestHead& head() { return head_; }
  std::size_t bytes() const { return end_; }
  // After kRefused.
  const Refusal& refusal() const { return refusal_; }

  // Ready for the next request.
  void reset();

 private:
  Step refuse(int status, std::string message);
  Step read_head(std::string_view text);

  const std::size_t bytes_max_;
  std::size_t begin_ = 0;  // where the request line begins, after empty lines
  std::size_t line_ = 0;   // where the line begins that is not complete yet
  std::size_t end_ = 0;
  RequestHead head_;
  Refusal refusal_;
};

// Cuts the body out of its framing: Content-Length or chunked.
class BodyParser {
 public:
  void start(const RequestHead& head);

  struct Part {
    std::size_t consumed = 0;  // bytes of the input that are done with
    std::string_view data;     // a piece of the body, inside the input; may be empty
  };
  // Takes at most one piece from the beginning of `text`. Nothing consumed means that more is
  // needed, unless done() or failed().
  Part next(std::string_view text);

  bool done() const { return state_ == State::kDone; }
  bool failed() const { return state_ == State::kFailed; }
  // Bytes still to come, of a body with Content-Length.
  std::optional<std::uint64_t> remaining() const;

 private:
  enum class State { kLength, kSize, kData, kDataEnd, kTrailer, kDone, kFailed };
  Part next_size(std::string_view text);
  Part next_data(std::string_view text);
  Part next_data_end(std::string_view text);
  Part next_trailer(std::string_view text);
  Part fail();

  State state_ = State::kDone;
  std::uint64_t left_ = 0;  // of the body, or of the chunk
  std::size_t trailer_bytes_ = 0;
};

// Splits and decodes the target into path and query. nullopt when it was well-formed.
std::optional<Refusal> fill_target(std::string_view target, Request& request);

}  // namespace ciclo::http
