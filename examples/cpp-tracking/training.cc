// SPDX-License-Identifier: Apache-2.0
// A "training" whose threads log while it runs, as a program with a real one would.
//
//   ./training URI [STEPS [THREADS]]
//
// After each tenth of the steps it flushes and prints `flushed STEP`: from then on those steps are
// safe, whatever happens to this program or to the server. A server that is away in between is
// waited for. At the end it prints the counters and the run's id.

#include <ciclo/client.hpp>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace {

// One worker's share of a step: a loss that falls, beside its learning rate.
void work(ciclo::Run& run, int worker, int from, int to) {
  const std::string loss = "worker_" + std::to_string(worker) + "/loss";
  for (int step = from; step < to; ++step) {
    run.log_metric(loss, std::exp(-step / 1000.0) + worker, step);
    run.log_metric("learning_rate/" + std::to_string(worker), 0.1 / (1 + step), step);
  }
}

void train(const std::string& uri, int steps, int threads) {
  ciclo::Client client(uri);
  ciclo::Run run = client.start_run(client.set_experiment("cpp-tracking"), "training");
  std::printf("run %s\n", run.id().c_str());
  std::fflush(stdout);
  run.log_param("steps", std::to_string(steps));
  run.log_param("threads", std::to_string(threads));
  run.set_tag("language", "C++");

  const int part = steps / 10 > 0 ? steps / 10 : 1;
  for (int from = 0; from < steps; from += part) {
    const int to = from + part < steps ? from + part : steps;
    std::vector<std::thread> workers;
    for (int worker = 0; worker < threads; ++worker) {
      workers.emplace_back([&run, worker, from, to] { work(run, worker, from, to); });
    }
    for (std::thread& worker : workers) worker.join();
    client.flush(std::chrono::minutes(10));
    std::printf("flushed %d\n", to);
    std::fflush(stdout);
  }
  run.end();

  const ciclo_client_counters counters = client.counters();
  std::printf("logged %llu, acknowledged %llu, retries %llu\n",
              static_cast<unsigned long long>(counters.logged),
              static_cast<unsigned long long>(counters.acknowledged),
              static_cast<unsigned long long>(counters.retries));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: training URI [STEPS [THREADS]]\n");
    return 2;
  }
  try {
    train(argv[1], argc > 2 ? std::atoi(argv[2]) : 1000, argc > 3 ? std::atoi(argv[3]) : 2);
  } catch (const ciclo::ClientError& problem) {
    std::fprintf(stderr, "training: %s: %s\n", ciclo_client_status_name(problem.status()),
                 problem.what());
    return 1;
  }
  return 0;
}
