// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ciclo/client.h>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// The C functions of <ciclo/client.h> for C++17: clients that close themselves, and exceptions
// where a program is set up or ends. Logging throws nothing. Everything that is said there about
// threads, fork, costs and what is sent when holds here.
//
//   ciclo::Client client;                                   // of MLFLOW_TRACKING_URI
//   ciclo::Run run = client.start_run(client.set_experiment("flights"), "first");
//   run.log_param("depth", "6");
//   for (int step = 0; step < 1000; ++step) run.log_metric("loss", 1.0 / (step + 1), step);
//   run.end();

namespace ciclo {

// Why a call failed; what() is a sentence.
class ClientError : public std::runtime_error {
 public:
  ClientError(ciclo_client_status status, const char* message)
      : std::runtime_error(message), status_(status) {}
  ciclo_client_status status() const { return status_; }

 private:
  ciclo_client_status status_;
};

namespace client_detail {

inline void check(ciclo_client_status status) {
  if (status != CICLO_CLIENT_OK) throw ClientError(status, ciclo_client_last_error());
}

inline std::int64_t count(std::chrono::milliseconds time) { return time.count(); }

}  // namespace client_detail

// A run of a client, which must outlive it. Copies are the same run.
class Run {
 public:
  explicit Run(ciclo_run* run) : run_(run) {}

  std::string id() const { return ciclo_run_id(run_); }

  // Return the status that the C function returns; ciclo_client_last_error() has the sentence.
  ciclo_client_status log_metric(const char* key, double value, std::int64_t step = 0,
                                 std::int64_t timestamp_ms = CICLO_CLIENT_NOW) noexcept {
    return ciclo_run_log_metric(run_, key, value, step, timestamp_ms);
  }
  ciclo_client_status log_metric(const std::string& key, double value, std::int64_t step = 0,
                                 std::int64_t timestamp_ms = CICLO_CLIENT_NOW) noexcept {
    return log_metric(key.c_str(), value, step, timestamp_ms);
  }
  ciclo_client_status log_param(const std::string& key, const std::string& value) noexcept {
    return ciclo_run_log_param(run_, key.c_str(), value.c_str());
  }
  ciclo_client_status set_tag(const std::string& key, const std::string& value) noexcept {
    return ciclo_run_set_tag(run_, key.c_str(), value.c_str());
  }
  ciclo_client_status log_batch(const std::vector<ciclo_client_metric>& metrics,
                                const std::vector<ciclo_client_text>& params = {},
                                const std::vector<ciclo_client_text>& tags = {}) noexcept {
    return ciclo_run_log_batch(run_, metrics.data(), metrics.size(), params.data(), params.size(),
                               tags.data(), tags.size());
  }

  // Flushes and ends the run; throws when that is not done in time, or values were refused.
  void end(ciclo_run_status status = CICLO_RUN_FINISHED,
           std::chrono::milliseconds timeout = std::chrono::seconds(60)) {
    client_detail::check(ciclo_run_end(run_, status, client_detail::count(timeout)));
  }

  ciclo_run* get() const { return run_; }

 private:
  ciclo_run* run_;
};

// Its end flushes for at most 10 s and closes; close() tells whether that succeeded.
class Client {
 public:
  static ciclo_client_options default_options() {
    ciclo_client_options options;
    ciclo_client_options_init(&options);
    return options;
  }

  Client() : Client(default_options()) {}
  explicit Client(const ciclo_client_options& options) {
    client_detail::check(ciclo_client_open(&options, &client_));
  }
  explicit Client(const std::string& tracking_uri) {
    ciclo_client_options options = default_options();
    options.tracking_uri = tracking_uri.c_str();
    client_detail::check(ciclo_client_open(&options, &client_));
  }

  Client(Client&& other) noexcept : client_(std::exchange(other.client_, nullptr)) {}
  Client& operator=(Client&& other) noexcept {
    std::swap(client_, other.client_);
    return *this;
  }
  ~Client() { ciclo_client_close(client_, 10'000); }

  // Ids of experiments: of a new one, of one that is there, of that name in either case.
  std::string create_experiment(const std::string& name) {
    return id_by(ciclo_client_create_experiment, name);
  }
  std::string get_experiment(const std::string& name) {
    return id_by(ciclo_client_get_experiment, name);
  }
  std::string set_experiment(const std::string& name) {
    return id_by(ciclo_client_set_experiment, name);
  }

  // Without a name the server finds one.
  Run start_run(const std::string& experiment_id, const std::string& name = "") {
    ciclo_run* run = nullptr;
    client_detail::check(ciclo_client_start_run(client_, experiment_id.c_str(),
                                                name.empty() ? nullptr : name.c_str(), &run));
    return Run(run);
  }
  Run resume_run(const std::string& run_id) {
    ciclo_run* run = nullptr;
    client_detail::check(ciclo_client_resume_run(client_, run_id.c_str(), &run));
    return Run(run);
  }

  // Throws unless all that was logged before is acknowledged in time.
  void flush(std::chrono::milliseconds timeout) {
    client_detail::check(ciclo_client_flush(client_, client_detail::count(timeout)));
  }

  ciclo_client_counters counters() const {
    ciclo_client_counters counters;
    client_detail::check(ciclo_client_get_counters(client_, &counters));
    return counters;
  }

  // Throws when something is lost. The client is of no use afterwards.
  void close(std::chrono::milliseconds timeout) {
    client_detail::check(
        ciclo_client_close(std::exchange(client_, nullptr), client_detail::count(timeout)));
  }

  ciclo_client* get() const { return client_; }

 private:
  using IdFunction = ciclo_client_status (*)(ciclo_client*, const char*, char*);
  std::string id_by(IdFunction ask, const std::string& name) {
    char id[CICLO_CLIENT_ID_SIZE];
    client_detail::check(ask(client_, name.c_str(), id));
    return id;
  }

  ciclo_client* client_ = nullptr;
};

}  // namespace ciclo
