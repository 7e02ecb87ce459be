// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

// The relational store that holds all metadata. Two engines, SQLite (sql/sqlite.h) and PostgreSQL
// (sql/postgres.h), take the same SQL text with $1, $2, … parameters; where they differ,
// sql/dialect.h names the difference. A successful transaction is on disk: it survives kill -9 and
// power loss.

namespace ciclo::sql {

// A parameter. Views must live until the call returns.
using Param = std::variant<std::nullptr_t, std::int64_t, double, std::string_view,
                           std::span<const std::byte>>;
using Params = std::vector<Param>;

// NULL for an empty optional.
Param param(const std::optional<std::string>& text);
Param param(std::optional<std::int64_t> number);
Param param(std::optional<double> number);
inline Param param(bool value) { return std::int64_t{value}; }

// The current row of a query; valid inside the callback only. Columns count from 0. Reading a
// column as another type converts as SQLite does (text of a number, number of a text); NULL reads
// as 0 or "".
class Row {
 public:
  virtual ~Row() = default;
  virtual bool is_null(int column) const = 0;
  virtual std::int64_t integer(int column) const = 0;
  virtual double number(int column) const = 0;
  virtual std::string_view text(int column) const = 0;
  virtual std::span<const std::byte> blob(int column) const = 0;

  bool boolean(int column) const { return integer(column) != 0; }
  std::string string(int column) const { return std::string(text(column)); }
  std::optional<std::string> optional_string(int column) const;
  std::optional<std::int64_t> optional_integer(int column) const;
  std::optional<double> optional_number(int column) const;
};

using OnRow = std::function<Result<void>(const Row&)>;

enum class Engine { kSqlite, kPostgres };

// Reads inside one consistent snapshot. Used by one thread at a time.
class Reader {
 public:
  virtual ~Reader() = default;
  virtual Engine engine() const = 0;
  // Calls `on_row` for each row as it comes; an error of it ends the query and is returned.
  virtual Result<void> query(std::string_view statement, const Params& params,
                             const OnRow& on_row) = 0;
  // The same, for a statement whose ORDER BY follows an index and that ends early by its LIMIT: it
  // walks along that index, whatever the engine believes to know of the number of rows.
  virtual Result<void> walk(std::string_view statement, const Params& params, const OnRow& on_row) {
    return query(statement, params, on_row);
  }

  // The only row mapped by `map`, nullopt when there is none; internal when there are several.
  template <class F>
  auto query_one(std::string_view statement, const Params& params, F&& map)
      -> Result<std::optional<std::remove_cvref_t<std::invoke_result_t<F, const Row&>>>> {
    std::optional<std::remove_cvref_t<std::invoke_result_t<F, const Row&>>> found;
    TRY(query(statement, params, [&](const Row& row) -> Result<void> {
      if (found) return internal("more than one row for: " + std::string(statement));
      found = map(row);
      return {};
    }));
    return found;
  }

  // All rows, mapped.
  template <class F>
  auto query_all(std::string_view statement, const Params& params, F&& map)
      -> Result<std::vector<std::remove_cvref_t<std::invoke_result_t<F, const Row&>>>> {
    std::vector<std::remove_cvref_t<std::invoke_result_t<F, const Row&>>> all;
    TRY(query(statement, params, [&](const Row& row) -> Result<void> {
      all.push_back(map(row));
      return {};
    }));
    return all;
  }
};

// A transaction that may write. What it wrote is visible to its own queries. A statement that fails
// dooms the transaction on both engines: later statements fail, and it is rolled back even when the
// body returns success. Where a duplicate is expected, write ON CONFLICT, or ask first.
class Txn : public Reader {
 public:
  // The number of rows changed. A violated uniqueness is already_exists, a violated reference
  // failed_precondition, a violated NOT NULL or CHECK and a text with a NUL character
  // invalid_argument. NaN is stored as NULL.
  virtual Result<std::int64_t> execute(std::string_view statement, const Params& params = {}) = 0;
  // One statement for many parameter lists, as fast as the engine can: a prepared statement on
  // SQLite, a pipeline on PostgreSQL. The number of rows changed in all.
  virtual Result<std::int64_t> execute_many(std::string_view statement,
                                            std::span<const Params> rows) = 0;

  // As the two above, where nobody asks for the number of rows, and where a failure may show later:
  // as that of the next statement, or of the transaction. PostgreSQL is not waited for then.
  virtual Result<void> write(std::string_view statement, const Params& params) {
    TRY(execute(statement, params));
    return {};
  }
  virtual Result<void> write_many(std::string_view statement, std::span<const Params> rows) {
    TRY(execute_many(statement, rows));
    return {};
  }
};

// A numbered schema change of one module: file NNNN_name.sql in its schema/ folder.
struct Migration {
  std::string_view module;
  int number = 0;
  std::string_view name;
  std::string_view
      sql;  // statements separated by semicolons; see sql/dialect.h for what is replaced
};

// What a database has done since it was opened, and what waits now. For metrics.
struct Stats {
  std::uint64_t transactions = 0;    // ended, well or not
  std::uint64_t commits = 0;         // of the engine; fewer than transactions when they share one
  std::uint64_t retries = 0;         // after a conflict or a lost connection
  std::uint64_t full_scan_rows = 0;  // read because no index led to them; counted by SQLite only
  std::size_t waiting = 0;           // transactions in the queue
  std::size_t connections = 0;
};

// Safe to share between threads.
class Database {
 public:
  virtual ~Database() = default;
  virtual Engine engine() const = 0;
  virtual Stats stats() const = 0;

  // Runs the body in a transaction and commits when it returns success; rolls back otherwise. When
  // the call returns success, the changes are durable. A conflict with another transaction is
  // retried, so the body must have no other effect and may run several times; after some retries:
  // unavailable. Transactions that wait are committed together (group commit), on whichever thread:
  // on SQLite all run one after the other on one writer thread, each under its own savepoint; on
  // PostgreSQL the caller that comes first runs the others' bodies, too. A body that starts another
  // transaction of the same database is a bug and ends the process.
  virtual Result<void> transaction(const std::function<Result<void>(Txn&)>& body) = 0;

  // Runs the body on a consistent snapshot, beside writers. Nested calls take another connection.
  virtual Result<void> read(const std::function<Result<void>(Reader&)>& body) = 0;

  // The same for bodies that return a value.
  template <class F>
  auto transact(F&& body) -> std::invoke_result_t<F, Txn&> {
    std::optional<typename std::invoke_result_t<F, Txn&>::Value> out;
    TRY(transaction([&](Txn& txn) -> Result<void> {
      TRY(out, body(txn));
      return {};
    }));
    return std::move(*out);
  }
  template <class F>
  auto view(F&& body) -> std::invoke_result_t<F, Reader&> {
    std::optional<typename std::invoke_result_t<F, Reader&>::Value> out;
    TRY(read([&](Reader& reader) -> Result<void> {
      TRY(out, body(reader));
      return {};
    }));
    return std::move(*out);
  }
};

// Applies, in order and in one transaction, the migrations that the database does not have yet.
// Refuses (failed_precondition) a database that a newer program has written, and one whose recorded
// migrations differ from ours in name or content.
Result<void> migrate(Database& database, std::span<const Migration> migrations);

// The module's own migrations: of what sql/once.h records.
std::span<const Migration> schema();

// Opens what the URL names: "sqlite:PATH" or "postgresql://user:password@host:port/name".
// invalid_argument for another scheme. Messages never hold the password.
Result<std::unique_ptr<Database>> open(std::string_view url);

// The URL with its password, when there is one, replaced by ***: for logs and messages.
std::string redact_url(std::string_view url);

}  // namespace ciclo::sql
