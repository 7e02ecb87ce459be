// SPDX-License-Identifier: Apache-2.0
#include "cli/api.h"

#include <condition_variable>
#include <fstream>
#include <mutex>
#include <optional>
#include <utility>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"

namespace ciclo::cli {
namespace {

Code code_of(int status) {
  switch (status) {
    case 400:
    case 422: return Code::kInvalidArgument;
    case 401: return Code::kUnauthenticated;
    case 403: return Code::kPermissionDenied;
    case 404: return Code::kNotFound;
    case 409: return Code::kConflict;
    case 412: return Code::kFailedPrecondition;
    case 429: return Code::kResourceExhausted;
    case 503: return Code::kUnavailable;
    case 504: return Code::kDeadlineExceeded;
    default: return Code::kInternal;
  }
}

Result<json::Value> read_answer(const http::Response& response) {
  json::Value document;
  if (!response.body.empty()) {
    auto parsed = json::parse(response.body);
    if (parsed.ok()) {
      document = std::move(parsed).value();
    } else if (response.status < 400) {
      return internal("the server answered what is not JSON: " + quoted(response.body));
    }
  }
  if (response.status < 400) return document;
  const json::Value* error = document.find("error");
  std::string message =
      document.string_or("message", "the server answered " + std::to_string(response.status));
  if (error != nullptr && error->is_string()) message = error->string();
  if (error != nullptr && error->is_object()) message = error->string_or("message", message);
  return Error{code_of(response.status), message};
}

class RemoteApi final : public Api {
 public:
  RemoteApi(http::Client& client, std::string url) : client_(client), url_(std::move(url)) {
    while (!url_.empty() && url_.back() == '/') url_.pop_back();
  }

  Result<json::Value> call(std::string_view method, const std::string& path,
                           const json::Value& body) override {
    http::ClientRequest request;
    request.method = std::string(method);
    request.url = url_ + path;
    if (!body.is_null()) {
      request.body = json::dump(body);
      request.headers.add("Content-Type", "application/json");
    }
    TRY(const http::Response response, client_.call(request));
    return read_answer(response);
  }

  Result<std::string> upload(const std::filesystem::path& file) override {
    TRY(std::string hash, hash_file(file));
    const std::string path = url_ + "/api/v1/blobs/" + hash;
    http::ClientRequest probe;
    probe.method = "HEAD";
    probe.url = path;
    TRY(const http::Response present, client_.call(probe));
    if (present.status == 200) return hash;
    http::ClientRequest put;
    put.method = "PUT";
    put.url = path;
    put.body_file = file.string();
    put.headers.add("Content-Type", "application/octet-stream");
    TRY(const http::Response stored, client_.call(put));
    TRY(read_answer(stored));
    return hash;
  }

  std::string target() const override { return url_; }

 private:
  http::Client& client_;
  std::string url_;
};

// Waits for the answer of a handler that runs in this process.
class WaitingSink final : public http::Reply::Sink {
 public:
  void send(http::Response response) override {
    std::lock_guard lock(mutex_);
    response_ = std::move(response);
    answered_.notify_all();
  }

  std::unique_ptr<http::Stream> stream(int status, http::Headers headers) override {
    return std::make_unique<Collector>(*this, status, std::move(headers));
  }

  void send_file(int status, http::Headers headers, const std::string& path, std::uint64_t offset,
                 std::uint64_t length) override {
    std::ifstream file(path, std::ios::binary);
    file.seekg(static_cast<std::streamoff>(offset));
    std::string body(length, '\0');
    file.read(body.data(), static_cast<std::streamsize>(length));
    send({status, std::move(headers), std::move(body)});
  }

  http::Response wait() {
    std::unique_lock lock(mutex_);
    answered_.wait(lock, [this] { return response_.has_value(); });
    return std::move(*response_);
  }

 private:
  class Collector final : public http::Stream {
   public:
    Collector(WaitingSink& sink, int status, http::Headers headers)
        : sink_(sink), response_{status, std::move(headers), {}} {}
    Result<void> write(std::string_view bytes) override {
      response_.body.append(bytes);
      return {};
    }
    Result<void> finish() override {
      sink_.send(std::move(response_));
      return {};
    }
    bool has_room() const override { return true; }
    bool closed() const override { return false; }

   private:
    WaitingSink& sink_;
    http::Response response_;
  };

  std::mutex mutex_;
  std::condition_variable answered_;
  std::optional<http::Response> response_;  // guarded by mutex_
};

class TextBody final : public http::Body {
 public:
  explicit TextBody(std::string text) : text_(std::move(text)) {}
  Result<void> read(const std::function<Result<void>(std::string_view)>& piece) override {
    return text_.empty() ? Result<void>() : piece(text_);
  }
  Result<std::string_view> all() override { return std::string_view(text_); }

 private:
  std::string text_;
};

class FileBody final : public http::Body {
 public:
  explicit FileBody(std::filesystem::path file) : file_(std::move(file)) {}
  Result<void> read(const std::function<Result<void>(std::string_view)>& piece) override {
    return read_file_in_pieces(file_, piece);
  }
  Result<std::string_view> all() override {
    TRY(text_, read_file(file_));
    return std::string_view(text_);
  }

 private:
  std::filesystem::path file_;
  std::string text_;
};

class LocalApi final : public Api {
 public:
  LocalApi(const http::Router& router, std::string root, std::shared_ptr<void> keep_alive)
      : keep_alive_(std::move(keep_alive)), router_(router), root_(std::move(root)) {}

  Result<json::Value> call(std::string_view method, const std::string& path,
                           const json::Value& body) override {
    TRY(const http::Response response,
        dispatch(method, path,
                 std::make_unique<TextBody>(body.is_null() ? std::string() : json::dump(body))));
    return read_answer(response);
  }

  Result<std::string> upload(const std::filesystem::path& file) override {
    TRY(std::string hash, hash_file(file));
    TRY(const http::Response present,
        dispatch("HEAD", "/api/v1/blobs/" + hash, std::make_unique<TextBody>("")));
    if (present.status == 200) return hash;
    TRY(const http::Response stored,
        dispatch("PUT", "/api/v1/blobs/" + hash, std::make_unique<FileBody>(file)));
    TRY(read_answer(stored));
    return hash;
  }

  std::string target() const override { return root_; }

 private:
  Result<http::Response> dispatch(std::string_view method, const std::string& target,
                                  std::unique_ptr<http::Body> body) {
    http::Request request;
    request.method = std::string(method);
    const std::size_t question = target.find('?');
    const std::string raw_path = target.substr(0, question);
    request.path = http::percent_decode(raw_path, http::Plus::kKeep).value_or(raw_path);
    if (question != std::string::npos) add_query(target.substr(question + 1), request);
    request.headers.add("Content-Type", "application/json");
    request.remote = "in-process";
    request.context.caller = "local";
    request.body = std::move(body);
    const http::Router::Match match = router_.match(method, raw_path);
    if (match.route == nullptr)
      return internal("no route for " + std::string(method) + " " + raw_path);
    for (const auto& [name, value] : match.parameters) request.path_parameters[name] = value;
    auto sink = std::make_shared<WaitingSink>();
    match.route->handler(request, http::Reply(sink));
    return sink->wait();
  }

  static void add_query(const std::string& text, http::Request& request) {
    request.query_text = text;
    for (const auto part : split(text, '&')) {
      const std::size_t equals = part.find('=');
      const auto decode = [](std::string_view piece) {
        return http::percent_decode(piece, http::Plus::kSpace).value_or(std::string(piece));
      };
      request.query.emplace(decode(part.substr(0, equals)), equals == std::string_view::npos
                                                                ? ""
                                                                : decode(part.substr(equals + 1)));
    }
  }

  std::shared_ptr<void> keep_alive_;
  const http::Router& router_;
  std::string root_;
};

}  // namespace

std::unique_ptr<Api> remote_api(http::Client& client, std::string url) {
  return std::make_unique<RemoteApi>(client, std::move(url));
}

std::unique_ptr<Api> local_api(const http::Router& router, std::string root,
                               std::shared_ptr<void> keep_alive) {
  return std::make_unique<LocalApi>(router, std::move(root), std::move(keep_alive));
}

}  // namespace ciclo::cli
