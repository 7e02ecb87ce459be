// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "registry/types.h"
#include "sql/database.h"

// For copies of whole registries: a model with all its versions as they are, in and out of the
// tables. Nothing is checked that the service checks, and no event is appended: a copy is no news.

namespace ciclo::registry::store {

struct ModelRecord {
  RegisteredModel model;               // without latest_versions
  std::vector<ModelVersion> versions;  // by number, without aliases
  std::int64_t last_version = 0;       // the greatest number ever given
};

// The model must not be there yet. Each alias gets an entry in the deployment history, with the
// reason given.
Result<void> insert_record(sql::Txn& txn, std::string_view workspace, const ModelRecord& record,
                           std::string_view reason, std::int64_t now_ms);

// The names behind `after`, in order.
Result<std::vector<std::string>> model_names_behind(sql::Reader& reader, std::string_view workspace,
                                                    std::string_view after, std::int64_t limit);
Result<std::optional<ModelRecord>> find_record(sql::Reader& reader, std::string_view workspace,
                                               std::string_view name);

}  // namespace ciclo::registry::store
