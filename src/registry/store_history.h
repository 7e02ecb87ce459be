// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "registry/history.h"
#include "sql/database.h"

// The SQL of the registry's past.

namespace ciclo::registry::store {

Result<void> append_change(sql::Txn& txn, std::string_view workspace, std::int64_t model,
                           const ModelChange& change);

// The models that have ever had this name.
Result<std::vector<std::int64_t>> models_named(sql::Reader& reader, std::string_view workspace,
                                               std::string_view name);

using OnChange = std::function<Result<void>(std::int64_t model, const ModelChange& change)>;
// What happened up to then, oldest first, aliases after all else; to one model when it is given.
Result<void> visit_changes(sql::Reader& reader, std::string_view workspace,
                           std::optional<std::int64_t> model, std::int64_t until_ms,
                           const OnChange& on_change);

}  // namespace ciclo::registry::store
