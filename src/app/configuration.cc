// SPDX-License-Identifier: Apache-2.0
#include "app/configuration.h"

#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/text.h"
#include "http/crypto.h"
#include "retention/types.h"
#include "steps/project.h"

namespace ciclo::app {
namespace {

constexpr std::int64_t kKiB = 1 << 10;
constexpr std::int64_t kMiB = 1 << 20;
constexpr std::int64_t kGiB = 1 << 30;
constexpr std::int64_t kTiB = kGiB << 10;
constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kMinuteMs = 60'000;

// Reads numbers and remembers the first that is out of range.
class Reader {
 public:
  explicit Reader(const Config& config) : config_(config) {}

  template <class T>
  Reader& number(std::string_view key, std::int64_t low, std::int64_t high, T& out) {
    const std::int64_t value = config_.integer(key);
    if (value >= low && value <= high) {
      out = static_cast<T>(value);
    } else if (result_.ok()) {
      result_ = invalid_argument(std::string(key) + " must lie between " + std::to_string(low) +
                                 " and " + std::to_string(high) + ", got " + std::to_string(value));
    }
    return *this;
  }
  Reader& time_ms(std::string_view key, std::int64_t low, std::int64_t high,
                  std::chrono::milliseconds& out) {
    std::int64_t ms = out.count();
    number(key, low, high, ms);
    out = std::chrono::milliseconds(ms);
    return *this;
  }
  Result<void> result() const { return result_; }

 private:
  const Config& config_;
  Result<void> result_;
};

}  // namespace

Config configuration_keys() {
  return Config({
      {"listen", "127.0.0.1:5000", "address to listen on, HOST:PORT; port 0 takes a free one"},
      {"root", "ciclo-data", "directory for everything that is kept on this machine"},
      {"database", "",
       "sqlite:PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME; ROOT/ciclo.db when empty", true},
      {"blobs", "",
       "where large values are kept, file:DIR or s3://BUCKET/PREFIX?endpoint=URL&region=NAME; "
       "ROOT/blobs when empty"},

      {"s3.endpoint", "",
       "http://HOST:PORT or https://HOST:PORT; AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or "
       "MLFLOW_S3_ENDPOINT_URL when empty, else Amazon's"},
      {"s3.region", "", "AWS_REGION or AWS_DEFAULT_REGION when empty, else us-east-1"},
      {"s3.access_key_id", "", "AWS_ACCESS_KEY_ID when empty"},
      {"s3.secret_access_key", "", "AWS_SECRET_ACCESS_KEY when empty", true},
      {"s3.session_token", "", "of temporary credentials; AWS_SESSION_TOKEN when empty", true},
      {"s3.direct", true,
       "whether clients may be handed signed URLs of the store, which they must be able to reach"},
      {"s3.part_bytes", 16 * kMiB, "larger values are sent in parts of this size, at least 5 MiB"},
      {"s3.parallel_max", 4, "parts of one value that are sent at a time, 1 to 64"},
      {"s3.cache_bytes_max", 10 * kGiB,
       "of local copies of values, in ROOT/cache/blobs; those in use are kept beyond it"},

      {"tls.certificate", "", "PEM file with the certificate chain; TLS when both are set"},
      {"tls.key", "", "PEM file with the private key"},

      {"http.loops", 2, "event loops, 1 to 64"},
      {"http.workers", 16, "threads for requests, 1 to 1024"},
      {"http.queue_max", 1024, "requests that may wait for a worker; more are answered 503"},
      {"http.connections_max", 20'000,
       "open connections; fewer where the system allows too few open files"},
      {"http.header_bytes_max", 64 * kKiB, "bytes of a request's header, 1024 to 1048576"},
      {"http.body_bytes_max", 64 * kMiB, "bytes of a request's body that is taken whole"},
      {"http.upload_bytes_max", kTiB, "bytes of an uploaded file, which is never held in memory"},
      {"http.buffered_bytes_max", 512 * kMiB,
       "bytes of all bodies that are held in memory; more requests are answered 503"},
      {"http.header_timeout_ms", 10'000, "time in which a request's header must arrive"},
      {"http.body_timeout_ms", 60'000, "time without a byte of a body, either way"},
      {"http.body_rate_min", 1024,
       "bytes a second that a client must send of a body, after a grace of 20 s; 0: no limit"},
      {"http.request_timeout_ms", 600'000,
       "time after which a request is given up, uploads and streams aside; 0: never"},
      {"http.idle_timeout_ms", 120'000, "after which an idle connection is closed"},
      {"http.allowed_hosts", "",
       "names of this server, separated by commas; *.example.com and * stand for many; addresses, "
       "localhost and names without a dot are always taken"},
      {"http.allowed_origins", "",
       "other sites whose pages may change something here, as https://HOST:PORT, separated by "
       "commas"},
      {"http.access_log", true, "one line a request on standard error"},

      {"client.ca_file", "", "PEM file with the authorities to trust; the system's when empty"},
      {"client.connect_timeout_ms", 5'000, "time to reach another server"},
      {"client.timeout_ms", 60'000, "time without a byte from another server"},
      {"client.attempts_max", 4, "of one call that may be repeated, 1 to 20"},

      {"sql.connections_max", 0,
       "connections to PostgreSQL, or readers of SQLite; 0: 16 and 8, at most 1000"},
      {"sql.connect_timeout_s", 10, "time to reach PostgreSQL, 1 to 300"},
      {"sql.statement_timeout_ms", 60'000, "of one statement in PostgreSQL; 0: none"},
      {"sql.busy_timeout_ms", 10'000, "wait for another process that writes the SQLite file"},
      {"sql.cache_bytes_max", 0, "SQLite's page cache per connection; 0: SQLite's default of 2 MB"},

      {"idempotency.keep_ms", kDayMs,
       "how long a call can be sent again under its Idempotency-Key, 60000 to 2592000000"},

      {"table.memory_bytes_max", kGiB, "memory of one query over a table; more is spilled to disk"},
      {"table.threads", 2, "threads of one query over a table, 1 to 256"},

      {"pipeline.parallel_max", 2, "steps that run at a time, 1 to 64"},

      {"capture.flush_interval_ms", 1'000, "time after which captured predictions are on disk"},
      {"capture.file_bytes_max", 64 * kMiB, "of one file of captured rows"},
      {"capture.share_interval_ms", 10'000,
       "time after which servers of one database and bucket hand captured rows to one another"},

      {"webhooks.parallel_max", 4, "webhooks that are called at a time, 1 to 64"},
      {"webhooks.attempts_max", 10, "of one delivery, 1 to 100"},
      {"webhooks.backoff_ms", 1'000,
       "pause after the first failed attempt, doubled after each, 10 to 3600000"},
      {"webhooks.backoff_max_ms", 300'000, "the longest such pause, 10 to 86400000"},
      {"webhooks.timeout_ms", 10'000, "of one call, 100 to 300000"},
      {"webhooks.allow_http", false, "whether a webhook's URL may be http, not only https"},
      {"webhooks.allow_private", false,
       "whether a webhook's URL may lead to loopback, private and other addresses that are not "
       "public"},
      {"webhooks.secret_key", "",
       "64 hexadecimal digits under which the secrets of webhooks are encrypted in the database; "
       "stored as they are when empty",
       true},

      {"monitor.poll_ms", 1'000, "time between two looks at the endpoints' traffic"},

      {"retention.deleted", "",
       "how long deleted runs, experiments and logged models can be restored before they are "
       "removed for good, as 30d; for ever when empty"},
      {"retention.interval", "1d", "time between two collections of what retention.deleted says"},
      {"retention.grace", "1d",
       "how long ago stored bytes that nothing names must have been written last, 2m at least"},

      {"drain_ms", 30'000, "time that requests under way get at the end"},
      {"log.level", "info", "debug, info, warn or error"},
      {"log.format", "auto", "auto, text or json; auto is text on a terminal"},
  });
}

Result<void> configure_log(const Config& config) {
  const std::string& level = config.text("log.level");
  const std::string& format = config.text("log.format");
  const auto chosen = level == "debug"  ? log::Level::kDebug
                      : level == "info" ? log::Level::kInfo
                      : level == "warn" ? log::Level::kWarn
                                        : log::Level::kError;
  if (chosen == log::Level::kError && level != "error") {
    return invalid_argument("log.level must be debug, info, warn or error, got " +
                            ciclo::quoted(level));
  }
  if (format != "auto" && format != "text" && format != "json") {
    return invalid_argument("log.format must be auto, text or json, got " + ciclo::quoted(format));
  }
  log::configure(chosen, format == "json"   ? log::Format::kJson
                         : format == "text" ? log::Format::kText
                                            : log::Format::kAuto);
  return {};
}

namespace {

// At least `low_ms`.
Result<std::int64_t> duration_of(const Config& config, std::string_view key, std::int64_t low_ms) {
  auto ms = steps::parse_duration(config.text(key));
  if (!ms.ok()) return ms.error().with_context(std::string(key));
  if (*ms >= low_ms) return ms;
  return invalid_argument(std::string(key) + " must be at least " +
                          std::to_string(low_ms / kMinuteMs) + "m, got " +
                          ciclo::quoted(config.text(key)));
}

Result<retention::PolicyOptions> retention_options(const Config& config) {
  retention::PolicyOptions options;
  if (!config.text("retention.deleted").empty()) {
    TRY(options.deleted_ms, duration_of(config, "retention.deleted", 0));
  }
  TRY(options.interval_ms, duration_of(config, "retention.interval", kMinuteMs));
  TRY(options.grace_ms, duration_of(config, "retention.grace", retention::kGraceMinMs));
  return options;
}

std::vector<std::string> list_of(std::string_view text) {
  std::vector<std::string> items;
  for (const auto item : split(text, ',')) {
    if (!trim(item).empty()) items.emplace_back(trim(item));
  }
  return items;
}

}  // namespace

Result<http::ServerOptions> server_options(const Config& config) {
  http::ServerOptions options;
  options.listen = config.text("listen");
  options.certificate_file = config.text("tls.certificate");
  options.private_key_file = config.text("tls.key");
  options.access_log = config.boolean("http.access_log");
  options.sites.hosts = list_of(config.text("http.allowed_hosts"));
  options.sites.origins = list_of(config.text("http.allowed_origins"));
  Reader reader(config);
  reader.number("http.loops", 1, 64, options.loops)
      .number("http.workers", 1, 1024, options.workers)
      .number("http.queue_max", 1, 1'000'000, options.queue_max)
      .number("http.connections_max", 1, 1'000'000, options.connections_max)
      .number("http.header_bytes_max", kKiB, kMiB, options.header_bytes_max)
      .number("http.body_bytes_max", kKiB, 4 * kGiB, options.body_bytes_max)
      .number("http.upload_bytes_max", kKiB, 1024 * kTiB, options.upload_bytes_max)
      .number("http.buffered_bytes_max", kMiB, kTiB, options.buffered_bytes_max)
      .time_ms("http.header_timeout_ms", 100, kDayMs, options.header_timeout)
      .time_ms("http.body_timeout_ms", 100, kDayMs, options.body_timeout)
      .number("http.body_rate_min", 0, kGiB, options.body_rate_min)
      .time_ms("http.request_timeout_ms", 0, kDayMs, options.request_timeout)
      .time_ms("http.idle_timeout_ms", 100, kDayMs, options.idle_timeout);
  TRY(reader.result());
  if (options.body_bytes_max > options.buffered_bytes_max) {
    return invalid_argument("http.body_bytes_max (" + std::to_string(options.body_bytes_max) +
                            ") must not exceed http.buffered_bytes_max (" +
                            std::to_string(options.buffered_bytes_max) + ")");
  }
  return options;
}

Result<http::ClientOptions> client_options(const Config& config) {
  http::ClientOptions options;
  options.ca_file = config.text("client.ca_file");
  Reader reader(config);
  reader.time_ms("client.connect_timeout_ms", 1, kDayMs, options.connect_timeout)
      .time_ms("client.timeout_ms", 1, kDayMs, options.timeout)
      .number("client.attempts_max", 1, 20, options.attempts_max);
  TRY(reader.result());
  return options;
}

namespace {

// A key's value, or that of the first of these variables which is set.
std::string or_environment(const Config& config, std::string_view key,
                           std::initializer_list<const char*> variables) {
  if (const std::string& text = config.text(key); !text.empty()) return text;
  for (const char* const name : variables) {
    const char* const value = std::getenv(name);
    if (value != nullptr && *value != '\0') return value;
  }
  return "";
}

// Under the names that the field's other programs know, too.
void read_s3_options(const Config& config, blob::OpenOptions& out) {
  out.endpoint = or_environment(
      config, "s3.endpoint", {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "MLFLOW_S3_ENDPOINT_URL"});
  out.region = or_environment(config, "s3.region", {"AWS_REGION", "AWS_DEFAULT_REGION"});
  out.credentials = {or_environment(config, "s3.access_key_id", {"AWS_ACCESS_KEY_ID"}),
                     or_environment(config, "s3.secret_access_key", {"AWS_SECRET_ACCESS_KEY"}),
                     or_environment(config, "s3.session_token", {"AWS_SESSION_TOKEN"})};
  out.ca_file = config.text("client.ca_file");
  out.is_direct = config.boolean("s3.direct");
}

}  // namespace

Result<PlatformOptions> platform_options(const Config& config) {
  PlatformOptions options;
  options.root = config.text("root");
  options.database_url = config.text("database");
  options.blobs_url = config.text("blobs");
  options.webhook_reach.allow_http = config.boolean("webhooks.allow_http");
  options.webhook_reach.allow_private = config.boolean("webhooks.allow_private");
  options.webhook_reach.ca_file = config.text("client.ca_file");
  if (const std::string& digits = config.text("webhooks.secret_key"); !digits.empty()) {
    auto key = http::SealKey::from_hex(digits);
    if (!key.ok()) return key.error().with_context("webhooks.secret_key");
    options.webhook_key = std::move(key).value();
  }
  TRY(options.retention, retention_options(config));
  read_s3_options(config, options.blobs);
  Reader reader(config);
  reader.number("s3.part_bytes", 5 * kMiB, 5 * kGiB, options.blobs.part_bytes)
      .number("s3.parallel_max", 1, 64, options.blobs.parallel_max)
      .number("s3.cache_bytes_max", 0, 1024 * kTiB, options.blobs.cache_bytes_max)
      .time_ms("client.connect_timeout_ms", 1, kDayMs, options.blobs.connect_timeout)
      .time_ms("client.timeout_ms", 1, kDayMs, options.blobs.timeout)
      .number("client.attempts_max", 1, 20, options.blobs.attempts_max)
      .number("sql.connections_max", 0, 1000, options.database.connections_max)
      .number("sql.connect_timeout_s", 1, 300, options.database.connect_timeout_s)
      .number("sql.statement_timeout_ms", 0, kDayMs, options.database.statement_timeout_ms)
      .number("sql.busy_timeout_ms", 0, kDayMs, options.database.busy_timeout_ms)
      .number("sql.cache_bytes_max", 0, kTiB, options.database.cache_bytes_max)
      .time_ms("idempotency.keep_ms", 60'000, 30 * kDayMs, options.keys_kept)
      .number("table.memory_bytes_max", 64 * kMiB, 64 * kTiB, options.table_memory_bytes_max)
      .number("table.threads", 1, 256, options.table_threads)
      .number("pipeline.parallel_max", 1, 64, options.pipeline_parallel_max)
      .time_ms("capture.flush_interval_ms", 10, kDayMs, options.capture.flush_interval)
      .number("capture.file_bytes_max", kKiB, kTiB, options.capture.file_bytes_max)
      .time_ms("capture.share_interval_ms", 100, kDayMs, options.shared_capture.interval)
      .number("webhooks.parallel_max", 1, 64, options.webhooks.threads)
      .number("webhooks.attempts_max", 1, 100, options.webhooks.attempts_max)
      .time_ms("webhooks.backoff_ms", 10, kHourMs, options.webhooks.backoff)
      .time_ms("webhooks.backoff_max_ms", 10, kDayMs, options.webhooks.backoff_max)
      .time_ms("webhooks.timeout_ms", 100, kHourMs / 12, options.webhooks.timeout)
      .number("monitor.poll_ms", 10, kDayMs, options.monitor_poll_ms);
  TRY(reader.result());
  return options;
}

Result<std::chrono::milliseconds> drain_limit(const Config& config) {
  std::chrono::milliseconds limit{0};
  Reader reader(config);
  reader.time_ms("drain_ms", 0, kDayMs, limit);
  TRY(reader.result());
  return limit;
}

}  // namespace ciclo::app
