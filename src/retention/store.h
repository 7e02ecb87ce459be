// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "blob/columns.h"
#include "sql/database.h"

// The SQL of retention.

namespace ciclo::retention::store {

// Calls `on_text` for the column of every row that has some text in it.
Result<void> visit_column(sql::Reader& reader, const blob::Column& column,
                          const std::function<Result<void>(std::string_view)>& on_text);

// When a collection by the policies has last ended, on whatever server; nullopt: never.
Result<std::optional<std::int64_t>> last_collection(sql::Reader& reader);

}  // namespace ciclo::retention::store
