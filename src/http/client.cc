// SPDX-License-Identifier: Apache-2.0
#include "http/client.h"

#include <curl/curl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/curl_handles.h"
#include "base/file.h"
#include "base/text.h"
#include "http/address.h"

namespace ciclo::http {
namespace {

using Piece = std::function<Result<void>(std::string_view)>;

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using UploadFile = std::unique_ptr<std::FILE, FileCloser>;

// One attempt: what libcurl's callbacks read and fill.
struct Attempt {
  const ClientOptions& options;
  const Piece* piece = nullptr;  // null: the body is gathered in the response
  Response response;
  std::size_t delivered = 0;
  std::optional<Error> problem;  // of the caller's piece, or a limit that was passed
  std::string refused;           // the last address that was out of reach
  std::stop_token stop;

  static std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* self) {
    return static_cast<Attempt*>(self)->take({bytes, size * count}) ? size * count : 0;
  }

  bool take(std::string_view bytes) {
    delivered += bytes.size();
    if (piece != nullptr) {
      if (auto taken = (*piece)(bytes); !taken.ok()) problem = taken.error();
    } else if (delivered > options.response_bytes_max) {
      problem = resource_exhausted("the answer is larger than " +
                                   std::to_string(options.response_bytes_max) + " bytes");
    } else {
      response.body.append(bytes);
    }
    return !problem;
  }

  // libcurl asks here for the socket to each address that it is about to connect to.
  static curl_socket_t on_public_socket(void* self, curlsocktype, curl_sockaddr* to) {
    const auto address = address_of(to->addr);
    if (address && is_public(*address)) {
      return ::socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
    }
    static_cast<Attempt*>(self)->refused = address ? text_of(*address) : "no Internet address";
    return CURL_SOCKET_BAD;
  }

  // libcurl asks here at least once a second, also while nothing moves.
  static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<Attempt*>(self)->stop.stop_requested() ? 1 : 0;
  }

  static std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* self) {
    auto& response = static_cast<Attempt*>(self)->response;
    const std::string_view line = trim({bytes, size * count});
    // A new status line (after 100 Continue) begins the headers anew.
    if (line.starts_with("HTTP/")) response.headers = Headers();
    if (const std::size_t colon = line.find(':'); colon != std::string_view::npos) {
      response.headers.add(std::string(trim(line.substr(0, colon))),
                           std::string(trim(line.substr(colon + 1))));
    }
    return size * count;
  }
};

Error transport_error(CURLcode code, const ClientRequest& request, const char* detail) {
  const std::string where = request.method + " " + request.url + ": ";
  const std::string what = detail[0] != '\0' ? detail : curl_easy_strerror(code);
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT: return deadline_exceeded(where + what);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: return invalid_argument(where + what);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE: return permission_denied(where + what);
    case CURLE_ABORTED_BY_CALLBACK: return cancelled(where + "the caller wants it no longer");
    case CURLE_OUT_OF_MEMORY: return resource_exhausted(where + what);
    default: return unavailable(where + what);
  }
}

// A line break in a field would begin another one.
Result<void> check_field(std::string_view name, std::string_view value) {
  constexpr std::string_view kBreaks("\r\n\0", 3);
  if (name.empty() || name.find_first_of(kBreaks) != std::string_view::npos ||
      name.find_first_of(":; ") != std::string_view::npos ||
      value.find_first_of(kBreaks) != std::string_view::npos) {
    return invalid_argument("the header field " + quoted(name) +
                            " must hold no line break, and its name no blank or colon");
  }
  return {};
}

bool may_retry(const ClientRequest& request) {
  return request.idempotent || request.method == "GET" || request.method == "HEAD" ||
         request.method == "PUT" || request.method == "DELETE";
}

bool is_passing(int status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

class CurlClient final : public Client {
 public:
  CurlClient(Random& random, ClientOptions options)
      : random_(random),
        options_(std::move(options)),
        handles_(options_.connections_per_host_max) {}

  Result<Response> call(const ClientRequest& request) override {
    return attempt_all(request, nullptr);
  }

  Result<Response> stream(const ClientRequest& request, const Piece& piece) override {
    return attempt_all(request, &piece);
  }

 private:
  Result<Response> attempt_all(const ClientRequest& request, const Piece* piece) {
    const int attempts = may_retry(request) ? std::max(1, options_.attempts_max) : 1;
    for (int number = 1;; ++number) {
      Attempt attempt{options_, piece, {}, 0, {}, {}, request.stop};
      const Result<void> done = attempt_once(request, attempt);
      const bool passing =
          done.ok() ? is_passing(attempt.response.status) : done.error().code == Code::kUnavailable;
      const bool again =
          passing && number < attempts && (piece == nullptr || attempt.delivered == 0);
      if (!again) {
        if (!done.ok()) return done.error();
        return std::move(attempt.response);
      }
      wait_before(number, attempt.response.headers.get("Retry-After"), request.stop);
    }
  }

  // Full jitter (Brooker 2015): anywhere below the doubled back-off; never sooner than the server
  // asks.
  void wait_before(int number, std::string_view retry_after, const std::stop_token& stop) {
    const double ceiling = static_cast<double>(options_.backoff.count()) *
                           static_cast<double>(1LL << std::min(number - 1, 10));
    auto pause = std::chrono::milliseconds(static_cast<std::int64_t>(ceiling * random_.uniform()));
    constexpr std::int64_t kAskedMax = 30;
    if (const auto asked = parse_int(retry_after); asked) {
      pause = std::max(
          pause, std::chrono::milliseconds(1000 * std::clamp<std::int64_t>(*asked, 0, kAskedMax)));
    }
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait_for(lock, stop, pause, [] { return false; });
  }

  Result<void> attempt_once(const ClientRequest& request, Attempt& attempt) {
    for (const auto& [name, value] : request.headers.all()) TRY(check_field(name, value));
    UploadFile file;
    if (!request.body_file.empty()) {
      file.reset(std::fopen(request.body_file.c_str(), "rbe"));
      if (!file) return file_error("open", request.body_file, errno);
    }
    const CurlHandles::Lent lent = handles_.take();
    CURL* const handle = lent.get();
    if (handle == nullptr) return resource_exhausted("cannot make a connection handle");
    char detail[CURL_ERROR_SIZE] = {};
    CurlHeaders headers;
    set_request(handle, request, file.get(), headers);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, detail);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &Attempt::on_body);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &attempt);
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, &Attempt::on_header);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, &attempt);
    if (attempt.stop.stop_possible()) {
      curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
      curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, &Attempt::on_progress);
      curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &attempt);
    }
    if (options_.reach == Reach::kPublic) {
      curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, &Attempt::on_public_socket);
      curl_easy_setopt(handle, CURLOPT_OPENSOCKETDATA, &attempt);
      curl_easy_setopt(handle, CURLOPT_PROXY, "");
    }
    const CURLcode code = curl_easy_perform(handle);
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    attempt.response.status = static_cast<int>(status);
    if (attempt.problem) return *attempt.problem;
    if (code != CURLE_OK && !attempt.refused.empty()) {
      return permission_denied(request.method + " " + request.url + ": " + attempt.refused +
                               " is not a public address");
    }
    if (code != CURLE_OK) return transport_error(code, request, detail);
    return {};
  }

  void set_request(CURL* handle, const ClientRequest& request, std::FILE* file,
                   CurlHeaders& headers) const {
    const auto ms = [](std::chrono::milliseconds time) { return static_cast<long>(time.count()); };
    curl_easy_setopt(handle, CURLOPT_URL, request.url.c_str());
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, ms(options_.connect_timeout));
    // Counts only while nothing moves, so that a long transfer may take its time.
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, std::max(1L, ms(options_.timeout) / 1000));
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, ms(options_.whole_timeout));
    if (!options_.ca_file.empty())
      curl_easy_setopt(handle, CURLOPT_CAINFO, options_.ca_file.c_str());

    // "Name;" sends a field without a value; "Name:" would leave out one of libcurl's own.
    for (const auto& [name, value] : request.headers.all()) {
      headers.add(value.empty() ? name + ";" : name + ": " + value);
    }
    if (file != nullptr) {
      std::error_code failure;
      const auto size = std::filesystem::file_size(request.body_file, failure);
      curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
      curl_easy_setopt(handle, CURLOPT_READDATA, file);
      curl_easy_setopt(handle, CURLOPT_INFILESIZE_LARGE,
                       failure ? curl_off_t{-1} : static_cast<curl_off_t>(size));
    } else if (request.method == "HEAD") {
      curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
    } else if (request.method != "GET" || !request.body.empty()) {
      curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request.body.data());
      curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE,
                       static_cast<curl_off_t>(request.body.size()));
      // Small bodies go at once, not after a round trip.
      headers.add("Expect:");
      if (!request.headers.has("Content-Type")) headers.add("Content-Type:");
    }
    if (request.method != "GET" && request.method != "HEAD") {
      curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.list());
  }

  Random& random_;
  const ClientOptions options_;
  CurlHandles handles_;
};

}  // namespace

std::unique_ptr<Client> Client::create(Random& random, ClientOptions options) {
  return std::make_unique<CurlClient>(random, std::move(options));
}

}  // namespace ciclo::http
