// SPDX-License-Identifier: Apache-2.0
#include "tracking/store.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>
#include <utility>

#include "base/text.h"

namespace ciclo::tracking::store {

namespace {

const Searchable& experiment_search() {
  static const Searchable kSearchable{
      .object = "experiment",
      .attribute_words = {"attribute", "attributes", "attr"},
      .attributes =
          {
              {.name = "name", .column = "e.name"},
              {.name = "experiment_id",
               .column = "CAST(e.experiment_id AS TEXT)",
               .orderable = false,
               .takes_list = true},
              {.name = "experiment_id",
               .column = "e.experiment_id",
               .type = Attribute::Type::kInteger,
               .filterable = false},
              {.name = "creation_time",
               .column = "e.created_ms",
               .type = Attribute::Type::kInteger},
              {.name = "last_update_time",
               .column = "e.updated_ms",
               .type = Attribute::Type::kInteger},
          },
      .collections = {{.words = {"tag", "tags"},
                       .table = "experiment_tags",
                       .owner = "experiment_id",
                       .owner_column = "e.experiment_id",
                       .takes_null_test = true}},
      .related = {},
      .default_order = {{"e.created_ms", Attribute::Type::kInteger, false},
                        {"e.experiment_id", Attribute::Type::kInteger, false}},
  };
  return kSearchable;
}

constexpr std::string_view kDatasetExists =
    "EXISTS (SELECT 1 FROM run_datasets i JOIN logged_datasets d ON d.logged_dataset = "
    "i.logged_dataset WHERE i.run_number = r.run_number AND ";
constexpr std::string_view kContextExists =
    "EXISTS (SELECT 1 FROM run_dataset_tags t WHERE t.run_number = r.run_number AND t.key = "
    "'mlflow.data.context' AND ";

const Searchable& run_search() {
  using Type = Attribute::Type;
  static const Searchable kSearchable{
      .object = "run",
      .attribute_words = {"attribute", "attributes", "attr", "run"},
      .attributes =
          {
              {.name = "run_id", .column = "r.run_id", .takes_list = true},
              {.name = "run_name", .column = "r.name"},
              {.name = "run name", .column = "r.name"},
              {.name = "Run name", .column = "r.name"},
              {.name = "Run Name", .column = "r.name"},
              {.name = "status", .column = "r.status"},
              {.name = "user_id", .column = "r.user_id"},
              {.name = "artifact_uri", .column = "r.artifact_uri"},
              {.name = "start_time", .column = "r.start_ms", .type = Type::kInteger},
              {.name = "created", .column = "r.start_ms", .type = Type::kInteger},
              {.name = "Created", .column = "r.start_ms", .type = Type::kInteger},
              {.name = "end_time", .column = "r.end_ms", .type = Type::kInteger, .nullable = true},
          },
      .collections = {{.words = {"metric", "metrics"},
                       .table = "metric_series",
                       .owner = "run_number",
                       .owner_column = "r.run_number",
                       .type = Collection::Type::kMetric,
                       .scope = "experiment_id"},
                      {.words = {"parameter", "parameters", "param", "params"},
                       .table = "run_params",
                       .owner = "run_number",
                       .owner_column = "r.run_number",
                       .takes_null_test = true,
                       .scope = "experiment_id"},
                      {.words = {"tag", "tags"},
                       .table = "run_tags",
                       .owner = "run_number",
                       .owner_column = "r.run_number",
                       .takes_null_test = true,
                       .scope = "experiment_id"}},
      .related = {{.words = {"dataset", "datasets"},
                   .keys = {{"name", kDatasetExists, "d.name"},
                            {"digest", kDatasetExists, "d.digest"},
                            {"context", kContextExists, "t.value"}}}},
      .default_order = {{"r.start_ms", Type::kInteger, false}, {"r.run_id", Type::kText, true}},
  };
  return kSearchable;
}

std::string_view stage_condition(ViewType view, bool is_run) {
  switch (view) {
    case ViewType::kActiveOnly:
      return is_run ? " AND r.lifecycle_stage = 'active'" : " AND e.lifecycle_stage = 'active'";
    case ViewType::kDeletedOnly:
      return is_run ? " AND r.lifecycle_stage = 'deleted'" : " AND e.lifecycle_stage = 'deleted'";
    case ViewType::kAll: break;
  }
  return "";
}

constexpr std::string_view kExperimentColumns =
    "e.experiment_id, e.name, e.artifact_location, e.lifecycle_stage, e.created_ms, e.updated_ms, "
    "e.workspace";
constexpr int kExperimentColumnCount = 7;

LifecycleStage stage_of(std::string_view name) {
  return name == "deleted" ? LifecycleStage::kDeleted : LifecycleStage::kActive;
}

Experiment experiment_of(const sql::Row& row) {
  Experiment experiment;
  experiment.experiment_id = ExperimentId(std::to_string(row.integer(0)));
  experiment.name = row.string(1);
  experiment.artifact_location = row.string(2);
  experiment.lifecycle_stage = stage_of(row.text(3));
  experiment.created_ms = row.integer(4);
  experiment.updated_ms = row.integer(5);
  experiment.workspace = row.string(6);
  return experiment;
}

constexpr std::string_view kRunColumns =
    "r.run_number, r.run_id, r.experiment_id, r.name, r.user_id, r.status, r.start_ms, r.end_ms, "
    "r.lifecycle_stage, r.artifact_uri";
constexpr int kRunColumnCount = 10;

RunRow run_of(const sql::Row& row) {
  RunRow run;
  run.number = row.integer(0);
  run.experiment = row.integer(2);
  run.info.run_id = RunId(row.string(1));
  run.info.experiment_id = ExperimentId(std::to_string(row.integer(2)));
  run.info.name = row.string(3);
  run.info.user_id = row.string(4);
  run.info.status = parse_run_status(row.text(5)).value_or(RunStatus::kRunning);
  run.info.start_ms = row.integer(6);
  run.info.end_ms = row.optional_integer(7);
  run.info.lifecycle_stage = stage_of(row.text(8));
  run.info.artifact_uri = row.string(9);
  return run;
}

Result<std::int64_t> inserted_key(sql::Txn& txn, std::string_view statement,
                                  const sql::Params& params) {
  TRY(const auto key,
      txn.query_one(statement, params, [](const sql::Row& row) { return row.integer(0); }));
  if (!key) return internal("an insert returned no key");
  return *key;
}

Result<void> load_experiment_tags(sql::Reader& reader, std::span<Experiment> experiments) {
  std::unordered_map<std::int64_t, Experiment*> by_number;
  std::vector<std::int64_t> numbers;
  for (auto& experiment : experiments) {
    TRY(const std::int64_t number, experiment_number(experiment.experiment_id));
    by_number[number] = &experiment;
    numbers.push_back(number);
  }
  return in_chunks(numbers, [&](std::span<const std::int64_t> some) {
    Parameters parameters;
    const std::string list = placeholders(parameters, some);
    return reader.query(
        "SELECT experiment_id, key, value FROM experiment_tags WHERE experiment_id IN (" + list +
            ") ORDER BY experiment_id, key",
        parameters.params(), [&](const sql::Row& row) -> Result<void> {
          by_number[row.integer(0)]->tags.push_back({row.string(1), row.string(2)});
          return {};
        });
  });
}

}  // namespace

Result<std::vector<std::int64_t>> visible_experiments(sql::Reader& reader,
                                                      std::string_view workspace,
                                                      std::span<const ExperimentId> experiments) {
  Parameters parameters;
  std::vector<std::int64_t> numbers;
  for (const auto& id : experiments) {
    TRY(const std::int64_t number, experiment_number(id));
    numbers.push_back(number);
  }
  if (numbers.empty()) return numbers;
  const std::string in_workspace = parameters.add(std::string(workspace));
  const std::string list = placeholders(parameters, numbers);
  return reader.query_all("SELECT experiment_id FROM experiments WHERE workspace = " +
                              in_workspace + " AND experiment_id IN (" + list + ")",
                          parameters.params(), [](const sql::Row& row) { return row.integer(0); });
}

Result<std::int64_t> experiment_number(const ExperimentId& id) {
  const auto number = parse_int(id.str());
  if (!number || *number < 0) {
    return invalid_argument("invalid experiment id " + quoted(id.str()) + ": expected an integer");
  }
  return *number;
}

std::string placeholders(Parameters& parameters, std::span<const std::int64_t> numbers) {
  std::string list;
  for (const std::int64_t number : numbers) {
    list += (list.empty() ? "" : ", ") + parameters.add(number);
  }
  return list;
}

Result<void> in_chunks(std::span<const std::int64_t> numbers,
                       const std::function<Result<void>(std::span<const std::int64_t>)>& chunk) {
  constexpr std::size_t kChunk = 500;
  for (std::size_t start = 0; start < numbers.size(); start += kChunk) {
    TRY(chunk(numbers.subspan(start, std::min(kChunk, numbers.size() - start))));
  }
  return {};
}

StoredValue stored(double value) {
  if (std::isnan(value)) return {0, 1};
  constexpr double kMax = std::numeric_limits<double>::max();
  // Where -0 is equal to 0 in a key, one of them would hide the other: there is one zero.
  return {std::clamp(value, -kMax, kMax) + 0.0, 0};
}

double restored(double value, bool is_nan) {
  return is_nan ? std::numeric_limits<double>::quiet_NaN() : value;
}

Result<std::int64_t> insert_experiment(sql::Txn& txn, std::string_view workspace,
                                       const Experiment& experiment) {
  return inserted_key(
      txn, R"(
      INSERT INTO experiments (workspace, name, artifact_location, lifecycle_stage, created_ms, updated_ms)
      VALUES ($1, $2, $3, 'active', $4, $4) RETURNING experiment_id)",
      {workspace, experiment.name, experiment.artifact_location, experiment.created_ms});
}

Result<void> set_artifact_location(sql::Txn& txn, std::int64_t number, std::string_view location) {
  TRY(txn.execute("UPDATE experiments SET artifact_location = $2 WHERE experiment_id = $1",
                  {number, location}));
  return {};
}

Result<std::optional<Experiment>> find_experiment_row(sql::Reader& reader,
                                                      std::string_view workspace,
                                                      std::int64_t number) {
  static const std::string kStatement =
      "SELECT " + std::string(kExperimentColumns) +
      " FROM experiments e WHERE e.experiment_id = $1 AND e.workspace = $2";
  return reader.query_one(kStatement, {number, workspace}, experiment_of);
}

Result<std::optional<Experiment>> find_experiment(sql::Reader& reader, std::string_view workspace,
                                                  std::int64_t number) {
  TRY(auto found, find_experiment_row(reader, workspace, number));
  if (found) TRY(load_experiment_tags(reader, std::span(&*found, 1)));
  return found;
}

Result<std::optional<Experiment>> find_experiment_by_name(sql::Reader& reader,
                                                          std::string_view workspace,
                                                          std::string_view name) {
  TRY(auto found, reader.query_one("SELECT " + std::string(kExperimentColumns) +
                                       " FROM experiments e WHERE e.workspace = $1 AND e.name = $2",
                                   {workspace, name}, experiment_of));
  if (found) TRY(load_experiment_tags(reader, std::span(&*found, 1)));
  return found;
}

Result<void> rename_experiment(sql::Txn& txn, std::int64_t number, std::string_view name,
                               std::int64_t now_ms) {
  TRY(txn.execute("UPDATE experiments SET name = $2, updated_ms = $3 WHERE experiment_id = $1",
                  {number, name, now_ms}));
  return {};
}

Result<void> delete_experiment(sql::Txn& txn, std::int64_t number, std::int64_t now_ms) {
  TRY(txn.execute(R"(
      UPDATE experiments SET lifecycle_stage = 'deleted', updated_ms = $2, deleted_ms = $2
      WHERE experiment_id = $1)",
                  {number, now_ms}));
  TRY(txn.execute(R"(
      UPDATE runs SET lifecycle_stage = 'deleted', deleted_ms = $2
      WHERE experiment_id = $1 AND lifecycle_stage = 'active')",
                  {number, now_ms}));
  return {};
}

Result<void> restore_experiment(sql::Txn& txn, std::int64_t number, std::int64_t now_ms) {
  TRY(txn.execute(R"(
      UPDATE runs SET lifecycle_stage = 'active', deleted_ms = NULL
      WHERE experiment_id = $1
        AND deleted_ms = (SELECT deleted_ms FROM experiments WHERE experiment_id = $1))",
                  {number}));
  TRY(txn.execute(R"(
      UPDATE experiments SET lifecycle_stage = 'active', updated_ms = $2, deleted_ms = NULL
      WHERE experiment_id = $1)",
                  {number, now_ms}));
  return {};
}

Result<void> put_experiment_tags(sql::Txn& txn, std::int64_t number, std::span<const Tag> tags) {
  std::vector<sql::Params> rows;
  for (const auto& tag : tags) rows.push_back({number, tag.key, tag.value});
  TRY(txn.execute_many(R"(
      INSERT INTO experiment_tags (experiment_id, key, value) VALUES ($1, $2, $3)
      ON CONFLICT (experiment_id, key) DO UPDATE SET value = excluded.value)",
                       rows));
  return {};
}

Result<bool> remove_experiment_tag(sql::Txn& txn, std::int64_t number, std::string_view key) {
  TRY(const std::int64_t removed,
      txn.execute("DELETE FROM experiment_tags WHERE experiment_id = $1 AND key = $2",
                  {number, key}));
  return removed > 0;
}

Result<Page<Experiment>> search_experiments(sql::Reader& reader, std::string_view workspace,
                                            ViewType view, const SearchText& text,
                                            std::int64_t max_results) {
  Parameters parameters;
  const std::string in_workspace = parameters.add(std::string(workspace));
  TRY(const SearchPlan plan, plan_search(experiment_search(), text, parameters));
  const std::string limit = parameters.add(max_results + 1);
  const std::string statement =
      "SELECT " + std::string(kExperimentColumns) + plan.keys + " FROM experiments e" + plan.joins +
      " WHERE e.workspace = " + in_workspace + std::string(stage_condition(view, false)) +
      plan.where + " ORDER BY " + plan.order + " LIMIT " + limit;
  Page<Experiment> page;
  std::string last_token;
  TRY(reader.query(statement, parameters.params(), [&](const sql::Row& row) -> Result<void> {
    if (std::ssize(page.items) == max_results) {
      page.next_page_token = std::move(last_token);
      return {};
    }
    page.items.push_back(experiment_of(row));
    if (std::ssize(page.items) == max_results) last_token = plan.token(row, kExperimentColumnCount);
    return {};
  }));
  TRY(load_experiment_tags(reader, page.items));
  return page;
}

Result<void> insert_run(sql::Txn& txn, const RunInfo& run, std::span<const Tag> tags) {
  TRY(const std::int64_t experiment, experiment_number(run.experiment_id));
  TRY(txn.write(R"(
      INSERT INTO runs (run_id, experiment_id, name, user_id, status, start_ms, lifecycle_stage, artifact_uri)
      VALUES ($1, $2, $3, $4, $5, $6, 'active', $7))",
                {run.run_id.str(), experiment, run.name, run.user_id, name_of(run.status),
                 run.start_ms, run.artifact_uri}));
  // The number of the run is looked up there, so that nobody waits for it.
  std::vector<sql::Params> rows;
  for (const auto& tag : tags) rows.push_back({run.run_id.str(), tag.key, tag.value});
  return txn.write_many(R"(
      INSERT INTO run_tags (run_number, key, value, experiment_id)
      SELECT r.run_number, CAST($2 AS TEXT), CAST($3 AS TEXT), r.experiment_id
      FROM runs r WHERE r.run_id = $1)",
                        rows);
}

Result<std::optional<RunRow>> find_run(sql::Reader& reader, std::string_view workspace,
                                       const RunId& id) {
  static const std::string kStatement =
      "SELECT " + std::string(kRunColumns) +
      " FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id"
      " WHERE r.run_id = $1 AND e.workspace = $2";
  return reader.query_one(kStatement, {id.str(), workspace}, run_of);
}

Result<void> update_run(sql::Txn& txn, Number run, const RunInfo& changed) {
  TRY(txn.execute("UPDATE runs SET name = $2, status = $3, end_ms = $4 WHERE run_number = $1",
                  {run, changed.name, name_of(changed.status), sql::param(changed.end_ms)}));
  return {};
}

Result<void> delete_run(sql::Txn& txn, Number run, std::int64_t now_ms) {
  TRY(txn.execute(R"(
      UPDATE runs SET lifecycle_stage = 'deleted', deleted_ms = $2
      WHERE run_number = $1 AND lifecycle_stage = 'active')",
                  {run, now_ms}));
  return {};
}

Result<void> restore_run(sql::Txn& txn, Number run) {
  TRY(txn.execute(
      "UPDATE runs SET lifecycle_stage = 'active', deleted_ms = NULL WHERE run_number = $1",
      {run}));
  return {};
}

namespace {

// Rows that fulfil a comparison are few when there are fewer than these: then they are looked at
// one by one, whatever the order.
constexpr std::int64_t kFewRows = 2'000;

// One search of runs, in one of several ways; see search.h.
class RunQuery {
 public:
  RunQuery(sql::Reader& reader, std::span<const std::int64_t> experiments, ViewType view,
           const SearchText& text)
      : reader_(reader), experiments_(experiments), view_(view), text_(text) {}

  Result<Page<Run>> page(std::int64_t max_results) {
    max_results_ = max_results;
    Parameters unused;
    TRY(const SearchPlan plan, plan_search(run_search(), text_, unused));
    if (experiments_.empty()) return std::move(page_);
    TRY(const SearchStart* start, best_start(plan));
    if (start != nullptr || plan.walked == nullptr || experiments_.size() != 1) {
      TRY(read(Walk::kNone, start));
    } else {
      if (!plan.begins_in_rest) TRY(read(Walk::kNumbers, nullptr));
      if (!is_full() && !plan.walk_is_all) TRY(read(Walk::kRest, nullptr));
    }
    TRY(load_run_data(reader_, numbers_, page_.items));
    return std::move(page_);
  }

 private:
  bool is_full() const { return !page_.next_page_token.empty(); }

  // The comparison with the fewest rows, if they are few; only within one experiment.
  Result<const SearchStart*> best_start(const SearchPlan& plan) {
    const SearchStart* best = nullptr;
    std::int64_t fewest = kFewRows;
    if (experiments_.size() != 1) return best;
    for (const SearchStart& start : plan.starts) {
      Parameters parameters;
      const std::string experiment = parameters.add(experiments_.front());
      const std::string condition = start.condition(parameters);
      const std::string limit = parameters.add(fewest);
      TRY(const auto count,
          reader_.query_one(
              "SELECT COUNT(*) FROM (SELECT 1 FROM " + std::string(start.collection->table) +
                  " d WHERE d." + std::string(start.collection->scope) + " = " + experiment +
                  condition + " LIMIT " + limit + ") few",
              parameters.params(), [](const sql::Row& row) { return row.integer(0); }));
      if (count.value_or(fewest) >= fewest) continue;
      fewest = *count;
      best = &start;
    }
    return best;
  }

  Result<void> read(Walk walk, const SearchStart* start) {
    Parameters parameters;
    const std::string in_experiments = placeholders(parameters, experiments_);
    SearchText text = text_;
    text.walk = walk;
    TRY(const SearchPlan plan, plan_search(run_search(), text, parameters));
    const std::string started = start == nullptr ? "" : start->condition(parameters);
    const std::string limit = parameters.add(max_results_ + 1 - std::ssize(page_.items));
    const std::string statement = "SELECT " + std::string(kRunColumns) + plan.keys +
                                  from(plan, walk, start, in_experiments, started) +
                                  std::string(stage_condition(view_, true)) + plan.where +
                                  " ORDER BY " + plan.order + " LIMIT " + limit;
    const auto on_row = [&](const sql::Row& row) { return take(row, plan); };
    if (follows_an_index(walk, start)) return reader_.walk(statement, parameters.params(), on_row);
    return reader_.query(statement, parameters.params(), on_row);
  }

  // The order is that of a metric, or the default one.
  bool follows_an_index(Walk walk, const SearchStart* start) const {
    if (start != nullptr || experiments_.size() != 1) return false;
    return walk == Walk::kNumbers || (walk == Walk::kNone && text_.order_by.empty());
  }

  // CROSS JOIN keeps SQLite from changing the order of the tables: the index comes first.
  static std::string from(const SearchPlan& plan, Walk walk, const SearchStart* start,
                          const std::string& experiments, const std::string& started) {
    if (start != nullptr) {
      return " FROM (SELECT DISTINCT d.run_number AS found FROM " +
             std::string(start->collection->table) + " d WHERE d." +
             std::string(start->collection->scope) + " = " + experiments + started +
             ") f CROSS JOIN runs r" + plan.joins + " WHERE r.run_number = f.found";
    }
    if (walk == Walk::kNumbers) {
      return " FROM " + std::string(plan.walked->table) + " o1 CROSS JOIN runs r" + plan.joins +
             " WHERE o1." + std::string(plan.walked->scope) + " = " + experiments +
             plan.walk_condition + " AND r.run_number = o1.run_number";
    }
    // With one experiment the index on the start has the default order.
    const bool is_one = experiments.find(',') == std::string::npos;
    return " FROM runs r" + plan.joins + " WHERE r.experiment_id " +
           (is_one ? "= " + experiments : "IN (" + experiments + ")");
  }

  Result<void> take(const sql::Row& row, const SearchPlan& plan) {
    if (std::ssize(page_.items) == max_results_) {
      page_.next_page_token = last_token_;
      return {};
    }
    RunRow run = run_of(row);
    numbers_.push_back(run.number);
    page_.items.emplace_back().info = std::move(run.info);
    if (std::ssize(page_.items) == max_results_) last_token_ = plan.token(row, kRunColumnCount);
    return {};
  }

  sql::Reader& reader_;
  const std::span<const std::int64_t> experiments_;
  const ViewType view_;
  const SearchText& text_;
  std::int64_t max_results_ = 0;
  Page<Run> page_;
  std::vector<Number> numbers_;
  std::string last_token_;
};

}  // namespace

Result<Page<Run>> search_runs(sql::Reader& reader, std::string_view workspace,
                              std::span<const ExperimentId> experiments, ViewType view,
                              const SearchText& text, std::int64_t max_results) {
  TRY(const auto visible, visible_experiments(reader, workspace, experiments));
  return RunQuery(reader, visible, view, text).page(max_results);
}

}  // namespace ciclo::tracking::store
