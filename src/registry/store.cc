// SPDX-License-Identifier: Apache-2.0
#include "registry/store.h"

#include <string>
#include <utility>

namespace ciclo::registry::store {

namespace {

using tracking::Attribute;
using tracking::Parameters;
using tracking::Searchable;
using tracking::SearchPlan;
using tracking::SearchText;

// MLflow keeps prompts among the models, told apart by this tag.
constexpr std::string_view kPromptTag = "mlflow.prompt.is_prompt";

const Searchable& model_search() {
  using Type = Attribute::Type;
  static const Searchable kSearchable{
      .object = "registered model",
      .attribute_words = {"attribute", "attributes", "attr"},
      .attributes =
          {
              {.name = "name", .column = "m.name", .takes_list = true},
              {.name = "creation_timestamp", .column = "m.created_ms", .type = Type::kInteger},
              {.name = "last_updated_timestamp", .column = "m.updated_ms", .type = Type::kInteger},
              {.name = "timestamp",
               .column = "m.updated_ms",
               .type = Type::kInteger,
               .filterable = false},
          },
      .collections = {{.words = {"tag", "tags"},
                       .table = "registered_model_tags",
                       .owner = "model_number",
                       .owner_column = "m.model_number",
                       .implied_key = kPromptTag,
                       .implied_value = "false"}},
      .related = {},
      .default_order = {{"m.name", Type::kText, true}},
  };
  return kSearchable;
}

const Searchable& version_search() {
  using Type = Attribute::Type;
  static const Searchable kSearchable{
      .object = "model version",
      .attribute_words = {"attribute", "attributes", "attr"},
      .attributes =
          {
              {.name = "name", .column = "m.name", .takes_list = true},
              {.name = "version_number", .column = "v.version", .type = Type::kInteger},
              {.name = "run_id", .column = "v.run_id", .orderable = false, .takes_list = true},
              {.name = "source_path", .column = "v.source", .orderable = false},
              {.name = "creation_timestamp", .column = "v.created_ms", .type = Type::kInteger},
              {.name = "last_updated_timestamp", .column = "v.updated_ms", .type = Type::kInteger},
          },
      .collections = {{.words = {"tag", "tags"},
                       .table = "model_version_tags",
                       .owner = "version_number",
                       .owner_column = "v.version_number",
                       .implied_key = kPromptTag,
                       .implied_value = "false"}},
      .related = {},
      .default_order = {{"v.updated_ms", Type::kInteger, false},
                        {"m.name", Type::kText, true},
                        {"v.version", Type::kInteger, false}},
  };
  return kSearchable;
}

constexpr std::string_view kModelColumns =
    "m.model_number, m.last_version, m.name, m.description, m.created_ms, m.updated_ms";
constexpr int kModelColumnCount = 6;

ModelRow model_of(const sql::Row& row) {
  ModelRow out;
  out.number = row.integer(0);
  out.last_version = row.integer(1);
  out.model.name = row.string(2);
  out.model.description = row.string(3);
  out.model.created_ms = row.integer(4);
  out.model.updated_ms = row.integer(5);
  return out;
}

constexpr std::string_view kVersionColumns =
    "v.version_number, m.name, v.version, v.description, v.user_id, v.source, v.storage_uri, "
    "v.run_id, "
    "v.run_link, v.model_id, v.created_ms, v.updated_ms, v.stage";
constexpr int kVersionColumnCount = 13;
constexpr std::string_view kVersionTables =
    " FROM model_versions v JOIN registered_models m ON m.model_number = v.model_number";

VersionRow version_of(const sql::Row& row) {
  VersionRow out;
  out.number = row.integer(0);
  out.version.name = row.string(1);
  out.version.version = row.integer(2);
  out.version.description = row.string(3);
  out.version.user_id = row.string(4);
  out.version.source = row.string(5);
  out.version.storage_uri = row.string(6);
  out.version.run_id = row.string(7);
  out.version.run_link = row.string(8);
  out.version.model_id = row.string(9);
  out.version.created_ms = row.integer(10);
  out.version.updated_ms = row.integer(11);
  out.version.stage = parse_stage(row.text(12)).value_or(Stage::kNone);
  return out;
}

Result<std::int64_t> inserted_key(sql::Txn& txn, std::string_view statement,
                                  const sql::Params& params) {
  TRY(const auto key,
      txn.query_one(statement, params, [](const sql::Row& row) { return row.integer(0); }));
  if (!key) return internal("an insert returned no key");
  return *key;
}

Tag tag_of(const sql::Row& row) { return {row.string(0), row.string(1)}; }

Result<void> load(sql::Reader& reader, VersionRow& row) {
  TRY(row.version.tags,
      reader.query_all(
          "SELECT key, value FROM model_version_tags WHERE version_number = $1 ORDER BY key",
          {row.number}, tag_of));
  TRY(row.version.aliases,
      reader.query_all(R"(
      SELECT a.alias FROM model_aliases a JOIN model_versions v
        ON v.model_number = a.model_number AND v.version = a.version
      WHERE v.version_number = $1 ORDER BY a.alias)",
                       {row.number}, [](const sql::Row& alias) { return alias.string(0); }));
  return {};
}

Result<void> load(sql::Reader& reader, ModelRow& row) {
  TRY(row.model.tags,
      reader.query_all(
          "SELECT key, value FROM registered_model_tags WHERE model_number = $1 ORDER BY key",
          {row.number}, tag_of));
  TRY(row.model.aliases,
      reader.query_all(
          "SELECT alias, version FROM model_aliases WHERE model_number = $1 ORDER BY alias",
          {row.number}, [](const sql::Row& alias) {
            return Alias{alias.string(0), alias.integer(1)};
          }));
  TRY(auto latest,
      reader.query_all("SELECT " + std::string(kVersionColumns) + std::string(kVersionTables) + R"(
      WHERE v.model_number = $1 AND v.version IN
        (SELECT MAX(version) FROM model_versions WHERE model_number = $1 GROUP BY stage)
      ORDER BY v.version)",
                       {row.number}, version_of));
  for (auto& version : latest) {
    TRY(load(reader, version));
    row.model.latest_versions.push_back(std::move(version.version));
  }
  return {};
}

// The rows of a page, and its token.
template <class Row, class Map>
Result<std::pair<std::vector<Row>, std::string>> page_of(
    sql::Reader& reader, const std::string& statement, const Parameters& parameters,
    const SearchPlan& plan, std::int64_t max_results, int column_count, Map map) {
  std::pair<std::vector<Row>, std::string> out;
  std::string last_token;
  TRY(reader.query(statement, parameters.params(), [&](const sql::Row& row) -> Result<void> {
    if (std::ssize(out.first) == max_results) {
      out.second = std::move(last_token);
      return {};
    }
    out.first.push_back(map(row));
    if (std::ssize(out.first) == max_results) last_token = plan.token(row, column_count);
    return {};
  }));
  for (auto& row : out.first) TRY(load(reader, row));
  return out;
}

}  // namespace

Result<std::int64_t> insert_model(sql::Txn& txn, std::string_view workspace,
                                  const RegisteredModel& model) {
  return inserted_key(txn, R"(
      INSERT INTO registered_models (workspace, name, description, last_version, created_ms, updated_ms)
      VALUES ($1, $2, $3, 0, $4, $4) RETURNING model_number)",
                      {workspace, model.name, model.description, model.created_ms});
}

Result<std::optional<ModelRow>> find_model(sql::Reader& reader, std::string_view workspace,
                                           std::string_view name) {
  TRY(auto found, reader.query_one("SELECT " + std::string(kModelColumns) +
                                       " FROM registered_models m WHERE m.workspace = $1 AND "
                                       "m.name = $2",
                                   {workspace, name}, model_of));
  if (found) TRY(load(reader, *found));
  return found;
}

Result<void> update_model(sql::Txn& txn, const ModelRow& changed) {
  TRY(txn.execute(R"(
      UPDATE registered_models SET name = $2, description = $3, last_version = $4, updated_ms = $5
      WHERE model_number = $1)",
                  {changed.number, changed.model.name, changed.model.description,
                   changed.last_version, changed.model.updated_ms}));
  return {};
}

Result<void> delete_model(sql::Txn& txn, std::int64_t model) {
  TRY(txn.execute(R"(
      DELETE FROM model_version_tags WHERE version_number IN
        (SELECT version_number FROM model_versions WHERE model_number = $1))",
                  {model}));
  for (const std::string_view statement :
       {"DELETE FROM model_versions WHERE model_number = $1",
        "DELETE FROM model_aliases WHERE model_number = $1",
        "DELETE FROM registered_model_tags WHERE model_number = $1",
        "DELETE FROM registered_models WHERE model_number = $1"}) {
    TRY(txn.execute(statement, {model}));
  }
  return {};
}

Result<void> put_model_tags(sql::Txn& txn, std::int64_t model, std::span<const Tag> tags) {
  if (tags.empty()) return {};
  std::vector<sql::Params> rows;
  for (const auto& tag : tags) rows.push_back({model, tag.key, tag.value});
  TRY(txn.execute_many(R"(
      INSERT INTO registered_model_tags (model_number, key, value) VALUES ($1, $2, $3)
      ON CONFLICT (model_number, key) DO UPDATE SET value = excluded.value)",
                       rows));
  return {};
}

Result<bool> remove_model_tag(sql::Txn& txn, std::int64_t model, std::string_view key) {
  TRY(const std::int64_t removed,
      txn.execute("DELETE FROM registered_model_tags WHERE model_number = $1 AND key = $2",
                  {model, key}));
  return removed > 0;
}

Result<Page<RegisteredModel>> search_models(sql::Reader& reader, std::string_view workspace,
                                            const SearchText& text, std::int64_t max_results) {
  Parameters parameters;
  const std::string in_workspace = parameters.add(std::string(workspace));
  TRY(const SearchPlan plan, plan_search(model_search(), text, parameters));
  const std::string limit = parameters.add(max_results + 1);
  const std::string statement = "SELECT " + std::string(kModelColumns) + plan.keys +
                                " FROM registered_models m" + plan.joins +
                                " WHERE m.workspace = " + in_workspace + plan.where + " ORDER BY " +
                                plan.order + " LIMIT " + limit;
  TRY(auto found, page_of<ModelRow>(reader, statement, parameters, plan, max_results,
                                    kModelColumnCount, model_of));
  Page<RegisteredModel> page;
  page.next_page_token = std::move(found.second);
  for (auto& row : found.first) page.items.push_back(std::move(row.model));
  return page;
}

Result<std::int64_t> insert_version(sql::Txn& txn, std::int64_t model,
                                    const ModelVersion& version) {
  return inserted_key(txn, R"(
      INSERT INTO model_versions (model_number, version, description, user_id, source, storage_uri,
        run_id, run_link, model_id, created_ms, updated_ms)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10) RETURNING version_number)",
                      {model, version.version, version.description, version.user_id, version.source,
                       version.storage_uri, version.run_id, version.run_link, version.model_id,
                       version.created_ms});
}

Result<std::optional<VersionRow>> find_version(sql::Reader& reader, std::string_view workspace,
                                               std::string_view name, std::int64_t version) {
  TRY(auto found,
      reader.query_one("SELECT " + std::string(kVersionColumns) + std::string(kVersionTables) +
                           " WHERE m.workspace = $1 AND m.name = $2 AND v.version = $3",
                       {workspace, name, version}, version_of));
  if (found) TRY(load(reader, *found));
  return found;
}

Result<void> update_version(sql::Txn& txn, const VersionRow& changed) {
  TRY(txn.execute(
      R"(UPDATE model_versions SET description = $2, updated_ms = $3, stage = $4
      WHERE version_number = $1)",
      {changed.number, changed.version.description, changed.version.updated_ms,
       name_of(changed.version.stage)}));
  return {};
}

Result<std::vector<std::int64_t>> archive_others(sql::Txn& txn, const ModelRow& model,
                                                 const VersionRow& keep, Stage stage,
                                                 std::int64_t now_ms) {
  return txn.query_all(
      R"(
      UPDATE model_versions SET stage = $1, updated_ms = $2
      WHERE model_number = $3 AND stage = $4 AND version_number <> $5 RETURNING version)",
      {name_of(Stage::kArchived), now_ms, model.number, name_of(stage), keep.number},
      [](const sql::Row& row) { return row.integer(0); });
}

Result<void> delete_version(sql::Txn& txn, const VersionRow& row) {
  TRY(txn.execute("DELETE FROM model_version_tags WHERE version_number = $1", {row.number}));
  TRY(txn.execute("DELETE FROM model_versions WHERE version_number = $1", {row.number}));
  return {};
}

Result<void> put_version_tags(sql::Txn& txn, std::int64_t version, std::span<const Tag> tags) {
  if (tags.empty()) return {};
  std::vector<sql::Params> rows;
  for (const auto& tag : tags) rows.push_back({version, tag.key, tag.value});
  TRY(txn.execute_many(R"(
      INSERT INTO model_version_tags (version_number, key, value) VALUES ($1, $2, $3)
      ON CONFLICT (version_number, key) DO UPDATE SET value = excluded.value)",
                       rows));
  return {};
}

Result<bool> remove_version_tag(sql::Txn& txn, std::int64_t version, std::string_view key) {
  TRY(const std::int64_t removed,
      txn.execute("DELETE FROM model_version_tags WHERE version_number = $1 AND key = $2",
                  {version, key}));
  return removed > 0;
}

Result<Page<ModelVersion>> search_versions(sql::Reader& reader, std::string_view workspace,
                                           const SearchText& text, std::int64_t max_results) {
  Parameters parameters;
  const std::string in_workspace = parameters.add(std::string(workspace));
  TRY(const SearchPlan plan, plan_search(version_search(), text, parameters));
  const std::string limit = parameters.add(max_results + 1);
  const std::string statement = "SELECT " + std::string(kVersionColumns) + plan.keys +
                                std::string(kVersionTables) + plan.joins +
                                " WHERE m.workspace = " + in_workspace + plan.where + " ORDER BY " +
                                plan.order + " LIMIT " + limit;
  TRY(auto found, page_of<VersionRow>(reader, statement, parameters, plan, max_results,
                                      kVersionColumnCount, version_of));
  Page<ModelVersion> page;
  page.next_page_token = std::move(found.second);
  for (auto& row : found.first) page.items.push_back(std::move(row.version));
  return page;
}

Result<std::optional<std::int64_t>> find_alias(sql::Reader& reader, std::int64_t model,
                                               std::string_view alias) {
  return reader.query_one(
      "SELECT version FROM model_aliases WHERE model_number = $1 AND alias = $2", {model, alias},
      [](const sql::Row& row) { return row.integer(0); });
}

Result<void> put_alias(sql::Txn& txn, std::int64_t model, std::string_view alias,
                       std::optional<std::int64_t> version) {
  if (!version) {
    TRY(txn.execute("DELETE FROM model_aliases WHERE model_number = $1 AND alias = $2",
                    {model, alias}));
    return {};
  }
  TRY(txn.execute(R"(
      INSERT INTO model_aliases (model_number, alias, version) VALUES ($1, $2, $3)
      ON CONFLICT (model_number, alias) DO UPDATE SET version = excluded.version)",
                  {model, alias, *version}));
  return {};
}

Result<void> append_move(sql::Txn& txn, std::int64_t model, const AliasMove& move) {
  TRY(txn.execute(R"(
      INSERT INTO alias_moves (model_number, name, alias, version, previous, time_ms, caller, reason)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8))",
                  {model, move.name, move.alias, sql::param(move.version),
                   sql::param(move.previous), move.time_ms, move.caller, move.reason}));
  return {};
}

Result<std::vector<AliasMove>> list_moves(sql::Reader& reader, std::int64_t model,
                                          std::string_view alias, std::int64_t limit) {
  return reader.query_all(R"(
      SELECT move, name, alias, version, previous, time_ms, caller, reason FROM alias_moves
      WHERE model_number = $1 AND ($2 = '' OR alias = $2) ORDER BY move DESC LIMIT $3)",
                          {model, alias, limit}, [](const sql::Row& row) {
                            return AliasMove{row.integer(0),          row.string(1),
                                             row.string(2),           row.optional_integer(3),
                                             row.optional_integer(4), row.integer(5),
                                             row.string(6),           row.string(7)};
                          });
}

Result<void> visit_origins(sql::Reader& reader,
                           const std::function<Result<void>(const VersionOrigin&)>& on_origin) {
  return reader.query(
      R"(
      SELECT m.workspace, m.name, v.version, v.run_id, v.model_id, v.source, v.storage_uri
      FROM model_versions v JOIN registered_models m ON m.model_number = v.model_number)",
      {}, [&](const sql::Row& row) {
        return on_origin({row.string(0), row.string(1), row.integer(2), row.string(3),
                          row.string(4), row.string(5), row.string(6)});
      });
}

}  // namespace ciclo::registry::store
