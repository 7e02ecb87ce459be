// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/json.h"
#include "base/random.h"
#include "base/result.h"
#include "http/client.h"

namespace ciclo::client {

// Where the server is, and who asks.
struct Target {
  std::string url;            // http[s]://HOST[:PORT][/PREFIX], no slash at its end
  std::string authorization;  // value of that header field; empty: none
};

// What one request came to.
struct Answer {
  int status = 0;                           // of HTTP; 0: there was none
  json::Value document;                     // when is_done()
  Error error;                              // otherwise
  std::chrono::milliseconds retry_after{};  // as the server asks

  bool is_done() const { return status == 200; }
  // Nothing is wrong with the request: the same may succeed later.
  bool is_passing() const;
  // Fails for what is not in the content: the server itself, or who may use it.
  bool is_trouble_of_the_server() const;
};

// Delays between tries: doubled from 100 ms to the longest, of which up to half is taken off at
// random, and never sooner than the server asks. One thread.
class Backoff {
 public:
  Backoff(Random& random, std::chrono::milliseconds longest) : random_(random), longest_(longest) {}
  std::chrono::milliseconds next(std::chrono::milliseconds asked);

 private:
  Random& random_;
  const std::chrono::milliseconds longest_;
  std::chrono::milliseconds ceiling_{100};
};

// The requests of MLflow's REST API that the library makes. Safe to share between threads. All that
// is passed to the constructor must outlive it.
class Mlflow {
 public:
  struct Options {
    std::chrono::milliseconds call_timeout;
    std::chrono::milliseconds retry_delay_max;
  };
  Mlflow(http::Client& client, Clock& clock, Random& random, Target target, Options options);

  // One try. An empty `idempotency_key` sends none.
  Answer post(std::string_view path, std::string body, const std::string& idempotency_key,
              std::stop_token stop = {});

  // False when the run is deleted or gone, so that none of its values will be taken. One try; true
  // when that cannot be told, also for being stopped.
  bool may_take_values(const std::string& run_id, std::stop_token stop);

  // The following try again until call_timeout has passed.

  // Their ids. already_exists, not_found.
  Result<std::string> create_experiment(const std::string& name);
  Result<std::string> get_experiment(const std::string& name);
  // The run's id. Before it asks again after a lost answer it looks for the run by a tag that no
  // other has, so that there is one also where the server knows no idempotency key.
  Result<std::string> create_run(const std::string& experiment_id, const std::string& name);
  // not_found when there is no such run.
  Result<void> find_run(const std::string& run_id);
  // Not after `deadline_ns`.
  Result<void> end_run(const std::string& run_id, std::string_view status,
                       std::int64_t deadline_ns);

  // 32 hexadecimal digits that nobody else has.
  std::string new_key();

 private:
  Answer get(const std::string& path_and_query, std::stop_token stop = {});
  Answer ask(http::ClientRequest request);
  Answer find_started(const std::string& experiment_id, const std::string& start_key);
  // Calls `once` again while its answer is passing and the time is not up.
  template <class Once>
  Answer until_done(std::int64_t deadline_ns, Once&& once);
  // The deadline of a call that begins now.
  std::int64_t deadline();

  http::Client& client_;
  Clock& clock_;
  Random& random_;
  const Target target_;
  const Options options_;
};

}  // namespace ciclo::client
