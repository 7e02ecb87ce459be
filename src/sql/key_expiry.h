// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <stop_token>
#include <thread>

#include "base/clock.h"
#include "base/result.h"
#include "sql/database.h"

namespace ciclo::sql {

// Forgets the keys that sql/once.h has recorded once they are older than they are kept for. In
// small transactions with pauses, so that writers are not held up; several servers of one database
// may do it at once. Safe to share between threads.
class KeyExpiry {
 public:
  // Both must outlive it.
  KeyExpiry(Database& database, Clock& clock, std::chrono::milliseconds keep);
  ~KeyExpiry();

  // Looks once a minute, on an own thread.
  void start_thread();
  void stop_thread();

  // What one look does: forgets all that are old; how many there were.
  Result<std::int64_t> forget_old(const std::stop_token& stop = {});

 private:
  void loop(const std::stop_token& stop);
  // False once it is to stop.
  bool wait(const std::stop_token& stop, std::chrono::nanoseconds time);

  Database& database_;
  Clock& clock_;
  const std::chrono::milliseconds keep_;
  std::mutex mutex_;
  std::condition_variable_any stopped_;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace ciclo::sql
