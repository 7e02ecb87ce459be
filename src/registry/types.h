// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tracking/types.h"

// The nouns of the registry, with MLflow's meanings. Plain values.

namespace ciclo::registry {

using tracking::Page;
using tracking::Tag;

struct Alias {
  std::string alias;
  std::int64_t version = 0;
};

struct ModelVersion {
  std::string name;  // of the model
  std::int64_t version = 0;
  std::int64_t created_ms = 0;
  std::int64_t updated_ms = 0;
  std::string description;
  std::string user_id;
  std::string source;  // as the client gave it: "models:/m-…", "mlflow-artifacts:/…", "s3://…"
  std::string storage_uri;  // where the package is: the source, resolved
  std::string run_id;       // may be empty
  std::string run_link;
  std::string model_id;  // the logged model; may be empty
  std::vector<Tag> tags;
  std::vector<std::string> aliases;
};

struct RegisteredModel {
  std::string name;
  std::int64_t created_ms = 0;
  std::int64_t updated_ms = 0;
  std::string description;
  std::vector<Tag> tags;
  std::vector<Alias> aliases;
  std::optional<ModelVersion> latest_version;
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
