// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tracking/types.h"

// The nouns of the registry, with MLflow's meanings. Plain values; their fields are what a call
// that is sent again is answered from (sql/once.h).

namespace ciclo::registry {

using tracking::Page;
using tracking::Tag;

// MLflow's older way of saying what a version is for; aliases replace it, clients still use it.
enum class Stage { kNone, kStaging, kProduction, kArchived };

// "None", "Staging", "Production", "Archived".
std::string_view name_of(Stage stage);
std::span<const std::string_view> enum_names(Stage);
// Without regard to case.
std::optional<Stage> parse_stage(std::string_view name);

struct Alias {
  std::string alias;
  std::int64_t version = 0;

  template <class V>
  void fields(V& v) {
    v("alias", alias);
    v("version", version);
  }
};

struct ModelVersion {
  std::string name;  // of the model
  std::int64_t version = 0;
  std::int64_t created_ms = 0;
  std::int64_t updated_ms = 0;
  std::string description;
  std::string user_id;  // empty: nobody was named
  Stage stage = Stage::kNone;
  std::string source;  // as the client gave it: "models:/m-…", "mlflow-artifacts:/…", "s3://…"
  std::string storage_uri;  // where the package is: the source, resolved
  std::string run_id;       // may be empty
  std::string run_link;
  std::string model_id;  // the logged model; may be empty
  std::vector<Tag> tags;
  std::vector<std::string> aliases;

  template <class V>
  void fields(V& v) {
    v("name", name);
    v("version", version);
    v("created_ms", created_ms);
    v("updated_ms", updated_ms);
    v("description", description);
    v("user_id", user_id);
    v("stage", stage);
    v("source", source);
    v("storage_uri", storage_uri);
    v("run_id", run_id);
    v("run_link", run_link);
    v("model_id", model_id);
    v("tags", tags);
    v("aliases", aliases);
  }
};

struct RegisteredModel {
  std::string name;
  std::int64_t created_ms = 0;
  std::int64_t updated_ms = 0;
  std::string description;
  std::vector<Tag> tags;
  std::vector<Alias> aliases;
  std::vector<ModelVersion> latest_versions;  // the newest of each stage that has one, by version

  // Of whatever stage; nullptr when there is none.
  const ModelVersion* latest_version() const {
    return latest_versions.empty() ? nullptr : &latest_versions.back();
  }

  template <class V>
  void fields(V& v) {
    v("name", name);
    v("created_ms", created_ms);
    v("updated_ms", updated_ms);
    v("description", description);
    v("tags", tags);
    v("aliases", aliases);
    v("latest_versions", latest_versions);
  }
};

// One entry of the deployment history: an alias was set, moved or removed.
struct AliasMove {
  std::int64_t id = 0;
  std::string name;
  std::string alias;
  std::optional<std::int64_t> version;   // empty: removed
  std::optional<std::int64_t> previous;  // empty: it was not set
  std::int64_t time_ms = 0;
  std::string caller;
  std::string reason;
};

}  // namespace ciclo::registry
