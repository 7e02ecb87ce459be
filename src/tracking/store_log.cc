// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iterator>
#include <map>
#include <numeric>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "base/text.h"
#include "tracking/store.h"

namespace ciclo::tracking::store {

namespace {

// Orders the points of a series by what makes the latest: (step, timestamp, value).
struct Latest {
  std::int64_t step = 0;
  std::int64_t timestamp_ms = 0;
  StoredValue value;

  friend bool operator<(const Latest& a, const Latest& b) {
    return std::tie(a.step, a.timestamp_ms, a.value.value) <
           std::tie(b.step, b.timestamp_ms, b.value.value);
  }
};

Latest latest_of(const Metric& metric) {
  return {metric.step, metric.timestamp_ms, stored(metric.value)};
}

// A key of the batch: its points, the greatest among them, and its series in the database.
struct Series {
  std::vector<const Metric*> points;
  Latest latest;
  std::int64_t number = 0;
  bool must_update = false;
};

using SeriesByKey = std::map<std::string_view, Series>;

SeriesByKey group_by_key(std::span<const Metric> metrics) {
  SeriesByKey by_key;
  for (const auto& metric : metrics) {
    Series& series = by_key[metric.key];
    const Latest candidate = latest_of(metric);
    if (series.points.empty() || series.latest < candidate) series.latest = candidate;
    series.points.push_back(&metric);
  }
  return by_key;
}

void take_series(SeriesByKey& by_key, const sql::Row& row, int first_column) {
  const auto found = by_key.find(row.text(first_column));
  if (found == by_key.end()) return;
  const Latest known{row.integer(first_column + 2),
                     row.integer(first_column + 3),
                     {row.number(first_column + 4), 0}};
  found->second.number = row.integer(first_column + 1);
  found->second.must_update = known < found->second.latest;
}

// With many keys it is cheaper to read all series of the run than to name them.
Result<void> find_series(sql::Txn& txn, Number run, SeriesByKey& by_key) {
  constexpr std::size_t kNamedMax = 16;
  std::string statement =
      "SELECT key, series, step, timestamp_ms, value FROM metric_series WHERE run_number = $1";
  sql::Params params = {run};
  if (by_key.size() <= kNamedMax) {
    std::string list;
    for (const auto& [key, series] : by_key) {
      params.emplace_back(key);
      list += (list.empty() ? "$" : ", $") + std::to_string(params.size());
    }
    statement += " AND key IN (" + list + ")";
  }
  return txn.query(statement, params, [&](const sql::Row& row) -> Result<void> {
    take_series(by_key, row, 0);
    return {};
  });
}

// A concurrent transaction may have made the series since we looked; then its latest point decides.
Result<void> insert_missing_series(sql::Txn& txn, const RunRow& run, SeriesByKey& by_key) {
  for (auto& [key, series] : by_key) {
    if (series.number != 0) continue;
    TRY(txn.query(R"(
        INSERT INTO metric_series (run_number, key, step, timestamp_ms, value, is_nan, experiment_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (run_number, key) DO UPDATE SET key = excluded.key
        RETURNING key, series, step, timestamp_ms, value)",
                  {run.number, key, series.latest.step, series.latest.timestamp_ms,
                   series.latest.value.value, series.latest.value.is_nan, run.experiment},
                  [&](const sql::Row& row) -> Result<void> {
                    take_series(by_key, row, 0);
                    return {};
                  }));
  }
  return {};
}

Result<void> update_latest(sql::Txn& txn, const SeriesByKey& by_key) {
  std::vector<sql::Params> rows;
  for (const auto& [key, series] : by_key) {
    if (!series.must_update) continue;
    const Latest& latest = series.latest;
    rows.push_back(
        {series.number, latest.step, latest.timestamp_ms, latest.value.value, latest.value.is_nan});
  }
  if (rows.empty()) return {};
  TRY(txn.execute_many(R"(
      UPDATE metric_series SET step = $2, timestamp_ms = $3, value = $4, is_nan = $5
      WHERE series = $1 AND (step, timestamp_ms, value) < ($2, $3, $4))",
                       rows));
  return {};
}

Result<void> insert_points(sql::Txn& txn, const SeriesByKey& by_key, std::size_t count) {
  std::vector<sql::Params> rows;
  rows.reserve(count);
  for (const auto& [key, series] : by_key) {
    for (const Metric* metric : series.points) {
      const StoredValue value = stored(metric->value);
      rows.push_back(
          {series.number, metric->timestamp_ms, metric->step, value.value, value.is_nan});
    }
  }
  TRY(txn.execute_many(R"(
      INSERT INTO metric_points (series, timestamp_ms, step, value, is_nan)
      VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING)",
                       rows));
  return {};
}

Metric point_of(const sql::Row& row, std::string_view key) {
  Metric metric;
  metric.key = std::string(key);
  metric.timestamp_ms = row.integer(0);
  metric.step = row.integer(1);
  metric.value = restored(row.number(2), row.boolean(3));
  return metric;
}

Result<std::optional<std::int64_t>> series_number(sql::Reader& reader, Number run,
                                                  std::string_view key) {
  return reader.query_one("SELECT series FROM metric_series WHERE run_number = $1 AND key = $2",
                          {run, key}, [](const sql::Row& row) { return row.integer(0); });
}

}  // namespace

Result<void> append_metrics(sql::Txn& txn, const RunRow& run, std::span<const Metric> metrics) {
  if (metrics.empty()) return {};
  SeriesByKey by_key = group_by_key(metrics);
  TRY(find_series(txn, run.number, by_key));
  TRY(insert_missing_series(txn, run, by_key));
  TRY(update_latest(txn, by_key));
  return insert_points(txn, by_key, metrics.size());
}

Error changed_param(const Param& param, std::string_view existing) {
  return invalid_argument("param " + quoted(param.key) + " was logged already with value " +
                          quoted(existing) + " and cannot change to " + quoted(param.value) +
                          ": params are immutable");
}

Result<void> insert_params(sql::Txn& txn, const RunRow& run, std::span<const Param> params) {
  if (params.empty()) return {};
  std::vector<sql::Params> rows;
  for (const auto& param : params) {
    rows.push_back({run.number, param.key, param.value, run.experiment});
  }
  TRY(const std::int64_t inserted, txn.execute_many(R"(
      INSERT INTO run_params (run_number, key, value, experiment_id) VALUES ($1, $2, $3, $4)
      ON CONFLICT (run_number, key) DO NOTHING)",
                                                    rows));
  if (inserted == std::ssize(params)) return {};
  for (const auto& param : params) {
    TRY(const auto existing,
        txn.query_one("SELECT value FROM run_params WHERE run_number = $1 AND key = $2",
                      {run.number, param.key}, [](const sql::Row& row) { return row.string(0); }));
    if (existing != param.value) return changed_param(param, existing.value_or(""));
  }
  return {};
}

Result<void> put_tags(sql::Txn& txn, const RunRow& run, std::span<const Tag> tags) {
  if (tags.empty()) return {};
  std::vector<sql::Params> rows;
  for (const auto& tag : tags) rows.push_back({run.number, tag.key, tag.value, run.experiment});
  TRY(txn.execute_many(R"(
      INSERT INTO run_tags (run_number, key, value, experiment_id) VALUES ($1, $2, $3, $4)
      ON CONFLICT (run_number, key) DO UPDATE SET value = excluded.value)",
                       rows));
  return {};
}

Result<bool> remove_tag(sql::Txn& txn, Number run, std::string_view key) {
  TRY(const std::int64_t removed,
      txn.execute("DELETE FROM run_tags WHERE run_number = $1 AND key = $2", {run, key}));
  return removed > 0;
}

Result<void> put_dataset_input(sql::Txn& txn, std::int64_t experiment, Number run,
                               const DatasetInput& dataset) {
  TRY(const auto number,
      txn.query_one(R"(
      INSERT INTO logged_datasets (experiment_id, name, digest, source_type, source, schema_text, profile)
      VALUES ($1, $2, $3, $4, $5, $6, $7)
      ON CONFLICT (experiment_id, name, digest) DO UPDATE SET name = excluded.name
      RETURNING logged_dataset)",
                    {experiment, dataset.name, dataset.digest, dataset.source_type, dataset.source,
                     sql::param(dataset.schema), sql::param(dataset.profile)},
                    [](const sql::Row& row) { return row.integer(0); }));
  if (!number) return internal("an insert returned no key");
  TRY(txn.execute(R"(
      INSERT INTO run_datasets (run_number, logged_dataset) VALUES ($1, $2) ON CONFLICT DO NOTHING)",
                  {run, *number}));
  std::vector<sql::Params> rows;
  for (const auto& tag : dataset.tags) rows.push_back({run, *number, tag.key, tag.value});
  if (rows.empty()) return {};
  TRY(txn.execute_many(R"(
      INSERT INTO run_dataset_tags (run_number, logged_dataset, key, value) VALUES ($1, $2, $3, $4)
      ON CONFLICT (run_number, logged_dataset, key) DO UPDATE SET value = excluded.value)",
                       rows));
  return {};
}

Result<std::vector<DatasetSummary>> list_datasets(sql::Reader& reader, std::string_view workspace,
                                                  std::span<const ExperimentId> experiments,
                                                  std::int64_t limit) {
  std::vector<DatasetSummary> out;
  TRY(const auto visible, visible_experiments(reader, workspace, experiments));
  if (visible.empty()) return out;
  Parameters parameters;
  const std::string list = placeholders(parameters, visible);
  const std::string at_most = parameters.add(limit);
  return reader.query_all(
      "SELECT DISTINCT d.experiment_id, d.name, d.digest, COALESCE(t.value, '') "
      "FROM logged_datasets d JOIN run_datasets i ON i.logged_dataset = d.logged_dataset "
      "LEFT JOIN run_dataset_tags t ON t.run_number = i.run_number AND "
      "t.logged_dataset = i.logged_dataset AND t.key = 'mlflow.data.context' "
      "WHERE d.experiment_id IN (" +
          list + ") ORDER BY 1, 2, 3, 4 LIMIT " + at_most,
      parameters.params(), [](const sql::Row& row) {
        return DatasetSummary{ExperimentId(std::to_string(row.integer(0))), row.string(1),
                              row.string(2), row.string(3)};
      });
}

Result<void> put_model_reference(sql::Txn& txn, Number run, Direction direction,
                                 const ModelReference& model) {
  const std::string_view word = direction == Direction::kInput ? "input" : "output";
  TRY(txn.execute(R"(
      INSERT INTO run_models (run_number, direction, model_id, step) VALUES ($1, $2, $3, $4)
      ON CONFLICT (run_number, direction, model_id) DO UPDATE SET step = excluded.step)",
                  {run, word, model.model_id.str(), model.step}));
  return {};
}

Result<void> read_points(sql::Reader& reader, Number run, std::string_view key, const Metric* after,
                         std::int64_t limit,
                         const std::function<Result<void>(const Metric&)>& point) {
  TRY(const auto series, series_number(reader, run, key));
  if (!series) return {};
  std::string statement =
      "SELECT timestamp_ms, step, value, is_nan FROM metric_points WHERE series = $1";
  sql::Params params = {*series};
  if (after != nullptr) {
    const StoredValue value = stored(after->value);
    statement += " AND (timestamp_ms, step, value, is_nan) > ($2, $3, $4, $5)";
    params.insert(params.end(), {after->timestamp_ms, after->step, value.value, value.is_nan});
  }
  params.emplace_back(limit);
  statement +=
      " ORDER BY timestamp_ms, step, value, is_nan LIMIT $" + std::to_string(params.size());
  return reader.query(statement, params,
                      [&](const sql::Row& row) { return point(point_of(row, key)); });
}

namespace {

// Where the k-th of at most `wanted` samples of `total` points stands. As MLflow's server has it:
// the points in as many groups as samples, the first groups one larger when they do not come out
// even; of each group its first point, of the last group its last.
std::int64_t sample_index(std::int64_t k, std::int64_t total, std::int64_t wanted) {
  if (total <= wanted) return k;
  if (k >= wanted - 1) return k == wanted - 1 ? total - 1 : total;
  return k * (total / wanted) + std::min(k, total % wanted);
}

}  // namespace

Result<std::vector<Metric>> sample_points(sql::Reader& reader, Number run, std::string_view key,
                                          std::int64_t step_min, std::int64_t step_max,
                                          std::int64_t points_max) {
  std::vector<Metric> points;
  TRY(const auto series, series_number(reader, run, key));
  if (!series) return points;
  TRY(const auto count,
      reader.query_one(
          "SELECT COUNT(*) FROM metric_points WHERE series = $1 AND step >= $2 AND step <= $3",
          {*series, step_min, step_max}, [](const sql::Row& row) { return row.integer(0); }));
  const std::int64_t total = count.value_or(0);
  std::int64_t index = 0;
  TRY(reader.query(R"(
      SELECT timestamp_ms, step, value, is_nan FROM metric_points
      WHERE series = $1 AND step >= $2 AND step <= $3 ORDER BY step, timestamp_ms, value, is_nan)",
                   {*series, step_min, step_max}, [&](const sql::Row& row) -> Result<void> {
                     if (index++ == sample_index(std::ssize(points), total, points_max)) {
                       points.push_back(point_of(row, key));
                     }
                     return {};
                   }));
  return points;
}

Result<void> load_run_data(sql::Reader& reader, std::span<const Number> runs, std::span<Run> out) {
  std::unordered_map<Number, Run*> by_number;
  for (std::size_t i = 0; i < runs.size(); ++i) by_number[runs[i]] = &out[i];
  const auto load = [&](std::string_view select, std::string_view order, auto&& take) {
    return in_chunks(runs, [&](std::span<const Number> some) {
      Parameters parameters;
      const std::string statement =
          std::string(select) + " (" + placeholders(parameters, some) + ") " + std::string(order);
      return reader.query(statement, parameters.params(), [&](const sql::Row& row) -> Result<void> {
        take(*by_number[row.integer(0)], row);
        return {};
      });
    });
  };
  TRY(
      load("SELECT run_number, key, value, is_nan, timestamp_ms, step FROM metric_series "
           "WHERE run_number IN",
           "ORDER BY run_number, key", [](Run& run, const sql::Row& row) {
             Metric& metric = run.metrics.emplace_back();
             metric.key = row.string(1);
             metric.value = restored(row.number(2), row.boolean(3));
             metric.timestamp_ms = row.integer(4);
             metric.step = row.integer(5);
           }));
  TRY(load("SELECT run_number, key, value FROM run_params WHERE run_number IN",
           "ORDER BY run_number, key", [](Run& run, const sql::Row& row) {
             run.params.push_back({row.string(1), row.string(2)});
           }));
  TRY(load("SELECT run_number, key, value FROM run_tags WHERE run_number IN",
           "ORDER BY run_number, key", [](Run& run, const sql::Row& row) {
             run.tags.push_back({row.string(1), row.string(2)});
           }));
  TRY(load("SELECT run_number, direction, model_id, step FROM run_models WHERE run_number IN",
           "ORDER BY run_number, model_id", [](Run& run, const sql::Row& row) {
             auto& list = row.text(1) == "input" ? run.model_inputs : run.model_outputs;
             list.push_back({LoggedModelId(row.string(2)), row.integer(3)});
           }));
  TRY(
      load("SELECT i.run_number, i.logged_dataset, d.name, d.digest, d.source_type, d.source, "
           "d.schema_text, d.profile FROM run_datasets i JOIN logged_datasets d "
           "ON d.logged_dataset = i.logged_dataset WHERE i.run_number IN",
           "ORDER BY i.run_number, i.logged_dataset", [](Run& run, const sql::Row& row) {
             DatasetInput& dataset = run.datasets.emplace_back();
             dataset.name = row.string(2);
             dataset.digest = row.string(3);
             dataset.source_type = row.string(4);
             dataset.source = row.string(5);
             dataset.schema = row.optional_string(6);
             dataset.profile = row.optional_string(7);
           }));
  return load(
      "SELECT t.run_number, d.name, d.digest, t.key, t.value FROM run_dataset_tags t "
      "JOIN logged_datasets d ON d.logged_dataset = t.logged_dataset WHERE t.run_number IN",
      "ORDER BY t.run_number, t.logged_dataset, t.key", [](Run& run, const sql::Row& row) {
        for (auto& dataset : run.datasets) {
          if (dataset.name == row.text(1) && dataset.digest == row.text(2)) {
            dataset.tags.push_back({row.string(3), row.string(4)});
          }
        }
      });
}

}  // namespace ciclo::tracking::store
