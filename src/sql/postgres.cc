// SPDX-License-Identifier: Apache-2.0
#include "sql/postgres.h"

#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <limits>
#include <map>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/random.h"
#include "base/text.h"
#include "sql/body.h"
#include "sql/pool.h"

namespace ciclo::sql {
namespace {

struct CloseConnection {
  void operator()(PGconn* handle) const { PQfinish(handle); }
};
struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultHandle = std::unique_ptr<PGresult, ClearResult>;

constexpr Oid kBoolType = 16;
constexpr Oid kBytesType = 17;

Code code_of(std::string_view state) {
  if (state == "23505") return Code::kAlreadyExists;
  if (state == "23503") return Code::kFailedPrecondition;
  if (state == "40001" || state == "40P01") return Code::kConflict;
  if (state == "42501") return Code::kPermissionDenied;
  if (state == "25006") return Code::kFailedPrecondition;
  if (state == "57014") return Code::kDeadlineExceeded;
  if (state == "XX001" || state == "XX002") return Code::kDataLoss;
  if (state.starts_with("22") || state.starts_with("23")) return Code::kInvalidArgument;
  if (state.starts_with("53")) return Code::kResourceExhausted;
  if (state.starts_with("57P")) return Code::kUnavailable;
  return Code::kInternal;
}

// The bytes of PostgreSQL's hexadecimal text of them, \x00ff.
std::string decode_bytes(std::string_view text) {
  std::string out;
  if (!text.starts_with("\\x")) return out;
  out.reserve(text.size() / 2);
  for (std::size_t at = 2; at + 1 < text.size(); at += 2) {
    unsigned value = 0;
    std::from_chars(text.data() + at, text.data() + at + 2, value, 16);
    out.push_back(static_cast<char>(value));
  }
  return out;
}

// The first row of a result.
class PostgresRow final : public Row {
 public:
  explicit PostgresRow(const PGresult* result) : result_(result) {}

  bool is_null(int column) const override { return PQgetisnull(result_, 0, at(column)) != 0; }
  std::int64_t integer(int column) const override {
    const std::string_view digits = text(column);
    std::int64_t value = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    const bool is_whole = read.ec == std::errc() && read.ptr == digits.data() + digits.size();
    return is_whole ? value : to_integer(number(column));
  }
  double number(int column) const override {
    const std::string_view digits = text(column);
    double value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
  }
  std::string_view text(int column) const override {
    const std::string_view value(PQgetvalue(result_, 0, at(column)),
                                 static_cast<std::size_t>(PQgetlength(result_, 0, column)));
    if (PQftype(result_, column) != kBoolType || value.empty()) return value;
    return value == "t" ? "1" : "0";
  }
  std::span<const std::byte> blob(int column) const override {
    const std::string_view value = text(column);
    if (PQftype(result_, column) != kBytesType) return std::as_bytes(std::span(value));
    const auto [decoded, is_new] = decoded_.try_emplace(column);
    if (is_new) decoded->second = decode_bytes(value);
    return std::as_bytes(std::span(decoded->second));
  }

 private:
  int at(int column) const {
    CHECK(column >= 0);
    CHECK(column < PQnfields(result_));
    return column;
  }
  static std::int64_t to_integer(double number) {
    constexpr double kLimit = 9223372036854775808.0;
    if (number >= kLimit) return std::numeric_limits<std::int64_t>::max();
    if (number < -kLimit) return std::numeric_limits<std::int64_t>::min();
    return static_cast<std::int64_t>(number);
  }

  const PGresult* result_;
  mutable std::map<int, std::string> decoded_;  // keeps what blob() returned alive
};

// Parameters as libpq takes them: text with a final NUL, bytes as they are.
class Arguments {
 public:
  static Result<Arguments> make(const Params& params) {
    Arguments arguments;
    for (const auto& param : params) TRY(arguments.add(param));
    return arguments;
  }

  int count() const { return static_cast<int>(values_.size()); }
  const char* const* values() const { return values_.data(); }
  const int* lengths() const { return lengths_.data(); }
  const int* formats() const { return formats_.data(); }

 private:
  Result<void> add(const Param& param) {
    std::array<char, 32> digits{};
    const auto add_digits = [&](std::to_chars_result written) {
      add_text({digits.data(), static_cast<std::size_t>(written.ptr - digits.data())});
    };
    char* const end = digits.data() + digits.size();
    if (const auto* integer = std::get_if<std::int64_t>(&param)) {
      add_digits(std::to_chars(digits.data(), end, *integer));
    } else if (const auto* number = std::get_if<double>(&param)) {
      if (std::isnan(*number)) {
        push(nullptr, 0, 0);  // as SQLite stores it
      } else if (std::isinf(*number)) {
        add_text(*number > 0 ? "Infinity" : "-Infinity");
      } else {
        add_digits(std::to_chars(digits.data(), end, *number));
      }
    } else if (const auto* text = std::get_if<std::string_view>(&param)) {
      if (text->find('\0') != std::string_view::npos) {
        return invalid_argument("text " + ciclo::quoted(text->substr(0, text->find('\0'))) +
                                " holds a NUL character, which cannot be stored");
      }
      add_text(*text);
    } else if (const auto* bytes = std::get_if<std::span<const std::byte>>(&param)) {
      const void* data = bytes->empty() ? "" : static_cast<const void*>(bytes->data());
      push(static_cast<const char*>(data), bytes->size(), 1);
    } else {
      push(nullptr, 0, 0);
    }
    return {};
  }
  void add_text(std::string_view text) {
    texts_.emplace_back(text);
    push(texts_.back().c_str(), text.size(), 0);
  }
  void push(const char* value, std::size_t length, int format) {
    values_.push_back(value);
    lengths_.push_back(static_cast<int>(length));
    formats_.push_back(format);
  }

  std::deque<std::string> texts_;  // does not move what it holds
  std::vector<const char*> values_;
  std::vector<int> lengths_;
  std::vector<int> formats_;
};

// The results of the query that runs on a connection, one row each. When another query comes in
// between, the rest is first fetched into memory.
class Stream {
 public:
  Stream(PGconn* handle, Stream*& current) : handle_(handle), current_(current), outer_(current) {
    current_ = this;
  }
  ~Stream() {
    while (next() != nullptr) continue;
    current_ = outer_;
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  ResultHandle next() {
    if (fetched_.empty()) return fetch();
    ResultHandle result = std::move(fetched_.front());
    fetched_.pop_front();
    return result;
  }
  void fetch_rest() {
    while (ResultHandle result = fetch()) fetched_.push_back(std::move(result));
  }

 private:
  ResultHandle fetch() {
    if (is_ended_) return nullptr;
    ResultHandle result(PQgetResult(handle_));
    is_ended_ = result == nullptr;
    return result;
  }

  PGconn* handle_;
  Stream*& current_;
  Stream* outer_;
  bool is_ended_ = false;
  std::deque<ResultHandle> fetched_;
};

// One connection and its transaction. Used by one thread at a time.
class Connection final : public Txn {
 public:
  static Result<std::unique_ptr<Connection>> open(const PostgresOptions& options);

  Engine engine() const override { return Engine::kPostgres; }
  Result<void> query(std::string_view text, const Params& params, const OnRow& on_row) override;
  Result<std::int64_t> execute(std::string_view text, const Params& params) override;
  Result<std::int64_t> execute_many(std::string_view text, std::span<const Params> rows) override;

  // Statements of ours without parameters, outside of what dooms a transaction: BEGIN, COMMIT, SET.
  Result<void> run(const std::string& text);

  bool is_lost() const { return PQstatus(handle_.get()) != CONNECTION_OK; }
  // The failure of a statement since the last call, which dooms the transaction.
  std::optional<Error> take_failure() { return std::exchange(failure_, std::nullopt); }

 private:
  Connection(PGconn* handle, std::size_t statements_max)
      : handle_(handle), statements_max_(statements_max) {}

  // Runs `f()` unless the transaction is doomed already; a failure of `f` dooms it.
  template <class F>
  auto guarded(F&& f) -> std::invoke_result_t<F>;
  // The name of the prepared statement with this text.
  Result<std::string> prepare(std::string_view text);
  Result<std::int64_t> send_many(const std::string& name, std::span<const Params> rows,
                                 std::string_view text);
  Result<std::int64_t> receive_many(std::size_t count, std::string_view text);
  Error error(const PGresult* result, std::string_view text) const;
  Error lost() const;

  std::unique_ptr<PGconn, CloseConnection> handle_;
  const std::size_t statements_max_;
  std::unordered_map<std::string, std::string> statements_;  // text → name
  std::uint64_t prepared_ = 0;
  Stream* stream_ = nullptr;  // of the innermost query
  std::optional<Error> failure_;
};

std::string in_one_line(std::string_view message) {
  std::string out;
  for (const auto line : split(message, '\n')) {
    if (trim(line).empty()) continue;
    if (!out.empty()) out += " ";
    out += trim(line);
  }
  return out;
}

// libpq does not print the password, but it prints a URL that it cannot read.
Result<void> check_url(const PostgresOptions& options) {
  char* message = nullptr;
  PQconninfoOption* parsed = PQconninfoParse(options.url.c_str(), &message);
  const bool is_valid = parsed != nullptr;
  PQconninfoFree(parsed);
  PQfreemem(message);
  if (is_valid) return {};
  return invalid_argument("database " + ciclo::quoted(redact_url(options.url)) +
                          " is not a valid PostgreSQL URL: expected "
                          "postgresql://user:password@host:port/name, special characters as %XX");
}

// The URL stands last, so that what it says wins over our defaults.
PGconn* connect(const PostgresOptions& options) {
  const std::array<std::pair<const char*, std::string>, 8> parameters = {{
      {"connect_timeout", std::to_string(options.connect_timeout_s)},
      {"keepalives", "1"},
      {"keepalives_idle", std::to_string(options.keepalive_idle_s)},
      {"keepalives_interval", std::to_string(options.keepalive_interval_s)},
      {"keepalives_count", std::to_string(options.keepalive_count)},
      {"tcp_user_timeout", std::to_string(options.user_timeout_ms)},
      {"fallback_application_name", "ciclo"},
      {"dbname", options.url},
  }};
  std::array<const char*, parameters.size() + 1> keys{};
  std::array<const char*, parameters.size() + 1> values{};
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    keys[i] = parameters[i].first;
    values[i] = parameters[i].second.c_str();
  }
  return PQconnectdbParams(keys.data(), values.data(), 1);
}

Result<std::unique_ptr<Connection>> Connection::open(const PostgresOptions& options) {
  TRY(check_url(options));
  PGconn* handle = connect(options);
  std::unique_ptr<Connection> connection(new Connection(handle, options.statements_max));
  if (connection->is_lost()) {
    return unavailable("cannot connect to database " + redact_url(options.url) + ": " +
                       in_one_line(PQerrorMessage(handle)));
  }
  PQsetNoticeProcessor(
      handle, [](void*, const char* message) { log::debug(in_one_line(message)); }, nullptr);
  // A server that acknowledges before it has synced would break the promise of Database.
  TRY(connection->run(R"sql(
      SET client_encoding TO 'UTF8';
      SET TimeZone TO 'UTC';
      SET standard_conforming_strings TO on;
      SET bytea_output TO 'hex';
      SET client_min_messages TO warning;
      SELECT set_config('synchronous_commit', 'on', false)
      WHERE current_setting('synchronous_commit') = 'off';
      SELECT set_config('statement_timeout', ')sql" +
                      std::to_string(options.statement_timeout_ms) + R"sql(', false)
      WHERE current_setting('statement_timeout') = '0')sql"));
  return connection;
}

template <class F>
auto Connection::guarded(F&& f) -> std::invoke_result_t<F> {
  if (failure_) return failure_->with_context("the transaction ended by an earlier failure");
  if (stream_ != nullptr) stream_->fetch_rest();
  auto result = f();
  if (!result.ok()) failure_ = result.error();
  return result;
}

Result<void> Connection::query(std::string_view text, const Params& params, const OnRow& on_row) {
  Result<void> from_callback;
  TRY(guarded([&]() -> Result<void> {
    TRY(const Arguments arguments, Arguments::make(params));
    TRY(const std::string name, prepare(text));
    if (PQsendQueryPrepared(handle_.get(), name.c_str(), arguments.count(), arguments.values(),
                            arguments.lengths(), arguments.formats(), 0) == 0) {
      return lost();
    }
    PQsetSingleRowMode(handle_.get());
    Stream stream(handle_.get(), stream_);
    while (const ResultHandle result = stream.next()) {
      const ExecStatusType status = PQresultStatus(result.get());
      if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) continue;
      if (status != PGRES_SINGLE_TUPLE) return error(result.get(), text);
      from_callback = on_row(PostgresRow(result.get()));
      if (!from_callback.ok()) return {};
    }
    return {};
  }));
  return from_callback;
}

Result<std::int64_t> Connection::execute(std::string_view text, const Params& params) {
  return guarded([&]() -> Result<std::int64_t> {
    TRY(const Arguments arguments, Arguments::make(params));
    TRY(const std::string name, prepare(text));
    const ResultHandle result(PQexecPrepared(handle_.get(), name.c_str(), arguments.count(),
                                             arguments.values(), arguments.lengths(),
                                             arguments.formats(), 0));
    const ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) return error(result.get(), text);
    return parse_int(PQcmdTuples(result.get())).value_or(0);
  });
}

// In pipelines of a few hundred statements: one round trip for each of these.
Result<std::int64_t> Connection::execute_many(std::string_view text, std::span<const Params> rows) {
  constexpr std::size_t kRowsMax = 500;
  return guarded([&]() -> Result<std::int64_t> {
    if (rows.empty()) return std::int64_t{0};
    TRY(const std::string name, prepare(text));
    if (PQenterPipelineMode(handle_.get()) == 0) return lost();
    Result<std::int64_t> changed = std::int64_t{0};
    while (changed.ok() && !rows.empty()) {
      const auto sent = send_many(name, rows.first(std::min(rows.size(), kRowsMax)), text);
      rows = rows.subspan(std::min(rows.size(), kRowsMax));
      changed = sent.ok() ? Result<std::int64_t>(*changed + *sent) : sent;
    }
    if (PQexitPipelineMode(handle_.get()) == 0 && changed.ok()) return lost();
    return changed;
  });
}

Result<std::int64_t> Connection::send_many(const std::string& name, std::span<const Params> rows,
                                           std::string_view text) {
  Result<void> sent;
  std::size_t count = 0;
  for (const auto& row : rows) {
    const auto arguments = Arguments::make(row);
    if (!arguments.ok()) {
      sent = arguments.error();
      break;
    }
    if (PQsendQueryPrepared(handle_.get(), name.c_str(), arguments->count(), arguments->values(),
                            arguments->lengths(), arguments->formats(), 0) == 0) {
      return lost();
    }
    ++count;
  }
  if (PQpipelineSync(handle_.get()) == 0) return lost();
  auto changed = receive_many(count, text);
  if (changed.ok() && !sent.ok()) return sent.error();
  return changed;
}

// The results of `count` statements, each ended by a null, then that of the synchronisation.
Result<std::int64_t> Connection::receive_many(std::size_t count, std::string_view text) {
  std::int64_t changed = 0;
  std::optional<Error> first;
  for (std::size_t i = 0; i < count; ++i) {
    while (const ResultHandle result{PQgetResult(handle_.get())}) {
      const ExecStatusType status = PQresultStatus(result.get());
      if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
        changed += parse_int(PQcmdTuples(result.get())).value_or(0);
      } else if (!first) {
        first = error(result.get(), text);
      }
    }
    if (is_lost()) return lost();
  }
  const ResultHandle synced(PQgetResult(handle_.get()));
  if (first) return *first;
  if (PQresultStatus(synced.get()) != PGRES_PIPELINE_SYNC) return lost();
  return changed;
}

Result<std::string> Connection::prepare(std::string_view text) {
  const auto found = statements_.find(std::string(text));
  if (found != statements_.end()) return found->second;
  if (statements_.size() >= statements_max_) {
    TRY(run("DEALLOCATE ALL"));
    statements_.clear();
  }
  const std::string key(text);
  const std::string name = "s" + std::to_string(++prepared_);
  const ResultHandle result(PQprepare(handle_.get(), name.c_str(), key.c_str(), 0, nullptr));
  if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) return error(result.get(), text);
  statements_.emplace(key, name);
  return name;
}

Result<void> Connection::run(const std::string& text) {
  const ResultHandle result(PQexec(handle_.get(), text.c_str()));
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) return error(result.get(), text);
  return {};
}

Error Connection::error(const PGresult* result, std::string_view text) const {
  const char* state = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
  if (state == nullptr) return lost();
  const Code code = code_of(state);
  const char* primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  std::string message = primary == nullptr ? std::string("error ") + state : std::string(primary);
  if (code == Code::kInternal) message += ", in: " + std::string(text);
  return {code, std::move(message)};
}

Error Connection::lost() const {
  const std::string message = in_one_line(PQerrorMessage(handle_.get()));
  return unavailable("lost the connection to the database: " + message);
}

class PostgresDatabase final : public Database {
 public:
  explicit PostgresDatabase(PostgresOptions options)
      : options_(std::move(options)),
        pool_(options_.connections_max, [this] { return Connection::open(options_); }) {}

  // Connects once, so that a wrong URL or password is an error of opening.
  Result<void> check() {
    TRY(const auto connection, pool_.take());
    return {};
  }

  Engine engine() const override { return Engine::kPostgres; }
  Stats stats() const override;
  Result<void> transaction(const std::function<Result<void>(Txn&)>& body) override;
  Result<void> read(const std::function<Result<void>(Reader&)>& body) override;

 private:
  using Lease = Pool<Connection>::Lease;
  enum class Verdict { kFinal, kAgain };
  struct Attempt {
    Result<void> result;
    Verdict verdict = Verdict::kFinal;
  };

  Attempt attempt(const std::function<Result<void>(Txn&)>& body);
  Attempt commit(Lease& connection);
  // A connection in a new transaction. Replaces connections that a restart of the server has cut.
  Result<Lease> begin(const std::string& statement);
  void end(Lease& connection, const std::string& statement);
  void pause(int attempts);

  // NOLINTNEXTLINE(readability-identifier-naming): a member, not a global
  static inline thread_local const PostgresDatabase* transaction_of_this_thread = nullptr;

  const PostgresOptions options_;
  Pool<Connection> pool_;
  SystemRandom random_;
  std::atomic<std::uint64_t> transactions_{0};
  std::atomic<std::uint64_t> commits_{0};
  std::atomic<std::uint64_t> retries_{0};
};

Result<void> PostgresDatabase::transaction(const std::function<Result<void>(Txn&)>& body) {
  const bool starts_outside_of_a_transaction = transaction_of_this_thread != this;
  CHECK(starts_outside_of_a_transaction);
  if (options_.is_read_only) {
    return failed_precondition("database " + redact_url(options_.url) +
                               " was opened for reading only");
  }
  transactions_ += 1;
  for (int attempts = 1;; ++attempts) {
    const auto* outer = std::exchange(transaction_of_this_thread, this);
    auto attempted = attempt(body);
    transaction_of_this_thread = outer;
    if (attempted.verdict == Verdict::kFinal) return std::move(attempted.result);
    if (attempts >= options_.attempts_max) {
      // Not a conflict: that would tell the caller that its own expectation was wrong.
      return unavailable("the transaction met others at each of " + std::to_string(attempts) +
                         " attempts: " + attempted.result.error().message);
    }
    retries_ += 1;
    pause(attempts);
  }
}

PostgresDatabase::Attempt PostgresDatabase::attempt(const std::function<Result<void>(Txn&)>& body) {
  auto begun = begin("BEGIN ISOLATION LEVEL SERIALIZABLE");
  if (!begun.ok()) {
    const bool may_pass = begun.error().code == Code::kUnavailable;
    return {begun.error(), may_pass ? Verdict::kAgain : Verdict::kFinal};
  }
  Lease connection = std::move(begun).value();
  auto result = run_body<Txn>(body, *connection);
  const auto failure = connection->take_failure();
  if (result.ok() && !failure) return commit(connection);
  const bool is_lost = connection->is_lost();
  end(connection, "ROLLBACK");
  // What the body made of a conflict does not count: it will be run again.
  if (failure && (is_lost || failure->code == Code::kConflict)) return {*failure, Verdict::kAgain};
  return {result.ok() ? Result<void>(*failure) : result, Verdict::kFinal};
}

PostgresDatabase::Attempt PostgresDatabase::commit(Lease& connection) {
  const auto committed = connection->run("COMMIT");
  if (committed.ok()) {
    commits_ += 1;
    return {};
  }
  if (connection->is_lost()) {
    end(connection, "");
    return {unavailable("the connection to the database was lost during a commit; it is not known "
                        "whether it took place"),
            Verdict::kFinal};
  }
  end(connection, "ROLLBACK");
  const bool is_conflict = committed.error().code == Code::kConflict;
  return {committed, is_conflict ? Verdict::kAgain : Verdict::kFinal};
}

// The body of a read may have taken rows already, so it is not run again when its connection
// breaks.
Result<void> PostgresDatabase::read(const std::function<Result<void>(Reader&)>& body) {
  constexpr const char* kBegin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
  auto begun = begin(kBegin);
  for (int attempts = 1; !begun.ok(); ++attempts) {
    if (begun.error().code != Code::kUnavailable) return begun.error();
    if (attempts >= options_.attempts_max) return begun.error();
    pause(attempts);
    begun = begin(kBegin);
  }
  Lease connection = std::move(begun).value();
  auto result = run_body<Reader>(body, *connection);
  const auto failure = connection->take_failure();
  end(connection, "ROLLBACK");
  if (result.ok() && failure) return *failure;
  return result;
}

Result<PostgresDatabase::Lease> PostgresDatabase::begin(const std::string& statement) {
  TRY(auto connection, pool_.take());
  const auto begun = connection->run(statement);
  if (begun.ok()) return connection;
  connection.discard();
  pool_.clear();
  return unavailable(begun.error().message);
}

void PostgresDatabase::end(Lease& connection, const std::string& statement) {
  if (connection->is_lost() || !connection->run(statement).ok()) connection.discard();
}

// Grows to 64 ms; a random part of it, so that two that met do not meet again.
void PostgresDatabase::pause(int attempts) {
  const std::uint64_t longest_us = 1000ULL << std::min(attempts - 1, 6);
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, std::chrono::microseconds(longest_us / 4 + random_.below(longest_us)));
}

Stats PostgresDatabase::stats() const {
  Stats stats;
  stats.transactions = transactions_;
  stats.commits = commits_;
  stats.retries = retries_;
  stats.connections = pool_.size();
  return stats;
}

}  // namespace

Result<std::unique_ptr<Database>> open_postgres(PostgresOptions options) {
  auto database = std::make_unique<PostgresDatabase>(std::move(options));
  TRY(database->check());
  return std::unique_ptr<Database>(std::move(database));
}

}  // namespace ciclo::sql
