// SPDX-License-Identifier: Apache-2.0
#include "http/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <exception>
#include <utility>

#include "base/log.h"
#include "http/wire.h"

// From an answer to the socket.

namespace ciclo::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::size_t kJoinBytesMax = 16 << 10;  // a body this small is copied behind its head
constexpr std::size_t kTurnBytesMax = 1 << 20;   // sent before other connections get their turn
constexpr std::chrono::milliseconds kLingerTime{2'000};

}  // namespace

void Connection::answer(Answer answer) {
  if (has_answer_) return;
  has_answer_ = true;
  status_ = answer.status;
  keep_alive_ = may_keep_alive(answer);
  ends_with_connection_ = answer.ends_with_connection;
  if (!keep_alive_) {
    append_field(answer.head, "Connection", "close");
  } else if (is_http_1_0_) {
    append_field(answer.head, "Connection", "keep-alive");
  }
  answer.head += "\r\n";
  answer_bytes_ = answer.body.size() + answer.file_length;
  if (answer.body.size() <= kJoinBytesMax) {
    output_.push(std::move(answer.head += answer.body));
  } else {
    output_.push(std::move(answer.head));
    output_.push(std::move(answer.body));
  }
  if (answer.file) {
    output_.push_file(std::move(answer.file), answer.file_offset, answer.file_length);
  }
  if (answer.stream) {
    stream_ = std::move(answer.stream);
    if (end_of_input_ || (stream_->events && core_.draining)) stream_->closed = true;
  } else {
    answered();
  }
}

bool Connection::may_keep_alive(const Answer& answer) const {
  if (!keep_alive_ || core_.draining || answer.ends_with_connection) return false;
  if (phase_ != Phase::kBody) return true;
  // The client that was not told to continue may send its body or not; nobody can know.
  if (continue_wanted_) return false;
  // A streamed answer may go on while the body arrives.
  if (answer.stream && pipe_) return true;
  return body_parser_.remaining().value_or(0) <= kDiscardBytesMax;
}

// Moves what was written to the stream into the output. True when something changed.
bool Connection::take_stream() {
  std::string bytes;
  bool finished = false;
  bool is_cut = false;
  {
    std::lock_guard lock(stream_->mutex);
    std::swap(bytes, stream_->bytes);
    stream_->announced = false;
    finished = stream_->finished;
    is_cut = stream_->cut;
  }
  stream_->taken.notify_all();
  const bool some = !bytes.empty();
  answer_bytes_ += bytes.size();
  if (some) output_.push(std::move(bytes));
  if (is_cut) {
    // Who stops because the client has gone has done right.
    if (!stream_->closed)
      log::warn("an answer was not completed",
                {{"path", exchange_->request.path},
                 {"request_id", exchange_->request.context.request_id}});
    cut();
  } else if (finished) {
    answered();
  }
  return some || finished || is_cut;
}

// The whole answer is in the output.
void Connection::answered() {
  record_request(status_);
  if (pipe_) pipe_->fail(unavailable("the request was answered before its body was read"));
  pipe_.reset();
  stream_.reset();
  exchange_.reset();
  whole_body_ = {};
  body_hold_.release();
  if (core_.draining) keep_alive_ = false;
  if (!keep_alive_) {
    phase_ = Phase::kClosing;
    read_deadline_ns_ = 0;
  } else if (phase_ == Phase::kBody) {
    phase_ = Phase::kDiscard;
    body_bytes_ = 0;
    begin_body_wait();
  } else {
    next_request();
  }
}

void Connection::record_request(int status) {
  const std::int64_t microseconds = (now_ns() - begun_ns_) / 1000;
  core_.counts.record(route_, status, microseconds);
  if (!core_.options.access_log) return;
  const Request& request = exchange_->request;
  log::info("request", {{"method", request.method},
                        {"path", request.path},
                        {"route", route_ == nullptr ? std::string() : route_->path},
                        {"status", status},
                        {"bytes", answer_bytes_},
                        {"ms", static_cast<double>(microseconds) / 1000},
                        {"remote", remote_},
                        {"request_id", request.context.request_id}});
}

// The answer cannot be completed: ends the connection so that the client sees it.
void Connection::cut() {
  keep_alive_ = false;
  // What came so far still reaches the client, who misses the end that the framing promised.
  if (!ends_with_connection_) return answered();
  error_code ignored;
  // An orderly end would look like the end of the body.
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  close();
}

// Output.

// Sends what the socket takes. True when something changed that a step may build on.
bool Connection::flush() {
  bool moved = false;
  std::size_t turn = 0;
  while (!closed_ && !writing_) {
    if (output_.empty()) {
      if (!after_flush()) break;
      moved = true;
      continue;
    }
    if (tls_) {
      send_tls();
      break;
    }
    std::size_t sent = 0;
    switch (output_.send(socket_.native_handle(), sent)) {
      case OutputQueue::Sent::kSome: moved = true; break;
      case OutputQueue::Sent::kBlocked: wait_writable(); break;
      case OutputQueue::Sent::kFailed: close(); break;
    }
    turn += sent;
    if (turn > kTurnBytesMax && !writing_ && !closed_) take_turns();
  }
  return moved;
}

// Goes on when the loop's other connections have had their turn.
void Connection::take_turns() {
  writing_ = true;
  asio::post(loop_->io, [self = shared_from_this()] {
    self->writing_ = false;
    self->pump();
  });
}

// The output is empty: takes more of a stream, or ends the connection. True when something changed.
bool Connection::after_flush() {
  write_deadline_ns_ = 0;
  if (stream_) return take_stream();
  if (phase_ == Phase::kClosing) {
    linger();
    return true;
  }
  return false;
}

void Connection::wait_writable() {
  writing_ = true;
  write_deadline_ns_ = in(core_.options.body_timeout);
  socket_.async_wait(asio::ip::tcp::socket::wait_write,
                     [self = shared_from_this()](error_code error) {
                       self->writing_ = false;
                       if (self->closed_) return;
                       if (error) return self->close();
                       self->pump();
                     });
}

void Connection::send_tls() {
  if (!output_.take(in_flight_)) return close();
  writing_ = true;
  write_deadline_ns_ = in(core_.options.body_timeout);
  asio::async_write(*tls_, asio::buffer(in_flight_),
                    [self = shared_from_this()](error_code error, std::size_t) {
                      self->writing_ = false;
                      if (self->closed_) return;
                      if (error) return self->close();
                      self->write_deadline_ns_ = 0;
                      self->pump();
                    });
}

// Closes our side and waits for the client to close its own: closing at once while it still sends
// would reset the connection and take the answer with it (RFC 9112, 9.6).
void Connection::linger() {
  phase_ = Phase::kLinger;
  read_deadline_ns_ = in(kLingerTime);
  // A server that ends does not wait for clients that have their answer.
  if ((end_of_input_ || core_.draining) && !tls_) return close();
  if (tls_) {
    writing_ = true;
    tls_->async_shutdown([self = shared_from_this()](error_code) {
      self->writing_ = false;
      if (!self->closed_) self->close();
    });
    return;
  }
  error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
}

}  // namespace ciclo::http
