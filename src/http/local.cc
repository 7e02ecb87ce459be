// SPDX-License-Identifier: Apache-2.0
#include "http/local.h"

#include <condition_variable>
#include <fstream>
#include <iterator>
#include <mutex>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "http/body.h"
#include "http/idempotency.h"

namespace ciclo::http {
namespace {

// Holds the answer until somebody takes it.
class Waiting : public Reply::Sink, public std::enable_shared_from_this<Waiting> {
 public:
  void send(Response response) override {
    std::lock_guard lock(mutex_);
    answer_ = std::move(response);
    answered_.notify_all();
  }

  std::unique_ptr<Stream> stream(int status, Headers headers) override;

  void send_file(int status, Headers headers, const std::string& path, std::uint64_t offset,
                 std::uint64_t length) override {
    std::ifstream file(path, std::ios::binary);
    const std::string all{std::istreambuf_iterator<char>(file), {}};
    const auto begin = std::min<std::size_t>(offset, all.size());
    send({status, std::move(headers), all.substr(begin, length)});
  }

  Response take() {
    std::unique_lock lock(mutex_);
    answered_.wait(lock, [this] { return answer_.has_value(); });
    return std::move(*answer_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable answered_;
  std::optional<Response> answer_;  // guarded by mutex_
};

class CollectingStream : public Stream {
 public:
  CollectingStream(std::shared_ptr<Waiting> sink, Response response)
      : sink_(std::move(sink)), response_(std::move(response)) {}
  ~CollectingStream() override {
    if (sink_) sink_->send(Response::text("the stream was cut", 500));
  }
  Result<void> write(std::string_view bytes) override {
    response_.body += bytes;
    return {};
  }
  Result<void> finish() override {
    std::exchange(sink_, nullptr)->send(std::move(response_));
    return {};
  }
  bool has_room() const override { return true; }
  bool closed() const override { return false; }

 private:
  std::shared_ptr<Waiting> sink_;
  Response response_;
};

std::unique_ptr<Stream> Waiting::stream(int status, Headers headers) {
  return std::make_unique<CollectingStream>(shared_from_this(),
                                            Response{status, std::move(headers), {}});
}

}  // namespace

std::unique_ptr<Body> make_body(std::string bytes) {
  return std::make_unique<WholeBody>(std::move(bytes));
}

Response call_local(const Router& router, std::string_view method, std::string_view target,
                    std::string body, Headers headers) {
  Request request;
  request.method = method;
  const auto raw_path = target.substr(0, target.find('?'));
  if (raw_path.size() < target.size()) request.query_text = target.substr(raw_path.size() + 1);
  request.headers = std::move(headers);
  request.remote = "local";
  request.body = make_body(std::move(body));
  auto path = percent_decode(raw_path, Plus::kKeep);
  auto query = parse_query(request.query_text);
  if (!path || !query) return router.error_response(request, 400, "the target is malformed");
  request.path = std::move(*path);
  request.query = std::move(*query);
  const auto match = router.match(method, raw_path);
  if (match.route == nullptr) {
    return match.allowed.empty() ? router.error_response(request, 404, "no such path")
                                 : router.error_response(request, 405, "no such method");
  }
  request.path_parameters.insert(match.parameters.begin(), match.parameters.end());
  if (!match.route->options.stream_body) {
    const auto key = read_idempotency_key(request, SystemClock().now_ms());
    if (!key.ok()) return router.error_response(request, 400, key.error().message);
  }
  auto sink = std::make_shared<Waiting>();
  match.route->handler(request, Reply(sink));
  Response response = sink->take();
  mark_replay(request.context, response);
  return response;
}

}  // namespace ciclo::http
