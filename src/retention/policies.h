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
#include "sql/database.h"

namespace ciclo::retention {

struct PolicyOptions {
  std::optional<std::int64_t> deleted_ms;  // how long what is deleted can be restored; none: ever
  std::int64_t interval_ms = kDayMs;       // between two collections
  std::int64_t grace_ms = kGraceMs;        // as Request::grace_ms
};

// Collects on its own, as often as it is told to: one interval after it has last done so, whichever
// server of the database that was and however often they were restarted since; at once when it
// never has. Safe to share between threads.
class Policies {
 public:
  // All must outlive it.
  Policies(Collections& collections, sql::Database& database, Clock& clock,
           const PolicyOptions& options);
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
  sql::Database& database_;
  Clock& clock_;
  const PolicyOptions options_;
  std::mutex mutex_;
  std::condition_variable_any woken_;
  std::int64_t due_ms_ = 0;  // guarded by mutex_; of what this process has started
  std::jthread thread_;
};

}  // namespace ciclo::retention
