// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <libpq-fe.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "base/result.h"
#include "sql/database.h"
#include "sql/postgres.h"

// A connection to PostgreSQL over libpq: statements, prepared once each, and their failures.

namespace ciclo::sql {

class PostgresStream;

// One connection and its transaction. Used by one thread at a time.
class PostgresConnection final : public Txn {
 public:
  // unavailable when the server cannot be reached; invalid_argument for a URL that is none.
  static Result<std::unique_ptr<PostgresConnection>> open(const PostgresOptions& options);

  Engine engine() const override { return Engine::kPostgres; }
  Result<void> query(std::string_view text, const Params& params, const OnRow& on_row) override;
  Result<void> walk(std::string_view text, const Params& params, const OnRow& on_row) override;
  Result<std::int64_t> execute(std::string_view text, const Params& params) override;
  Result<std::int64_t> execute_many(std::string_view text, std::span<const Params> rows) override;
  Result<void> write(std::string_view text, const Params& params) override;
  Result<void> write_many(std::string_view text, std::span<const Params> rows) override;

  // Statements of ours without parameters, outside of what dooms a transaction: BEGIN, SET. Waits
  // for the statements that were sent, and fails when one of them did.
  Result<void> run(const std::string& text);
  Result<void> rollback();

  // Whether statements were sent whose outcome is not known yet.
  bool has_sent() const { return !sent_.empty(); }
  // Waits for them; the failure of one dooms the transaction.
  Result<void> settle();

  bool is_lost() const { return PQstatus(handle_.get()) != CONNECTION_OK; }
  // The failure of a statement since the last call, which dooms the transaction.
  std::optional<Error> take_failure() { return std::exchange(failure_, std::nullopt); }
  // Whether a statement that may change rows was sent since the last call.
  bool take_wrote() { return std::exchange(wrote_, false); }

 private:
  friend class PostgresStream;

  struct Close {
    void operator()(PGconn* handle) const { PQfinish(handle); }
  };

  PostgresConnection(PGconn* handle, std::size_t statements_max)
      : handle_(handle), statements_max_(statements_max) {}

  // Runs `f()` unless the transaction is doomed already; a failure of `f` dooms it.
  template <class F>
  auto guarded(F&& f) -> std::invoke_result_t<F>;
  // What was sent in a pipeline and not answered yet.
  struct Sent {
    std::string text;
    bool prepares = false;  // the statement, rather than running it
  };
  Result<void> enter_pipeline();
  // The name of the prepared statement with this text; it may be that its preparation was only
  // sent.
  Result<std::string> prepare(std::string_view text);
  Result<void> send(std::string_view text, const Params& params);
  // Asks for the answers to all that was sent and takes them, but for those of the last `left`: the
  // number of rows that the last `counted` changed, or the first failure.
  Result<std::int64_t> receive(std::size_t left, std::size_t counted);
  Result<std::int64_t> receive_one();  // the answer to the first of `sent_`
  Result<std::int64_t> receive_all(std::size_t counted);
  Result<void> leave_pipeline();
  Error error(const PGresult* result, std::string_view text) const;
  Error lost() const;

  std::unique_ptr<PGconn, Close> handle_;
  const std::size_t statements_max_;
  std::unordered_map<std::string, std::string> statements_;  // text → name
  std::uint64_t prepared_ = 0;
  std::deque<Sent> sent_;
  PostgresStream* stream_ = nullptr;  // of the innermost query
  std::optional<Error> failure_;
  bool wrote_ = false;
};

}  // namespace ciclo::sql
