// SPDX-License-Identifier: Apache-2.0
#include "registry/store_history.h"

#include <string>

namespace ciclo::registry::store {

Result<void> append_change(sql::Txn& txn, std::string_view workspace, std::int64_t model,
                           const ModelChange& change) {
  TRY(txn.execute(
      R"(
      INSERT INTO model_changes (workspace, model_number, name, kind, version, value, previous,
                                 source, run_id, time_ms, caller)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11))",
      {workspace, model, change.model, change.kind, sql::param(change.version), change.value,
       change.previous, change.source, change.run_id, change.time_ms, change.caller}));
  return {};
}

Result<std::vector<std::int64_t>> models_named(sql::Reader& reader, std::string_view workspace,
                                               std::string_view name) {
  return reader.query_all(R"(
      SELECT DISTINCT model_number FROM model_changes WHERE workspace = $1 AND name = $2
      ORDER BY model_number)",
                          {workspace, name}, [](const sql::Row& row) { return row.integer(0); });
}

Result<void> visit_changes(sql::Reader& reader, std::string_view workspace,
                           std::optional<std::int64_t> model, std::int64_t until_ms,
                           const OnChange& on_change) {
  TRY(reader.query(R"(
      SELECT model_number, time_ms, caller, name, kind, version, value, previous, source, run_id
      FROM model_changes
      WHERE workspace = $1 AND time_ms <= $2
        AND (CAST($3 AS BIGINT) IS NULL OR model_number = $3)
      ORDER BY change)",
                   {workspace, until_ms, sql::param(model)}, [&](const sql::Row& row) {
                     ModelChange change;
                     change.time_ms = row.integer(1);
                     change.caller = row.string(2);
                     change.model = row.string(3);
                     change.kind = row.string(4);
                     change.version = row.optional_integer(5);
                     change.value = row.string(6);
                     change.previous = row.string(7);
                     change.source = row.string(8);
                     change.run_id = row.string(9);
                     return on_change(row.integer(0), change);
                   }));
  // The models of other workspaces are unknown to whoever applies this.
  return reader.query(R"(
      SELECT model_number, time_ms, caller, name, alias, version, previous, reason
      FROM alias_moves
      WHERE time_ms <= $1 AND (CAST($2 AS BIGINT) IS NULL OR model_number = $2)
      ORDER BY move)",
                      {until_ms, sql::param(model)}, [&](const sql::Row& row) {
                        ModelChange change;
                        change.time_ms = row.integer(1);
                        change.caller = row.string(2);
                        change.model = row.string(3);
                        change.kind = "alias.moved";
                        change.alias = row.string(4);
                        change.version = row.optional_integer(5);
                        change.previous = row.string(6);
                        change.reason = row.string(7);
                        return on_change(row.integer(0), change);
                      });
}

}  // namespace ciclo::registry::store
