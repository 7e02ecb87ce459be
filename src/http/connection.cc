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

namespace ciclo::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::size_t kInputBytesIdle = 2 << 10;
constexpr std::size_t kInputBytesMax = 64 << 10;
constexpr std::size_t kOutputBytesMax = 256
                                        << 10;  // above it, no further pipelined request is begun

}  // namespace

// Carries calls of other threads to the connection's loop. Holds the connection weakly: it dies
// with its client, however long a reply is parked.
class ConnectionPort : public Port {
 public:
  ConnectionPort(std::shared_ptr<Loop> loop, std::weak_ptr<Connection> connection)
      : loop_(std::move(loop)), connection_(std::move(connection)) {}

  bool on_loop() const override { return loop_->on_thread(); }

  void answer(std::uint64_t request, Answer answer) override {
    carry(request, [answer = std::move(answer)](Connection& connection) mutable {
      connection.answer(std::move(answer));
    });
  }
  void refuse(std::uint64_t request, int status, std::string message) override {
    carry(request, [status, message = std::move(message)](Connection& connection) {
      if (!connection.has_answer_) connection.refuse(status, message);
    });
  }
  void stream_ready(std::uint64_t request) override {
    carry(request, [](Connection&) {});
  }
  void body_has_room(std::uint64_t request) override {
    carry(request, [](Connection&) {});
  }
  void send_continue(std::uint64_t request) override {
    carry(request, [](Connection& connection) {
      if (!std::exchange(connection.continue_wanted_, false) || connection.has_answer_) return;
      connection.output_.push("HTTP/1.1 100 Continue\r\n\r\n");
      connection.begin_body_wait();
    });
  }

 private:
  // Runs the task if the connection still serves that request, and lets it go on from there.
  template <class F>
  void carry(std::uint64_t request, F task) {
    auto guarded = [connection = connection_, request, task = std::move(task)]() mutable {
      const auto alive = connection.lock();
      if (!alive || alive->closed_ || alive->number_ != request || !alive->exchange_) return;
      task(*alive);
      alive->pump();
    };
    if (loop_->on_thread()) {
      guarded();
    } else {
      loop_->post(std::move(guarded));
    }
  }

  const std::shared_ptr<Loop> loop_;  // shared with the server
  const std::weak_ptr<Connection> connection_;
};

Connection::Connection(ServerCore& core, std::shared_ptr<Loop> loop, asio::ip::tcp::socket socket)
    : core_(core),
      loop_(std::move(loop)),
      socket_(std::move(socket)),
      head_parser_(core.options.header_bytes_max) {}

Connection::~Connection() = default;

void Connection::start() {
  port_ = std::make_shared<ConnectionPort>(loop_, weak_from_this());
  error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.native_non_blocking(true, ignored);
  const auto peer = socket_.remote_endpoint(ignored);
  const std::string host = peer.address().to_string();
  remote_ = (peer.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(peer.port());
  if (core_.tls) return handshake();
  next_request();
  pump();
}

void Connection::turn_away() {
  constexpr std::string_view kFull =
      "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: "
      "close\r\n\r\n";
  // Best effort: the socket's buffer is empty, so it either fits or the client is gone.
  if (!core_.tls)
    ::send(socket_.native_handle(), kFull.data(), kFull.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void Connection::handshake() {
  phase_ = Phase::kHandshake;
  read_deadline_ns_ = in(core_.options.header_timeout);
  tls_ = std::make_unique<asio::ssl::stream<asio::ip::tcp::socket&>>(socket_, *core_.tls);
  tls_->async_handshake(asio::ssl::stream_base::server,
                        [self = shared_from_this()](error_code error) {
                          if (self->closed_) return;
                          if (error) return self->close();
                          self->next_request();
                          self->pump();
                        });
}

void Connection::drain() {
  if (stream_ && stream_->events) stream_->closed = true;
  if (phase_ == Phase::kHead && input_.empty() && output_.empty() && !writing_) return close();
  if (phase_ == Phase::kHandshake || phase_ == Phase::kLinger) close();
}

void Connection::close() {
  if (std::exchange(closed_, true)) return;
  if (exchange_) {
    exchange_->abandon();
    record_request(499);
  }
  if (pipe_) pipe_->fail(unavailable("the client went away"));
  if (stream_) stream_->close();
  exchange_.reset();
  stream_.reset();
  output_.clear();
  error_code ignored;
  socket_.close(ignored);
  loop_->connections.erase(this);
  loop_->open.fetch_sub(1, std::memory_order_relaxed);
  std::lock_guard lock(core_.mutex);
  if (--core_.open == 0) core_.all_closed.notify_all();
}

bool Connection::overdue(std::int64_t now) const {
  // A body has two limits; both hold only while its bytes are waited for.
  return (read_deadline_ns_ != 0 &&
          (now > read_deadline_ns_ || (rate_deadline_ns_ != 0 && now > rate_deadline_ns_))) ||
         (write_deadline_ns_ != 0 && now > write_deadline_ns_);
}

void Connection::time_out(std::int64_t now) {
  if (closed_ || !overdue(now)) return;
  if (write_deadline_ns_ != 0 && now > write_deadline_ns_) return close();
  read_deadline_ns_ = 0;
  rate_deadline_ns_ = 0;
  if (phase_ == Phase::kHead && !input_.empty()) {
    refuse_malformed({408, "the request header did not arrive in time"});
    return pump();
  }
  if (phase_ == Phase::kBody) {
    keep_alive_ = false;
    if (!pipe_) {
      refuse(408, "the request body did not arrive in time");
      return pump();
    }
    // Its handler answers; what still comes of the body is thrown away.
    return pipe_->fail(deadline_exceeded("the request body did not arrive in time"));
  }
  close();
}

// Input.

void Connection::start_read() {
  if (reading_ || closed_ || end_of_input_ || !wants_input()) return;
  const auto place = make_room();
  if (place.bytes == 0) return;
  reading_ = true;
  const auto room = asio::buffer(place.place, place.bytes);
  auto done = [self = shared_from_this()](error_code error, std::size_t bytes) {
    self->on_read(error, bytes);
  };
  if (tls_) {
    tls_->async_read_some(room, std::move(done));
  } else {
    socket_.async_read_some(room, std::move(done));
  }
}

bool Connection::wants_input() const {
  switch (phase_) {
    case Phase::kBody: return !pipe_ || !pipe_->full();
    case Phase::kHandshake:
    case Phase::kClosing: return false;
    case Phase::kHead:
    case Phase::kHandling:  // to see that the client goes, and what it pipelines
    case Phase::kDiscard:
    case Phase::kLinger: return true;
  }
  return false;
}

InputBuffer::Room Connection::make_room() {
  const std::size_t most = std::max(kInputBytesMax, core_.options.header_bytes_max + 1);
  return input_.make_room(phase_ == Phase::kBody ? kInputBytesMax : kInputBytesIdle, most);
}

void Connection::on_read(error_code error, std::size_t bytes) {
  reading_ = false;
  if (closed_) return;
  input_.received(bytes);
  if (error == asio::error::eof || error == asio::ssl::error::stream_truncated) {
    on_end_of_input();
  } else if (error) {
    return close();
  }
  if (phase_ == Phase::kBody || phase_ == Phase::kDiscard) {
    read_deadline_ns_ = in(core_.options.body_timeout);
    count_body_bytes(bytes);
  }
  pump();
}

// The client will send no more; it may still wait for its answer.
void Connection::on_end_of_input() {
  end_of_input_ = true;
  if (stream_) stream_->closed = true;
}

void Connection::pump() {
  if (pumping_ || closed_) return;
  pumping_ = true;
  bool moved = true;
  while (moved && !closed_) {
    moved = false;
    while (!closed_ && step()) moved = true;
    if (!closed_ && flush()) moved = true;
  }
  pumping_ = false;
  start_read();
}

bool Connection::step() {
  switch (phase_) {
    case Phase::kHead: return step_head();
    case Phase::kBody: return step_body();
    case Phase::kDiscard: return step_discard();
    case Phase::kLinger:
      input_.clear();
      if (end_of_input_) close();
      return false;
    case Phase::kHandshake:
    case Phase::kHandling:
    case Phase::kClosing: break;
  }
  return false;
}

bool Connection::step_head() {
  if (output_.bytes_in_memory() > kOutputBytesMax) return false;
  if (input_.empty()) {
    if (!end_of_input_ && !core_.draining) return false;
    phase_ = Phase::kClosing;
    return true;
  }
  if (begun_ns_ == 0) {
    begun_ns_ = now_ns();
    read_deadline_ns_ = begun_ns_ + std::chrono::nanoseconds(core_.options.header_timeout).count();
  }
  switch (head_parser_.look(input_.view())) {
    case HeadParser::Step::kMore:
      if (end_of_input_) close();
      return false;
    case HeadParser::Step::kRefused: refuse_malformed(head_parser_.refusal()); return true;
    case HeadParser::Step::kDone:
      input_.consume(head_parser_.bytes());
      begin_request(std::move(head_parser_.head()));
      return true;
  }
  return false;
}

bool Connection::step_body() {
  if (pipe_ && pipe_->full()) {
    // The handler is slower than the client; that is not the client's fault.
    read_deadline_ns_ = 0;
    rate_deadline_ns_ = 0;
    return false;
  }
  const auto part = body_parser_.next(input_.view());
  input_.consume(part.consumed);
  body_bytes_ += part.data.size();
  if (part.consumed > 0 && std::exchange(continue_wanted_, false)) begin_body_wait();
  if (body_parser_.failed()) {
    keep_alive_ = false;
    if (pipe_) pipe_->fail(invalid_argument("the chunks of the body are malformed"));
    phase_ = Phase::kHandling;
    input_.clear();
    if (!pipe_ && !has_answer_) refuse(400, "the chunks of the body are malformed");
    return true;
  }
  if (!part.data.empty() && !take_body(part.data)) return true;
  if (body_parser_.done()) {
    body_complete();
    return true;
  }
  if (part.consumed > 0) return true;
  if (end_of_input_) close();
  if (!closed_ && read_deadline_ns_ == 0 && !continue_wanted_) begin_body_wait();
  return false;
}

// Passes the bytes on to the handler or gathers them. False when the request was refused for them.
bool Connection::take_body(std::string_view bytes) {
  if (pipe_) {
    pipe_->push(bytes);
    return true;
  }
  if (body_bytes_ > body_bytes_max()) {
    refuse_large_body();
    return false;
  }
  if (!body_hold_.grow(bytes.size())) {
    keep_alive_ = false;
    refuse_busy("the bodies of other requests fill the memory that is set aside for them");
    return false;
  }
  whole_body_ += bytes;
  return true;
}

void Connection::begin_body_wait() {
  const auto& options = core_.options;
  read_deadline_ns_ = in(options.body_timeout);
  rate_deadline_ns_ = options.body_rate_min == 0 ? 0 : in(options.body_rate_grace);
}

// Each byte buys the time that it may take at the least rate; more than the grace cannot be saved
// up, so that a fast beginning pays for no slow end.
void Connection::count_body_bytes(std::size_t bytes) {
  if (rate_deadline_ns_ == 0) return;
  const double bought_ns =
      1e9 * static_cast<double>(bytes) / static_cast<double>(core_.options.body_rate_min);
  const std::int64_t most_ns = in(core_.options.body_rate_grace);
  const auto left_ns = static_cast<double>(most_ns - rate_deadline_ns_);
  rate_deadline_ns_ =
      bought_ns >= left_ns ? most_ns : rate_deadline_ns_ + static_cast<std::int64_t>(bought_ns);
}

bool Connection::step_discard() {
  const auto part = body_parser_.next(input_.view());
  input_.consume(part.consumed);
  body_bytes_ += part.consumed;
  if (body_parser_.done()) {
    next_request();
    return true;
  }
  if (body_parser_.failed() || body_bytes_ > kDiscardBytesMax || end_of_input_) {
    phase_ = Phase::kClosing;
    return true;
  }
  return part.consumed > 0;
}

void Connection::next_request() {
  phase_ = Phase::kHead;
  head_parser_.reset();
  begun_ns_ = 0;
  rate_deadline_ns_ = 0;
  read_deadline_ns_ = in(core_.options.idle_timeout);
}

}  // namespace ciclo::http
