// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/context.h"
#include "base/result.h"
#include "data/batch.h"

// The table engine: SQL (DuckDB's dialect) over named tables that are bound to local files. Every
// call works on a database of its own in memory that sees the bound files and nothing else: no
// other file, no network, no extension, and its settings are locked, so that SQL from a project
// file may be run. Safe to share between threads; each call may use the configured memory and
// threads.

namespace ciclo::data {

class Session;

struct EngineOptions {
  std::size_t memory_bytes_max = std::size_t{1} << 30;
  int threads = 2;
  // Where sorts, joins and aggregates go that need more memory; empty: they fail with
  // resource_exhausted.
  std::string spill_directory;
};

enum class FileFormat {
  kParquet,
  kCsv,
  kJson
};  // JSON: one object a line, or one array of objects

// How a CSV file is written; always UTF-8. data/dialect.h finds it out.
struct CsvDialect {
  char delimiter = ',';
  char quote = '"';
  char escape = '"';
  bool header = true;
  std::vector<std::string> names;  // one a column, unique
  std::vector<std::string> null_texts = {"", "NA", "N/A", "NaN", "nan", "null", "NULL"};
  std::string timestamp_format;           // strptime's; empty: found out
  std::vector<std::string> text_columns;  // are text whatever their values look like
  // Look at all rows to find the types; otherwise at the first 20,480.
  bool types_from_all_rows = true;
};

// One table of rows, by name in the SQL.
struct Table {
  std::string name;
  std::vector<std::string> files;  // local paths, taken as they are: no globs
  FileFormat format = FileFormat::kParquet;
  CsvDialect csv;                    // for kCsv
  std::string compression = "none";  // of text files: none, gzip, zstd
  std::vector<std::string> labels;   // what messages call the files; empty: their paths
};

struct ResultColumn {
  std::string name;
  ColumnType type = ColumnType::kNumber;
  std::string sql_type;  // DuckDB's: "DECIMAL(18,3)"
};

struct ParquetFile {
  std::string path;
  std::int64_t rows = 0;
  std::int64_t bytes = 0;
};

class Engine {
 public:
  // The clock must outlive the engine.
  explicit Engine(Clock& clock, EngineOptions options = {});

  // The columns of a query's result, without running it. The statement must be one SELECT (or
  // VALUES, FROM, WITH … SELECT); anything else, and SQL that does not parse or bind, is
  // invalid_argument with DuckDB's reason in one line.
  //
  // How types map: booleans; all integers to integer; floats and decimals to number; dates and all
  // timestamps to timestamp (those without a zone are taken as UTC); text, enum, uuid, time,
  // interval and nested values to text. NaN reads as null.
  Result<std::vector<ResultColumn>> describe(const Context& context,
                                             const std::vector<Table>& tables,
                                             std::string_view sql) const;

  // Calls `on_batch` for up to 2,048 rows after the other, in the order of the result. The batch is
  // valid during the call only (its memory is used again); an error of it ends the query and is
  // returned. With no rows it is called once with the columns and no row.
  // resource_exhausted when memory does not suffice; not_found when a bound file is not there.
  using OnBatch = std::function<Result<void>(const Batch&)>;
  Result<void> query(const Context& context, const std::vector<Table>& tables, std::string_view sql,
                     const OnBatch& on_batch) const;

  // All rows; resource_exhausted beyond `rows_max`.
  Result<Batch> query_all(const Context& context, const std::vector<Table>& tables,
                          std::string_view sql, std::size_t rows_max = 10'000'000) const;

  // The single integer of a query such as count(*).
  Result<std::int64_t> query_integer(const Context& context, const std::vector<Table>& tables,
                                     std::string_view sql) const;

  // Writes the result as Parquet (zstd) to `path`, which is replaced if it exists; nothing is left
  // there on failure. The same input and statement give the same bytes: the work is done by one
  // thread, and rows keep their order. The file is not synced; blob::Store does that.
  Result<ParquetFile> write_parquet(const Context& context, const std::vector<Table>& tables,
                                    std::string_view sql, const std::string& path) const;

  // The same for rows in memory, piece by piece.
  Result<ParquetFile> write_parquet(const Context& context, const Batch& rows,
                                    const std::string& path) const;

  const EngineOptions& options() const { return options_; }
  // The same engine with another number of threads.
  Engine with_threads(int threads) const;

  // For this folder: a session (data/session.h) that sees the tables and may write the file.
  Result<Session> open_for_writing(const Context& context, const std::vector<Table>& tables,
                                   const std::string& path) const;

 private:
  Clock& clock_;
  EngineOptions options_;
};

// "name" with quotes doubled: safe as an identifier whatever it holds.
std::string quote_identifier(std::string_view name);
// 'text' with quotes doubled.
std::string quote_literal(std::string_view text);

}  // namespace ciclo::data
