// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "sql/database.h"

// What happened, in order, appended in the transaction of the change itself: an event is visible if
// and only if its change is. Consumers keep a named cursor in the database and continue after a
// restart where they stopped; an event may be delivered again after a crash, never lost. The loop
// of the life cycle is closed here: a detector appends, a trigger reads, neither includes the
// other.

namespace ciclo::events {

struct Event {
  std::int64_t id = 0;  // increasing; gaps are possible
  std::int64_t time_ms = 0;
  std::string workspace;
  std::string kind;     // "drift.detected", "registry.alias_moved": noun.past_participle
  std::string subject;  // the object it is about: a model's name, a run's id
  json::Value body;
};

class Log {
 public:
  // Both must outlive the log.
  Log(sql::Database& database, Clock& clock);

  // Appends within the caller's transaction. Call `wake` after the commit to rouse waiting
  // consumers.
  Result<void> append(sql::Txn& txn, std::string_view workspace, std::string_view kind,
                      std::string_view subject, const json::Value& body);
  void wake();

  // Events after `after`, oldest first, at most `limit`; all kinds when `kinds` is empty. Never
  // skips an event that a concurrent transaction may still commit with a smaller id.
  Result<std::vector<Event>> read_after(std::int64_t after, int limit,
                                        std::span<const std::string_view> kinds = {});

  // The id of the newest event; 0 when there is none. Where a consumer starts that wants no old
  // events.
  Result<std::int64_t> last_id();

  // The id up to which the named consumer has finished; 0 at first.
  Result<std::int64_t> cursor(std::string_view consumer);
  // Moves the cursor within the transaction of the consumer's own effect, so that both happen once.
  // It only ever moves forward: false, and nothing moves, when it stands at `id` or beyond, which
  // tells a consumer that another of its name has finished this event already.
  Result<bool> advance(sql::Txn& txn, std::string_view consumer, std::int64_t id);

  // Returns when `wake` was called since the last return, or after `timeout`.
  void wait(std::uint64_t& seen, std::chrono::milliseconds timeout);

 private:
  sql::Database& database_;
  Clock& clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t version_ = 0;  // guarded by mutex_
};

// The module's migrations.
std::span<const sql::Migration> schema();

}  // namespace ciclo::events
