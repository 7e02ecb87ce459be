// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "data/dialect.h"
#include "data/engine.h"

// From the files that people have to a table the engine can read.

namespace ciclo::data {

// The files that paths and globs (*, ?, [a-z], ** for any depth) name, sorted, each once.
// not_found, naming the pattern, when one names nothing.
Result<std::vector<std::string>> expand_paths(const std::vector<std::string>& patterns);

// Opens files as one table. Checks what can be said early in one sentence: missing file, empty
// file, a header with duplicate names, files with different headers or, of Parquet, different
// columns. Zip archives and texts that
// are not UTF-8 are rewritten below `work_directory`, which is made when it is needed and must live
// as long as the table.
Result<Table> open_source(const Engine& engine, const Context& context, std::string name,
                          const std::vector<std::string>& patterns, const SourceOptions& options,
                          const std::string& work_directory);

// The texts that mean "no value" in files like these: those of the options for CSV; of other
// formats, which have a null of their own, the empty text. The format is that of the options, or
// told by the names.
std::vector<std::string> null_texts_of(const std::vector<std::string>& patterns,
                                       const SourceOptions& options);

// Copies the table into one Parquet file, with the types that all its rows allow. A row with too
// many or too few fields, or bytes that are not in the encoding, is invalid_argument with file and
// line. A table without rows is invalid_argument.
Result<ParquetFile> snapshot(const Engine& engine, const Context& context, const Table& table,
                             const std::string& path);

}  // namespace ciclo::data
