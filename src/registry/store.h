// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "registry/registry.h"
#include "registry/types.h"
#include "sql/database.h"
#include "tracking/search.h"

// The SQL of the registry: functions over a transaction or snapshot.

namespace ciclo::registry::store {

struct ModelRow {
  std::int64_t number = 0;
  std::int64_t last_version = 0;
  RegisteredModel model;
};

struct VersionRow {
  std::int64_t number = 0;
  ModelVersion version;
};

Result<std::int64_t> insert_model(sql::Txn& txn, std::string_view workspace,
                                  const RegisteredModel& model);
// With tags, aliases and the latest version.
Result<std::optional<ModelRow>> find_model(sql::Reader& reader, std::string_view workspace,
                                           std::string_view name);
Result<void> update_model(sql::Txn& txn, const ModelRow& changed);
Result<void> delete_model(sql::Txn& txn, std::int64_t model);
Result<void> put_model_tags(sql::Txn& txn, std::int64_t model, std::span<const Tag> tags);
Result<bool> remove_model_tag(sql::Txn& txn, std::int64_t model, std::string_view key);
Result<Page<RegisteredModel>> search_models(sql::Reader& reader, std::string_view workspace,
                                            const tracking::SearchText& text,
                                            std::int64_t max_results);

Result<std::int64_t> insert_version(sql::Txn& txn, std::int64_t model, const ModelVersion& version);
Result<std::optional<VersionRow>> find_version(sql::Reader& reader, std::string_view workspace,
                                               std::string_view name, std::int64_t version);
Result<void> update_version(sql::Txn& txn, const VersionRow& changed);
// All other versions of the stage become Archived; their numbers.
Result<std::vector<std::int64_t>> archive_others(sql::Txn& txn, const ModelRow& model,
                                                 const VersionRow& keep, Stage stage,
                                                 std::int64_t now_ms);
Result<void> delete_version(sql::Txn& txn, const VersionRow& row);
Result<void> put_version_tags(sql::Txn& txn, std::int64_t version, std::span<const Tag> tags);
Result<bool> remove_version_tag(sql::Txn& txn, std::int64_t version, std::string_view key);
Result<Page<ModelVersion>> search_versions(sql::Reader& reader, std::string_view workspace,
                                           const tracking::SearchText& text,
                                           std::int64_t max_results);

Result<std::optional<std::int64_t>> find_alias(sql::Reader& reader, std::int64_t model,
                                               std::string_view alias);
// Sets it, or removes it when `version` is empty.
Result<void> put_alias(sql::Txn& txn, std::int64_t model, std::string_view alias,
                       std::optional<std::int64_t> version);
Result<void> append_move(sql::Txn& txn, std::int64_t model, const AliasMove& move);
// Newest first; of all aliases when `alias` is empty.
Result<std::vector<AliasMove>> list_moves(sql::Reader& reader, std::int64_t model,
                                          std::string_view alias, std::int64_t limit);

Result<void> visit_origins(sql::Reader& reader,
                           const std::function<Result<void>(const VersionOrigin&)>& on_origin);

}  // namespace ciclo::registry::store
