// SPDX-License-Identifier: Apache-2.0
#include <duckdb.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <set>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "data/session.h"

namespace ciclo::data {
namespace {

constexpr double kNull = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Handles of the C interface, each destroyed once.
template <class T, void (*destroy)(T*)>
class Handle {
 public:
  Handle() = default;
  explicit Handle(T value) : value_(value) {}
  ~Handle() {
    if (value_ != nullptr) destroy(&value_);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  Handle(Handle&& other) noexcept : value_(std::exchange(other.value_, nullptr)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  T get() const { return value_; }
  T* out() { return &value_; }

 private:
  T value_ = nullptr;
};

using DatabaseHandle = Handle<duckdb_database, duckdb_close>;
using ConnectionHandle = Handle<duckdb_connection, duckdb_disconnect>;
using Statements = Handle<duckdb_extracted_statements, duckdb_destroy_extracted>;
using Statement = Handle<duckdb_prepared_statement, duckdb_destroy_prepare>;
using Chunk = Handle<duckdb_data_chunk, duckdb_destroy_data_chunk>;
void destroy_appender(duckdb_appender* appender) { duckdb_appender_destroy(appender); }
using LogicalType = Handle<duckdb_logical_type, duckdb_destroy_logical_type>;

class QueryResult {
 public:
  QueryResult() { std::memset(&result_, 0, sizeof result_); }
  ~QueryResult() { duckdb_destroy_result(&result_); }
  QueryResult(const QueryResult&) = delete;
  QueryResult& operator=(const QueryResult&) = delete;
  duckdb_result* get() { return &result_; }

 private:
  duckdb_result result_;
};

Code code_of(duckdb_error_type type, std::string_view message) {
  switch (type) {
    case DUCKDB_ERROR_OUT_OF_MEMORY: return Code::kResourceExhausted;
    case DUCKDB_ERROR_INTERNAL:
    case DUCKDB_ERROR_FATAL: return Code::kInternal;
    case DUCKDB_ERROR_PERMISSION: return Code::kPermissionDenied;
    default:
      return message.find("Out of Memory") == std::string_view::npos ? Code::kInvalidArgument
                                                                     : Code::kResourceExhausted;
  }
}

// DuckDB's message in one line: without the kind of error, the echo of the statement and the hints.
std::string one_line(std::string_view message) {
  if (const auto echo = message.find("\nLINE "); echo != message.npos)
    message = message.substr(0, echo);
  if (const auto hints = message.find("\n\n"); hints != message.npos)
    message = message.substr(0, hints);
  if (const auto kind = message.find(" Error: "); kind < 24) {
    message = message.substr(kind + 8);
  }
  std::string out;
  for (const char c : trim(message)) {
    const bool space = c == '\n' || c == '\r' || c == '\t' || c == ' ';
    if (!space) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  while (!out.empty() && (out.back() == '.' || out.back() == ' ')) out.pop_back();
  return out;
}

Error engine_error(duckdb_error_type type, const char* message) {
  const std::string_view text = message == nullptr ? "no reason given" : message;
  return Error{code_of(type, text), "sql: " + one_line(text)};
}

// How a column of the result becomes a column of a batch.
struct Reading {
  std::string name;
  duckdb_type type = DUCKDB_TYPE_INVALID;
  ColumnType column_type = ColumnType::kNumber;
  std::string sql_type;
  duckdb_type internal = DUCKDB_TYPE_INVALID;  // of decimals and enums
  double scale = 1;                            // of decimals: units per whole
  std::vector<std::string> names;              // of enums
  bool cast_to_text = false;                   // has no type of ours
};

ColumnType column_type_of(duckdb_type type, bool& cast_to_text) {
  cast_to_text = false;
  switch (type) {
    case DUCKDB_TYPE_BOOLEAN: return ColumnType::kBoolean;
    case DUCKDB_TYPE_TINYINT:
    case DUCKDB_TYPE_SMALLINT:
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_UTINYINT:
    case DUCKDB_TYPE_USMALLINT:
    case DUCKDB_TYPE_UINTEGER:
    case DUCKDB_TYPE_UBIGINT:
    case DUCKDB_TYPE_HUGEINT:
    case DUCKDB_TYPE_UHUGEINT: return ColumnType::kInteger;
    case DUCKDB_TYPE_FLOAT:
    case DUCKDB_TYPE_DOUBLE:
    case DUCKDB_TYPE_DECIMAL: return ColumnType::kNumber;
    case DUCKDB_TYPE_DATE:
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_S:
    case DUCKDB_TYPE_TIMESTAMP_MS:
    case DUCKDB_TYPE_TIMESTAMP_NS:
    case DUCKDB_TYPE_TIMESTAMP_TZ: return ColumnType::kTimestamp;
    case DUCKDB_TYPE_VARCHAR:
    case DUCKDB_TYPE_ENUM: return ColumnType::kText;
    default: cast_to_text = true; return ColumnType::kText;
  }
}

std::string_view plain_type_name(duckdb_type type) {
  switch (type) {
    case DUCKDB_TYPE_BOOLEAN: return "BOOLEAN";
    case DUCKDB_TYPE_TINYINT: return "TINYINT";
    case DUCKDB_TYPE_SMALLINT: return "SMALLINT";
    case DUCKDB_TYPE_INTEGER: return "INTEGER";
    case DUCKDB_TYPE_BIGINT: return "BIGINT";
    case DUCKDB_TYPE_UTINYINT: return "UTINYINT";
    case DUCKDB_TYPE_USMALLINT: return "USMALLINT";
    case DUCKDB_TYPE_UINTEGER: return "UINTEGER";
    case DUCKDB_TYPE_UBIGINT: return "UBIGINT";
    case DUCKDB_TYPE_HUGEINT: return "HUGEINT";
    case DUCKDB_TYPE_UHUGEINT: return "UHUGEINT";
    case DUCKDB_TYPE_FLOAT: return "FLOAT";
    case DUCKDB_TYPE_DOUBLE: return "DOUBLE";
    case DUCKDB_TYPE_DATE: return "DATE";
    case DUCKDB_TYPE_TIMESTAMP: return "TIMESTAMP";
    case DUCKDB_TYPE_TIMESTAMP_S: return "TIMESTAMP_S";
    case DUCKDB_TYPE_TIMESTAMP_MS: return "TIMESTAMP_MS";
    case DUCKDB_TYPE_TIMESTAMP_NS: return "TIMESTAMP_NS";
    case DUCKDB_TYPE_TIMESTAMP_TZ: return "TIMESTAMPTZ";
    case DUCKDB_TYPE_ENUM: return "ENUM";
    default: return "VARCHAR";
  }
}

Reading reading_of(std::string name, duckdb_logical_type logical) {
  Reading reading;
  reading.name = std::move(name);
  reading.type = duckdb_get_type_id(logical);
  reading.column_type = column_type_of(reading.type, reading.cast_to_text);
  reading.sql_type = plain_type_name(reading.type);
  if (reading.type == DUCKDB_TYPE_DECIMAL) {
    const int scale = duckdb_decimal_scale(logical);
    reading.internal = duckdb_decimal_internal_type(logical);
    reading.scale = std::pow(10.0, scale);
    reading.sql_type = "DECIMAL(" + std::to_string(duckdb_decimal_width(logical)) + "," +
                       std::to_string(scale) + ")";
  }
  if (reading.type == DUCKDB_TYPE_ENUM) {
    reading.internal = duckdb_enum_internal_type(logical);
    const std::uint32_t size = duckdb_enum_dictionary_size(logical);
    for (std::uint32_t i = 0; i < size; ++i) {
      char* value = duckdb_enum_dictionary_value(logical, i);
      reading.names.emplace_back(value);
      duckdb_free(value);
    }
  }
  return reading;
}

class Values {
 public:
  Values(duckdb_vector vector, idx_t count)
      : data_(duckdb_vector_get_data(vector)),
        validity_(duckdb_vector_get_validity(vector)),
        count_(count) {}

  bool is_valid(idx_t row) const {
    return validity_ == nullptr || (validity_[row / 64] >> (row % 64) & 1) != 0;
  }
  template <class T>
  const T& at(idx_t row) const {
    return static_cast<const T*>(data_)[row];
  }
  template <class T, class F>
  void read_numbers(std::vector<double>& out, F&& convert) const {
    out.resize(count_);
    const T* values = static_cast<const T*>(data_);
    for (idx_t row = 0; row < count_; ++row) {
      out[row] = is_valid(row) ? convert(values[row]) : kNull;
    }
  }
  template <class T>
  void read_plain(std::vector<double>& out) const {
    read_numbers<T>(out, [](T value) { return static_cast<double>(value); });
  }
  // `unit`: units per millisecond.
  void read_time(std::vector<double>& out, double unit) const {
    read_numbers<std::int64_t>(out, [unit](std::int64_t value) {
      if (value == std::numeric_limits<std::int64_t>::max()) return kInfinity;
      if (value == -std::numeric_limits<std::int64_t>::max()) return -kInfinity;
      return static_cast<double>(value) / unit;
    });
  }
  template <class F>
  void read_texts(Column& column, F&& text_of) const {
    column.texts.resize(count_);
    column.valid.resize(count_);
    for (idx_t row = 0; row < count_; ++row) {
      column.valid[row] = is_valid(row) ? 1 : 0;
      if (column.valid[row] != 0) {
        const std::string_view text = text_of(row);
        column.texts[row].assign(text.data(), text.size());
      } else {
        column.texts[row].clear();
      }
    }
  }

 private:
  const void* data_;
  const std::uint64_t* validity_;
  idx_t count_;
};

double hugeint(duckdb_hugeint value) { return duckdb_hugeint_to_double(value); }
double uhugeint(duckdb_uhugeint value) { return duckdb_uhugeint_to_double(value); }

void read_decimals(const Values& values, const Reading& reading, std::vector<double>& out) {
  const double scale = reading.scale;
  const auto divide = [scale](auto value) { return static_cast<double>(value) / scale; };
  switch (reading.internal) {
    case DUCKDB_TYPE_SMALLINT: return values.read_numbers<std::int16_t>(out, divide);
    case DUCKDB_TYPE_INTEGER: return values.read_numbers<std::int32_t>(out, divide);
    case DUCKDB_TYPE_BIGINT: return values.read_numbers<std::int64_t>(out, divide);
    default:
      return values.read_numbers<duckdb_hugeint>(
          out, [scale](duckdb_hugeint value) { return hugeint(value) / scale; });
  }
}

std::string_view text_at(const Values& values, idx_t row) {
  const auto& text = values.at<duckdb_string_t>(row);
  const std::uint32_t length = text.value.inlined.length;
  return {length <= 12 ? text.value.inlined.inlined : text.value.pointer.ptr, length};
}

void read_enums(const Values& values, const Reading& reading, Column& column) {
  const auto& names = reading.names;
  switch (reading.internal) {
    case DUCKDB_TYPE_UTINYINT:
      return values.read_texts(
          column, [&](idx_t row) { return std::string_view(names[values.at<std::uint8_t>(row)]); });
    case DUCKDB_TYPE_USMALLINT:
      return values.read_texts(column, [&](idx_t row) {
        return std::string_view(names[values.at<std::uint16_t>(row)]);
      });
    default:
      return values.read_texts(column, [&](idx_t row) {
        return std::string_view(names[values.at<std::uint32_t>(row)]);
      });
  }
}

void read_column(const Reading& reading, duckdb_vector vector, idx_t count, Column& column) {
  const Values values(vector, count);
  auto& out = column.numbers;
  switch (reading.type) {
    case DUCKDB_TYPE_BOOLEAN: return values.read_plain<bool>(out);
    case DUCKDB_TYPE_TINYINT: return values.read_plain<std::int8_t>(out);
    case DUCKDB_TYPE_SMALLINT: return values.read_plain<std::int16_t>(out);
    case DUCKDB_TYPE_INTEGER: return values.read_plain<std::int32_t>(out);
    case DUCKDB_TYPE_BIGINT: return values.read_plain<std::int64_t>(out);
    case DUCKDB_TYPE_UTINYINT: return values.read_plain<std::uint8_t>(out);
    case DUCKDB_TYPE_USMALLINT: return values.read_plain<std::uint16_t>(out);
    case DUCKDB_TYPE_UINTEGER: return values.read_plain<std::uint32_t>(out);
    case DUCKDB_TYPE_UBIGINT: return values.read_plain<std::uint64_t>(out);
    case DUCKDB_TYPE_HUGEINT: return values.read_numbers<duckdb_hugeint>(out, hugeint);
    case DUCKDB_TYPE_UHUGEINT: return values.read_numbers<duckdb_uhugeint>(out, uhugeint);
    case DUCKDB_TYPE_FLOAT: return values.read_plain<float>(out);
    case DUCKDB_TYPE_DOUBLE: return values.read_plain<double>(out);
    case DUCKDB_TYPE_DECIMAL: return read_decimals(values, reading, out);
    case DUCKDB_TYPE_DATE:
      return values.read_numbers<std::int32_t>(out, [](std::int32_t days) {
        if (days == std::numeric_limits<std::int32_t>::max()) return kInfinity;
        if (days == -std::numeric_limits<std::int32_t>::max()) return -kInfinity;
        return static_cast<double>(days) * 86'400'000.0;
      });
    case DUCKDB_TYPE_TIMESTAMP_S: return values.read_time(out, 0.001);
    case DUCKDB_TYPE_TIMESTAMP_MS: return values.read_time(out, 1);
    case DUCKDB_TYPE_TIMESTAMP_NS: return values.read_time(out, 1e6);
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_TZ: return values.read_time(out, 1000);
    case DUCKDB_TYPE_ENUM: return read_enums(values, reading, column);
    default: return values.read_texts(column, [&](idx_t row) { return text_at(values, row); });
  }
}

std::string list_literal(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const auto& text : texts) out += (out.size() > 1 ? ", " : "") + quote_literal(text);
  return out + "]";
}

std::string csv_arguments(const CsvDialect& csv, bool rejects) {
  std::string out =
      ", auto_detect=true, delim=" + quote_literal(std::string(1, csv.delimiter)) +
      ", quote=" + quote_literal(std::string(1, csv.quote)) +
      ", escape=" + quote_literal(std::string(1, csv.escape)) +
      ", comment='', skip=0, strict_mode=true, header=" + (csv.header ? "true" : "false") +
      ", nullstr=" + list_literal(csv.null_texts) + ", max_line_size=16777216" +
      ", auto_type_candidates=['BOOLEAN', 'BIGINT', 'DOUBLE', 'DATE', 'TIMESTAMP', "
      "'TIMESTAMPTZ', 'VARCHAR']";
  if (!csv.names.empty()) out += ", names=" + list_literal(csv.names);
  if (csv.types_from_all_rows) out += ", sample_size=-1, files_to_sniff=-1";
  if (!csv.timestamp_format.empty()) {
    out += ", timestampformat=" + quote_literal(csv.timestamp_format);
  }
  if (!csv.text_columns.empty()) {
    std::string types;
    for (const auto& name : csv.text_columns) {
      types += (types.empty() ? "" : ", ") + quote_literal(name) + ": 'VARCHAR'";
    }
    out += ", types={" + types + "}";
  }
  // One rejected row is enough to say what is wrong; a limit keeps a bad file from filling memory.
  if (rejects) out += ", store_rejects=true, rejects_limit=100";
  return out;
}

Result<void> check_files(const Table& table) {
  if (table.files.empty()) return invalid_argument("table " + quoted(table.name) + " has no files");
  for (const auto& file : table.files) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(file, error)) {
      return not_found("table " + quoted(table.name) + ": there is no file " + file);
    }
  }
  return {};
}

}  // namespace

std::string quote_identifier(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) out.append(c == '"' ? 2 : 1, c);
  return out + "\"";
}

std::string quote_literal(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out.append(c == '\'' ? 2 : 1, c);
  return out + "'";
}

std::string source_sql(const Table& table, bool rejects) {
  const std::string files = list_literal(table.files);
  const std::string packed =
      ", compression=" +
      quote_literal(table.compression == "none" ? "uncompressed" : table.compression);
  switch (table.format) {
    case FileFormat::kParquet:
      // By name, so that a column gets the type that the values of all files allow.
      return "read_parquet(" + files + (table.files.size() > 1 ? ", union_by_name=true)" : ")");
    case FileFormat::kJson:
      return "read_json(" + files + ", format='auto', records=true, sample_size=-1, " +
             "union_by_name=true, map_inference_threshold=-1" + packed + ")";
    case FileFormat::kCsv: break;
  }
  return "read_csv(" + files + csv_arguments(table.csv, rejects) + packed + ")";
}

std::string partial_path(const std::string& path) { return path + ".partial"; }

struct Session::State {
  DatabaseHandle database;
  ConnectionHandle connection;
  Clock* clock = nullptr;
  Context context;

  Result<void> run(const std::string& statement, duckdb_result* result) {
    if (duckdb_query(connection.get(), statement.c_str(), result) != DuckDBSuccess) {
      return engine_error(duckdb_result_error_type(result), duckdb_result_error(result));
    }
    return {};
  }
  Result<void> run(const std::string& statement) {
    QueryResult result;
    return run(statement, result.get());
  }

  Result<void> start(const EngineOptions& engine);
  Result<void> lock(const SessionOptions& options, const std::vector<Table>& tables);
  Result<void> bind(const std::vector<Table>& tables);
  Result<Statement> prepare_select(std::string_view select);
  Result<std::vector<Reading>> readings(const Statement& statement);
  Result<Statement> prepare_readable(std::string_view select, std::vector<Reading>& columns);
};

Result<void> Session::State::start(const EngineOptions& engine) {
  duckdb_config raw = nullptr;
  CHECK(duckdb_create_config(&raw) == DuckDBSuccess);
  const Handle<duckdb_config, duckdb_destroy_config> config(raw);
  const std::pair<const char*, std::string> settings[] = {
      {"threads", std::to_string(std::max(1, engine.threads))},
      {"memory_limit", std::to_string(engine.memory_bytes_max >> 10) + "KiB"},
      {"autoinstall_known_extensions", "false"},
      {"autoload_known_extensions", "false"},
      {"temp_directory", engine.spill_directory},
  };
  for (const auto& [name, value] : settings) {
    if (duckdb_set_config(config.get(), name, value.c_str()) != DuckDBSuccess) {
      return invalid_argument("table engine: " + std::string(name) + " cannot be " + quoted(value));
    }
  }
  char* reason = nullptr;
  if (duckdb_open_ext(nullptr, database.out(), config.get(), &reason) != DuckDBSuccess) {
    const Error error =
        internal("table engine: cannot start: " + one_line(reason == nullptr ? "" : reason));
    duckdb_free(reason);
    return error;
  }
  if (duckdb_connect(database.get(), connection.out()) != DuckDBSuccess) {
    return internal("table engine: cannot connect");
  }
  return {};
}

Result<void> Session::State::lock(const SessionOptions& options, const std::vector<Table>& tables) {
  std::vector<std::string> paths = options.writable_files;
  for (const auto& table : tables)
    paths.insert(paths.end(), table.files.begin(), table.files.end());
  TRY(run("SET TimeZone = 'UTC'"));
  TRY(run("SET allowed_paths = " + list_literal(paths)));
  TRY(run("SET enable_external_access = false"));
  TRY(run("SET lock_configuration = true"));
  return {};
}

Result<void> Session::State::bind(const std::vector<Table>& tables) {
  std::set<std::string> names;
  for (const auto& table : tables) {
    if (table.name.empty()) continue;
    if (!names.insert(to_lower_ascii(table.name)).second) {
      return invalid_argument("two tables are named " + quoted(table.name));
    }
    const auto created = run("CREATE VIEW " + quote_identifier(table.name) + " AS SELECT * FROM " +
                             source_sql(table));
    if (!created.ok()) {
      return created.error().with_context("table " + quoted(table.name) + " (" +
                                          table.files.front() +
                                          (table.files.size() > 1 ? ", …)" : ")"));
    }
  }
  return {};
}

Result<Statement> Session::State::prepare_select(std::string_view select) {
  const std::string text(select);
  Statements statements;
  const idx_t count = duckdb_extract_statements(connection.get(), text.c_str(), statements.out());
  if (count == 0) {
    const char* reason = duckdb_extract_statements_error(statements.get());
    if (reason == nullptr) return invalid_argument("sql: expected one SELECT statement, got none");
    return engine_error(DUCKDB_ERROR_PARSER, reason);
  }
  if (count > 1) {
    return invalid_argument("sql: expected one SELECT statement, got " + std::to_string(count) +
                            " statements");
  }
  Statement statement;
  if (duckdb_prepare_extracted_statement(connection.get(), statements.get(), 0, statement.out()) !=
      DuckDBSuccess) {
    return engine_error(DUCKDB_ERROR_BINDER, duckdb_prepare_error(statement.get()));
  }
  if (duckdb_prepared_statement_type(statement.get()) != DUCKDB_STATEMENT_TYPE_SELECT) {
    return invalid_argument("sql: only SELECT is allowed here");
  }
  if (duckdb_nparams(statement.get()) != 0) {
    return invalid_argument("sql: parameters such as ? and $1 are not supported here");
  }
  return statement;
}

Result<std::vector<Reading>> Session::State::readings(const Statement& statement) {
  std::vector<Reading> columns;
  std::set<std::string> names;
  const idx_t count = duckdb_prepared_statement_column_count(statement.get());
  for (idx_t i = 0; i < count; ++i) {
    const char* name = duckdb_prepared_statement_column_name(statement.get(), i);
    const LogicalType type(duckdb_prepared_statement_column_logical_type(statement.get(), i));
    columns.push_back(reading_of(name, type.get()));
    duckdb_free(const_cast<char*>(name));
    if (!names.insert(columns.back().name).second) {
      return invalid_argument("sql: the result has two columns named " +
                              ciclo::quoted(columns.back().name) +
                              "; name one of them differently with AS");
    }
  }
  return columns;
}

// Prepares the statement, or one around it that casts to text what no ColumnType can hold.
Result<Statement> Session::State::prepare_readable(std::string_view select,
                                                   std::vector<Reading>& columns) {
  TRY(Statement statement, prepare_select(select));
  TRY(columns, readings(statement));
  std::string casts;
  for (const auto& column : columns) {
    if (!column.cast_to_text) continue;
    const std::string name = quote_identifier(column.name);
    casts += (casts.empty() ? "" : ", ") + ("CAST(" + name + " AS VARCHAR) AS " + name);
  }
  if (casts.empty()) return statement;
  std::string_view inner = trim(select);
  while (!inner.empty() && inner.back() == ';') inner = trim(inner.substr(0, inner.size() - 1));
  TRY(statement,
      prepare_select("SELECT * REPLACE (" + casts + ") FROM (" + std::string(inner) + "\n)"));
  TRY(columns, readings(statement));
  return statement;
}

Session::Session(std::unique_ptr<State> state) : state_(std::move(state)) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

Result<Session> Session::open(const Context& context, Clock& clock, const SessionOptions& options,
                              const std::vector<Table>& tables) {
  TRY(context.check_deadline(clock));
  for (const auto& table : tables) TRY(check_files(table));
  auto state = std::make_unique<State>();
  state->clock = &clock;
  state->context = context;
  TRY(state->start(options.engine));
  TRY(state->lock(options, tables));
  TRY(state->bind(tables));
  return Session(std::move(state));
}

Result<std::vector<ResultColumn>> Session::describe(std::string_view select) {
  TRY(const Statement statement, state_->prepare_select(select));
  TRY(auto columns, state_->readings(statement));
  std::vector<ResultColumn> out;
  for (auto& column : columns) {
    out.push_back({std::move(column.name), column.column_type, std::move(column.sql_type)});
  }
  return out;
}

Result<void> Session::query(std::string_view select, const Engine::OnBatch& on_batch) {
  TRY(state_->context.check_deadline(*state_->clock));
  std::vector<Reading> readings;
  TRY(const Statement statement, state_->prepare_readable(select, readings));

  duckdb_pending_result raw_pending = nullptr;
  const duckdb_state pending_state =
      duckdb_pending_prepared_streaming(statement.get(), &raw_pending);
  const Handle<duckdb_pending_result, duckdb_destroy_pending> pending(raw_pending);
  if (pending_state != DuckDBSuccess) {
    return engine_error(DUCKDB_ERROR_INVALID, duckdb_pending_error(pending.get()));
  }
  QueryResult result;
  if (duckdb_execute_pending(pending.get(), result.get()) != DuckDBSuccess) {
    return engine_error(duckdb_result_error_type(result.get()), duckdb_result_error(result.get()));
  }

  Batch batch;
  for (const auto& reading : readings) {
    batch.columns.push_back({reading.name, reading.column_type, {}, {}, {}});
  }
  bool any = false;
  while (true) {
    const Chunk chunk(duckdb_fetch_chunk(*result.get()));
    if (chunk.get() == nullptr) break;
    const idx_t count = duckdb_data_chunk_get_size(chunk.get());
    if (count == 0) continue;
    for (std::size_t i = 0; i < readings.size(); ++i) {
      read_column(readings[i], duckdb_data_chunk_get_vector(chunk.get(), i), count,
                  batch.columns[i]);
    }
    any = true;
    TRY(on_batch(batch));
    TRY(state_->context.check_deadline(*state_->clock));
  }
  if (const char* error = duckdb_result_error(result.get()); error != nullptr && *error != '\0') {
    return engine_error(duckdb_result_error_type(result.get()), error);
  }
  return any ? Result<void>() : on_batch(batch);
}

Result<std::int64_t> Session::execute(const std::string& statement) {
  TRY(state_->context.check_deadline(*state_->clock));
  QueryResult result;
  TRY(state_->run(statement, result.get()));
  if (duckdb_result_return_type(*result.get()) != DUCKDB_RESULT_TYPE_CHANGED_ROWS) return 0;
  return static_cast<std::int64_t>(duckdb_rows_changed(result.get()));
}

Result<ParquetFile> Session::copy_to_parquet(std::string_view select, const std::string& path) {
  std::string_view inner = trim(select);
  while (!inner.empty() && inner.back() == ';') inner = trim(inner.substr(0, inner.size() - 1));
  const std::string partial = partial_path(path);
  const auto written = execute("COPY (" + std::string(inner) + "\n) TO " + quote_literal(partial) +
                               " (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)");
  std::error_code error;
  if (!written.ok()) {
    std::filesystem::remove(partial, error);
    return written.error();
  }
  ParquetFile file{path, *written,
                   static_cast<std::int64_t>(std::filesystem::file_size(partial, error))};
  if (!error) std::filesystem::rename(partial, path, error);
  if (error) return internal("cannot write " + path + ": " + error.message());
  return file;
}

namespace {

std::string_view sql_type_for(ColumnType type) {
  switch (type) {
    case ColumnType::kBoolean: return "BOOLEAN";
    case ColumnType::kInteger: return "BIGINT";
    case ColumnType::kNumber: return "DOUBLE";
    case ColumnType::kText: return "VARCHAR";
    case ColumnType::kTimestamp: return "TIMESTAMP";
  }
  return "VARCHAR";
}

void append_value(duckdb_appender appender, const Column& column, std::size_t row) {
  if (column.is_null(row)) {
    duckdb_append_null(appender);
    return;
  }
  switch (column.type) {
    case ColumnType::kBoolean: duckdb_append_bool(appender, column.numbers[row] != 0); return;
    case ColumnType::kInteger:
      // Beyond the range of the type llround is undefined; such a number is no integer of ours.
      if (std::abs(column.numbers[row]) < 9.2e18) {
        duckdb_append_int64(appender, std::llround(column.numbers[row]));
      } else {
        duckdb_append_null(appender);
      }
      return;
    case ColumnType::kNumber: duckdb_append_double(appender, column.numbers[row]); return;
    case ColumnType::kText:
      duckdb_append_varchar_length(appender, column.texts[row].data(), column.texts[row].size());
      return;
    case ColumnType::kTimestamp:
      if (std::abs(column.numbers[row]) < 9.2e15) {
        duckdb_append_timestamp(appender, {std::llround(column.numbers[row] * 1000)});
      } else {
        duckdb_append_null(appender);
      }
      return;
  }
}

}  // namespace

Result<void> Session::create_table(const std::string& name, const Batch& rows) {
  std::string columns;
  for (const auto& column : rows.columns) {
    columns += (columns.empty() ? "" : ", ") + quote_identifier(column.name) + " " +
               std::string(sql_type_for(column.type));
  }
  TRY(execute("CREATE TABLE " + quote_identifier(name) + " (" + columns + ")"));
  Handle<duckdb_appender, destroy_appender> appender;
  if (duckdb_appender_create(state_->connection.get(), nullptr, name.c_str(), appender.out()) !=
      DuckDBSuccess) {
    return internal("table engine: cannot append to " + name);
  }
  for (std::size_t row = 0; row < rows.rows(); ++row) {
    for (const auto& column : rows.columns) append_value(appender.get(), column, row);
    duckdb_appender_end_row(appender.get());
  }
  if (duckdb_appender_close(appender.get()) != DuckDBSuccess) {
    return engine_error(DUCKDB_ERROR_INVALID, duckdb_appender_error(appender.get()));
  }
  return {};
}

}  // namespace ciclo::data
