// SPDX-License-Identifier: Apache-2.0
#include "migrate/store.h"

#include "base/text.h"

namespace ciclo::migrate::store {

namespace {

// "$3, $4" for the texts, behind the parameters that are there.
std::string list_of(sql::Params& params, std::span<const std::string> texts) {
  std::string list;
  for (const auto& text : texts) {
    params.emplace_back(std::string_view(text));
    list += (list.empty() ? "$" : ", $") + std::to_string(params.size());
  }
  return list;
}

// The first column of the rows whose column is one of the texts; the statement ends before them.
Result<std::vector<std::string>> matching(sql::Reader& reader, const std::string& statement,
                                          sql::Params params, std::span<const std::string> texts) {
  if (texts.empty()) return std::vector<std::string>();
  const std::string list = list_of(params, texts);
  return reader.query_all(statement + " (" + list + ") ORDER BY 1", params,
                          [](const sql::Row& row) { return row.string(0); });
}

}  // namespace

Result<std::optional<Import>> find_import(sql::Reader& reader, std::string_view source) {
  return reader.query_one("SELECT import, started_ms, finished_ms FROM imports WHERE source = $1",
                          {source}, [](const sql::Row& row) {
                            return Import{row.integer(0), row.integer(1), row.optional_integer(2)};
                          });
}

Result<std::int64_t> insert_import(sql::Txn& txn, std::string_view source, std::int64_t now_ms) {
  TRY(const auto number,
      txn.query_one("INSERT INTO imports (source, started_ms) VALUES ($1, $2) RETURNING import",
                    {source, now_ms}, [](const sql::Row& row) { return row.integer(0); }));
  if (!number) return internal("an insert returned no key");
  return *number;
}

Result<void> finish_import(sql::Txn& txn, std::int64_t import, std::int64_t now_ms) {
  TRY(txn.execute("UPDATE imports SET finished_ms = $2 WHERE import = $1", {import, now_ms}));
  return {};
}

Result<std::set<std::string>> copied(sql::Reader& reader, std::int64_t import, Kind kind,
                                     std::span<const std::string> ids) {
  TRY(const auto found,
      matching(reader, "SELECT id FROM import_objects WHERE import = $1 AND kind = $2 AND id IN",
               {import, kind}, ids));
  return std::set<std::string>(found.begin(), found.end());
}

Result<void> add_copied(sql::Txn& txn, std::int64_t import, Kind kind,
                        std::span<const std::string> ids) {
  std::vector<sql::Params> rows;
  for (const auto& id : ids) rows.push_back({import, kind, std::string_view(id)});
  TRY(txn.execute_many("INSERT INTO import_objects (import, kind, id) VALUES ($1, $2, $3)", rows));
  return {};
}

Result<std::vector<std::string>> existing_runs(sql::Reader& reader,
                                               std::span<const std::string> ids) {
  return matching(reader, "SELECT run_id FROM runs WHERE run_id IN", {}, ids);
}

Result<std::vector<std::string>> existing_models(sql::Reader& reader,
                                                 std::span<const std::string> ids) {
  return matching(reader, "SELECT model_id FROM logged_models WHERE model_id IN", {}, ids);
}

Result<std::vector<std::string>> existing_registered(sql::Reader& reader,
                                                     std::string_view workspace,
                                                     std::span<const std::string> names) {
  return matching(reader, "SELECT name FROM registered_models WHERE workspace = $1 AND name IN",
                  {workspace}, names);
}

// The experiment 0 that every database begins with is in nobody's way while nothing is in it.
Result<std::optional<std::string>> experiment_in_the_way(sql::Reader& reader,
                                                         std::string_view workspace,
                                                         std::int64_t number,
                                                         std::string_view name) {
  return reader.query_one(
      R"(
      SELECT e.experiment_id, e.name FROM experiments e
      WHERE (e.experiment_id = $1 OR (e.workspace = $2 AND e.name = $3))
        AND NOT (e.experiment_id = 0 AND $1 = 0 AND e.name = 'Default' AND e.updated_ms = 0
          AND e.lifecycle_stage = 'active'
          AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.experiment_id = 0)
          AND NOT EXISTS (SELECT 1 FROM logged_models m WHERE m.experiment_id = 0)
          AND NOT EXISTS (SELECT 1 FROM experiment_tags t WHERE t.experiment_id = 0))
      ORDER BY e.experiment_id LIMIT 1)",
      {number, workspace, name}, [](const sql::Row& row) {
        return "experiment " + std::to_string(row.integer(0)) + " " + quoted(row.text(1));
      });
}

}  // namespace ciclo::migrate::store
