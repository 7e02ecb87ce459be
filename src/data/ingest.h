// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "data/engine.h"

// From the files that people have to a table the engine can read.

namespace ciclo::data {

struct SourceOptions {
  // csv, jsonl, parquet; empty: by the name's ending (.csv .tsv .txt .jsonl .ndjson .json .parquet, each
  // text format also with .gz or .zst, and .zip with one member), else by the content.
  std::string format;
  std::string delimiter;  // one character; empty: found out among , ; tab |
  std::string header;     // "yes", "no"; empty: found out
  std::string encoding;   // utf-8, utf-16, latin-1; empty: found out
  std::vector<std::string> null_texts = CsvDialect{}.null_texts;
  std::string timestamp_format;

  template <class V>
  void fields(V& v) {
    v.or_default("format", format);
    v.or_default("delimiter", delimiter);
    v.or_default("header", header);
    v.or_default("encoding", encoding);
    v.or_default("null_texts", null_texts);
    v.or_default("timestamp_format", timestamp_format);
  }
};

// The files that paths and globs (*, ?, [a-z], ** for any depth) name, sorted, each once. not_found,
// naming the pattern, when one names nothing.
Result<std::vector<std::string>> expand_paths(const std::vector<std::string>& patterns);

// Opens files as one table. Checks what can be said early in one sentence: missing file, empty file, a
// header with duplicate names, files with different headers. Zip archives are unpacked below
// `work_directory`, which must live as long as the table.
Result<Table> open_source(std::string name, const std::vector<std::string>& patterns,
                          const SourceOptions& options, const std::string& work_directory);

// Copies the table into one Parquet file, with the types that all its rows allow. A row with too many or
// too few fields, or bytes that are not in the encoding, is invalid_argument with file and line. A
// table without rows is invalid_argument.
Result<ParquetFile> snapshot(const Engine& engine, const Context& context, const Table& table,
                             const std::string& path);

}  // namespace ciclo::data
