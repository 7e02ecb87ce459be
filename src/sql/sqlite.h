// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/result.h"
#include "sql/database.h"

// SQLite behind sql::Database: one file in WAL mode with synchronous=FULL. All transactions run on
// one writer thread; those that wait form a group: one BEGIN IMMEDIATE … COMMIT, each under its own
// savepoint, and the one fsync of the commit answers all of them. A body that fails undoes its own
// savepoint; a commit that fails, or a savepoint that cannot be undone, fails the whole group.
// Reads run beside it, each on a connection of its own.

namespace ciclo::sql {

struct SqliteOptions {
  std::string path;              // made when it is missing; its folder too
  std::size_t readers_max = 8;   // connections kept for reads; a further reader waits for one
  std::size_t queue_max = 4096;  // transactions that may wait; more are refused: resource_exhausted
  std::size_t group_max = 256;   // transactions in one commit
  int group_ms_max = 20;         // a group takes no more members after this time
  int busy_timeout_ms = 10'000;  // wait for another process that writes the same file
  std::size_t cache_bytes_max = 0;   // of pages, per connection; 0: SQLite's default
  std::size_t statements_max = 256;  // prepared statements kept per connection
  // A file of another program: it must be there, keeps its journal mode, and nothing is written.
  bool is_read_only = false;
};

Result<std::unique_ptr<Database>> open_sqlite(SqliteOptions options);

}  // namespace ciclo::sql
