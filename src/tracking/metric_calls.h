// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "tracking/types.h"

// Calls that log metrics to one run at the same time, as the workers of one training do, become one
// transaction: the first writes alone, and what comes meanwhile is written together after it, by
// the first of those that wait. Nobody waits for company.

namespace ciclo::tracking {

// Safe to share between threads.
class MetricCalls {
 public:
  // Writes all of these metrics, or none.
  using Write = std::function<Result<void>(std::span<const Metric>)>;

  // Writes the metrics of a call, or has them written by another call's `write`: it must do the
  // same for every call that names the same run. When several that were written together are
  // refused, each is written alone, so that the answer is that of this call.
  Result<void> log(const std::string& run, std::span<const Metric> metrics, const Write& write);

  // How many calls of the run wait, without those that are being written.
  std::size_t waiting(const std::string& run);

 private:
  // On the stack of the thread that waits for it.
  struct Call {
    std::span<const Metric> metrics;
    Result<void> result;
    bool has_ended = false;           // guarded by mutex_
    bool leads = false;               // guarded by mutex_
    std::condition_variable changed;  // of either
  };
  // There while a call of the run is being written.
  using Waiting = std::deque<Call*>;

  std::vector<Call*> take(Waiting& waiting);
  static void perform(std::span<Call* const> calls, const Write& write);

  std::mutex mutex_;
  std::unordered_map<std::string, Waiting> waiting_;  // guarded by mutex_; by run
};

}  // namespace ciclo::tracking
