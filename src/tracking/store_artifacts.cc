// SPDX-License-Identifier: Apache-2.0
#include "tracking/store_artifacts.h"

namespace ciclo::tracking::store {

namespace {

ArtifactFile file_of(const sql::Row& row) {
  ArtifactFile file;
  file.path = row.string(0);
  file.is_directory = row.boolean(1);
  file.hash = row.string(2);
  file.size = static_cast<std::uint64_t>(row.integer(3));
  file.modified_ms = row.integer(4);
  return file;
}

}  // namespace

Result<std::optional<ArtifactFile>> find_entry(sql::Reader& reader, std::string_view workspace,
                                               std::string_view directory, std::string_view name) {
  return reader.query_one(R"(
      SELECT name, is_directory, hash, size, modified_ms FROM artifact_entries
      WHERE workspace = $1 AND directory = $2 AND name = $3)",
                          {workspace, directory, name}, file_of);
}

Result<std::vector<ArtifactFile>> list_entries(sql::Reader& reader, std::string_view workspace,
                                               std::string_view directory) {
  return reader.query_all(R"(
      SELECT name, is_directory, hash, size, modified_ms FROM artifact_entries
      WHERE workspace = $1 AND directory = $2 ORDER BY name)",
                          {workspace, directory}, file_of);
}

Result<void> put_entry(sql::Txn& txn, std::string_view workspace, std::string_view directory,
                       const ArtifactFile& file) {
  TRY(txn.execute(R"(
      INSERT INTO artifact_entries (workspace, directory, name, is_directory, hash, size, modified_ms)
      VALUES ($1, $2, $3, $4, $5, $6, $7)
      ON CONFLICT (workspace, directory, name) DO UPDATE SET
        hash = excluded.hash, size = excluded.size, modified_ms = excluded.modified_ms)",
                  {workspace, directory, file.path, sql::param(file.is_directory), file.hash,
                   static_cast<std::int64_t>(file.size), file.modified_ms}));
  return {};
}

Result<void> remove_entry(sql::Txn& txn, std::string_view workspace, std::string_view directory,
                          std::string_view name) {
  TRY(txn.execute(
      "DELETE FROM artifact_entries WHERE workspace = $1 AND directory = $2 AND name = $3",
      {workspace, directory, name}));
  return {};
}

Result<void> visit_files(sql::Reader& reader,
                         const std::function<Result<void>(std::string_view, std::string_view,
                                                          std::string_view)>& on_file) {
  return reader.query(
      "SELECT workspace, directory, hash FROM artifact_entries WHERE is_directory = 0", {},
      [&](const sql::Row& row) { return on_file(row.text(0), row.text(1), row.text(2)); });
}

Result<void> remove_entries(sql::Txn& txn, std::string_view workspace, std::string_view directory) {
  TRY(txn.execute("DELETE FROM artifact_entries WHERE workspace = $1 AND directory = $2",
                  {workspace, directory}));
  return {};
}

}  // namespace ciclo::tracking::store
