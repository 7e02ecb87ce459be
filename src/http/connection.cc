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
constexpr std::size_t kPipeBytesMax = 256 << 10;
constexpr std::size_t kOutputBytesMax = 256
                                        << 10;  // above it, no further pipelined request is begun
constexpr std::uint64_t kDiscardBytesMax = 256 << 10;
constexpr std::size_t kJoinBytesMax = 16 << 10;  // a body this small is copied behind its head
constexpr std::size_t kTurnBytesMax = 1 << 20;   // sent before other connections get their turn
constexpr std::chrono::milliseconds kLingerTime{2'000};

bool is_sane_request_id(std::string_view id) {
  return !id.empty() && id.size() <= 128 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_.:/+=@").find(c) != std::string_view::npos;
  });
}

void run_handler(const Router::Route& route, const std::shared_ptr<Exchange>& exchange) {
  // A reply that the handler did not use answers 500 when it is dropped, also by an exception.
  try {
    route.handler(exchange->request, Reply(exchange));
  } catch (const std::exception& failure) {
    log::error("a handler threw", {{"route", route.path},
                                   {"request_id", exchange->request.context.request_id},
                                   {"what", failure.what()}});
  } catch (...) {
    log::error("a handler threw", {{"route", route.path},
                                   {"request_id", exchange->request.context.request_id},
                                   {"what", "something that is no std::exception"}});
  }
}

// Decodes a whole body where it is encoded. False when the request was refused for it.
bool decode_body(Exchange& exchange, Coding coding, std::size_t bytes_max, std::string bytes) {
  auto body = std::make_unique<WholeBody>(std::move(bytes));
  const auto decoded = body->decode(coding, bytes_max);
  if (!decoded.ok()) {
    exchange.refuse(decoded.error().code == Code::kResourceExhausted ? 413 : 400,
                    decoded.error().message);
    return false;
  }
  exchange.request.body = std::move(body);
  return true;
}

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
    exchange_->abandoned = true;
    log_request(499);
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
  return (read_deadline_ns_ != 0 && now > read_deadline_ns_) ||
         (write_deadline_ns_ != 0 && now > write_deadline_ns_);
}

void Connection::time_out(std::int64_t now) {
  if (closed_ || !overdue(now)) return;
  if (write_deadline_ns_ != 0 && now > write_deadline_ns_) return close();
  read_deadline_ns_ = 0;
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
    return false;
  }
  const auto part = body_parser_.next(input_.view());
  input_.consume(part.consumed);
  body_bytes_ += part.data.size();
  if (part.consumed > 0) continue_wanted_ = false;
  if (body_parser_.failed()) {
    keep_alive_ = false;
    if (pipe_) pipe_->fail(invalid_argument("the chunks of the body are malformed"));
    phase_ = Phase::kHandling;
    input_.clear();
    if (!pipe_ && !has_answer_) refuse(400, "the chunks of the body are malformed");
    return true;
  }
  if (pipe_) {
    if (!part.data.empty()) pipe_->push(part.data);
  } else if (body_bytes_ > route_->options.body_bytes_max) {
    keep_alive_ = false;
    refuse(413, "the body is larger than the " + std::to_string(route_->options.body_bytes_max) +
                    " bytes that this address takes");
    return true;
  } else {
    whole_body_ += part.data;
  }
  if (body_parser_.done()) {
    body_complete();
    return true;
  }
  if (part.consumed > 0) return true;
  if (end_of_input_) close();
  if (!closed_ && read_deadline_ns_ == 0) read_deadline_ns_ = in(core_.options.body_timeout);
  return false;
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
  read_deadline_ns_ = in(core_.options.idle_timeout);
}

// From head to handler.

void Connection::begin_request(RequestHead head) {
  core_.requests.fetch_add(1, std::memory_order_relaxed);
  ++number_;
  exchange_ = std::make_shared<Exchange>(port_, number_, core_.clock);
  route_ = nullptr;
  has_answer_ = false;
  status_ = 0;
  answer_bytes_ = 0;
  body_bytes_ = 0;
  whole_body_.clear();
  pipe_.reset();
  read_deadline_ns_ = 0;
  keep_alive_ = head.keep_alive;
  is_http_1_0_ = head.minor_version == 0;
  body_parser_.start(head);
  phase_ = head.has_body() ? Phase::kBody : Phase::kHandling;
  continue_wanted_ = head.expect_continue && input_.empty();
  const std::string target = std::move(head.target);
  fill_request(head);
  if (target == "*") return send(Response::empty());
  if (const auto refusal = fill_target(target, exchange_->request)) {
    return refuse(refusal->status, refusal->message);
  }
  if (!find_route(target) || !open_body(head)) return;
  if (!head.has_body()) {
    body_complete();
  } else if (pipe_) {
    dispatch();
  } else if (continue_wanted_) {
    continue_wanted_ = false;
    output_.push("HTTP/1.1 100 Continue\r\n\r\n");
  }
}

void Connection::fill_request(RequestHead& head) {
  Request& request = exchange_->request;
  request.method = std::move(head.method);
  request.context.request_id = request_id(head.headers);
  if (core_.options.request_timeout.count() > 0) {
    request.context.deadline_ns = in(core_.options.request_timeout);
  }
  exchange_->shape.head_only = request.method == "HEAD";
  exchange_->shape.chunks = !is_http_1_0_;
  exchange_->shape.accepted = accepted_coding(head.headers.get("Accept-Encoding"));
  request.headers = std::move(head.headers);
  request.remote = remote_;
  request.secure = tls_ != nullptr;
  request.body = std::make_unique<WholeBody>(std::string());
}

bool Connection::find_route(const std::string& target) {
  Request& request = exchange_->request;
  auto match =
      core_.router.match(request.method, std::string_view(target).substr(0, target.find('?')));
  if (match.route != nullptr) {
    route_ = match.route;
    for (auto& [name, value] : match.parameters) {
      request.path_parameters.emplace(std::move(name), std::move(value));
    }
    return true;
  }
  if (match.allowed.empty()) {
    refuse(404, "there is nothing at " + request.path);
    return false;
  }
  std::string allowed;
  for (const auto& method : match.allowed) allowed += (allowed.empty() ? "" : ", ") + method;
  if (request.method == "OPTIONS") {
    send({204, {{"Allow", allowed}}, {}});
  } else {
    refuse(405, request.path + " answers to " + allowed + ", not to " + request.method,
           {{"Allow", allowed}});
  }
  return false;
}

// Decides how the body reaches the handler. False when the request was refused.
bool Connection::open_body(const RequestHead& head) {
  const auto& options = route_->options;
  const auto coding = content_coding(exchange_->request.headers.get("Content-Encoding"));
  if (!coding) {
    refuse(415, "the Content-Encoding must be gzip, deflate, zstd or identity",
           {{"Accept-Encoding", "gzip, deflate, zstd"}});
    return false;
  }
  body_coding_ = *coding;
  if (head.content_length > options.body_bytes_max) {
    refuse(413, "the body is larger than the " + std::to_string(options.body_bytes_max) +
                    " bytes that this address takes");
    return false;
  }
  if (!head.has_body()) {
    body_coding_ = Coding::kIdentity;
    return true;
  }
  read_deadline_ns_ = in(core_.options.body_timeout);
  if (!options.stream_body) {
    whole_body_.reserve(
        static_cast<std::size_t>(std::min<std::uint64_t>(head.content_length, 1 << 20)));
    return true;
  }
  const auto number = number_;
  pipe_ = std::make_shared<BodyPipe>(kPipeBytesMax,
                                     [port = port_, number] { port->body_has_room(number); });
  exchange_->request.body =
      std::make_unique<PipedBody>(pipe_, body_coding_, options.body_bytes_max,
                                  [port = port_, number] { port->send_continue(number); });
  return true;
}

void Connection::body_complete() {
  phase_ = Phase::kHandling;
  read_deadline_ns_ = 0;
  if (pipe_) return pipe_->finish();
  dispatch();
}

void Connection::dispatch() {
  if (route_->options.run_on == RunOn::kLoop) {
    run_on_loop();
  } else {
    run_on_worker();
  }
}

void Connection::run_on_loop() {
  // Held here: the answer may end the exchange while its handler still looks at the request.
  const auto exchange = exchange_;
  if (!decode_body(*exchange, body_coding_, route_->options.body_bytes_max, std::move(whole_body_)))
    return;
  run_handler(*route_, exchange);
}

void Connection::run_on_worker() {
  struct Task {
    std::shared_ptr<Exchange> exchange;
    const Router::Route* route;
    Coding coding;
    std::string body;
  };
  const bool streamed = pipe_ != nullptr;
  auto task = std::make_shared<Task>(Task{exchange_, route_, body_coding_, std::move(whole_body_)});
  whole_body_.clear();
  const bool taken = core_.workers->try_submit([task, streamed] {
    auto& exchange = *task->exchange;
    if (exchange.abandoned) return;
    if (!streamed && !decode_body(exchange, task->coding, task->route->options.body_bytes_max,
                                  std::move(task->body))) {
      return;
    }
    run_handler(*task->route, task->exchange);
  });
  if (taken) return;
  core_.refused.fetch_add(1, std::memory_order_relaxed);
  refuse(503, "all workers are busy and the queue is full", {{"Retry-After", "1"}});
}

void Connection::refuse(int status, std::string_view message, Headers more) {
  auto response = core_.router.error_response(exchange_->request, status, message);
  for (const auto& [name, value] : more.all()) response.headers.set(name, value);
  send(std::move(response));
}

void Connection::send(Response response) {
  // Held here: the answer ends the connection's own hold of it.
  const auto exchange = exchange_;
  exchange->send(std::move(response));
}

void Connection::refuse_malformed(const Refusal& refusal) {
  // What follows cannot be told apart from the rest of this request.
  input_.clear();
  core_.requests.fetch_add(1, std::memory_order_relaxed);
  ++number_;
  exchange_ = std::make_shared<Exchange>(port_, number_, core_.clock);
  exchange_->request.context.request_id = request_id({});
  exchange_->request.body = std::make_unique<WholeBody>(std::string());
  route_ = nullptr;
  has_answer_ = false;
  answer_bytes_ = 0;
  keep_alive_ = false;
  phase_ = Phase::kHandling;
  read_deadline_ns_ = 0;
  refuse(refusal.status, refusal.message);
}

std::string Connection::request_id(const Headers& headers) const {
  const auto given = headers.get("X-Request-Id");
  if (is_sane_request_id(given)) return std::string(given);
  constexpr char kDigits[] = "0123456789abcdef";
  std::string id;
  id.reserve(32);
  for (int word = 0; word < 2; ++word) {
    const std::uint64_t bits = loop_->random.next();
    for (int shift = 60; shift >= 0; shift -= 4) id.push_back(kDigits[(bits >> shift) & 15]);
  }
  return id;
}

// From answer to output.

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
  log_request(status_);
  if (pipe_) pipe_->fail(unavailable("the request was answered before its body was read"));
  pipe_.reset();
  stream_.reset();
  exchange_.reset();
  whole_body_ = {};
  if (core_.draining) keep_alive_ = false;
  if (!keep_alive_) {
    phase_ = Phase::kClosing;
    read_deadline_ns_ = 0;
  } else if (phase_ == Phase::kBody) {
    phase_ = Phase::kDiscard;
    body_bytes_ = 0;
    read_deadline_ns_ = in(core_.options.body_timeout);
  } else {
    next_request();
  }
}

void Connection::log_request(int status) const {
  if (!core_.options.access_log) return;
  const Request& request = exchange_->request;
  log::info("request", {{"method", request.method},
                        {"path", request.path},
                        {"route", route_ == nullptr ? std::string() : route_->path},
                        {"status", status},
                        {"bytes", answer_bytes_},
                        {"ms", static_cast<double>((now_ns() - begun_ns_) / 1000) / 1000},
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
