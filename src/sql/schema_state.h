// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "base/result.h"
#include "sql/database.h"

namespace ciclo::sql {

// What migrate() would find: none of its tables, some of the migrations, or all of them.
enum class SchemaState { kNone, kOlder, kCurrent };

// Writes nothing. Refuses what migrate() refuses.
Result<SchemaState> schema_state(Database& database, std::span<const Migration> migrations);

}  // namespace ciclo::sql
