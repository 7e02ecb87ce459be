// SPDX-License-Identifier: Apache-2.0
#include "cli/row_writer.h"

#include <cerrno>

#include "base/clock.h"
#include "base/context.h"
#include "base/file.h"
#include "base/text.h"
#include "data/engine.h"

namespace ciclo::cli {
namespace {

// A file that takes its name when it is whole, or standard output.
class Output {
 public:
  static Result<Output> open(const std::string& file) {
    Output output;
    if (file == "-") return output;
    const auto target = std::filesystem::absolute(file);
    if (!std::filesystem::is_directory(target.parent_path())) {
      return not_found("there is no directory " + target.parent_path().string() + " to write " +
                       target.filename().string() + " into");
    }
    if (std::filesystem::is_directory(target)) {
      return invalid_argument(target.string() + " is a directory: name a file");
    }
    output.target_ = target;
    output.partial_ = target.string() + ".partial";
    output.file_.reset(std::fopen(output.partial_.c_str(), "wbe"));
    if (!output.file_) return file_error("open", output.partial_, errno);
    return output;
  }
  Output(Output&&) = default;
  Output& operator=(Output&&) = delete;
  ~Output() {
    if (!file_) return;
    file_.reset();
    std::error_code ignored;
    std::filesystem::remove(partial_, ignored);
  }

  Result<void> write(std::string_view bytes) {
    std::FILE* to = file_ ? file_.get() : stdout;
    if (std::fwrite(bytes.data(), 1, bytes.size(), to) == bytes.size()) return {};
    return file_error("write", partial_.empty() ? "standard output" : partial_, errno);
  }

  Result<void> finish() {
    std::FILE* to = file_ ? file_.get() : stdout;
    if (std::fflush(to) != 0) {
      return file_error("write", partial_.empty() ? "standard output" : partial_, errno);
    }
    if (!file_) return {};
    std::error_code failure;
    std::filesystem::rename(partial_, target_, failure);
    if (failure) return file_error("rename", partial_, failure.value());
    file_.reset();
    return {};
  }

  const std::string& partial() const { return partial_; }

 private:
  struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  Output() = default;

  std::filesystem::path target_;
  std::string partial_;
  std::unique_ptr<std::FILE, Closer> file_;  // null: standard output
};

class CsvWriter final : public RowWriter {
 public:
  explicit CsvWriter(Output output) : output_(std::move(output)) {}
  Result<void> add(const RowCells& cells) override { return output_.write(csv_line(cells)); }
  Result<void> finish() override { return output_.finish(); }

 private:
  Output output_;
};

class JsonlWriter final : public RowWriter {
 public:
  JsonlWriter(Output output, std::vector<RowColumn> columns)
      : output_(std::move(output)), columns_(std::move(columns)) {}

  Result<void> add(const RowCells& cells) override {
    std::string line;
    json::Writer writer(line, json::NonFinite::kString);
    writer.begin_object();
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (!cells[i]) continue;
      writer.key(columns_[i].name);
      const auto number =
          columns_[i].type == CellType::kNumber ? parse_double(*cells[i]) : std::nullopt;
      const auto integer =
          columns_[i].type == CellType::kInteger ? parse_int(*cells[i]) : std::nullopt;
      if (integer) {
        writer.integer(*integer);
      } else if (number) {
        writer.number(*number);
      } else {
        writer.string(*cells[i]);
      }
    }
    writer.end_object();
    return output_.write(line + "\n");
  }
  Result<void> finish() override { return output_.finish(); }

 private:
  Output output_;
  const std::vector<RowColumn> columns_;
};

const char* sql_type_of(CellType type) {
  switch (type) {
    case CellType::kText: return "VARCHAR";
    case CellType::kInteger: return "BIGINT";
    case CellType::kNumber: return "DOUBLE";
    case CellType::kTime: return "TIMESTAMP";
  }
  return "";
}

// Through a CSV file of texts that the table engine reads. There each value stands behind "=",
// which tells an empty one from none.
class ParquetWriter final : public RowWriter {
 public:
  ParquetWriter(Output output, std::vector<RowColumn> columns)
      : output_(std::move(output)), columns_(std::move(columns)) {}

  Result<void> open() {
    csv_ = folder_.path() / "rows.csv";
    TRY(Output rows, Output::open(csv_.string()));
    rows_.emplace(std::move(rows));
    RowCells names;
    for (std::size_t i = 0; i < columns_.size(); ++i) names.emplace_back("c" + std::to_string(i));
    return rows_->write(csv_line(names));
  }

  Result<void> add(const RowCells& cells) override {
    RowCells marked;
    for (const auto& cell : cells) marked.push_back(cell ? std::optional("=" + *cell) : cell);
    return rows_->write(csv_line(marked));
  }

  Result<void> finish() override {
    TRY(rows_->finish());
    data::Table table{.name = "rows", .files = {csv_.string()}, .format = data::FileFormat::kCsv};
    table.csv.null_texts = {""};
    std::string select;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string name = "c" + std::to_string(i);
      table.csv.names.push_back(name);
      table.csv.text_columns.push_back(name);
      select += (select.empty() ? "SELECT " : ", ") + ("CAST(substr(" + name + ", 2) AS ") +
                sql_type_of(columns_[i].type) + ") AS " + data::quote_identifier(columns_[i].name);
    }
    data::EngineOptions options;
    options.spill_directory = folder_.path().string();
    const data::Engine engine(clock_, options);
    TRY(engine.write_parquet(Context(), {table}, select + " FROM rows", output_.partial()));
    return output_.finish();
  }

 private:
  Output output_;
  const std::vector<RowColumn> columns_;
  SystemClock clock_;
  TemporaryDirectory folder_;
  std::filesystem::path csv_;
  std::optional<Output> rows_;
};

std::string csv_cell(const std::optional<std::string>& cell) {
  if (!cell) return "";
  const bool is_plain = !cell->empty() && cell->find_first_of(",\"\r\n") == std::string::npos &&
                        cell->front() != ' ' && cell->back() != ' ';
  if (is_plain) return *cell;
  std::string out = "\"";
  for (const char c : *cell) out.append(c == '"' ? 2 : 1, c);
  return out + "\"";
}

}  // namespace

Result<RowFormat> row_format_of(const std::string& format, const std::string& file) {
  if (format == "csv") return RowFormat::kCsv;
  if (format == "jsonl") return RowFormat::kJsonl;
  if (format == "parquet") return RowFormat::kParquet;
  if (!format.empty()) {
    return invalid_argument("--format " + quoted(format) + " must be csv, jsonl or parquet");
  }
  if (file == "-" || file.ends_with(".csv")) return RowFormat::kCsv;
  if (file.ends_with(".jsonl")) return RowFormat::kJsonl;
  if (file.ends_with(".parquet")) return RowFormat::kParquet;
  return invalid_argument("the name " + quoted(file) +
                          " tells no format: end it with .csv, .jsonl or .parquet, or give "
                          "--format");
}

std::string csv_line(const RowCells& cells) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) line += (i == 0 ? "" : ",") + csv_cell(cells[i]);
  return line + "\n";
}

Result<std::unique_ptr<RowWriter>> RowWriter::open(RowFormat format, const std::string& file,
                                                   std::vector<RowColumn> columns) {
  if (format == RowFormat::kParquet && file == "-") {
    return invalid_argument("Parquet cannot be written to standard output: name a file with --out");
  }
  TRY(Output output, Output::open(file));
  if (format == RowFormat::kJsonl) {
    return std::unique_ptr<RowWriter>(
        std::make_unique<JsonlWriter>(std::move(output), std::move(columns)));
  }
  if (format == RowFormat::kCsv) {
    RowCells names;
    for (const auto& column : columns) names.emplace_back(column.name);
    auto writer = std::make_unique<CsvWriter>(std::move(output));
    TRY(writer->add(names));
    return std::unique_ptr<RowWriter>(std::move(writer));
  }
  auto writer = std::make_unique<ParquetWriter>(std::move(output), std::move(columns));
  TRY(writer->open());
  return std::unique_ptr<RowWriter>(std::move(writer));
}

}  // namespace ciclo::cli
