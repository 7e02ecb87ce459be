// SPDX-License-Identifier: Apache-2.0
#include "retention/store.h"

#include <string>

#include "retention/types.h"

namespace ciclo::retention::store {

// The names are constants of the modules, never somebody's input.
Result<void> visit_column(sql::Reader& reader, const blob::Column& column,
                          const std::function<Result<void>(std::string_view)>& on_text) {
  const std::string name(column.column);
  return reader.query(
      "SELECT " + name + " FROM " + std::string(column.table) + " WHERE " + name + " <> ''", {},
      [&](const sql::Row& row) { return on_text(row.text(0)); });
}

Result<std::optional<std::int64_t>> last_collection(sql::Reader& reader) {
  return reader.query_one(R"(
      SELECT time_ms FROM events WHERE kind = 'retention.collected' AND subject = $1
      ORDER BY id DESC LIMIT 1)",
                          {kPolicyCause}, [](const sql::Row& row) { return row.integer(0); });
}

}  // namespace ciclo::retention::store
