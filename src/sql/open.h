// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "sql/database.h"

namespace ciclo::sql {

// What a user may set about the database, whichever engine it is.
struct OpenOptions {
  std::size_t connections_max = 0;    // SQLite: of readers; 0: what the engine has by default
  int busy_timeout_ms = 10'000;       // SQLite: wait for another process that writes the same file
  std::size_t cache_bytes_max = 0;    // SQLite: of pages, per connection; 0: SQLite's default
  int connect_timeout_s = 10;         // PostgreSQL
  int statement_timeout_ms = 60'000;  // PostgreSQL: of one statement; 0: none
  // For a database of another program: `transaction` is failed_precondition, a SQLite file must be
  // there (not_found) and keeps its settings.
  bool is_read_only = false;
};

// As open(url), with options.
Result<std::unique_ptr<Database>> open(std::string_view url, const OpenOptions& chosen);

}  // namespace ciclo::sql
