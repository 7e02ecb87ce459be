// SPDX-License-Identifier: Apache-2.0
#include "retention/store.h"

#include <string>

namespace ciclo::retention::store {

// The names are constants of the modules, never somebody's input.
Result<void> visit_column(sql::Reader& reader, const blob::Column& column,
                          const std::function<Result<void>(std::string_view)>& on_text) {
  const std::string name(column.column);
  return reader.query(
      "SELECT " + name + " FROM " + std::string(column.table) + " WHERE " + name + " <> ''", {},
      [&](const sql::Row& row) { return on_text(row.text(0)); });
}

}  // namespace ciclo::retention::store
