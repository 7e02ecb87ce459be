// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"

// Rows written as CSV, JSON lines or Parquet, one after the other, so that no more than a row is
// held.

namespace ciclo::cli {

enum class RowFormat { kCsv, kJsonl, kParquet };

// "csv", "jsonl", "parquet"; where `format` is empty the ending of the file tells, and "-" is CSV.
Result<RowFormat> row_format_of(const std::string& format, const std::string& file);

enum class CellType { kText, kInteger, kNumber, kTime };

struct RowColumn {
  std::string name;
  CellType type = CellType::kText;
};

// A cell as text; nullopt for none. Numbers as JSON writes them or "NaN", times as
// "2013-01-31T05:07:09.120Z".
using RowCells = std::vector<std::optional<std::string>>;

// CSV as in RFC 4180 with a header: a missing cell is empty, an empty text is "". JSON lines leave
// out what is missing; NaN is the text "NaN". Parquet columns have the types of the cells.
class RowWriter {
 public:
  virtual ~RowWriter() = default;
  // As many cells as columns.
  virtual Result<void> add(const RowCells& cells) = 0;
  // The file is whole after this, and not there before.
  virtual Result<void> finish() = 0;

  // To `file`, which is replaced at the end, or to standard output for "-" (not for Parquet).
  static Result<std::unique_ptr<RowWriter>> open(RowFormat format, const std::string& file,
                                                 std::vector<RowColumn> columns);
};

// One line of CSV, with its end.
std::string csv_line(const RowCells& cells);

}  // namespace ciclo::cli
