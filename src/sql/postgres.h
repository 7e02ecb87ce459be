// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/result.h"
#include "sql/database.h"

// PostgreSQL behind sql::Database, over libpq. A transaction takes a connection of a bounded pool
// and runs SERIALIZABLE, so that a body means the same as on SQLite, where all transactions follow
// one another; a serialization failure or a deadlock is retried with a growing pause. Transactions
// that come at once share one, and its commit (decision 8): those of one server do not meet. A
// transaction that takes long holds up nobody: others begin beside it. A read runs
// REPEATABLE READ, READ ONLY. A lost connection is replaced; a transaction is then run again unless
// its COMMIT was under way, in which case nobody knows whether it took place: unavailable, and the
// message says so.

namespace ciclo::sql {

struct PostgresOptions {
  std::string url;                   // postgresql://user:password@host:port/name
  std::size_t connections_max = 16;  // a further caller waits; nested calls may exceed it
  int attempts_max = 40;             // of one transaction, before it is unavailable
  std::size_t group_max = 64;        // transactions that share a commit
  int group_ms_max = 10;             // after which a group takes no further one
  int stuck_ms = 50;                 // a transaction that takes longer holds up no other
  int connect_timeout_s = 10;
  // Of one statement, waiting for a lock included; then deadline_exceeded, and the transaction is
  // rolled back. 0: none. What the URL, the role or the server sets for statement_timeout wins.
  // Migrations have none.
  int statement_timeout_ms = 60'000;
  // A peer that has vanished is noticed after idle + count * interval while an answer is awaited,
  // and after user_timeout while sent bytes are not acknowledged: then unavailable. The URL's own
  // keepalives_idle, keepalives_interval, keepalives_count and tcp_user_timeout win.
  int keepalive_idle_s = 30;
  int keepalive_interval_s = 10;
  int keepalive_count = 3;
  int user_timeout_ms = 30'000;
  std::size_t statements_max = 256;  // prepared statements kept per connection
  bool is_read_only = false;         // `transaction` is failed_precondition
};

Result<std::unique_ptr<Database>> open_postgres(PostgresOptions options);

}  // namespace ciclo::sql
