// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/context.h"
#include "base/result.h"
#include "events/log.h"
#include "registry/types.h"
#include "sql/database.h"

// Registered models, their versions and aliases. An alias such as `champion` says which version
// serves; every move of one is kept for ever with time, caller and reason. What happens is appended
// as events registry.*, which README.md lists, in the transaction of the change. Safe to share
// between threads.
//
// Errors of all calls: not_found for an unknown model, version or alias; invalid_argument for names
// and lengths outside the limits.

namespace ciclo::registry {

struct NewModelVersion {
  std::string name;
  std::string source;
  // Where the package is, for a source that names it indirectly; empty: the source, or of
  // "models:/NAME/VERSION" the place of that version.
  std::string storage_uri;
  std::string run_id;
  std::string run_link;
  std::string model_id;
  std::string description;
  std::vector<Tag> tags;
};

// What an alias must point at for a move to happen.
struct Expected {
  std::optional<std::int64_t> version;  // empty: the alias must not be set
};

struct ModelSearch {
  std::string filter;  // name, tags.KEY: = != LIKE ILIKE; joined by AND
  std::vector<std::string> order_by;
  std::int64_t max_results = 100;
  std::string page_token;
};

// What becomes of the other versions of the stage that a version enters.
enum class StageOthers { kKeep, kArchive };

class Registry {
 public:
  // All must outlive the service.
  Registry(sql::Database& database, events::Log& events, Clock& clock);

  // --- Models
  // already_exists when the name is taken.
  Result<RegisteredModel> create_model(const Context& context, const std::string& name,
                                       const std::string& description, std::span<const Tag> tags);
  // The same, and no error when it exists.
  Result<RegisteredModel> ensure_model(const Context& context, const std::string& name);
  Result<RegisteredModel> model(const Context& context, const std::string& name);
  // What comments on the model, or on a version of it, are about: they stay with it when it is
  // renamed.
  Result<tracking::Commented> commented(const Context& context, const std::string& name);
  Result<tracking::Commented> commented(const Context& context, const std::string& name,
                                        std::int64_t version);
  Result<RegisteredModel> rename_model(const Context& context, const std::string& name,
                                       const std::string& new_name);
  Result<RegisteredModel> describe_model(const Context& context, const std::string& name,
                                         const std::string& description);
  Result<void> delete_model(const Context& context, const std::string& name);
  Result<void> set_model_tag(const Context& context, const std::string& name, const Tag& tag);
  Result<void> delete_model_tag(const Context& context, const std::string& name,
                                std::string_view key);
  Result<Page<RegisteredModel>> search_models(const Context& context, const ModelSearch& search);

  // --- Versions, numbered from 1; a number is never given twice
  Result<ModelVersion> create_version(const Context& context, const NewModelVersion& version);
  Result<ModelVersion> version(const Context& context, const std::string& name,
                               std::int64_t version);
  Result<ModelVersion> describe_version(const Context& context, const std::string& name,
                                        std::int64_t version, const std::string& description);
  // kArchive is invalid_argument for the stages None and Archived.
  Result<ModelVersion> set_stage(const Context& context, const std::string& name,
                                 std::int64_t version, Stage stage, StageOthers others);
  Result<void> delete_version(const Context& context, const std::string& name,
                              std::int64_t version);
  Result<void> set_version_tag(const Context& context, const std::string& name,
                               std::int64_t version, const Tag& tag);
  Result<void> delete_version_tag(const Context& context, const std::string& name,
                                  std::int64_t version, std::string_view key);
  Result<Page<ModelVersion>> search_versions(const Context& context, const ModelSearch& search);

  // --- Aliases
  // Points the alias at the version. With `expected`, only when it points there now: conflict
  // otherwise. Setting what is set already changes nothing and appends nothing.
  Result<void> set_alias(const Context& context, const std::string& name, const std::string& alias,
                         std::int64_t version, const std::optional<Expected>& expected = {},
                         const std::string& reason = {});
  // Nothing happens when the alias is not set.
  Result<void> delete_alias(const Context& context, const std::string& name,
                            const std::string& alias);
  // not_found when the model has no such alias. "latest" is the newest version, as in MLflow.
  Result<ModelVersion> version_by_alias(const Context& context, const std::string& name,
                                        std::string_view alias);
  // The same, nullopt when the model or the alias does not exist.
  Result<std::optional<ModelVersion>> find_by_alias(const Context& context, const std::string& name,
                                                    std::string_view alias);
  // Newest first, at most `limit`; of all aliases when `alias` is empty.
  Result<std::vector<AliasMove>> alias_history(const Context& context, const std::string& name,
                                               std::string_view alias = {},
                                               std::int64_t limit = 100);

 private:
  sql::Database& database_;
  events::Log& events_;
  Clock& clock_;
};

// What a registered version rests on in other modules, as it was given.
struct VersionOrigin {
  std::string workspace;
  std::string model;
  std::int64_t version = 0;
  std::string run_id;
  std::string model_id;
  std::string source;
  std::string storage_uri;
};
// Of every version there is, of all workspaces.
Result<void> visit_origins(sql::Reader& reader,
                           const std::function<Result<void>(const VersionOrigin&)>& on_origin);

// The module's migrations.
std::span<const sql::Migration> schema();

}  // namespace ciclo::registry
