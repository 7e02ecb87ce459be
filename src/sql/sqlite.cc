// SPDX-License-Identifier: Apache-2.0
#include "sql/sqlite.h"

#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/pattern.h"
#include "base/text.h"
#include "base/worker_pool.h"
#include "sql/body.h"
#include "sql/pool.h"
#include "sql/statement_cache.h"

namespace ciclo::sql {
namespace {

struct CloseConnection {
  void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* handle) const { sqlite3_finalize(handle); }
};

Code code_of(int extended) {
  switch (extended) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID: return Code::kAlreadyExists;
    case SQLITE_CONSTRAINT_FOREIGNKEY: return Code::kFailedPrecondition;
    default: break;
  }
  switch (extended & 0xff) {
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG: return Code::kInvalidArgument;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return Code::kUnavailable;
    case SQLITE_FULL:
    case SQLITE_NOMEM: return Code::kResourceExhausted;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH: return Code::kPermissionDenied;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return Code::kDataLoss;
    case SQLITE_CANTOPEN: return Code::kNotFound;
    default: return Code::kInternal;
  }
}

// textregexeq(text, pattern) as PostgreSQL has it, for patterns that base/pattern.h has spelled.
// The parsed pattern stays with the statement while its parameter is the same.
void match_pattern(sqlite3_context* context, int /*count*/, sqlite3_value** values) {
  const auto text_of = [&](int i) {
    const void* bytes = sqlite3_value_text(values[i]);
    return std::string_view(static_cast<const char*>(bytes),
                            static_cast<std::size_t>(sqlite3_value_bytes(values[i])));
  };
  if (sqlite3_value_type(values[0]) == SQLITE_NULL ||
      sqlite3_value_type(values[1]) == SQLITE_NULL) {
    return;  // NULL
  }
  const auto* pattern = static_cast<const Pattern*>(sqlite3_get_auxdata(context, 1));
  if (pattern == nullptr) {
    auto parsed = Pattern::parse(text_of(1));
    if (!parsed.ok()) {
      return sqlite3_result_error(context, parsed.error().message.c_str(), -1);
    }
    auto owned = std::make_unique<Pattern>(std::move(*parsed));
    sqlite3_result_int(context, owned->matches(text_of(0)) ? 1 : 0);
    sqlite3_set_auxdata(context, 1, owned.release(),
                        [](void* kept) { delete static_cast<Pattern*>(kept); });
    return;
  }
  sqlite3_result_int(context, pattern->matches(text_of(0)) ? 1 : 0);
}

// A prepared statement with, for each of SQLite's own parameter places, the place in Params: SQLite
// numbers $2, $1 in the order of their appearance.
struct Statement {
  std::unique_ptr<sqlite3_stmt, FinalizeStatement> handle;
  std::vector<std::size_t> places;
  std::size_t params = 0;
  bool busy = false;
};

class SqliteRow final : public Row {
 public:
  explicit SqliteRow(sqlite3_stmt* handle)
      : handle_(handle), columns_(sqlite3_column_count(handle)) {}

  bool is_null(int column) const override {
    return sqlite3_column_type(handle_, at(column)) == SQLITE_NULL;
  }
  std::int64_t integer(int column) const override {
    return sqlite3_column_int64(handle_, at(column));
  }
  double number(int column) const override { return sqlite3_column_double(handle_, at(column)); }
  std::string_view text(int column) const override {
    const void* bytes = sqlite3_column_text(handle_, at(column));
    return {static_cast<const char*>(bytes), length(column)};
  }
  std::span<const std::byte> blob(int column) const override {
    const void* bytes = sqlite3_column_blob(handle_, at(column));
    return {static_cast<const std::byte*>(bytes), length(column)};
  }

 private:
  int at(int column) const {
    CHECK(column >= 0);
    CHECK(column < columns_);
    return column;
  }
  std::size_t length(int column) const {
    return static_cast<std::size_t>(sqlite3_column_bytes(handle_, column));
  }

  sqlite3_stmt* handle_;
  int columns_;
};

using Counter = std::atomic<std::uint64_t>;

// Marks the statement as running, and makes it ready for its next run at the end.
class Running {
 public:
  Running(Statement& statement, Counter& full_scan_rows)
      : statement_(statement), full_scan_rows_(full_scan_rows) {
    statement_.busy = true;
  }
  ~Running() {
    reset();
    const int scanned =
        sqlite3_stmt_status(statement_.handle.get(), SQLITE_STMTSTATUS_FULLSCAN_STEP, 1);
    if (scanned > 0) full_scan_rows_ += static_cast<std::uint64_t>(scanned);
    sqlite3_clear_bindings(statement_.handle.get());
    statement_.busy = false;
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  // What a reset returns is the failure of the last step, which was handled there.
  void reset() const { sqlite3_reset(statement_.handle.get()); }

 private:
  Statement& statement_;
  Counter& full_scan_rows_;
};

// One connection and its transaction. Used by one thread at a time.
class Connection final : public Txn {
 public:
  enum class Use { kWrite, kRead };
  // The counter must outlive the connection.
  static Result<std::unique_ptr<Connection>> open(const SqliteOptions& options, Use use,
                                                  Counter& full_scan_rows);

  Engine engine() const override { return Engine::kSqlite; }
  Result<void> query(std::string_view text, const Params& params, const OnRow& on_row) override;
  Result<std::int64_t> execute(std::string_view text, const Params& params) override;
  Result<std::int64_t> execute_many(std::string_view text, std::span<const Params> rows) override;

  // A statement of ours without parameters: BEGIN, COMMIT, PRAGMA.
  Result<void> run(std::string_view text);
  // Whether no transaction is open, also because a failure of the disk ended it.
  bool is_idle() const { return sqlite3_get_autocommit(handle_.get()) != 0; }

  // The failure of a statement since the last call, which dooms the transaction.
  std::optional<Error> take_failure() { return std::exchange(failure_, std::nullopt); }

 private:
  Connection(sqlite3* handle, std::size_t statements_max, Counter& full_scan_rows)
      : handle_(handle), full_scan_rows_(full_scan_rows), statements_(statements_max) {}

  // Runs `f(Statement&)` unless the transaction is doomed already; a failure of `f` dooms it.
  template <class F>
  auto with_statement(std::string_view text, F&& f) -> std::invoke_result_t<F, Statement&>;
  Result<Statement> prepare(std::string_view text);
  Result<void> bind(Statement& statement, const Params& params);
  Result<std::int64_t> step_to_end(Statement& statement);
  int bind_one(sqlite3_stmt* handle, int place, const Param& param);
  Error error(std::string_view text) const;

  std::unique_ptr<sqlite3, CloseConnection> handle_;
  Counter& full_scan_rows_;
  StatementCache<Statement> statements_;  // closes before the connection
  std::optional<Error> failure_;
};

Result<std::unique_ptr<Connection>> Connection::open(const SqliteOptions& options, Use use,
                                                     Counter& full_scan_rows) {
  sqlite3* handle = nullptr;
  const int flags = options.is_read_only ? SQLITE_OPEN_READONLY
                    : use == Use::kWrite ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                                         : SQLITE_OPEN_READWRITE;
  const int opened = sqlite3_open_v2(options.path.c_str(), &handle, flags, nullptr);
  std::unique_ptr<Connection> connection(
      new Connection(handle, options.statements_max, full_scan_rows));
  const std::string context = "database " + options.path;
  if (opened != SQLITE_OK) return connection->error("").with_context(context);
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, options.busy_timeout_ms);
  // Otherwise a statement with LIMIT $1 or LIKE $1 is planned anew whenever its parameters change,
  // which takes longer than to run it.
  sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_QPSG, 1, nullptr);
  constexpr int kPure = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
  const int added = sqlite3_create_function_v2(handle, "textregexeq", 2, kPure, nullptr,
                                               match_pattern, nullptr, nullptr, nullptr);
  if (added != SQLITE_OK) return connection->error("").with_context(context);
  if (options.is_read_only) return connection;
  // LIKE as in PostgreSQL; a larger log between checkpoints than the default 1000 pages, since each
  // checkpoint costs two more fsyncs.
  for (const std::string_view pragma :
       {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA foreign_keys = ON",
        "PRAGMA temp_store = MEMORY", "PRAGMA case_sensitive_like = ON",
        "PRAGMA wal_autocheckpoint = 4000", "PRAGMA journal_size_limit = 67108864"}) {
    const auto done = connection->run(pragma);
    if (!done.ok()) return done.error().with_context(context);
  }
  if (options.cache_bytes_max > 0) {
    // Negative: in KiB instead of pages.
    TRY(connection->run("PRAGMA cache_size = -" +
                        std::to_string(std::max<std::size_t>(options.cache_bytes_max >> 10, 1))));
  }
  if (use == Use::kRead) TRY(connection->run("PRAGMA query_only = ON"));
  return connection;
}

Result<void> Connection::query(std::string_view text, const Params& params, const OnRow& on_row) {
  Result<void> from_callback;
  TRY(with_statement(text, [&](Statement& statement) -> Result<void> {
    const Running running(statement, full_scan_rows_);
    TRY(bind(statement, params));
    const SqliteRow row(statement.handle.get());
    while (true) {
      const int stepped = sqlite3_step(statement.handle.get());
      if (stepped == SQLITE_DONE) return {};
      if (stepped != SQLITE_ROW) return error(text);
      from_callback = on_row(row);
      if (!from_callback.ok()) return {};
    }
  }));
  return from_callback;
}

Result<std::int64_t> Connection::execute(std::string_view text, const Params& params) {
  return with_statement(text, [&](Statement& statement) -> Result<std::int64_t> {
    const Running running(statement, full_scan_rows_);
    TRY(bind(statement, params));
    return step_to_end(statement);
  });
}

Result<std::int64_t> Connection::execute_many(std::string_view text, std::span<const Params> rows) {
  return with_statement(text, [&](Statement& statement) -> Result<std::int64_t> {
    const Running running(statement, full_scan_rows_);
    std::int64_t changed = 0;
    for (const auto& row : rows) {
      TRY(bind(statement, row));
      TRY(const std::int64_t changed_now, step_to_end(statement));
      changed += changed_now;
      running.reset();
    }
    return changed;
  });
}

Result<void> Connection::run(std::string_view text) {
  const auto executed = execute(text, {});
  if (!take_failure()) return {};
  return executed.error();
}

template <class F>
auto Connection::with_statement(std::string_view text, F&& f)
    -> std::invoke_result_t<F, Statement&> {
  if (failure_) return failure_->with_context("the transaction ended by an earlier failure");
  const auto run = [&]() -> std::invoke_result_t<F, Statement&> {
    if (Statement* cached = statements_.find(text)) return f(*cached);
    TRY(auto prepared, prepare(text));
    if (statements_.has(text)) return f(prepared);
    return f(statements_.add(text, std::move(prepared)));
  };
  auto result = run();
  if (!result.ok()) failure_ = result.error();
  return result;
}

Result<Statement> Connection::prepare(std::string_view text) {
  Statement statement;
  sqlite3_stmt* handle = nullptr;
  const char* tail = nullptr;
  const int prepared = sqlite3_prepare_v3(handle_.get(), text.data(), static_cast<int>(text.size()),
                                          SQLITE_PREPARE_PERSISTENT, &handle, &tail);
  statement.handle.reset(handle);
  if (prepared != SQLITE_OK) return error(text);
  if (handle == nullptr) return internal("an empty SQL statement");
  const std::string_view rest(tail, static_cast<std::size_t>(text.data() + text.size() - tail));
  if (!trim(rest).empty()) return internal("more than one statement in: " + std::string(text));
  const int count = sqlite3_bind_parameter_count(handle);
  for (int place = 1; place <= count; ++place) {
    const char* name = sqlite3_bind_parameter_name(handle, place);
    const auto number = name == nullptr ? std::nullopt : parse_int(name + 1);
    if (!number || *number < 1)
      return internal("parameters must be $1, $2, … in: " + std::string(text));
    statement.places.push_back(static_cast<std::size_t>(*number) - 1);
    statement.params = std::max(statement.params, static_cast<std::size_t>(*number));
  }
  return statement;
}

Result<void> Connection::bind(Statement& statement, const Params& params) {
  if (params.size() != statement.params) {
    return internal(std::to_string(params.size()) + " parameters given, " +
                    std::to_string(statement.params) +
                    " expected in: " + sqlite3_sql(statement.handle.get()));
  }
  for (std::size_t i = 0; i < statement.places.size(); ++i) {
    const Param& param = params[statement.places[i]];
    if (const auto* text = std::get_if<std::string_view>(&param)) {
      if (text->find('\0') != std::string_view::npos) {
        return invalid_argument("text " + quoted(text->substr(0, text->find('\0'))) +
                                " holds a NUL character, which cannot be stored");
      }
    }
    const int bound = bind_one(statement.handle.get(), static_cast<int>(i) + 1, param);
    if (bound != SQLITE_OK) return error(sqlite3_sql(statement.handle.get()));
  }
  return {};
}

// SQLITE_STATIC: the caller's views live until the call returns. A null pointer would mean NULL.
int Connection::bind_one(sqlite3_stmt* handle, int place, const Param& param) {
  if (const auto* integer = std::get_if<std::int64_t>(&param)) {
    return sqlite3_bind_int64(handle, place, *integer);
  }
  if (const auto* number = std::get_if<double>(&param)) {
    return sqlite3_bind_double(handle, place, *number);  // NaN becomes NULL
  }
  if (const auto* text = std::get_if<std::string_view>(&param)) {
    return sqlite3_bind_text64(handle, place, text->empty() ? "" : text->data(), text->size(),
                               SQLITE_STATIC, SQLITE_UTF8);
  }
  if (const auto* bytes = std::get_if<std::span<const std::byte>>(&param)) {
    if (bytes->empty()) return sqlite3_bind_zeroblob(handle, place, 0);
    return sqlite3_bind_blob64(handle, place, bytes->data(), bytes->size(), SQLITE_STATIC);
  }
  return sqlite3_bind_null(handle, place);
}

Result<std::int64_t> Connection::step_to_end(Statement& statement) {
  // sqlite3_changes keeps its value over statements that change no rows.
  const std::int64_t before = sqlite3_total_changes64(handle_.get());
  int stepped = SQLITE_ROW;
  while (stepped == SQLITE_ROW) stepped = sqlite3_step(statement.handle.get());
  if (stepped != SQLITE_DONE) return error(sqlite3_sql(statement.handle.get()));
  if (sqlite3_total_changes64(handle_.get()) == before) return std::int64_t{0};
  return std::int64_t{sqlite3_changes64(handle_.get())};
}

Error Connection::error(std::string_view text) const {
  const Code code = code_of(sqlite3_extended_errcode(handle_.get()));
  std::string message = sqlite3_errmsg(handle_.get());
  if (code == Code::kInternal && !text.empty()) message += ", in: " + std::string(text);
  return {code, std::move(message)};
}

// A transaction that waits for the writer thread, on the stack of the thread that waits for it.
struct Pending {
  const std::function<Result<void>(Txn&)>& body;
  Result<void> result;
  std::condition_variable ended;
  bool is_ended = false;  // guarded by SqliteDatabase::mutex_
};

class SqliteDatabase final : public Database {
 public:
  explicit SqliteDatabase(SqliteOptions options);
  ~SqliteDatabase() override;

  // Opens the writer's connection and starts its thread, if it may write. Called once, first.
  Result<void> start();

  Engine engine() const override { return Engine::kSqlite; }
  Stats stats() const override;
  Result<void> transaction(const std::function<Result<void>(Txn&)>& body) override;
  Result<void> read(const std::function<Result<void>(Reader&)>& body) override;

 private:
  void write();
  Pending* wait_for_first();
  Pending* next_member(std::size_t members, std::int64_t started_ns);
  void commit_group(Pending& first);
  Result<void> run_first(Pending& member);
  bool run_member(Pending& member);
  Result<void> run_alone(Pending& member);
  void roll_back();
  void answer(const std::vector<Pending*>& group, const Result<void>& committed);
  void refuse_waiting(const Error& error);

  const SqliteOptions options_;
  SystemClock clock_;
  Counter full_scan_rows_{0};
  std::unique_ptr<Connection> writer_;  // used by the writer thread only
  Pool<Connection> readers_;
  Counter transactions_{0};
  Counter commits_{0};
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Pending*> waiting_;  // guarded by mutex_
  bool stopping_ = false;         // guarded by mutex_
  std::thread thread_;            // last: it uses all of the above
};

SqliteDatabase::SqliteDatabase(SqliteOptions options)
    : options_(std::move(options)), readers_(options_.readers_max, [this] {
        return Connection::open(options_, Connection::Use::kRead, full_scan_rows_);
      }) {}

Result<void> SqliteDatabase::start() {
  if (options_.is_read_only) {
    // Tells now what the first reader would meet; the connection is kept for it.
    TRY(readers_.take());
    return {};
  }
  TRY(writer_, Connection::open(options_, Connection::Use::kWrite, full_scan_rows_));
  thread_ = std::thread([this] { write(); });
  return {};
}

SqliteDatabase::~SqliteDatabase() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

Result<void> SqliteDatabase::transaction(const std::function<Result<void>(Txn&)>& body) {
  const bool starts_outside_of_a_transaction = std::this_thread::get_id() != thread_.get_id();
  CHECK(starts_outside_of_a_transaction);
  if (options_.is_read_only) {
    return failed_precondition("database " + options_.path + " was opened for reading only");
  }
  Pending pending{body, {}, {}};
  std::unique_lock lock(mutex_);
  if (waiting_.size() >= options_.queue_max) {
    return resource_exhausted("the database's write queue is full: " +
                              std::to_string(options_.queue_max) + " transactions wait");
  }
  waiting_.push_back(&pending);
  wake_.notify_one();
  pending.ended.wait(lock, [&] { return pending.is_ended; });
  return std::move(pending.result);
}

void SqliteDatabase::write() {
  set_thread_name("sqlite-writer");
  while (Pending* first = wait_for_first()) commit_group(*first);
}

// nullptr when the database closes and nothing waits any more.
Pending* SqliteDatabase::wait_for_first() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
  if (waiting_.empty()) return nullptr;
  Pending* first = waiting_.front();
  waiting_.pop_front();
  return first;
}

// What has come while the group ran joins it, within the limits.
Pending* SqliteDatabase::next_member(std::size_t members, std::int64_t started_ns) {
  const std::int64_t elapsed_ms = (clock_.monotonic_ns() - started_ns) / 1'000'000;
  if (members >= options_.group_max || elapsed_ms >= options_.group_ms_max) return nullptr;
  const std::lock_guard lock(mutex_);
  if (waiting_.empty()) return nullptr;
  Pending* next = waiting_.front();
  waiting_.pop_front();
  return next;
}

void SqliteDatabase::commit_group(Pending& first) {
  const std::int64_t started_ns = clock_.monotonic_ns();
  std::vector<Pending*> group = {&first};
  first.result = run_first(first);
  if (!first.result.ok()) return answer(group, {});
  bool is_whole = !writer_->is_idle();
  while (is_whole) {
    Pending* member = next_member(group.size(), started_ns);
    if (member == nullptr) break;
    group.push_back(member);
    is_whole = run_member(*member);
  }
  if (!is_whole) {
    roll_back();
    const auto& last = group.back()->result;
    return answer(group, unavailable("the transaction was rolled back with another of its group" +
                                     (last.ok() ? "" : ": " + last.error().message)));
  }
  const auto committed = writer_->run("COMMIT");
  if (committed.ok()) {
    commits_ += 1;
  } else {
    roll_back();
  }
  answer(group, committed);
}

// Opens the group's transaction. The first member needs no savepoint: nobody else is in it yet.
Result<void> SqliteDatabase::run_first(Pending& member) {
  roll_back();
  const auto begun = writer_->run("BEGIN IMMEDIATE");
  if (!begun.ok()) {
    const Error error = begun.error().with_context("cannot write to " + options_.path);
    refuse_waiting(error);
    return error;
  }
  auto result = run_alone(member);
  if (!result.ok()) roll_back();
  return result;
}

// False when the group cannot be committed any more: a full disk or a failed read has ended the
// engine's transaction with all that was in it, or the member's savepoint could not be ended, so
// that its writes cannot be told from those of the others.
bool SqliteDatabase::run_member(Pending& member) {
  member.result = writer_->run("SAVEPOINT member");
  if (!member.result.ok()) return !writer_->is_idle();
  member.result = run_alone(member);
  if (writer_->is_idle()) return false;
  Result<void> ended;
  if (!member.result.ok()) ended = writer_->run("ROLLBACK TO member");
  if (ended.ok()) ended = writer_->run("RELEASE member");
  if (!ended.ok() && member.result.ok()) member.result = ended;
  return ended.ok();
}

// Ends the engine's transaction, if there is one, and keeps nothing of it. A connection that cannot
// even do that is replaced: to close it rolls back too.
void SqliteDatabase::roll_back() {
  if (writer_->is_idle()) return;
  const auto undone = writer_->run("ROLLBACK");
  if (writer_->is_idle()) return;
  log::error("rollback failed; the connection is replaced",
             {{"database", options_.path}, {"error", undone.ok() ? "" : undone.error().message}});
  auto opened = Connection::open(options_, Connection::Use::kWrite, full_scan_rows_);
  if (opened.ok()) writer_ = std::move(opened).value();
}

Result<void> SqliteDatabase::run_alone(Pending& member) {
  auto result = run_body<Txn>(member.body, *writer_);
  const auto failure = writer_->take_failure();
  if (failure && result.ok()) return *failure;
  return result;
}

// The thread that waits owns the Pending and may return as soon as the lock is free.
void SqliteDatabase::answer(const std::vector<Pending*>& group, const Result<void>& committed) {
  transactions_ += group.size();
  const std::lock_guard lock(mutex_);
  for (Pending* member : group) {
    if (!committed.ok() && member->result.ok()) member->result = committed;
    member->is_ended = true;
    member->ended.notify_one();
  }
}

// When another process keeps the file locked, those behind would each wait as long again.
void SqliteDatabase::refuse_waiting(const Error& error) {
  std::vector<Pending*> refused;
  {
    const std::lock_guard lock(mutex_);
    refused.assign(waiting_.begin(), waiting_.end());
    waiting_.clear();
  }
  answer(refused, error);
}

Result<void> SqliteDatabase::read(const std::function<Result<void>(Reader&)>& body) {
  TRY(auto connection, readers_.take());
  TRY(connection->run("BEGIN"));
  auto result = run_body<Reader>(body, *connection);
  const auto failure = connection->take_failure();
  const auto ended = connection->run("COMMIT");
  // The next reader would see this one's snapshot, and the log could never be cut.
  if (!connection->is_idle()) connection.discard();
  if (!result.ok()) return result;
  if (failure) return *failure;
  return ended;
}

Stats SqliteDatabase::stats() const {
  Stats stats;
  stats.transactions = transactions_;
  stats.commits = commits_;
  stats.full_scan_rows = full_scan_rows_;
  stats.connections = readers_.size() + 1;
  const std::lock_guard lock(mutex_);
  stats.waiting = waiting_.size();
  return stats;
}

}  // namespace

Result<std::unique_ptr<Database>> open_sqlite(SqliteOptions options) {
  if (options.path.empty() || options.path.starts_with(":")) {
    return invalid_argument("database sqlite:" + options.path + ": expected the path of a file");
  }
  if (!options.is_read_only) {
    TRY(make_directories_durably(std::filesystem::path(options.path).parent_path()));
  }
  auto database = std::make_unique<SqliteDatabase>(std::move(options));
  TRY(database->start());
  return std::unique_ptr<Database>(std::move(database));
}

}  // namespace ciclo::sql
