// SPDX-License-Identifier: Apache-2.0
// The C functions: check what is passed, call the client, turn errors into codes and a sentence.
#include <ciclo/client.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <list>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "base/version.h"
#include "client/client.h"

using ciclo::Code;
using ciclo::Error;
using ciclo::Result;
using ciclo::client::check_key;
using ciclo::client::Client;
using ciclo::client::Item;
using ciclo::client::Kind;
using ciclo::client::Options;
using ciclo::client::Sender;

struct ciclo_run {
  ciclo_client* client = nullptr;
  ciclo::client::Run run;
};

struct ciclo_client {
  explicit ciclo_client(std::unique_ptr<Client> opened) : client(std::move(opened)) {}

  std::mutex mutex;
  std::list<ciclo_run> runs;  // guarded by mutex; addresses stay
  // Last: its thread, which ends first, sends values of the runs.
  std::unique_ptr<Client> client;
};

namespace {

static_assert(CICLO_CLIENT_KEY_MAX == ciclo::client::kKeyBytesMax);

constexpr std::size_t kErrorBytes = 1024;
// No struct will ever be larger: one that says so was not initialised.
constexpr std::size_t kSizeMax = 4096;
thread_local char last_error[kErrorBytes] = "";

ciclo_client_status fail(ciclo_client_status status, std::string_view message) {
  const std::size_t length = std::min(message.size(), kErrorBytes - 1);
  std::memcpy(last_error, message.data(), length);
  last_error[length] = '\0';
  // One line, whatever the server has written into it.
  std::replace(last_error, last_error + length, '\n', ' ');
  return status;
}

ciclo_client_status fail(const Error& error) {
  switch (error.code) {
    case Code::kNotFound: return fail(CICLO_CLIENT_NOT_FOUND, error.message);
    case Code::kAlreadyExists: return fail(CICLO_CLIENT_ALREADY_EXISTS, error.message);
    case Code::kUnavailable: return fail(CICLO_CLIENT_UNAVAILABLE, error.message);
    case Code::kResourceExhausted:
    case Code::kInternal: return fail(CICLO_CLIENT_INTERNAL, error.message);
    default: return fail(CICLO_CLIENT_REFUSED, error.message);
  }
}

// Of calls that ask the server: no answer in time is that it is not available.
ciclo_client_status fail_call(const Error& error) {
  if (error.code != Code::kDeadlineExceeded) return fail(error);
  return fail(CICLO_CLIENT_UNAVAILABLE, error.message);
}

ciclo_client_status fail_flush(const Error& error) {
  return fail(error.code == Code::kDeadlineExceeded ? CICLO_CLIENT_DEADLINE : CICLO_CLIENT_REFUSED,
              error.message);
}

ciclo_client_status wrong(std::string_view message) {
  return fail(CICLO_CLIENT_INVALID_ARGUMENT, message);
}

// No exception passes into C: what can throw here is the want of memory or of threads.
template <class Body>
ciclo_client_status guarded(Body&& body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return fail(CICLO_CLIENT_INTERNAL, "not enough memory");
  } catch (const std::exception& problem) {
    return fail(CICLO_CLIENT_INTERNAL, problem.what());
  }
}

// The body with the client, in the process that it belongs to.
template <class Body>
ciclo_client_status with(const ciclo_client* client, Body&& body) {
  if (client == nullptr) return wrong("the client must not be NULL");
  if (client->client->is_of_parent()) {
    return fail(CICLO_CLIENT_FORKED,
                "the client was opened before fork() and belongs to the parent process: open a "
                "client in this one");
  }
  return guarded(std::forward<Body>(body));
}

std::string text_or_environment(const char* text, const char* variable) {
  if (text != nullptr) return text;
  const char* value = std::getenv(variable);
  return value == nullptr ? "" : value;
}

Options options_of(const ciclo_client_options& given) {
  Options options;
  options.tracking_uri = text_or_environment(given.tracking_uri, "MLFLOW_TRACKING_URI");
  options.token = text_or_environment(given.token, "MLFLOW_TRACKING_TOKEN");
  options.user = text_or_environment(nullptr, "MLFLOW_TRACKING_USERNAME");
  options.password = text_or_environment(nullptr, "MLFLOW_TRACKING_PASSWORD");
  options.ca_file = text_or_environment(given.ca_file, "MLFLOW_TRACKING_SERVER_CERT_PATH");
  constexpr std::size_t kIntMax = INT64_MAX;
  options.capacity = static_cast<std::int64_t>(std::min(given.capacity, kIntMax));
  options.when_full =
      given.when_full == CICLO_CLIENT_DROP ? Sender::WhenFull::kDrop : Sender::WhenFull::kBlock;
  options.flush_interval_ms = given.flush_interval_ms;
  options.call_timeout_ms = given.call_timeout_ms;
  options.retry_delay_max_ms = given.retry_delay_max_ms;
  options.server_error_timeout_ms = given.server_error_timeout_ms;
  return options;
}

ciclo_client_status give_id(const Result<std::string>& found, char* id) {
  if (!found.ok()) return fail_call(found.error());
  if (found->size() >= CICLO_CLIENT_ID_SIZE) {
    return fail(CICLO_CLIENT_INTERNAL, "the server's id " + ciclo::quoted(*found) + " is too long");
  }
  std::memcpy(id, found->c_str(), found->size() + 1);
  return CICLO_CLIENT_OK;
}

// Of the three functions that turn the name of an experiment into an id.
template <class Ask>
ciclo_client_status ask_for_experiment(ciclo_client* client, const char* name, char* id,
                                       Ask&& ask) {
  return with(client, [&] {
    if (name == nullptr || *name == '\0') return wrong("the experiment needs a name");
    if (id == nullptr) return wrong("the buffer for the experiment's id must not be NULL");
    return give_id(ask(client->client->mlflow(), std::string(name)), id);
  });
}

Result<std::string> set_experiment(ciclo::client::Mlflow& mlflow, const std::string& name) {
  auto found = mlflow.get_experiment(name);
  if (found.ok() || found.error().code != Code::kNotFound) return found;
  auto created = mlflow.create_experiment(name);
  // Somebody else may have been faster.
  if (created.ok() || created.error().code != Code::kAlreadyExists) return created;
  return mlflow.get_experiment(name);
}

ciclo_run* add_run(ciclo_client* client, std::string id) {
  const std::lock_guard lock(client->mutex);
  ciclo_run& run = client->runs.emplace_back();
  run.client = client;
  run.run.id = std::move(id);
  return &run;
}

Result<void> check_metric(const ciclo_client_metric& metric) {
  if (metric.key == nullptr) return ciclo::invalid_argument("the key of a metric must not be NULL");
  TRY(check_key("metric", metric.key));
  if (metric.timestamp_ms >= CICLO_CLIENT_NOW) return {};
  return ciclo::invalid_argument("metric " + ciclo::quoted(metric.key) +
                                 ": the timestamp must not be negative, got " +
                                 std::to_string(metric.timestamp_ms));
}

Result<void> check_text(std::string_view what, const ciclo_client_text& text) {
  if (text.key == nullptr) {
    return ciclo::invalid_argument("the key of a " + std::string(what) + " must not be NULL");
  }
  TRY(check_key(what, text.key));
  if (text.value != nullptr) return {};
  return ciclo::invalid_argument(std::string(what) + " " + ciclo::quoted(text.key) +
                                 ": the value must not be NULL");
}

ciclo_client_status pushed(bool is_taken) {
  if (is_taken) return CICLO_CLIENT_OK;
  return fail(CICLO_CLIENT_DROPPED, "the ring is full: the value was dropped");
}

ciclo_client_status push_metric(ciclo_run& run, const ciclo_client_metric& metric) {
  Client& client = *run.client->client;
  const std::int64_t timestamp_ms =
      metric.timestamp_ms == CICLO_CLIENT_NOW ? client.clock().now_ms() : metric.timestamp_ms;
  return pushed(client.sender().push([&](Item& item) {
    item.run = &run.run;
    item.kind = Kind::kMetric;
    item.value = metric.value;
    item.step = metric.step;
    item.timestamp_ms = timestamp_ms;
    item.set_key(metric.key);
  }));
}

ciclo_client_status push_text(ciclo_run& run, Kind kind, const ciclo_client_text& text) {
  auto copy = std::make_unique<std::string>(text.value);
  return pushed(run.client->client->sender().push([&](Item& item) {
    item.run = &run.run;
    item.kind = kind;
    item.text = std::move(copy);
    item.set_key(text.key);
  }));
}

// The body with a run that takes values.
template <class Body>
ciclo_client_status logging(ciclo_run* run, Body&& body) {
  if (run == nullptr) return wrong("the run must not be NULL");
  return with(run->client, [&] {
    if (run->run.has_ended.load(std::memory_order_relaxed)) {
      return fail(CICLO_CLIENT_ENDED, "run " + run->run.id + " has been ended");
    }
    return body();
  });
}

ciclo_client_status log_text(ciclo_run* run, std::string_view what, Kind kind, const char* key,
                             const char* value) {
  return logging(run, [&] {
    const ciclo_client_text text{key, value};
    const auto checked = check_text(what, text);
    return checked.ok() ? push_text(*run, kind, text) : wrong(checked.error().message);
  });
}

Result<void> check_all(const ciclo_client_metric* metrics, std::size_t metric_count,
                       const ciclo_client_text* params, std::size_t param_count,
                       const ciclo_client_text* tags, std::size_t tag_count) {
  const bool is_missing = (metrics == nullptr && metric_count > 0) ||
                          (params == nullptr && param_count > 0) ||
                          (tags == nullptr && tag_count > 0);
  if (is_missing) return ciclo::invalid_argument("an array that is NULL must have the count 0");
  for (std::size_t i = 0; i < metric_count; ++i) TRY(check_metric(metrics[i]));
  for (std::size_t i = 0; i < param_count; ++i) TRY(check_text("param", params[i]));
  for (std::size_t i = 0; i < tag_count; ++i) TRY(check_text("tag", tags[i]));
  return {};
}

const char* name_of(ciclo_run_status status) {
  switch (status) {
    case CICLO_RUN_FINISHED: return "FINISHED";
    case CICLO_RUN_FAILED: return "FAILED";
    case CICLO_RUN_KILLED: return "KILLED";
  }
  return nullptr;
}

ciclo_client_status end_run(ciclo_run& run, const char* status, std::int64_t timeout_ms) {
  Client& client = *run.client->client;
  constexpr std::int64_t kTimeoutMax = INT64_C(365) * 86'400'000;
  const std::int64_t deadline_ns =
      client.clock().monotonic_ns() + std::min(timeout_ms, kTimeoutMax) * 1'000'000;
  const auto flushed = client.sender().flush(std::chrono::milliseconds(timeout_ms));
  if (!flushed.ok() && flushed.error().code == Code::kDeadlineExceeded) {
    return fail_flush(flushed.error());
  }
  const auto ended = client.mlflow().end_run(run.run.id, status, deadline_ns);
  if (!ended.ok()) return fail_call(ended.error());
  run.run.has_ended.store(true, std::memory_order_relaxed);
  return flushed.ok() ? CICLO_CLIENT_OK : fail_flush(flushed.error());
}

}  // namespace

void ciclo_client_options_init_sized(ciclo_client_options* options, size_t size) {
  const Options defaults;
  const ciclo_client_options all = {.size = size,
                                    .tracking_uri = nullptr,
                                    .token = nullptr,
                                    .ca_file = nullptr,
                                    .capacity = static_cast<std::size_t>(defaults.capacity),
                                    .when_full = CICLO_CLIENT_BLOCK,
                                    .flush_interval_ms = defaults.flush_interval_ms,
                                    .call_timeout_ms = defaults.call_timeout_ms,
                                    .retry_delay_max_ms = defaults.retry_delay_max_ms,
                                    .server_error_timeout_ms = defaults.server_error_timeout_ms};
  std::memcpy(options, &all, std::min(size, sizeof all));
}

ciclo_client_status ciclo_client_open(const ciclo_client_options* options, ciclo_client** client) {
  if (client == nullptr) return wrong("the place for the client must not be NULL");
  *client = nullptr;
  ciclo_client_options given;
  ciclo_client_options_init(&given);
  if (options != nullptr) {
    // The members up to there are those of the first version.
    constexpr std::size_t kLeast =
        offsetof(ciclo_client_options, server_error_timeout_ms) + sizeof(std::int64_t);
    if (options->size < kLeast || options->size > kSizeMax) {
      return wrong("the options must be set by ciclo_client_options_init");
    }
    if (options->size > sizeof given) {
      return wrong("the options are of a newer version than this library, " +
                   std::string(ciclo::kVersion) + ": install the library of that version");
    }
    std::memcpy(&given, options, options->size);
  }
  if (given.when_full != CICLO_CLIENT_BLOCK && given.when_full != CICLO_CLIENT_DROP) {
    return wrong("option when_full must be CICLO_CLIENT_BLOCK or CICLO_CLIENT_DROP");
  }
  return guarded([&] {
    auto opened = Client::open(options_of(given));
    if (!opened.ok()) {
      const bool is_callers = opened.error().code == Code::kInvalidArgument;
      return fail(is_callers ? CICLO_CLIENT_INVALID_ARGUMENT : CICLO_CLIENT_INTERNAL,
                  opened.error().message);
    }
    *client = std::make_unique<ciclo_client>(std::move(*opened)).release();
    return CICLO_CLIENT_OK;
  });
}

ciclo_client_status ciclo_client_close(ciclo_client* client, int64_t timeout_ms) {
  if (client == nullptr) return CICLO_CLIENT_OK;
  return with(client, [&] {
    const std::unique_ptr<ciclo_client> owned(client);
    const auto flushed =
        client->client->sender().flush(std::chrono::milliseconds(std::max<int64_t>(0, timeout_ms)));
    return flushed.ok() ? CICLO_CLIENT_OK : fail_flush(flushed.error());
  });
}

ciclo_client_status ciclo_client_create_experiment(ciclo_client* client, const char* name,
                                                   char id[CICLO_CLIENT_ID_SIZE]) {
  return ask_for_experiment(client, name, id, [](auto& mlflow, const std::string& text) {
    return mlflow.create_experiment(text);
  });
}

ciclo_client_status ciclo_client_get_experiment(ciclo_client* client, const char* name,
                                                char id[CICLO_CLIENT_ID_SIZE]) {
  return ask_for_experiment(client, name, id, [](auto& mlflow, const std::string& text) {
    return mlflow.get_experiment(text);
  });
}

ciclo_client_status ciclo_client_set_experiment(ciclo_client* client, const char* name,
                                                char id[CICLO_CLIENT_ID_SIZE]) {
  return ask_for_experiment(client, name, id, set_experiment);
}

ciclo_client_status ciclo_client_start_run(ciclo_client* client, const char* experiment_id,
                                           const char* name, ciclo_run** run) {
  return with(client, [&] {
    if (run == nullptr) return wrong("the place for the run must not be NULL");
    *run = nullptr;
    if (experiment_id == nullptr || *experiment_id == '\0') {
      return wrong("the run needs the id of an experiment");
    }
    auto created = client->client->mlflow().create_run(experiment_id, name == nullptr ? "" : name);
    if (!created.ok()) return fail_call(created.error());
    *run = add_run(client, std::move(*created));
    return CICLO_CLIENT_OK;
  });
}

ciclo_client_status ciclo_client_resume_run(ciclo_client* client, const char* run_id,
                                            ciclo_run** run) {
  return with(client, [&] {
    if (run == nullptr) return wrong("the place for the run must not be NULL");
    *run = nullptr;
    if (run_id == nullptr || *run_id == '\0') return wrong("the run's id must not be empty");
    const auto found = client->client->mlflow().find_run(run_id);
    if (!found.ok()) return fail_call(found.error());
    *run = add_run(client, run_id);
    return CICLO_CLIENT_OK;
  });
}

const char* ciclo_run_id(const ciclo_run* run) { return run == nullptr ? "" : run->run.id.c_str(); }

ciclo_client_status ciclo_run_log_metric(ciclo_run* run, const char* key, double value,
                                         int64_t step, int64_t timestamp_ms) {
  return logging(run, [&] {
    const ciclo_client_metric metric{key, value, step, timestamp_ms};
    const auto checked = check_metric(metric);
    return checked.ok() ? push_metric(*run, metric) : wrong(checked.error().message);
  });
}

ciclo_client_status ciclo_run_log_param(ciclo_run* run, const char* key, const char* value) {
  return log_text(run, "param", Kind::kParam, key, value);
}

ciclo_client_status ciclo_run_set_tag(ciclo_run* run, const char* key, const char* value) {
  return log_text(run, "tag", Kind::kTag, key, value);
}

ciclo_client_status ciclo_run_log_batch(ciclo_run* run, const ciclo_client_metric* metrics,
                                        size_t metric_count, const ciclo_client_text* params,
                                        size_t param_count, const ciclo_client_text* tags,
                                        size_t tag_count) {
  return logging(run, [&] {
    const auto checked = check_all(metrics, metric_count, params, param_count, tags, tag_count);
    if (!checked.ok()) return wrong(checked.error().message);
    ciclo_client_status status = CICLO_CLIENT_OK;
    for (std::size_t i = 0; i < metric_count && status == CICLO_CLIENT_OK; ++i) {
      status = push_metric(*run, metrics[i]);
    }
    for (std::size_t i = 0; i < param_count && status == CICLO_CLIENT_OK; ++i) {
      status = push_text(*run, Kind::kParam, params[i]);
    }
    for (std::size_t i = 0; i < tag_count && status == CICLO_CLIENT_OK; ++i) {
      status = push_text(*run, Kind::kTag, tags[i]);
    }
    return status;
  });
}

ciclo_client_status ciclo_client_flush(ciclo_client* client, int64_t timeout_ms) {
  return with(client, [&] {
    if (timeout_ms < 0) return wrong("the timeout must not be negative");
    const auto flushed = client->client->sender().flush(std::chrono::milliseconds(timeout_ms));
    return flushed.ok() ? CICLO_CLIENT_OK : fail_flush(flushed.error());
  });
}

ciclo_client_status ciclo_run_end(ciclo_run* run, ciclo_run_status status, int64_t timeout_ms) {
  return logging(run, [&] {
    const char* name = name_of(status);
    if (name == nullptr) {
      return wrong("the run's status must be CICLO_RUN_FINISHED, _FAILED or _KILLED");
    }
    if (timeout_ms < 0) return wrong("the timeout must not be negative");
    return end_run(*run, name, timeout_ms);
  });
}

ciclo_client_status ciclo_client_get_counters_sized(const ciclo_client* client,
                                                    ciclo_client_counters* counters, size_t size) {
  return with(client, [&] {
    if (counters == nullptr) return wrong("the place for the counters must not be NULL");
    const Sender::Counters now = client->client->sender().counters();
    const ciclo_client_counters all = {.logged = now.logged,
                                       .sent = now.sent,
                                       .acknowledged = now.acknowledged,
                                       .refused = now.refused,
                                       .dropped = now.dropped,
                                       .retries = now.retries};
    std::memcpy(counters, &all, std::min(size, sizeof all));
    return CICLO_CLIENT_OK;
  });
}

const char* ciclo_client_last_error(void) { return last_error; }

const char* ciclo_client_status_name(ciclo_client_status status) {
  switch (status) {
    case CICLO_CLIENT_OK: return "OK";
    case CICLO_CLIENT_INVALID_ARGUMENT: return "INVALID_ARGUMENT";
    case CICLO_CLIENT_NOT_FOUND: return "NOT_FOUND";
    case CICLO_CLIENT_ALREADY_EXISTS: return "ALREADY_EXISTS";
    case CICLO_CLIENT_REFUSED: return "REFUSED";
    case CICLO_CLIENT_UNAVAILABLE: return "UNAVAILABLE";
    case CICLO_CLIENT_DEADLINE: return "DEADLINE";
    case CICLO_CLIENT_DROPPED: return "DROPPED";
    case CICLO_CLIENT_ENDED: return "ENDED";
    case CICLO_CLIENT_FORKED: return "FORKED";
    case CICLO_CLIENT_INTERNAL: return "INTERNAL";
  }
  return "unknown";
}

const char* ciclo_client_version(void) {
  return ciclo::kVersion.data();  // a literal, with its NUL
}
