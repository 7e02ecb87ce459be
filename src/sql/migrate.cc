// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "sql/database.h"
#include "sql/dialect.h"
#include "sql/schema_state.h"

namespace ciclo::sql {
namespace {

constexpr std::string_view kTable = R"sql(
  CREATE TABLE IF NOT EXISTS schema_migrations (
    module TEXT NOT NULL,
    number BIGINT NOT NULL,
    name TEXT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (module, number)
  ))sql";

std::string label(const Migration& migration) {
  return std::string(migration.module) + " " + std::to_string(migration.number) + " " +
         ciclo::quoted(migration.name);
}

Result<void> create_table(Database& database) {
  const auto create = [&](Txn& txn) -> Result<void> {
    TRY(txn.execute(translate(kTable, txn.engine())));
    return {};
  };
  // On PostgreSQL, IF NOT EXISTS fails in the second of two programs that start at once; it then
  // exists.
  if (database.transaction(create).ok()) return {};
  return database.transaction(create);
}

struct Applied {
  std::string name;
  std::string hash;
};

// By module and number.
using AppliedMigrations = std::map<std::pair<std::string, std::int64_t>, Applied>;

Result<AppliedMigrations> read_applied(Reader& reader) {
  AppliedMigrations applied;
  TRY(reader.query("SELECT module, number, name, hash FROM schema_migrations", {},
                   [&](const Row& row) -> Result<void> {
                     applied[{row.string(0), row.integer(1)}] = {row.string(2), row.string(3)};
                     return {};
                   }));
  return applied;
}

Result<void> refuse_newer(const AppliedMigrations& applied, std::span<const Migration> migrations) {
  std::map<std::string_view, std::int64_t> newest;
  for (const auto& migration : migrations) {
    auto& number = newest[migration.module];
    number = std::max<std::int64_t>(number, migration.number);
  }
  for (const auto& [key, migration] : applied) {
    const auto& [module, number] = key;
    const auto ours = newest.find(module);
    if (ours == newest.end() || number <= ours->second) continue;
    return failed_precondition("the database was written by a newer Ciclo: its schema of " +
                               module + " has number " + std::to_string(number) + " " +
                               ciclo::quoted(migration.name) + ", this program knows " +
                               std::to_string(ours->second));
  }
  return {};
}

Result<void> refuse_different(const Applied& applied, const Migration& migration) {
  if (applied.name != migration.name) {
    return failed_precondition("the database has " + ciclo::quoted(applied.name) +
                               " where this program has migration " + label(migration) +
                               ": it was written by another version of Ciclo");
  }
  if (applied.hash != hash_bytes(migration.sql)) {
    return failed_precondition(
        "the database was migrated by another text of " + label(migration) +
        " than this program holds: a released migration must not be changed");
  }
  return {};
}

Result<std::vector<Migration>> pending(Reader& reader, std::span<const Migration> migrations) {
  TRY(const auto applied, read_applied(reader));
  TRY(refuse_newer(applied, migrations));
  std::vector<Migration> missing;
  for (const auto& migration : migrations) {
    const auto found = applied.find({std::string(migration.module), migration.number});
    if (found == applied.end()) {
      missing.push_back(migration);
    } else {
      TRY(refuse_different(found->second, migration));
    }
  }
  return missing;
}

// The row goes in before the statements: of two programs that migrate at once the second then meets
// a conflict on the row, is retried, and finds the migration applied.
Result<void> apply(Txn& txn, const Migration& migration) {
  const std::string hash = hash_bytes(migration.sql);
  TRY(txn.execute(
      "INSERT INTO schema_migrations (module, number, name, hash) VALUES ($1, $2, $3, $4)",
      {migration.module, std::int64_t{migration.number}, migration.name, std::string_view(hash)}));
  for (const auto& statement : split_statements(translate(migration.sql, txn.engine()))) {
    const auto executed = txn.execute(statement);
    if (!executed.ok()) return executed.error().with_context("migration " + label(migration));
  }
  return {};
}

}  // namespace

Result<SchemaState> schema_state(Database& database, std::span<const Migration> migrations) {
  return database.view([&](Reader& reader) -> Result<SchemaState> {
    TRY(const bool is_there, has_table(reader, "schema_migrations"));
    if (!is_there) return SchemaState::kNone;
    TRY(const auto missing, pending(reader, migrations));
    return missing.empty() ? SchemaState::kCurrent : SchemaState::kOlder;
  });
}

Result<void> migrate(Database& database, std::span<const Migration> migrations) {
  TRY(create_table(database));
  TRY(const auto seen, database.view([&](Reader& reader) { return pending(reader, migrations); }));
  if (seen.empty()) return {};
  TRY(database.transaction([&](Txn& txn) -> Result<void> {
    TRY(lift_time_limit(txn));
    TRY(const auto missing, pending(txn, migrations));
    for (const auto& migration : missing) TRY(apply(txn, migration));
    return {};
  }));
  log::debug("database migrated", {{"migrations", seen.size()}});
  return {};
}

}  // namespace ciclo::sql
