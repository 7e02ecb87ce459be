// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "base/result.h"
#include "retention/collections.h"
#include "retention/types.h"

namespace ciclo::retention {

struct PolicyOptions {
  std::optional<std::int64_t> deleted_ms;  // how long what is deleted can be restored; none: ever
  std::int64_t interval_ms = kDayMs;       // between two collections
  std::int64_t grace_ms = kGraceMs;        // as Request::grace_ms
};

// Collects on its own, as often as it is told to. The first time is one interval after the start,
// so that a server that is restarted over and over does not spend its time on it. Safe to share
// between threads.
class Policies {
 public:
  // Both must outlive it.
  Policies(Collections& collections, Clock& clock, const PolicyOptions& options);
  ~Policies() { stop(); }

  // Starts a collection when one is due, and says whether it did. Not while another one runs: then
  // it stays due.
  Result<bool> run_if_due();

  // A thread that does so. Nothing when nothing is to be removed.
  void start_thread();
  void stop();

 private:
  void run(const std::stop_token& stop);

  Collections& collections_;
  Clock& clock_;
  const PolicyOptions options_;
  std::mutex mutex_;
  std::condition_variable_any woken_;
  std::int64_t due_ms_;  // guarded by mutex_
  std::jthread thread_;
};

}  // namespace ciclo::retention
