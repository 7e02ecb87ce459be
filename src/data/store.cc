// SPDX-License-Identifier: Apache-2.0
#include "data/store.h"

#include <limits>
#include <utility>

#include "base/json_fields.h"
#include "base/text.h"
#include "sql/dialect.h"

namespace ciclo::data::store {
namespace {

template <class T>
Result<void> read_json(std::string_view text, std::string_view what, T& out) {
  auto value = json::read<T>(text);
  if (!value.ok()) return data_loss("stored " + std::string(what) + ": " + value.error().message);
  out = *std::move(value);
  return {};
}

Result<void> read_json(std::string_view text, std::string_view what, json::Value& out) {
  auto value = json::parse(text);
  if (!value.ok()) return data_loss("stored " + std::string(what) + ": " + value.error().message);
  out = *std::move(value);
  return {};
}

// name, number, hash, rows_count, bytes_count, files, table_schema, source, artifact_id,
// created_by, created_ms
Result<DataSetVersion> read_version(const sql::Row& row) {
  DataSetVersion version;
  version.name = row.string(0);
  version.number = row.integer(1);
  version.hash = row.string(2);
  version.rows = row.integer(3);
  version.bytes = row.integer(4);
  TRY(read_json(row.text(5), "files", version.files));
  TRY(read_json(row.text(6), "schema", version.schema));
  TRY(read_json(row.text(7), "source", version.source));
  version.artifact_id = row.string(8);
  version.created_by = row.string(9);
  version.created_ms = row.integer(10);
  return version;
}

DataSet read_data_set(const sql::Row& row) {
  return {row.string(0), row.string(1), row.integer(2), row.integer(3), row.integer(4)};
}

}  // namespace

Result<std::optional<DataSet>> find_data_set(sql::Reader& reader, std::string_view workspace,
                                             std::string_view name) {
  return reader.query_one(R"sql(
      SELECT name, description, latest, created_ms, updated_ms FROM datasets
      WHERE workspace = $1 AND name = $2)sql",
                          {workspace, name}, read_data_set);
}

Result<std::vector<DataSet>> list_data_sets(sql::Reader& reader, std::string_view workspace,
                                            std::string_view after, int limit) {
  return reader.query_all(R"sql(
      SELECT name, description, latest, created_ms, updated_ms FROM datasets
      WHERE workspace = $1 AND name > $2 ORDER BY name LIMIT $3)sql",
                          {workspace, after, std::int64_t{limit}}, read_data_set);
}

Result<std::vector<std::string>> data_set_names(sql::Reader& reader, std::string_view workspace) {
  return reader.query_all("SELECT name FROM datasets WHERE workspace = $1 ORDER BY name LIMIT 1000",
                          {workspace}, [](const sql::Row& row) { return row.string(0); });
}

Result<std::optional<DataSetVersion>> find_version(sql::Reader& reader, std::string_view workspace,
                                                   std::string_view name, std::int64_t number) {
  std::optional<DataSetVersion> found;
  TRY(reader.query(R"sql(
      SELECT name, number, hash, rows_count, bytes_count, files, table_schema, source, artifact_id,
             created_by, created_ms, statistics
      FROM dataset_versions WHERE workspace = $1 AND name = $2 AND number = $3)sql",
                   {workspace, name, number}, [&](const sql::Row& row) -> Result<void> {
                     TRY(found, read_version(row));
                     return read_json(row.text(11), "statistics", found->statistics);
                   }));
  return found;
}

Result<std::optional<std::int64_t>> find_hash(sql::Reader& reader, std::string_view workspace,
                                              std::string_view name, std::string_view prefix) {
  // Hashes are hexadecimal digits: what begins with the prefix lies between it and the prefix
  // followed by 'g'.
  const std::string above = std::string(prefix) + "g";
  TRY(const auto numbers, reader.query_all(R"sql(
      SELECT number FROM dataset_versions
      WHERE workspace = $1 AND name = $2 AND hash >= $3 AND hash < $4 ORDER BY number LIMIT 2)sql",
                                           {workspace, name, prefix, std::string_view(above)},
                                           [](const sql::Row& row) { return row.integer(0); }));
  if (numbers.size() > 1) {
    return invalid_argument("data set " + quoted(name) + ": several versions begin with hash " +
                            quoted(prefix));
  }
  return numbers.empty() ? std::optional<std::int64_t>() : numbers.front();
}

Result<std::vector<DataSetVersion>> list_versions(sql::Reader& reader, std::string_view workspace,
                                                  std::string_view name, std::int64_t before,
                                                  int limit) {
  const std::int64_t below = before == 0 ? std::numeric_limits<std::int64_t>::max() : before;
  std::vector<DataSetVersion> versions;
  TRY(reader.query(R"sql(
      SELECT name, number, hash, rows_count, bytes_count, files, table_schema, source, artifact_id,
             created_by, created_ms
      FROM dataset_versions WHERE workspace = $1 AND name = $2 AND number < $3
      ORDER BY number DESC LIMIT $4)sql",
                   {workspace, name, below, std::int64_t{limit}},
                   [&](const sql::Row& row) -> Result<void> {
                     TRY(auto version, read_version(row));
                     versions.push_back(std::move(version));
                     return {};
                   }));
  return versions;
}

Result<void> put_data_set(sql::Txn& txn, std::string_view workspace, const DataSet& data_set) {
  TRY(txn.execute(R"sql(
      INSERT INTO datasets (workspace, name, description, latest, created_ms, updated_ms)
      VALUES ($1, $2, $3, $4, $5, $6)
      ON CONFLICT (workspace, name)
      DO UPDATE SET latest = excluded.latest, updated_ms = excluded.updated_ms)sql",
                  {workspace, data_set.name, data_set.description, data_set.latest,
                   data_set.created_ms, data_set.updated_ms}));
  return {};
}

Result<void> insert_version(sql::Txn& txn, std::string_view workspace,
                            const DataSetVersion& version) {
  const std::string files = json::write(version.files);
  const std::string table_schema = to_json(version.schema);
  const std::string statistics = to_json(version.statistics);
  const std::string source = json::dump(version.source);
  TRY(txn.execute(R"sql(
      INSERT INTO dataset_versions (workspace, name, number, hash, rows_count, bytes_count, files,
                                    table_schema, statistics, source, artifact_id, created_by, created_ms)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13))sql",
                  {workspace, version.name, version.number, version.hash, version.rows,
                   version.bytes, files, table_schema, statistics, source, version.artifact_id,
                   version.created_by, version.created_ms}));
  return {};
}

}  // namespace ciclo::data::store
