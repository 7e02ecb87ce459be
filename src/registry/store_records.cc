// SPDX-License-Identifier: Apache-2.0
#include "registry/store_records.h"

#include <algorithm>
#include <string>
#include <utility>

#include "registry/store.h"
#include "registry/store_history.h"

namespace ciclo::registry::store {

namespace {

// The past of what came from elsewhere begins with what its rows tell.
Result<void> append_past(sql::Txn& txn, std::string_view workspace, const ModelRow& row,
                         const ModelVersion& version) {
  TRY(append_change(txn, workspace, row.number,
                    {.time_ms = version.created_ms,
                     .caller = version.user_id,
                     .model = row.model.name,
                     .kind = "version.created",
                     .version = version.version,
                     .source = version.source,
                     .run_id = version.run_id}));
  if (version.stage == Stage::kNone) return {};
  return append_change(txn, workspace, row.number,
                       {.time_ms = version.updated_ms,
                        .model = row.model.name,
                        .kind = "stage.changed",
                        .version = version.version,
                        .value = std::string(name_of(version.stage)),
                        .previous = std::string(name_of(Stage::kNone))});
}

Result<void> insert_versions(sql::Txn& txn, std::string_view workspace, ModelRow& row,
                             const ModelRecord& record) {
  for (const auto& version : record.versions) {
    TRY(const std::int64_t number, insert_version(txn, row.number, version));
    TRY(update_version(txn, {number, version}));
    TRY(put_version_tags(txn, number, version.tags));
    TRY(append_past(txn, workspace, row, version));
    row.last_version = std::max(row.last_version, version.version);
  }
  return {};
}

}  // namespace

Result<void> insert_record(sql::Txn& txn, std::string_view workspace, const ModelRecord& record,
                           std::string_view reason, std::int64_t now_ms) {
  ModelRow row;
  row.model = record.model;
  row.last_version = record.last_version;
  TRY(row.number, insert_model(txn, workspace, record.model));
  TRY(put_model_tags(txn, row.number, record.model.tags));
  TRY(append_change(
      txn, workspace, row.number,
      {.time_ms = record.model.created_ms, .model = record.model.name, .kind = "model.created"}));
  TRY(insert_versions(txn, workspace, row, record));
  for (const auto& alias : record.model.aliases) {
    TRY(put_alias(txn, row.number, alias.alias, alias.version));
    TRY(append_move(txn, row.number,
                    {.name = record.model.name,
                     .alias = alias.alias,
                     .version = alias.version,
                     .time_ms = now_ms,
                     .reason = std::string(reason)}));
  }
  return update_model(txn, row);
}

Result<std::vector<std::string>> model_names_behind(sql::Reader& reader, std::string_view workspace,
                                                    std::string_view after, std::int64_t limit) {
  return reader.query_all(R"(
      SELECT name FROM registered_models WHERE workspace = $1 AND name > $2 ORDER BY name LIMIT $3)",
                          {workspace, after, limit},
                          [](const sql::Row& row) { return row.string(0); });
}

Result<std::optional<ModelRecord>> find_record(sql::Reader& reader, std::string_view workspace,
                                               std::string_view name) {
  TRY(auto found, find_model(reader, workspace, name));
  if (!found) return std::optional<ModelRecord>();
  ModelRecord record;
  record.model = std::move(found->model);
  record.model.latest_versions.clear();
  record.last_version = found->last_version;
  TRY(const auto numbers,
      reader.query_all(
          "SELECT version FROM model_versions WHERE model_number = $1 ORDER BY version",
          {found->number}, [](const sql::Row& row) { return row.integer(0); }));
  for (const std::int64_t number : numbers) {
    TRY(auto version, find_version(reader, workspace, name, number));
    if (!version) continue;
    version->version.aliases.clear();
    record.versions.push_back(std::move(version->version));
  }
  return std::optional<ModelRecord>(std::move(record));
}

}  // namespace ciclo::registry::store
