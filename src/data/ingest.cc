// SPDX-License-Identifier: Apache-2.0
#include "data/ingest.h"

#include <fnmatch.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <system_error>

#include "base/file.h"
#include "base/text.h"
#include "data/session.h"
#include "data/unpack.h"

namespace ciclo::data {
namespace {

namespace fs = std::filesystem;

// Enough for the header of a table of many thousand columns and for telling delimiters apart.
constexpr std::size_t kHeadBytes = 1 << 20;
constexpr std::size_t kFilesMax = 100'000;

bool is_pattern(std::string_view text) { return text.find_first_of("*?[") != text.npos; }

Result<void> walk(const fs::path& base, std::span<const std::string> parts,
                  std::set<std::string>& found) {
  if (found.size() > kFilesMax) {
    return resource_exhausted("more than " + std::to_string(kFilesMax) + " files match");
  }
  std::error_code error;
  if (parts.empty()) {
    if (fs::is_regular_file(base, error)) found.insert(base.string());
    return {};
  }
  const std::string& part = parts.front();
  if (!is_pattern(part)) return walk(base / part, parts.subspan(1), found);
  if (part == "**") TRY(walk(base, parts.subspan(1), found));
  for (const auto& entry : fs::directory_iterator(base.empty() ? "." : base, error)) {
    const std::string name = entry.path().filename().string();
    const fs::path below = base / name;
    if (part == "**") {
      const bool folder = entry.is_directory(error) && !entry.is_symlink(error);
      if (folder && !name.starts_with('.')) TRY(walk(below, parts, found));
    } else if (fnmatch(part.c_str(), name.c_str(), FNM_PERIOD) == 0) {
      TRY(walk(below, parts.subspan(1), found));
    }
  }
  return {};
}

Result<void> expand(const std::string& pattern, std::set<std::string>& found) {
  std::error_code error;
  // A file may be called "a[1].csv".
  if (fs::is_regular_file(pattern, error)) {
    found.insert(pattern);
    return {};
  }
  if (fs::is_directory(pattern, error)) {
    return invalid_argument(pattern + " is a directory; name its files, for instance " + pattern +
                            (pattern.ends_with('/') ? "" : "/") + "*.csv");
  }
  if (!is_pattern(pattern)) return not_found("there is no file " + pattern);
  std::vector<std::string> parts;
  for (const auto& part : fs::path(pattern).relative_path()) parts.push_back(part.string());
  std::set<std::string> matched;
  TRY(walk(fs::path(pattern).root_path(), parts, matched));
  if (matched.empty()) return not_found("no file matches " + pattern);
  found.merge(matched);
  return {};
}

std::string without_packing(std::string name) {
  for (const std::string_view ending : {".gz", ".zst", ".zip", ".gzip", ".zstd"}) {
    if (name.ends_with(ending)) name.resize(name.size() - ending.size());
  }
  return name;
}

bool named_as_json(const std::string& path) {
  const std::string name = to_lower_ascii(without_packing(fs::path(path).filename().string()));
  return name.ends_with(".json") || name.ends_with(".jsonl") || name.ends_with(".ndjson");
}

Result<FileFormat> format_of(const std::string& path, std::string_view head,
                             const std::string& wanted) {
  if (wanted == "csv") return FileFormat::kCsv;
  if (wanted == "json" || wanted == "jsonl") return FileFormat::kJson;
  if (wanted == "parquet") return FileFormat::kParquet;
  if (!wanted.empty()) {
    return invalid_argument("format must be csv, json, jsonl or parquet, got " + quoted(wanted));
  }
  if (head.starts_with("PAR1")) return FileFormat::kParquet;
  if (named_as_json(path)) return FileFormat::kJson;
  const std::string name = to_lower_ascii(without_packing(fs::path(path).filename().string()));
  if (name.ends_with(".parquet")) return invalid_argument(path + " is not a Parquet file");
  for (const std::string_view ending : {".csv", ".tsv", ".txt", ".tab"}) {
    if (name.ends_with(ending)) return FileFormat::kCsv;
  }
  const std::string_view text = trim(head);
  return text.starts_with('{') ? FileFormat::kJson : FileFormat::kCsv;
}

// A file of the source, looked at.
struct Part {
  std::string path;  // to be read by the engine
  FileFormat format = FileFormat::kCsv;
  Packing packing = Packing::kNone;
  CsvDialect dialect;
  bool has_rows = true;
};

// Writes the file unpacked to `to`; text also in UTF-8.
Result<void> rewrite(const std::string& path, std::optional<Transcoder> transcoder,
                     const std::string& to) {
  std::error_code failure;
  fs::create_directories(fs::path(to).parent_path(), failure);
  if (failure) return file_error("create", fs::path(to).parent_path(), failure.value());
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(to.c_str(), "wb"),
                                                             &std::fclose);
  if (!file) return file_error("create", to, errno);
  TRY(unpack(path, [&](std::string_view piece) -> Result<bool> {
    const std::string text = transcoder ? transcoder->add(piece) : std::string(piece);
    if (std::fwrite(text.data(), 1, text.size(), file.get()) != text.size()) {
      return file_error("write", to, errno);
    }
    return true;
  }));
  if (std::fflush(file.get()) != 0) return file_error("write", to, errno);
  return {};
}

Result<Packing> packing_of_file(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             &std::fclose);
  if (!file) return file_error("open", path, errno);
  std::string start(4, '\0');
  start.resize(std::fread(start.data(), 1, start.size(), file.get()));
  return packing_of(start);
}

Result<void> look_at_csv(Part& part, const std::string& path, const std::string& head,
                         bool complete, const SourceOptions& options) {
  auto dialect = sniff_csv(head, complete, options);
  if (!dialect.ok()) return dialect.error().with_context(path);
  part.dialect = *std::move(dialect);
  if (!complete) return {};
  const std::size_t header = part.dialect.header ? 1 : 0;
  part.has_rows = split_records(head, part.dialect.delimiter, true, header + 1).size() > header;
  return {};
}

Result<Part> look_at(const std::string& path, const SourceOptions& options,
                     const std::string& work_path) {
  Part part;
  part.path = path;
  std::error_code error;
  if (fs::file_size(path, error) == 0 && !error) return invalid_argument(path + " is empty");
  TRY(part.packing, packing_of_file(path));
  TRY(const Head head, read_head(path, kHeadBytes));
  if (head.bytes.empty()) return invalid_argument(path + " is empty");
  std::string name = path;
  if (part.packing == Packing::kZip) {
    TRY(const ZipMember member, open_zip(path));
    name = member.name;
  }
  TRY(part.format, format_of(name, head.bytes, options.format));
  if (part.format == FileFormat::kParquet && part.packing == Packing::kNone) return part;
  if (part.format == FileFormat::kParquet) {
    TRY(rewrite(path, std::nullopt, work_path));
    part.path = work_path;
    part.packing = Packing::kNone;
    return part;
  }
  TRY(const auto from, Transcoder::find(options.encoding, head.bytes));
  if (part.packing == Packing::kZip || from != Transcoder::From::kUtf8) {
    TRY(rewrite(path, Transcoder(from), work_path));
    part.path = work_path;
    part.packing = Packing::kNone;
  }
  if (part.format != FileFormat::kCsv) return part;
  const std::string text = Transcoder(from).add(head.bytes);
  TRY(look_at_csv(part, path, text, head.complete, options));
  return part;
}

Result<void> check_alike(const Part& first, const std::string& first_name, const Part& part,
                         const std::string& name) {
  if (first.format != part.format) {
    return invalid_argument(first_name + " and " + name + " have different formats");
  }
  if (first.packing != part.packing) {
    return invalid_argument(first_name + " and " + name + " are compressed differently");
  }
  const auto& a = first.dialect.names;
  const auto& b = part.dialect.names;
  for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    if (i < a.size() && i < b.size() && a[i] == b[i]) continue;
    const auto shown = [&](const std::vector<std::string>& names) {
      return i < names.size() ? quoted(names[i]) : std::string("nothing");
    };
    return invalid_argument("the headers differ: column " + std::to_string(i + 1) + " is " +
                            shown(a) + " in " + first_name + " and " + shown(b) + " in " + name);
  }
  if (first.dialect.delimiter != part.dialect.delimiter ||
      first.dialect.header != part.dialect.header) {
    return invalid_argument(first_name + " and " + name + " are written in different CSV dialects");
  }
  return {};
}

Error only_one_has(const std::string& column, const std::string& with, const std::string& without) {
  return invalid_argument("the columns differ: " + quoted(column) + " is in " + with +
                          " and not in " + without);
}

// Read as one table, a column that only later files have would be left out without a word. Order
// is free; whole numbers of one file may be fractions in another.
Result<void> check_columns_alike(const Engine& engine, const Context& context, const Table& table) {
  const auto columns_of = [&](std::size_t index) {
    const Table one{"one", {table.files[index]}, FileFormat::kParquet, {}, "none", {}};
    return engine.describe(context, {one}, "SELECT * FROM one");
  };
  const auto find = [](const std::vector<ResultColumn>& columns, const std::string& name) {
    return std::find_if(columns.begin(), columns.end(),
                        [&](const ResultColumn& column) { return column.name == name; });
  };
  const auto is_number = [](ColumnType type) {
    return type == ColumnType::kInteger || type == ColumnType::kNumber;
  };
  TRY(const auto first, columns_of(0));
  for (std::size_t i = 1; i < table.files.size(); ++i) {
    TRY(const auto columns, columns_of(i));
    for (const auto& column : columns) {
      if (find(first, column.name) == first.end()) {
        return only_one_has(column.name, table.labels[i], table.labels[0]);
      }
    }
    for (const auto& column : first) {
      const auto same = find(columns, column.name);
      if (same == columns.end()) {
        return only_one_has(column.name, table.labels[0], table.labels[i]);
      }
      if (same->type == column.type || (is_number(same->type) && is_number(column.type))) continue;
      return invalid_argument("column " + quoted(column.name) + " is " +
                              std::string(type_name(column.type)) + " in " + table.labels[0] +
                              " and " + std::string(type_name(same->type)) + " in " +
                              table.labels[i]);
    }
  }
  return {};
}

}  // namespace

std::vector<std::string> null_texts_of(const std::vector<std::string>& patterns,
                                       const SourceOptions& options) {
  const auto is_text = [&](const std::string& pattern) {
    return !named_as_json(pattern) &&
           !without_packing(to_lower_ascii(pattern)).ends_with(".parquet");
  };
  const bool csv = options.format.empty() ? std::all_of(patterns.begin(), patterns.end(), is_text)
                                          : options.format == "csv";
  return csv ? options.null_texts : std::vector<std::string>{""};
}

Result<std::vector<std::string>> expand_paths(const std::vector<std::string>& patterns) {
  if (patterns.empty()) return invalid_argument("no file is named");
  std::set<std::string> found;
  for (const auto& pattern : patterns) TRY(expand(pattern, found));
  return std::vector<std::string>(found.begin(), found.end());
}

Result<Table> open_source(const Engine& engine, const Context& context, std::string name,
                          const std::vector<std::string>& patterns, const SourceOptions& options,
                          const std::string& work_directory) {
  TRY(const auto paths, expand_paths(patterns));
  Table table;
  table.name = std::move(name);
  std::optional<Part> first;
  bool has_rows = false;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    TRY(auto part, look_at(paths[i], options,
                           (fs::path(work_directory) / ("source-" + std::to_string(i))).string()));
    if (first) TRY(check_alike(*first, paths[0], part, paths[i]));
    has_rows = has_rows || part.has_rows;
    table.files.push_back(part.path);
    table.labels.push_back(paths[i]);
    if (!first) first = std::move(part);
  }
  if (!has_rows) {
    return invalid_argument(paths[0] + " has a header but no rows");
  }
  table.format = first->format;
  table.csv = first->dialect;
  table.compression = first->packing == Packing::kGzip   ? "gzip"
                      : first->packing == Packing::kZstd ? "zstd"
                                                         : "none";
  if (table.format == FileFormat::kParquet && table.files.size() > 1) {
    TRY(check_columns_alike(engine, context, table));
  }
  return table;
}

namespace {

// The line (from 1) that holds the byte at `position`.
Result<std::int64_t> line_at(const std::string& path, std::int64_t position) {
  std::int64_t line = 1;
  std::int64_t seen = 0;
  TRY(read_file_in_pieces(path, [&](std::string_view piece) -> Result<void> {
    const auto take = std::min(static_cast<std::int64_t>(piece.size()),
                               std::max<std::int64_t>(0, position - seen));
    line += std::count(piece.begin(), piece.begin() + take, '\n');
    seen += take;
    return {};
  }));
  return line;
}

// "expected 3 fields, got 2", from DuckDB's "Expected Number of Columns: 3 Found: 2".
std::string what_is_wrong(std::string_view message) {
  constexpr std::string_view kColumns = "Expected Number of Columns: ";
  if (message.starts_with(kColumns)) {
    const auto found = message.find(" Found: ");
    if (found != message.npos) {
      return "expected " + std::string(message.substr(kColumns.size(), found - kColumns.size())) +
             " fields, got " + std::string(trim(message.substr(found + 8)));
    }
  }
  if (message.find("unicode") != message.npos || message.find("utf-8") != message.npos) {
    return "bytes that are not UTF-8; set the encoding of the source, for instance to latin-1";
  }
  if (message.find("unterminated quote") != message.npos || message.find("quote") != message.npos) {
    return "a quoted field does not end where the next begins";
  }
  std::string text(trim(message.substr(0, message.find('\n'))));
  while (text.ends_with('.')) text.pop_back();
  return text;
}

// The first row that the reader refused, as an error.
Result<void> check_rejects(Session& session, const Table& table) {
  Batch rejects;
  TRY(session.query(
      "SELECT s.file_path, e.line, e.line_byte_position, e.error_message FROM reject_errors e JOIN "
      "(SELECT DISTINCT scan_id, file_id, file_path FROM reject_scans) s USING (scan_id, file_id) "
      "ORDER BY s.file_path, e.line, e.error_message LIMIT 1",
      [&](const Batch& batch) -> Result<void> {
        rejects.append_batch(batch);
        return {};
      }));
  if (rejects.rows() == 0) return {};
  const std::string& file = rejects.columns[0].texts[0];
  const auto index = static_cast<std::size_t>(
      std::find(table.files.begin(), table.files.end(), file) - table.files.begin());
  const std::string& label = index < table.labels.size() ? table.labels[index] : file;
  auto line = static_cast<std::int64_t>(rejects.columns[1].numbers[0]);
  // The reader counts records; quoted fields may hold line ends.
  if (table.compression == "none" && !rejects.columns[2].is_null(0)) {
    TRY(line, line_at(file, static_cast<std::int64_t>(rejects.columns[2].numbers[0]) - 1));
  }
  return invalid_argument(label + ", line " + std::to_string(line) + ": " +
                          what_is_wrong(rejects.columns[3].texts[0]));
}

// The reader takes whole numbers beyond 64 bits for floats, which makes different ones equal: such
// columns are long ids, and stay text.
Result<std::vector<std::string>> long_number_columns(const Engine& engine, const Context& context,
                                                     const Table& table, const Table& written) {
  const std::string from = " FROM " + quote_identifier(written.name);
  TRY(const auto columns, engine.describe(context, {written}, "SELECT *" + from));
  std::vector<std::string> numbers;
  std::string largest;
  for (const auto& column : columns) {
    if (column.sql_type != "DOUBLE") continue;
    const std::string name = quote_identifier(column.name);
    largest += (numbers.empty() ? "" : ", ") +
               ("max(abs(" + name + ")) FILTER (isfinite(" + name + ")) AS " + name);
    numbers.push_back(column.name);
  }
  if (numbers.empty()) return numbers;
  TRY(const Batch maxima, engine.query_all(context, {written}, "SELECT " + largest + from));
  Table as_text = table;
  std::string whole;
  for (const auto& column : maxima.columns) {
    if (!(column.numbers[0] >= 9.2e18)) continue;
    const std::string name = quote_identifier(column.name);
    whole += (whole.empty() ? "" : ", ") +
             ("bool_and(regexp_full_match(" + name + ", '[+-]?[0-9]+')) AS " + name);
    as_text.csv.text_columns.push_back(column.name);
  }
  if (whole.empty()) return std::vector<std::string>();
  TRY(const Batch matches,
      engine.query_all(context, {as_text},
                       "SELECT " + whole + " FROM " + quote_identifier(table.name)));
  std::vector<std::string> names;
  for (const auto& column : matches.columns) {
    if (column.numbers[0] == 1) names.push_back(column.name);
  }
  return names;
}

Result<ParquetFile> copy_csv(const Engine& engine, const Context& context, const Table& table,
                             const std::string& path) {
  TRY(Session session,
      engine.open_for_writing(context, {{"", table.files, table.format, {}, {}, {}}}, path));
  TRY(const ParquetFile file,
      session.copy_to_parquet("SELECT * FROM " + source_sql(table, true), path));
  const auto checked = check_rejects(session, table);
  if (!checked.ok()) {
    std::error_code error;
    fs::remove(path, error);
    return checked.error();
  }
  return file;
}

}  // namespace

Result<ParquetFile> snapshot(const Engine& engine, const Context& context, const Table& table,
                             const std::string& path) {
  ParquetFile file;
  if (table.format == FileFormat::kCsv) {
    TRY(file, copy_csv(engine, context, table, path));
    Table written{"written", {path}, FileFormat::kParquet, {}, "none", {}};
    TRY(auto texts, long_number_columns(engine, context, table, written));
    if (!texts.empty()) {
      Table corrected = table;
      corrected.csv.text_columns = std::move(texts);
      TRY(file, copy_csv(engine, context, corrected, path));
    }
  } else {
    TRY(file, engine.write_parquet(context, {table},
                                   "SELECT * FROM " + quote_identifier(table.name), path));
  }
  if (file.rows == 0) {
    std::error_code error;
    fs::remove(path, error);
    return invalid_argument("table " + quoted(table.name) + " (" +
                            (table.labels.empty() ? table.files : table.labels).front() +
                            ") has no rows");
  }
  return file;
}

}  // namespace ciclo::data
