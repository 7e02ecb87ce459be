// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/database.h"

// Where SQLite and PostgreSQL differ. All that is not named here is written once and runs on both;
// see README.md for the words that do.

namespace ciclo::sql {

// A migration's text for the engine: the upper-case words BYTES (BLOB, BYTEA), IDENTITY (a key that
// the database counts up, never reusing a number), TEXT (on PostgreSQL with COLLATE "C", so that
// order and comparison are by byte on both) and CLUSTERED (behind a table: its rows stand in the
// order of its primary key; WITHOUT ROWID, nothing) are replaced, except in quotes and comments.
std::string translate(std::string_view sql, Engine engine);

// The statements of a text, at semicolons that stand neither in quotes nor in comments; without the
// semicolon, without empty ones.
std::vector<std::string> split_statements(std::string_view sql);

// Makes transactions that call this with the same name follow one another from here to the end of
// their commit. Nothing on SQLite, where they do anyway; an advisory lock on PostgreSQL.
Result<void> serialize(Txn& txn, std::string_view name);

// The statements of this transaction may take, and wait, as long as they need: on PostgreSQL its
// time limit for statements does not hold. SQLite has none.
Result<void> lift_time_limit(Txn& txn);

// Whether the database has such a table; for databases of other programs.
Result<bool> has_table(Reader& reader, std::string_view table);

// After rows came in with numbers of their own: the next number that the database gives for the
// table's key is greater than `greatest`, unless it is already. SQLite sees to that itself.
Result<void> advance_identity(Txn& txn, std::string_view table, std::string_view key,
                              std::int64_t greatest);

// The text with % _ and \ escaped, for LIKE … ESCAPE '\'. LIKE tells upper from lower case on both.
std::string escape_like(std::string_view text);

}  // namespace ciclo::sql
