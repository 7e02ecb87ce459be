// SPDX-License-Identifier: Apache-2.0
#include "client/client.h"

#include <utility>

#include "base/text.h"

namespace ciclo::client {
namespace {

Result<void> check_range(std::string_view name, std::int64_t value, std::int64_t least,
                         std::int64_t most) {
  if (value >= least && value <= most) return {};
  return invalid_argument("option " + std::string(name) + " must be between " +
                          std::to_string(least) + " and " + std::to_string(most) + ", got " +
                          std::to_string(value));
}

Result<void> check(const Options& options) {
  constexpr std::int64_t kDayMs = 86'400'000;
  TRY(check_range("capacity", options.capacity, 2, 1 << 24));
  TRY(check_range("flush_interval_ms", options.flush_interval_ms, 1, kDayMs));
  TRY(check_range("call_timeout_ms", options.call_timeout_ms, 1, kDayMs));
  TRY(check_range("retry_delay_max_ms", options.retry_delay_max_ms, 1, kDayMs));
  TRY(check_range("server_error_timeout_ms", options.server_error_timeout_ms, 0, 30 * kDayMs));
  return {};
}

// RFC 4648, section 4.
std::string base64(std::string_view bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = i; j < i + 3; ++j) {
      group = group << 8 | (j < bytes.size() ? static_cast<unsigned char>(bytes[j]) : 0u);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      out += i + j <= bytes.size() ? kDigits[group >> (18 - 6 * j) & 63] : '=';
    }
  }
  return out;
}

Result<Target> target_of(const Options& options) {
  Target target{.url = options.tracking_uri};
  if (target.url.empty()) {
    return invalid_argument(
        "no tracking URI: pass one or set MLFLOW_TRACKING_URI, such as http://127.0.0.1:5000");
  }
  if (!target.url.starts_with("http://") && !target.url.starts_with("https://")) {
    // The rest may hold a password, as the URL of a database does, which MLflow takes here too.
    const std::string scheme = target.url.substr(0, target.url.find("://"));
    const bool is_url = scheme.size() < target.url.size();
    return invalid_argument("the tracking URI must begin with http:// or https://, got " +
                            (is_url ? quoted(scheme) + " before ://" : "one without ://"));
  }
  if (target.url.find('@') != std::string::npos || target.url.find('?') != std::string::npos) {
    return invalid_argument(
        "the tracking URI must hold neither a password nor a query: use MLFLOW_TRACKING_USERNAME "
        "and MLFLOW_TRACKING_PASSWORD");
  }
  while (target.url.ends_with('/')) target.url.pop_back();
  if (!options.token.empty()) {
    target.authorization = "Bearer " + options.token;
  } else if (!options.user.empty()) {
    target.authorization = "Basic " + base64(options.user + ":" + options.password);
  }
  return target;
}

http::ClientOptions http_options(const Options& options) {
  const std::chrono::milliseconds timeout(options.call_timeout_ms);
  return {.connect_timeout = std::min(timeout, std::chrono::milliseconds(10'000)),
          .timeout = timeout,
          .whole_timeout = timeout,
          .attempts_max = 1,  // the callers know better what may be repeated
          .ca_file = options.ca_file};
}

}  // namespace

Result<std::unique_ptr<Client>> Client::open(const Options& options) {
  TRY(check(options));
  TRY(Target target, target_of(options));
  TRY(ForkMark mark, ForkMark::make());
  return std::unique_ptr<Client>(new Client(options, std::move(target), std::move(mark)));
}

Client::Client(const Options& options, Target target, ForkMark mark)
    : mark_(std::move(mark)),
      http_(http::Client::create(random_, http_options(options))),
      mlflow_(*http_, clock_, random_, std::move(target),
              {.call_timeout = std::chrono::milliseconds(options.call_timeout_ms),
               .retry_delay_max = std::chrono::milliseconds(options.retry_delay_max_ms)}),
      sender_(
          mlflow_, clock_, random_,
          {.capacity = static_cast<std::size_t>(options.capacity),
           .when_full = options.when_full,
           .interval = std::chrono::milliseconds(options.flush_interval_ms),
           .retry_delay_max = std::chrono::milliseconds(options.retry_delay_max_ms),
           .server_error_timeout = std::chrono::milliseconds(options.server_error_timeout_ms)}) {}

}  // namespace ciclo::client
