// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "registry/types.h"
#include "sql/database.h"

// The past of the registry: what happened to a model, and how all stood at a moment, from rows that
// are only ever appended, in the transaction of the change. What was deleted still shows in the
// past. A database from before this was kept knows of its models and versions as they stood then.
// Safe to share between threads.

namespace ciclo::registry {

// Something that happened to a model.
struct ModelChange {
  std::int64_t time_ms = 0;
  std::string caller;  // empty: not known
  std::string model;   // its name afterwards
  // "model.created", "model.renamed", "model.deleted", "version.created", "version.deleted",
  // "stage.changed", "alias.moved"
  std::string kind;
  std::optional<std::int64_t> version;  // of alias.moved: where it points now, empty: nowhere
  std::string alias;                    // of alias.moved
  std::string value;                    // the new name, the new stage
  std::string previous;                 // the name, stage or version before; empty: none
  std::string source;                   // of version.created
  std::string run_id;                   // of version.created
  std::string reason;                   // of alias.moved
};

struct PastVersion {
  std::int64_t version = 0;
  std::int64_t created_ms = 0;
  std::string source;
  std::string run_id;
  std::string stage = "None";
};

struct PastModel {
  std::string name;
  std::int64_t created_ms = 0;
  std::map<std::int64_t, PastVersion> versions;
  std::map<std::string, std::int64_t> aliases;
};

class History {
 public:
  explicit History(sql::Database& database) : database_(database) {}

  // Newest first, at most `limit`, of every model that has ever had this name; not_found when there
  // was none.
  Result<std::vector<ModelChange>> changes(const Context& context, const std::string& name,
                                           std::int64_t limit);

  // All models as they stood at the end of that millisecond, by name.
  Result<std::vector<PastModel>> models_at(const Context& context, std::int64_t time_ms);
  // The one that had this name then; not_found when there was none.
  Result<PastModel> model_at(const Context& context, const std::string& name, std::int64_t time_ms);

 private:
  sql::Database& database_;
};

}  // namespace ciclo::registry
