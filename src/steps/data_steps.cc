// SPDX-License-Identifier: Apache-2.0
// Steps on tables: ingest, validate, assemble, split.
//
// A data set artifact is a directory with data.parquet, statistics.json and schema.json; its
// properties tell rows, bytes, and the blob hash of the Parquet file.

#include <filesystem>
#include <system_error>

#include "base/file.h"
#include "base/hash.h"
#include "base/json_fields.h"
#include "data/ingest.h"
#include "data/join.h"
#include "data/schema.h"
#include "data/split.h"
#include "data/statistics.h"
#include "data/validate.h"
#include "steps/data_set.h"
#include "steps/job.h"

namespace ciclo::steps {

data::Table data_set_table(const std::filesystem::path& directory, std::string name) {
  data::Table table;
  table.name = std::move(name);
  table.files = {(directory / kDataFile).string()};
  table.format = data::FileFormat::kParquet;
  return table;
}

Result<data::Statistics> describe_data_set(const Job& job, std::string_view port,
                                           const data::ParquetFile& file) {
  const auto& directory = job.output(port);
  TRY(data::Statistics statistics,
      data::compute_statistics(job.engine(), job.context(), data_set_table(directory, "t")));
  const std::string statistics_text = data::to_json(statistics);
  const std::string schema_text = data::to_json(data::infer_schema(statistics));
  TRY(write_file_durably(directory / kStatisticsFile, statistics_text));
  TRY(write_file_durably(directory / kSchemaFile, schema_text));
  TRY(const std::string hash, hash_file(file.path));
  job.property(port, "rows", file.rows);
  job.property(port, "bytes", file.bytes);
  job.property(port, "columns", static_cast<std::int64_t>(statistics.columns.size()));
  // By these the platform finds the files when it enters the version into the catalog.
  job.property(port, "data_blob", hash);
  job.property(port, "statistics_blob", hash_bytes(statistics_text));
  job.property(port, "schema_blob", hash_bytes(schema_text));
  return statistics;
}

Result<data::Statistics> read_statistics(const std::filesystem::path& directory) {
  TRY(const std::string text, read_file(directory / kStatisticsFile));
  return data::statistics_from_json(text);
}

namespace {

struct IngestParameters {
  struct File {
    std::string name;  // as the user knows it
    std::string hash;  // its blob
    template <class V>
    void fields(V& v) {
      v("name", name);
      v("hash", hash);
    }
  };
  std::string name;
  std::vector<File> files;
  data::SourceOptions options;
  template <class V>
  void fields(V& v) {
    v("name", name);
    v("files", files);
    v.or_default("options", options);
  }
};

// Blobs are named by their hash; the format is told by the user's name for the file.
Result<std::vector<std::string>> link_sources(const Job& job, const IngestParameters& parameters) {
  std::vector<std::string> paths;
  const json::Value* blobs = job.environment().find("blobs");
  CHECK(blobs != nullptr && blobs->is_array());
  CHECK(blobs->items().size() == parameters.files.size());
  for (std::size_t i = 0; i < parameters.files.size(); ++i) {
    // A directory of its own each, since two files may have the same name.
    const auto directory = job.work() / "sources" / std::to_string(i);
    std::error_code failure;
    std::filesystem::create_directories(directory, failure);
    if (failure) return file_error("make directory", directory, failure.value());
    const auto link = directory / std::filesystem::path(parameters.files[i].name).filename();
    std::filesystem::create_symlink(blobs->items()[i].string(), link, failure);
    if (failure) return file_error("link", link, failure.value());
    paths.push_back(link.string());
  }
  return paths;
}

}  // namespace

Result<void> ingest(Job& job) {
  TRY(const IngestParameters parameters, json::read_node<IngestParameters>(job.parameters()));
  TRY(const std::vector<std::string> paths, link_sources(job, parameters));
  job.progress(0, 2, "reading " + parameters.files.front().name);
  TRY(const data::Table table,
      data::open_source(job.engine(), job.context(), "source", paths, parameters.options,
                        (job.work() / "unpacked").string()));
  TRY(const data::ParquetFile file, data::snapshot(job.engine(), job.context(), table,
                                                   (job.output("dataset") / kDataFile).string()));
  job.progress(1, 2, "statistics of " + std::to_string(file.rows) + " rows");
  TRY(describe_data_set(job, "dataset", file));
  return {};
}

Result<void> validate(Job& job) {
  const json::Value* node = job.parameters().find("schema");
  CHECK(node != nullptr);
  TRY(const data::Schema schema, data::schema_from_json(*node));
  TRY(const data::Statistics statistics, read_statistics(job.input("dataset")));
  TRY(const data::Validation found,
      data::validate(job.engine(), job.context(), data_set_table(job.input("dataset"), "t"),
                     statistics, schema));
  TRY(write_file_durably(job.output("report") / "validation.json", data::to_json(found)));
  job.property("report", "passed", found.passed());
  job.property("report", "findings", static_cast<std::int64_t>(found.findings.size()));
  if (found.passed()) return {};
  return failed_precondition("table " + job.parameters().string_or("table", "") +
                             " breaks its schema:\n" + data::to_text(found));
}

Result<void> assemble(Job& job) {
  const json::Value& parameters = job.parameters();
  const json::Value* node = parameters.find("query");
  CHECK(node != nullptr);
  TRY(const data::TableQuery query, json::read_node<data::TableQuery>(*node));
  const json::Value* tables_node = parameters.find("tables");
  CHECK(tables_node != nullptr && tables_node->is_object());
  std::vector<data::Table> tables;
  for (const auto& [port, name] : tables_node->members()) {
    tables.push_back(data_set_table(job.input(port), name.string()));
  }
  job.progress(0, 2, "joining");
  TRY(std::string sql, data::build_query(job.engine(), job.context(), tables, query));
  TRY(data::check_rows(job.engine(), job.context(), tables, query));
  if (const std::string order = parameters.string_or("order_by", ""); !order.empty()) {
    sql = "SELECT * FROM (" + sql + ") ORDER BY " + data::quote_identifier(order);
  }
  TRY(const data::ParquetFile file,
      job.engine().write_parquet(job.context(), tables, sql,
                                 (job.output("dataset") / kDataFile).string()));
  if (file.rows == 0) {
    return failed_precondition("no row of table " + query.from +
                               " is left after `where`, `since` and `until`");
  }
  job.progress(1, 2, "statistics of " + std::to_string(file.rows) + " rows");
  TRY(describe_data_set(job, "dataset", file));
  return {};
}

Result<void> split(Job& job) {
  const json::Value* node = job.parameters().find("rule");
  CHECK(node != nullptr);
  TRY(const data::SplitRule rule, json::read_node<data::SplitRule>(*node));
  TRY(const auto parts,
      data::write_split(job.engine(), job.context(), data_set_table(job.input("dataset"), "t"),
                        rule, job.work().string()));
  for (const data::SplitPart& part : parts) {
    const auto destination = job.output(part.name) / kDataFile;
    std::error_code failure;
    std::filesystem::rename(part.path, destination, failure);
    if (failure) return file_error("rename to", destination, failure.value());
    job.property(part.name, "rows", part.rows);
  }
  return {};
}

}  // namespace ciclo::steps
