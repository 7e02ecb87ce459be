// SPDX-License-Identifier: Apache-2.0
#include "app/configuration.h"

namespace ciclo::app {

Config configuration_keys() {
  return Config({
      {"listen", "127.0.0.1:5000", "address to listen on, HOST:PORT; port 0 takes a free one"},
      {"root", "ciclo-data", "directory for everything that is kept on this machine"},
      {"database", "",
       "sqlite:PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME; ROOT/ciclo.db when empty", true},
      {"blobs", "", "where large values are kept, file:DIR; ROOT/blobs when empty"},
      {"tls.certificate", "", "PEM file with the certificate chain; TLS when both are set"},
      {"tls.key", "", "PEM file with the private key"},
      {"http.loops", 2, "event loops, 1 to 64"},
      {"http.workers", 16, "threads for requests, 1 to 1024"},
      {"http.queue_max", 1024, "requests that may wait for a worker; more are answered 503"},
      {"http.connections_max", 20'000, "open connections"},
      {"http.idle_timeout_ms", 120'000, "after which an idle connection is closed"},
      {"http.access_log", true, "one line a request on standard error"},
      {"pipeline.parallel_max", 2, "steps that run at a time, 1 to 64"},
      {"monitor.poll_ms", 1'000, "time between two looks at the endpoints' traffic"},
      {"drain_ms", 30'000, "time that requests under way get at the end"},
      {"log.level", "info", "debug, info, warn or error"},
      {"log.format", "auto", "auto, text or json; auto is text on a terminal"},
  });
}

namespace {

Result<std::size_t> bounded(const Config& config, std::string_view key, std::int64_t low,
                            std::int64_t high) {
  const std::int64_t value = config.integer(key);
  if (value < low || value > high) {
    return invalid_argument(std::string(key) + " must lie between " + std::to_string(low) +
                            " and " + std::to_string(high) + ", got " + std::to_string(value));
  }
  return static_cast<std::size_t>(value);
}

}  // namespace

Result<http::ServerOptions> server_options(const Config& config) {
  http::ServerOptions options;
  options.listen = config.text("listen");
  TRY(options.loops, bounded(config, "http.loops", 1, 64));
  TRY(options.workers, bounded(config, "http.workers", 1, 1024));
  TRY(options.queue_max, bounded(config, "http.queue_max", 1, 1'000'000));
  TRY(options.connections_max, bounded(config, "http.connections_max", 1, 1'000'000));
  TRY(const std::size_t idle_ms, bounded(config, "http.idle_timeout_ms", 100, 86'400'000));
  options.idle_timeout = std::chrono::milliseconds(idle_ms);
  options.certificate_file = config.text("tls.certificate");
  options.private_key_file = config.text("tls.key");
  options.access_log = config.boolean("http.access_log");
  return options;
}

}  // namespace ciclo::app
