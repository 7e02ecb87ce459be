// SPDX-License-Identifier: Apache-2.0
//
// What logging a metric through libciclo_client costs the thread that logs, at 1 and 4 threads:
//
//   client_bench URL       of a tracking server; client_bench.py starts one and calls this
//
// - limit: reading the clock and one atomic store, which no logging with a timestamp can be below
// - log_metric: bursts that fit into the ring, so that nobody waits for the server; the flush after
//   each burst is not counted
// - sustained: 200,000 metrics and the flush after them, which the server decides
// - synchronous: a request for each metric on one connection, as a client without a ring does it

#include <ciclo/client.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/random.h"
#include "http/client.h"

namespace ciclo {
namespace {

constexpr int kBurst = 10'000;  // of all threads; the ring holds 16,384
constexpr int kBursts = 100;
constexpr int kSustained = 200'000;
constexpr int kSynchronous = 300;
constexpr std::int64_t kTimeoutMs = 300'000;

void must(ciclo_client_status status) {
  if (status == CICLO_CLIENT_OK) return;
  std::fprintf(stderr, "client_bench: %s\n", ciclo_client_last_error());
  std::exit(1);
}

// Lets each of the threads call `work` once with its number, all from the same moment, and returns
// how long it took each, by its own clock: where processors are few, others run in between.
std::vector<double> seconds_of(int threads, const std::function<void(int)>& work) {
  std::barrier gate(threads);
  std::vector<double> seconds(static_cast<std::size_t>(threads));
  std::vector<std::jthread> running;
  for (int number = 0; number < threads; ++number) {
    running.emplace_back([&, number] {
      SystemClock clock;
      gate.arrive_and_wait();
      const std::int64_t start_ns = clock.monotonic_ns();
      work(number);
      const std::int64_t end_ns = clock.monotonic_ns();
      seconds[static_cast<std::size_t>(number)] = static_cast<double>(end_ns - start_ns) / 1e9;
    });
  }
  running.clear();
  return seconds;
}

// Of times that a thread took for `calls` each.
json::Value summary(std::vector<double> seconds, int calls) {
  std::sort(seconds.begin(), seconds.end());
  const auto ns = [&](double quantile) {
    const auto at = static_cast<std::size_t>(quantile * static_cast<double>(seconds.size() - 1));
    return seconds[at] * 1e9 / calls;
  };
  return json::Value::object({{"median_ns", ns(0.5)}, {"p90_ns", ns(0.9)}, {"best_ns", ns(0)}});
}

void append(std::vector<double>& all, const std::vector<double>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

json::Value measure_limit(int threads) {
  SystemClock clock;
  std::vector<std::atomic<std::int64_t>> places(static_cast<std::size_t>(threads) * 16);
  std::vector<double> seconds;
  for (int burst = 0; burst < kBursts; ++burst) {
    append(seconds, seconds_of(threads, [&](int number) {
             auto& place = places[static_cast<std::size_t>(number) * 16];
             for (int i = 0; i < kBurst / threads; ++i) {
               place.store(clock.now_ms(), std::memory_order_release);
             }
           }));
  }
  return summary(std::move(seconds), kBurst / threads);
}

void log_some(ciclo_run* run, int number, int from, int count) {
  const std::string key = "loss/" + std::to_string(number);
  for (int step = from; step < from + count; ++step) {
    must(ciclo_run_log_metric(run, key.c_str(), 1.0 / (step + 1), step, CICLO_CLIENT_NOW));
  }
}

json::Value measure_bursts(ciclo_client* client, ciclo_run* run, int threads) {
  std::vector<double> seconds;
  const int each = kBurst / threads;
  for (int burst = 0; burst < kBursts; ++burst) {
    append(seconds,
           seconds_of(threads, [&](int number) { log_some(run, number, burst * each, each); }));
    must(ciclo_client_flush(client, kTimeoutMs));
  }
  return summary(std::move(seconds), each);
}

json::Value measure_sustained(ciclo_client* client, ciclo_run* run, int threads) {
  SystemClock clock;
  const std::int64_t start_ns = clock.monotonic_ns();
  seconds_of(threads, [&](int number) { log_some(run, number, 0, kSustained / threads); });
  must(ciclo_client_flush(client, kTimeoutMs));
  const double seconds = static_cast<double>(clock.monotonic_ns() - start_ns) / 1e9;
  return json::Value::object(
      {{"metrics_per_second", static_cast<std::int64_t>(kSustained / seconds)}});
}

json::Value measure_synchronous(const std::string& url, const std::string& run_id) {
  SystemClock clock;
  SystemRandom random;
  const auto client = http::Client::create(random);
  std::vector<double> seconds;
  for (int step = 0; step < kSynchronous; ++step) {
    http::ClientRequest request{.method = "POST", .url = url + "/api/2.0/mlflow/runs/log-metric"};
    request.headers.add("Content-Type", "application/json");
    request.body = json::dump(json::Value::object({{"run_id", run_id},
                                                   {"key", "synchronous"},
                                                   {"value", 1.0 / (step + 1)},
                                                   {"timestamp", clock.now_ms()},
                                                   {"step", step}}));
    const std::int64_t start_ns = clock.monotonic_ns();
    const auto answer = client->call(request);
    if (!answer.ok() || answer->status != 200) {
      std::fprintf(stderr, "client_bench: log-metric failed at %s\n", url.c_str());
      std::exit(1);
    }
    seconds.push_back(static_cast<double>(clock.monotonic_ns() - start_ns) / 1e9);
  }
  return summary(std::move(seconds), 1);
}

json::Value measure(const char* url) {
  ciclo_client_options options;
  ciclo_client_options_init(&options);
  options.tracking_uri = url;
  ciclo_client* client = nullptr;
  must(ciclo_client_open(&options, &client));
  char experiment[CICLO_CLIENT_ID_SIZE];
  must(ciclo_client_set_experiment(client, "client_bench", experiment));
  json::Value out = json::Value::object();
  std::string run_id;
  for (const int threads : {1, 4}) {
    // A run for each, so that none adds to another's histories.
    ciclo_run* bursts = nullptr;
    ciclo_run* sustained = nullptr;
    must(ciclo_client_start_run(client, experiment, "bursts", &bursts));
    must(ciclo_client_start_run(client, experiment, "sustained", &sustained));
    json::Value& at = out["threads_" + std::to_string(threads)];
    at["limit"] = measure_limit(threads);
    at["log_metric"] = measure_bursts(client, bursts, threads);
    at["sustained"] = measure_sustained(client, sustained, threads);
    run_id = ciclo_run_id(bursts);
  }
  must(ciclo_client_close(client, kTimeoutMs));
  out["synchronous"] = measure_synchronous(url, run_id);
  return out;
}

}  // namespace
}  // namespace ciclo

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: client_bench URL\n");
    return 2;
  }
  std::printf("%s\n", ciclo::json::dump(ciclo::measure(argv[1])).c_str());
  return 0;
}
