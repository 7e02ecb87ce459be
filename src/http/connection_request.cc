// SPDX-License-Identifier: Apache-2.0
#include "http/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <exception>
#include <utility>

#include "base/log.h"
#include "http/idempotency.h"
#include "http/wire.h"

// From a request's head to its handler.

namespace ciclo::http {
namespace {

constexpr std::size_t kPipeBytesMax = 256 << 10;

bool is_sane_request_id(std::string_view id) {
  return !id.empty() && id.size() <= 128 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_.:/+=@").find(c) != std::string_view::npos;
  });
}

void run_handler(const Router::Route& route, const std::shared_ptr<Exchange>& exchange) {
  if (!route.options.stream_body) {
    const auto key = read_idempotency_key(exchange->request, exchange->now_ms());
    if (!key.ok()) return exchange->refuse(400, key.error().message);
  }
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
  const std::size_t encoded = bytes.size();
  auto body = std::make_unique<WholeBody>(std::move(bytes));
  const auto decoded = body->decode(coding, bytes_max);
  if (!decoded.ok()) {
    exchange.refuse(decoded.error().code == Code::kResourceExhausted ? 413 : 400,
                    decoded.error().message);
    return false;
  }
  const std::size_t grown = body->size() - std::min(encoded, body->size());
  if (!exchange.hold.grow(grown)) {
    exchange.refuse(503, "the bodies of other requests fill the memory that is set aside for them");
    return false;
  }
  exchange.request.body = std::move(body);
  return true;
}

}  // namespace

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
  body_hold_ = BodyHold(core_.bodies);
  pipe_.reset();
  read_deadline_ns_ = 0;
  rate_deadline_ns_ = 0;
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
  if (const auto refusal = refused_site(exchange_->request, core_.options.sites)) {
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
  // What is read as it comes takes as long as its client does.
  if (core_.options.request_timeout.count() > 0 && !options.stream_body) {
    exchange_->request.context.deadline_ns = in(core_.options.request_timeout);
  }
  if (head.content_length > body_bytes_max()) {
    refuse_large_body();
    return false;
  }
  if (!head.has_body()) {
    body_coding_ = Coding::kIdentity;
    return true;
  }
  // The client of a streamed body that waits to be told to continue waits for a worker: no fault of
  // its own.
  if (!continue_wanted_ || !options.stream_body) begin_body_wait();
  if (!options.stream_body) {
    whole_body_.reserve(
        static_cast<std::size_t>(std::min<std::uint64_t>(head.content_length, 1 << 20)));
    return true;
  }
  const auto number = number_;
  pipe_ = std::make_shared<BodyPipe>(kPipeBytesMax,
                                     [port = port_, number] { port->body_has_room(number); });
  exchange_->request.body =
      std::make_unique<PipedBody>(pipe_, body_coding_, body_bytes_max(),
                                  [port = port_, number] { port->send_continue(number); });
  return true;
}

void Connection::body_complete() {
  phase_ = Phase::kHandling;
  read_deadline_ns_ = 0;
  rate_deadline_ns_ = 0;
  exchange_->hold = std::move(body_hold_);
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
  if (!decode_body(*exchange, body_coding_, body_bytes_max(), std::move(whole_body_))) return;
  run_handler(*route_, exchange);
}

void Connection::run_on_worker() {
  struct Task {
    std::shared_ptr<Exchange> exchange;
    const Router::Route* route;
    Coding coding;
    std::size_t body_bytes_max;
    std::string body;
  };
  const bool streamed = pipe_ != nullptr;
  auto task = std::make_shared<Task>(
      Task{exchange_, route_, body_coding_, body_bytes_max(), std::move(whole_body_)});
  whole_body_.clear();
  const bool taken = core_.workers->try_submit([task, streamed] {
    auto& exchange = *task->exchange;
    if (exchange.is_abandoned()) return;
    if (!streamed &&
        !decode_body(exchange, task->coding, task->body_bytes_max, std::move(task->body))) {
      return;
    }
    run_handler(*task->route, task->exchange);
  });
  if (taken) return;
  refuse_busy("all workers are busy and the queue is full");
}

std::size_t Connection::body_bytes_max() const {
  const auto& route = route_->options;
  if (route.body_bytes_max > 0) return route.body_bytes_max;
  return route.stream_body ? core_.options.upload_bytes_max : core_.options.body_bytes_max;
}

void Connection::refuse_large_body() {
  keep_alive_ = false;
  refuse(413, "the body is larger than the " + std::to_string(body_bytes_max()) +
                  " bytes that this address takes");
}

void Connection::refuse_busy(std::string_view message) {
  core_.refused.fetch_add(1, std::memory_order_relaxed);
  refuse(503, message);
}

void Connection::refuse(int status, std::string_view message, const Headers& more) {
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

}  // namespace ciclo::http
