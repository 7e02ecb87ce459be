// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "client/batch.h"
#include "client/fork_mark.h"
#include "client/mlflow.h"
#include "client/sender.h"
#include "http/client.h"

namespace ciclo::client {

struct Options {
  std::string tracking_uri;
  std::string token;
  std::string user;  // with the password, where there is no token
  std::string password;
  std::string ca_file;
  std::int64_t capacity = 16'384;
  Sender::WhenFull when_full = Sender::WhenFull::kBlock;
  std::int64_t flush_interval_ms = 200;
  std::int64_t call_timeout_ms = 30'000;
  std::int64_t retry_delay_max_ms = 5'000;
  std::int64_t server_error_timeout_ms = 600'000;
};

// What the C functions are made of: time, connections and the sender of one client. Safe to share
// between threads.
class Client {
 public:
  // invalid_argument for an option out of its range; failed_precondition where the kernel cannot
  // tell a child of fork.
  static Result<std::unique_ptr<Client>> open(const Options& options);

  Clock& clock() { return clock_; }
  Mlflow& mlflow() { return mlflow_; }
  Sender& sender() { return sender_; }
  // Whether this process was forked from the one that opened the client.
  bool is_of_parent() const { return mark_.is_of_parent(); }

 private:
  Client(const Options& options, Target target, ForkMark mark);

  ForkMark mark_;
  SystemClock clock_;
  SystemRandom random_;
  std::unique_ptr<http::Client> http_;
  Mlflow mlflow_;
  Sender sender_;
};

}  // namespace ciclo::client
