// SPDX-License-Identifier: Apache-2.0
#include "sql/postgres_connection.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <deque>
#include <limits>
#include <map>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "base/text.h"

namespace ciclo::sql {
namespace {

struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultHandle = std::unique_ptr<PGresult, ClearResult>;

// So many statements are sent without waiting for an answer.
constexpr std::size_t kSentMax = 500;

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

}  // namespace

// The results of the query that runs on a connection, the last of what was sent, one row each. When
// another statement comes in between, the rest is first fetched into memory.
class PostgresStream {
 public:
  explicit PostgresStream(PostgresConnection& connection)
      : connection_(connection), outer_(connection.stream_) {
    connection_.stream_ = this;
    PQsetSingleRowMode(connection_.handle_.get());
  }
  ~PostgresStream() {
    while (next() != nullptr) continue;
    connection_.stream_ = outer_;
  }
  PostgresStream(const PostgresStream&) = delete;
  PostgresStream& operator=(const PostgresStream&) = delete;

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
    ResultHandle result(PQgetResult(connection_.handle_.get()));
    if (result == nullptr) {
      is_ended_ = true;
      connection_.sent_.clear();
      // A connection that breaks here is noticed by the next statement.
      static_cast<void>(connection_.leave_pipeline());
    }
    return result;
  }

  PostgresConnection& connection_;
  PostgresStream* outer_;
  bool is_ended_ = false;
  std::deque<ResultHandle> fetched_;
};

namespace {

// Errs on the side of writing: WITH may hold an INSERT.
bool only_reads(std::string_view text) {
  return to_lower_ascii(trim(text).substr(0, 6)) == "select";
}

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

}  // namespace

Result<std::unique_ptr<PostgresConnection>> PostgresConnection::open(
    const PostgresOptions& options) {
  TRY(check_url(options));
  PGconn* handle = connect(options);
  std::unique_ptr<PostgresConnection> connection(
      new PostgresConnection(handle, options.statements_max));
  if (connection->is_lost()) {
    return unavailable("cannot connect to database " + redact_url(options.url) + ": " +
                       in_one_line(PQerrorMessage(handle)));
  }
  PQsetNoticeProcessor(
      handle, [](void*, const char* message) { log::debug(in_one_line(message)); }, nullptr);
  // A server that acknowledges before it has synced would break the promise of Database. The
  // planner knows little of tables that have just grown, and would read and sort the whole of them:
  // our statements have an index for each of their steps, as SQLite needs it.
  TRY(connection->run(R"sql(
      SET enable_seqscan TO off;
      SET enable_bitmapscan TO off;
      SET enable_hashjoin TO off;
      SET enable_mergejoin TO off;
      SET jit TO off;
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
auto PostgresConnection::guarded(F&& f) -> std::invoke_result_t<F> {
  if (failure_) return failure_->with_context("the transaction ended by an earlier failure");
  if (stream_ != nullptr) stream_->fetch_rest();
  auto result = f();
  if (!result.ok()) failure_ = result.error();
  return result;
}

Result<void> PostgresConnection::query(std::string_view text, const Params& params,
                                       const OnRow& on_row) {
  Result<void> from_callback;
  TRY(guarded([&]() -> Result<void> {
    wrote_ = wrote_ || !only_reads(text);
    TRY(send(text, params));
    const auto earlier = receive(1, 0);
    PostgresStream stream(*this);
    while (const ResultHandle result = stream.next()) {
      if (!earlier.ok()) return earlier.error();
      const ExecStatusType status = PQresultStatus(result.get());
      if (status == PGRES_COMMAND_OK) continue;
      if (status == PGRES_TUPLES_OK && PQntuples(result.get()) == 0) continue;
      if (status != PGRES_SINGLE_TUPLE) return error(result.get(), text);
      from_callback = on_row(PostgresRow(result.get()));
      if (!from_callback.ok()) return {};
    }
    if (is_lost()) return lost();
    return earlier.ok() ? Result<void>() : earlier.error();
  }));
  return from_callback;
}

// A planner that expects few rows reads them all and sorts them. What it may sort all the same are
// rows that the index gives as equal.
Result<void> PostgresConnection::walk(std::string_view text, const Params& params,
                                      const OnRow& on_row) {
  TRY(write("SET LOCAL enable_sort TO off", {}));
  const auto result = query(text, params, on_row);
  if (!failure_) TRY(write("SET LOCAL enable_sort TO on", {}));
  return result;
}

Result<std::int64_t> PostgresConnection::execute(std::string_view text, const Params& params) {
  return guarded([&]() -> Result<std::int64_t> {
    wrote_ = true;
    TRY(send(text, params));
    return receive_all(1);
  });
}

Result<std::int64_t> PostgresConnection::execute_many(std::string_view text,
                                                      std::span<const Params> rows) {
  return guarded([&]() -> Result<std::int64_t> {
    std::int64_t changed = 0;
    while (!rows.empty()) {
      const auto some = rows.first(std::min(rows.size(), kSentMax));
      rows = rows.subspan(some.size());
      wrote_ = true;
      for (const auto& params : some) TRY(send(text, params));
      TRY(const std::int64_t more, receive_all(some.size()));
      changed += more;
    }
    return changed;
  });
}

Result<void> PostgresConnection::write(std::string_view text, const Params& params) {
  return write_many(text, std::span(&params, 1));
}

Result<void> PostgresConnection::write_many(std::string_view text, std::span<const Params> rows) {
  return guarded([&]() -> Result<void> {
    for (const auto& params : rows) {
      if (sent_.size() >= kSentMax) TRY(receive_all(0));
      wrote_ = true;
      TRY(send(text, params));
    }
    return {};
  });
}

Result<void> PostgresConnection::settle() {
  if (!has_sent()) return {};
  return guarded([&]() -> Result<void> {
    TRY(receive_all(0));
    return {};
  });
}

Result<void> PostgresConnection::run(const std::string& text) {
  if (has_sent()) TRY(receive_all(0));
  const ResultHandle result(PQexec(handle_.get(), text.c_str()));
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) return error(result.get(), text);
  return {};
}

Result<void> PostgresConnection::rollback() {
  if (has_sent()) static_cast<void>(receive_all(0));
  return run("ROLLBACK");
}

Result<void> PostgresConnection::enter_pipeline() {
  if (PQpipelineStatus(handle_.get()) != PQ_PIPELINE_OFF) return {};
  if (PQenterPipelineMode(handle_.get()) == 0) return lost();
  return {};
}

Result<void> PostgresConnection::leave_pipeline() {
  const ResultHandle synced(PQgetResult(handle_.get()));
  if (PQresultStatus(synced.get()) != PGRES_PIPELINE_SYNC) return lost();
  if (PQexitPipelineMode(handle_.get()) == 0) return lost();
  return {};
}

Result<std::string> PostgresConnection::prepare(std::string_view text) {
  const std::string key(text);
  const auto found = statements_.find(key);
  if (found != statements_.end()) return found->second;
  if (statements_.size() >= statements_max_) {
    TRY(run("DEALLOCATE ALL"));
    statements_.clear();
  }
  TRY(enter_pipeline());
  const std::string name = "s" + std::to_string(++prepared_);
  if (PQsendPrepare(handle_.get(), name.c_str(), key.c_str(), 0, nullptr) == 0) return lost();
  sent_.push_back({key, true});
  statements_.emplace(key, name);
  return name;
}

Result<void> PostgresConnection::send(std::string_view text, const Params& params) {
  TRY(const Arguments arguments, Arguments::make(params));
  TRY(const std::string name, prepare(text));
  TRY(enter_pipeline());
  if (PQsendQueryPrepared(handle_.get(), name.c_str(), arguments.count(), arguments.values(),
                          arguments.lengths(), arguments.formats(), 0) == 0) {
    return lost();
  }
  sent_.push_back({std::string(text), false});
  return {};
}

Result<std::int64_t> PostgresConnection::receive(std::size_t left, std::size_t counted) {
  if (PQpipelineSync(handle_.get()) == 0) return lost();
  std::int64_t changed = 0;
  std::optional<Error> first;
  while (sent_.size() > left) {
    const bool counts = sent_.size() <= counted;
    const auto one = receive_one();
    if (is_lost()) return lost();
    if (one.ok() && counts) changed += *one;
    if (!one.ok() && !first) first = one.error();
  }
  if (first) return *first;
  return changed;
}

// Each answer is ended by a null. What follows a failure is not run.
Result<std::int64_t> PostgresConnection::receive_one() {
  const Sent sent = std::move(sent_.front());
  sent_.pop_front();
  Result<std::int64_t> changed = std::int64_t{0};
  while (const ResultHandle result{PQgetResult(handle_.get())}) {
    const ExecStatusType status = PQresultStatus(result.get());
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
      changed = parse_int(PQcmdTuples(result.get())).value_or(0);
      continue;
    }
    if (sent.prepares) statements_.erase(sent.text);
    changed = error(result.get(), sent.text);
  }
  return changed;
}

Result<std::int64_t> PostgresConnection::receive_all(std::size_t counted) {
  auto changed = receive(0, counted);
  if (is_lost()) return lost();
  TRY(leave_pipeline());
  return changed;
}

Error PostgresConnection::error(const PGresult* result, std::string_view text) const {
  const char* state = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
  if (state == nullptr) return lost();
  const Code code = code_of(state);
  const char* primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  std::string message = primary == nullptr ? std::string("error ") + state : std::string(primary);
  if (code == Code::kInternal) message += ", in: " + std::string(text);
  return {code, std::move(message)};
}

Error PostgresConnection::lost() const {
  const std::string message = in_one_line(PQerrorMessage(handle_.get()));
  return unavailable("lost the connection to the database: " + message);
}

}  // namespace ciclo::sql
