// SPDX-License-Identifier: Apache-2.0
#include <unordered_map>
#include <utility>

#include "base/text.h"
#include "tracking/store.h"

namespace ciclo::tracking::store {

namespace {

const Searchable& model_search() {
  using Type = Attribute::Type;
  static const Searchable kSearchable{
      .object = "logged model",
      .attribute_words = {"attribute", "attributes", "attr"},
      .attributes =
          {
              {.name = "name", .column = "m.name", .takes_list = true},
              {.name = "model_id", .column = "m.model_id", .takes_list = true},
              {.name = "model_type", .column = "m.model_type", .takes_list = true},
              {.name = "status", .column = "m.status", .takes_list = true},
              {.name = "source_run_id", .column = "m.source_run_id", .takes_list = true},
              {.name = "creation_timestamp", .column = "m.created_ms", .type = Type::kInteger},
              {.name = "creation_time", .column = "m.created_ms", .type = Type::kInteger},
              {.name = "last_updated_timestamp", .column = "m.updated_ms", .type = Type::kInteger},
              {.name = "last_updated_time", .column = "m.updated_ms", .type = Type::kInteger},
          },
      .collections = {{.words = {"metric", "metrics"},
                       .table = "logged_model_latest",
                       .owner = "model_number",
                       .owner_column = "m.model_number",
                       .type = Collection::Type::kMetric,
                       .rows_by_dataset = "logged_model_metrics"},
                      {.words = {"parameter", "parameters", "param", "params"},
                       .table = "logged_model_params",
                       .owner = "model_number",
                       .owner_column = "m.model_number"},
                      {.words = {"tag", "tags"},
                       .table = "logged_model_tags",
                       .owner = "model_number",
                       .owner_column = "m.model_number"}},
      .related = {},
      .default_order = {{"m.created_ms", Type::kInteger, false}, {"m.model_id", Type::kText, true}},
  };
  return kSearchable;
}

constexpr std::string_view kColumns =
    "m.model_number, m.model_id, m.experiment_id, m.name, m.model_type, m.source_run_id, "
    "m.artifact_location, m.status, m.status_message, m.created_ms, m.updated_ms";
constexpr int kColumnCount = 11;

ModelRow model_of(const sql::Row& row) {
  ModelRow out;
  out.number = row.integer(0);
  out.model.model_id = LoggedModelId(row.string(1));
  out.model.experiment_id = ExperimentId(std::to_string(row.integer(2)));
  out.model.name = row.string(3);
  out.model.model_type = row.string(4);
  out.model.source_run_id = RunId(row.string(5));
  out.model.artifact_location = row.string(6);
  out.model.status =
      parse_logged_model_status(row.text(7)).value_or(LoggedModelStatus::kUnspecified);
  out.model.status_message = row.string(8);
  out.model.created_ms = row.integer(9);
  out.model.updated_ms = row.integer(10);
  return out;
}

}  // namespace

Result<std::int64_t> insert_model(sql::Txn& txn, const LoggedModel& model) {
  TRY(const std::int64_t experiment, experiment_number(model.experiment_id));
  TRY(const auto number,
      txn.query_one(R"(
          INSERT INTO logged_models (model_id, experiment_id, name, model_type, source_run_id,
            artifact_location, status, status_message, lifecycle_stage, created_ms, updated_ms)
          VALUES ($1, $2, $3, $4, $5, $6, $7, '', 'active', $8, $8) RETURNING model_number)",
                    {model.model_id.str(), experiment, model.name, model.model_type,
                     model.source_run_id.str(), model.artifact_location, name_of(model.status),
                     model.created_ms},
                    [](const sql::Row& row) { return row.integer(0); }));
  if (!number) return internal("an insert returned no key");
  return *number;
}

Result<std::optional<ModelRow>> find_model(sql::Reader& reader, std::string_view workspace,
                                           const LoggedModelId& id) {
  TRY(auto found,
      reader.query_one("SELECT " + std::string(kColumns) +
                           " FROM logged_models m JOIN experiments e ON e.experiment_id = "
                           "m.experiment_id WHERE m.model_id = $1 AND e.workspace = $2 AND "
                           "m.lifecycle_stage = 'active'",
                       {id.str(), workspace}, model_of));
  if (found)
    TRY(load_model_data(reader, std::span(&found->number, 1), std::span(&found->model, 1)));
  return found;
}

Result<void> set_model_status(sql::Txn& txn, std::int64_t model, LoggedModelStatus status,
                              std::int64_t now_ms) {
  TRY(txn.execute("UPDATE logged_models SET status = $2, updated_ms = $3 WHERE model_number = $1",
                  {model, name_of(status), now_ms}));
  return {};
}

Result<bool> delete_model(sql::Txn& txn, std::string_view workspace, const LoggedModelId& id,
                          std::int64_t now_ms) {
  TRY(const std::int64_t found, txn.execute(R"(
      UPDATE logged_models SET lifecycle_stage = 'deleted',
        updated_ms = CASE WHEN lifecycle_stage = 'active' THEN $3 ELSE updated_ms END
      WHERE model_id = $1 AND
        experiment_id IN (SELECT experiment_id FROM experiments WHERE workspace = $2))",
                                            {id.str(), workspace, now_ms}));
  return found > 0;
}

Result<void> insert_model_params(sql::Txn& txn, std::int64_t model, std::span<const Param> params) {
  if (params.empty()) return {};
  std::vector<sql::Params> rows;
  for (const auto& param : params) rows.push_back({model, param.key, param.value});
  TRY(const std::int64_t inserted, txn.execute_many(R"(
      INSERT INTO logged_model_params (model_number, key, value) VALUES ($1, $2, $3)
      ON CONFLICT (model_number, key) DO NOTHING)",
                                                    rows));
  if (inserted == std::ssize(params)) return {};
  for (const auto& param : params) {
    TRY(const auto existing,
        txn.query_one("SELECT value FROM logged_model_params WHERE model_number = $1 AND key = $2",
                      {model, param.key}, [](const sql::Row& row) { return row.string(0); }));
    if (existing != param.value) return changed_param(param, existing.value_or(""));
  }
  return {};
}

Result<void> put_model_tags(sql::Txn& txn, std::int64_t model, std::span<const Tag> tags) {
  if (tags.empty()) return {};
  std::vector<sql::Params> rows;
  for (const auto& tag : tags) rows.push_back({model, tag.key, tag.value});
  TRY(txn.execute_many(R"(
      INSERT INTO logged_model_tags (model_number, key, value) VALUES ($1, $2, $3)
      ON CONFLICT (model_number, key) DO UPDATE SET value = excluded.value)",
                       rows));
  return {};
}

Result<bool> remove_model_tag(sql::Txn& txn, std::int64_t model, std::string_view key) {
  TRY(const std::int64_t removed,
      txn.execute("DELETE FROM logged_model_tags WHERE model_number = $1 AND key = $2",
                  {model, key}));
  return removed > 0;
}

Result<void> put_model_metrics(sql::Txn& txn, std::string_view workspace, const RunId& run,
                               std::span<const Metric> metrics) {
  std::unordered_map<std::string, std::int64_t> numbers;
  std::vector<sql::Params> rows;
  for (const auto& metric : metrics) {
    if (metric.model_id.empty()) continue;
    auto known = numbers.find(metric.model_id.str());
    if (known == numbers.end()) {
      TRY(const auto model, find_model(txn, workspace, metric.model_id));
      if (!model) {
        return not_found("metric " + quoted(metric.key) + ": no logged model with id " +
                         quoted(metric.model_id.str()) + " exists");
      }
      known = numbers.emplace(metric.model_id.str(), model->number).first;
    }
    const StoredValue value = stored(metric.value);
    rows.push_back({known->second, metric.key, run.str(), metric.dataset_name,
                    metric.dataset_digest, metric.step, metric.timestamp_ms, value.value,
                    value.is_nan});
  }
  return put_model_metric_rows(txn, rows);
}

Result<void> put_model_metric_rows(sql::Txn& txn, std::span<const sql::Params> rows) {
  return txn.write_many(R"(
      INSERT INTO logged_model_metrics AS m (model_number, key, run_id, dataset_name, dataset_digest,
        step, timestamp_ms, value, is_nan)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
      ON CONFLICT (model_number, key, run_id, dataset_name, dataset_digest) DO UPDATE SET
        step = excluded.step, timestamp_ms = excluded.timestamp_ms, value = excluded.value,
        is_nan = excluded.is_nan
      WHERE (m.step, m.timestamp_ms, m.value) < (excluded.step, excluded.timestamp_ms, excluded.value))",
                        rows);
}

Result<Page<LoggedModel>> search_models(sql::Reader& reader, std::string_view workspace,
                                        std::span<const ExperimentId> experiments,
                                        const SearchText& text, std::int64_t max_results) {
  Page<LoggedModel> page;
  Parameters parameters;
  TRY(const auto visible, visible_experiments(reader, workspace, experiments));
  const std::string in_experiments = placeholders(parameters, visible);
  TRY(const SearchPlan plan, plan_search(model_search(), text, parameters));
  if (visible.empty()) return page;
  const std::string limit = parameters.add(max_results + 1);
  const std::string statement =
      "SELECT " + std::string(kColumns) + plan.keys + " FROM logged_models m" + plan.joins +
      " WHERE m.experiment_id IN (" + in_experiments + ") AND m.lifecycle_stage = 'active'" +
      plan.where + " ORDER BY " + plan.order + " LIMIT " + limit;
  std::vector<std::int64_t> numbers;
  std::string last_token;
  TRY(reader.query(statement, parameters.params(), [&](const sql::Row& row) -> Result<void> {
    if (std::ssize(page.items) == max_results) {
      page.next_page_token = std::move(last_token);
      return {};
    }
    ModelRow model = model_of(row);
    numbers.push_back(model.number);
    page.items.push_back(std::move(model.model));
    if (std::ssize(page.items) == max_results) last_token = plan.token(row, kColumnCount);
    return {};
  }));
  TRY(load_model_data(reader, numbers, page.items));
  return page;
}

Result<void> load_model_data(sql::Reader& reader, std::span<const std::int64_t> models,
                             std::span<LoggedModel> out) {
  std::unordered_map<std::int64_t, LoggedModel*> by_number;
  for (std::size_t i = 0; i < models.size(); ++i) by_number[models[i]] = &out[i];
  const auto load = [&](std::string_view select, std::string_view order, auto&& take) {
    return in_chunks(models, [&](std::span<const std::int64_t> some) {
      Parameters parameters;
      const std::string statement =
          std::string(select) + " (" + placeholders(parameters, some) + ") " + std::string(order);
      return reader.query(statement, parameters.params(), [&](const sql::Row& row) -> Result<void> {
        take(*by_number[row.integer(0)], row);
        return {};
      });
    });
  };
  TRY(load("SELECT model_number, key, value FROM logged_model_params WHERE model_number IN",
           "ORDER BY model_number, key", [](LoggedModel& model, const sql::Row& row) {
             model.params.push_back({row.string(1), row.string(2)});
           }));
  TRY(load("SELECT model_number, key, value FROM logged_model_tags WHERE model_number IN",
           "ORDER BY model_number, key", [](LoggedModel& model, const sql::Row& row) {
             model.tags.push_back({row.string(1), row.string(2)});
           }));
  return load(
      "SELECT model_number, key, run_id, dataset_name, dataset_digest, step, timestamp_ms, value, "
      "is_nan FROM logged_model_metrics WHERE model_number IN",
      "ORDER BY model_number, key, run_id, dataset_name, dataset_digest",
      [](LoggedModel& model, const sql::Row& row) {
        auto& value = model.metrics.emplace_back();
        value.metric.key = row.string(1);
        value.run_id = RunId(row.string(2));
        value.metric.dataset_name = row.string(3);
        value.metric.dataset_digest = row.string(4);
        value.metric.step = row.integer(5);
        value.metric.timestamp_ms = row.integer(6);
        value.metric.value = restored(row.number(7), row.boolean(8));
        value.metric.model_id = model.model_id;
      });
}

}  // namespace ciclo::tracking::store
