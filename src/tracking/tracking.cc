// SPDX-License-Identifier: Apache-2.0
#include "tracking/tracking.h"

#include <limits>
#include <map>
#include <string>
#include <unordered_set>
#include <utility>

#include "base/json.h"
#include "base/text.h"
#include "sql/once.h"
#include "tracking/limits.h"
#include "tracking/run_names.h"
#include "tracking/store.h"

namespace ciclo::tracking {

namespace {

constexpr std::string_view kModelHistoryTag = "mlflow.log-model.history";

// The tag that repeats a run's name.
constexpr std::string_view kRunNameTag = "mlflow.runName";

const Tag* find_tag(std::span<const Tag> tags, std::string_view key) {
  const Tag* found = nullptr;
  for (const auto& tag : tags) {
    if (tag.key == key) found = &tag;
  }
  return found;
}

Result<store::RunRow> required(sql::Reader& reader, const Context& context, const RunId& id) {
  TRY(auto found, store::find_run(reader, context.workspace, id));
  if (!found) return not_found("no run with id " + quoted(id.str()) + " exists");
  return std::move(*found);
}

Result<store::RunRow> required_active(sql::Reader& reader, const Context& context,
                                      const RunId& id) {
  TRY(auto found, required(reader, context, id));
  if (found.info.lifecycle_stage != LifecycleStage::kActive) {
    return failed_precondition("run " + quoted(id.str()) +
                               " is deleted: restore it before writing to it");
  }
  return found;
}

Result<Run> load(sql::Reader& reader, store::RunRow row) {
  Run run;
  run.info = std::move(row.info);
  TRY(store::load_run_data(reader, std::span(&row.number, 1), std::span(&run, 1)));
  return run;
}

Result<void> check_metrics(std::span<const Metric> metrics) {
  // A batch often repeats a key; names are checked once for each.
  const Metric* checked = nullptr;
  for (const auto& metric : metrics) {
    if (checked != nullptr && metric.key == checked->key && metric.timestamp_ms >= 0) continue;
    TRY(check_metric(metric));
    checked = &metric;
  }
  return {};
}

Result<std::vector<Param>> checked_params(std::span<const Param> params) {
  std::vector<Param> out;
  std::unordered_set<std::string_view> keys;
  for (const auto& param : params) {
    TRY(check_key("param", param.key));
    if (!keys.insert(param.key).second) {
      return invalid_argument("param " + quoted(param.key) +
                              " stands twice in one batch: a param has one value");
    }
    out.push_back({param.key, std::string(cut_to(param.value, kParamValueLengthMax))});
  }
  return out;
}

Result<std::vector<Tag>> checked_tags(std::span<const Tag> tags) {
  std::vector<Tag> out;
  for (const auto& tag : tags) {
    TRY(check_key("tag", tag.key));
    out.push_back({tag.key, std::string(cut_to(tag.value, kTagValueLengthMax))});
  }
  return out;
}

// By key, with the value that was given last: as the tags are stored.
void keep_last_of_each(std::vector<Tag>& tags) {
  std::map<std::string, std::string> values;
  for (auto& tag : tags) values[tag.key] = std::move(tag.value);
  tags.clear();
  for (auto& [key, value] : values) tags.push_back({key, std::move(value)});
}

Result<void> check_count(std::string_view what, std::size_t count, std::size_t count_max) {
  if (count <= count_max) return {};
  return invalid_argument("a request holds at most " + std::to_string(count_max) + " " +
                          std::string(what) + ", got " + std::to_string(count) + ": send several");
}

Result<void> check_batch_size(const Batch& batch) {
  TRY(check_count("metrics", batch.metrics.size(), kBatchMetricsMax));
  TRY(check_count("params", batch.params.size(), kBatchParamsMax));
  TRY(check_count("tags", batch.tags.size(), kBatchTagsMax));
  return check_count("metrics, params and tags together",
                     batch.metrics.size() + batch.params.size() + batch.tags.size(), kBatchMax);
}

// The tag mlflow.runName and the run's name are one thing.
Result<void> put_tags_and_name(sql::Txn& txn, store::RunRow& run, std::span<const Tag> tags) {
  TRY(store::put_tags(txn, run, tags));
  const Tag* name = find_tag(tags, kRunNameTag);
  if (name == nullptr || name->value == run.info.name) return {};
  run.info.name = name->value;
  return store::update_run(txn, run.number, run.info);
}

}  // namespace

Tracking::Tracking(sql::Database& database, Clock& clock, IdSource& ids, Random& random)
    : database_(database), clock_(clock), ids_(ids), random_(random) {}

Result<Run> Tracking::create_run(const Context& context, const NewRun& wanted) {
  TRY(auto tags, checked_tags(wanted.tags));
  RunInfo info;
  info.run_id = ids_.next_id<RunId>();
  info.experiment_id = wanted.experiment_id.empty() ? ExperimentId("0") : wanted.experiment_id;
  info.user_id = wanted.user_id;
  info.start_ms = wanted.start_ms.value_or(clock_.now_ms());
  const Tag* name_tag = find_tag(tags, kRunNameTag);
  if (name_tag != nullptr && !wanted.name.empty() && name_tag->value != wanted.name) {
    return invalid_argument("the run's name " + quoted(wanted.name) + " and its tag " +
                            std::string(kRunNameTag) + " " + quoted(name_tag->value) +
                            " differ: give one of them, or the same twice");
  }
  info.name = !wanted.name.empty()  ? wanted.name
              : name_tag != nullptr ? name_tag->value
                                    : generated_name(random_);
  if (name_tag == nullptr) tags.push_back({std::string(kRunNameTag), info.name});
  TRY(check_length("run name", info.name, kTagValueLengthMax));
  keep_last_of_each(tags);
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<Run> {
    TRY(const std::int64_t number, store::experiment_number(info.experiment_id));
    TRY(const auto experiment, store::find_experiment_row(txn, context.workspace, number));
    if (!experiment) {
      return not_found("no experiment with id " + quoted(info.experiment_id.str()) + " exists");
    }
    if (experiment->lifecycle_stage != LifecycleStage::kActive) {
      return failed_precondition("experiment " + info.experiment_id.str() +
                                 " is deleted: restore it before adding runs");
    }
    Run run{.info = info, .tags = tags};
    run.info.artifact_uri = experiment->artifact_location + "/" + info.run_id.str() + "/artifacts";
    TRY(store::insert_run(txn, run.info, tags));
    // Nothing else can be there: reading it back would take longer than writing it.
    return run;
  });
}

Result<Run> Tracking::run(const Context& context, const RunId& id) {
  return database_.view([&](sql::Reader& reader) -> Result<Run> {
    TRY(auto row, required(reader, context, id));
    return load(reader, std::move(row));
  });
}

Result<RunInfo> Tracking::run_info(const Context& context, const RunId& id) {
  return database_.view([&](sql::Reader& reader) -> Result<RunInfo> {
    TRY(auto row, required(reader, context, id));
    return std::move(row.info);
  });
}

Result<Commented> Tracking::commented(const Context& context, const RunId& id) {
  TRY(const auto found, run_info(context, id));
  return Commented{"run", found.run_id.str(), found.run_id.str()};
}

Result<RunInfo> Tracking::update_run(const Context& context, const RunId& id,
                                     const RunUpdate& update) {
  if (update.name) TRY(check_length("run name", *update.name, kTagValueLengthMax));
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<RunInfo> {
    TRY(auto run, required_active(txn, context, id));
    if (update.status) run.info.status = *update.status;
    if (update.end_ms) run.info.end_ms = update.end_ms;
    if (update.name && !update.name->empty() && *update.name != run.info.name) {
      run.info.name = *update.name;
      const Tag tag{std::string(kRunNameTag), *update.name};
      TRY(store::put_tags(txn, run, std::span(&tag, 1)));
    }
    TRY(store::update_run(txn, run.number, run.info));
    return std::move(run.info);
  });
}

Result<void> Tracking::delete_run(const Context& context, const RunId& id) {
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(const auto run, required(txn, context, id));
    return store::delete_run(txn, run.number, clock_.now_ms());
  });
}

Result<void> Tracking::restore_run(const Context& context, const RunId& id) {
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(const auto run, required(txn, context, id));
    return store::restore_run(txn, run.number);
  });
}

Result<Page<Run>> Tracking::search_runs(const Context& context, const RunSearch& search) {
  TRY(check_max_results(search.max_results, kSearchResultsMax));
  std::string binding = std::to_string(static_cast<int>(search.view));
  for (const auto& id : search.experiment_ids) binding += "," + id.str();
  const SearchText text{search.filter, search.order_by, search.page_token, std::move(binding)};
  return database_.view([&](sql::Reader& reader) {
    return store::search_runs(reader, context.workspace, search.experiment_ids, search.view, text,
                              search.max_results);
  });
}

Result<void> Tracking::log_batch(const Context& context, const RunId& id, const Batch& batch) {
  TRY(check_batch_size(batch));
  TRY(check_metrics(batch.metrics));
  TRY(const auto params, checked_params(batch.params));
  TRY(const auto tags, checked_tags(batch.tags));
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(auto run, required_active(txn, context, id));
    TRY(store::insert_params(txn, run, params));
    TRY(store::append_metrics(txn, run, batch.metrics));
    TRY(store::put_model_metrics(txn, context.workspace, id, batch.metrics));
    return put_tags_and_name(txn, run, tags);
  });
}

Result<void> Tracking::log_metrics(const Context& context, const RunId& id,
                                   std::span<const Metric> metrics) {
  TRY(check_metrics(metrics));
  const auto write = [&](std::span<const Metric> some) {
    return sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
      TRY(const auto run, required_active(txn, context, id));
      TRY(store::append_metrics(txn, run, some));
      return store::put_model_metrics(txn, context.workspace, id, some);
    });
  };
  // What a key stands for is this call alone.
  if (context.keyed) return write(metrics);
  return metric_calls_.log(context.workspace + "/" + id.str(), metrics, write);
}

Result<void> Tracking::log_params(const Context& context, const RunId& id,
                                  std::span<const Param> params) {
  TRY(const auto checked, checked_params(params));
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(const auto run, required_active(txn, context, id));
    return store::insert_params(txn, run, checked);
  });
}

Result<void> Tracking::set_tags(const Context& context, const RunId& id,
                                std::span<const Tag> tags) {
  TRY(const auto checked, checked_tags(tags));
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(auto run, required_active(txn, context, id));
    return put_tags_and_name(txn, run, checked);
  });
}

Result<void> Tracking::delete_tag(const Context& context, const RunId& id, std::string_view key) {
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(const auto run, required_active(txn, context, id));
    TRY(const bool removed, store::remove_tag(txn, run.number, key));
    if (!removed) return not_found("run " + id.str() + " has no tag " + quoted(key));
    return {};
  });
}

Result<void> Tracking::log_inputs(const Context& context, const RunId& id,
                                  std::span<const DatasetInput> datasets,
                                  std::span<const ModelReference> models) {
  TRY(check_count("datasets", datasets.size(), kDatasetsMax));
  for (const auto& dataset : datasets) TRY(check_dataset(dataset));
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(const auto run, required_active(txn, context, id));
    TRY(const std::int64_t experiment, store::experiment_number(run.info.experiment_id));
    for (const auto& dataset : datasets) {
      TRY(store::put_dataset_input(txn, experiment, run.number, dataset));
    }
    for (const auto& model : models) {
      TRY(store::put_model_reference(txn, run.number, store::Direction::kInput, model));
    }
    return {};
  });
}

Result<std::vector<DatasetSummary>> Tracking::search_datasets(
    const Context& context, std::span<const ExperimentId> experiments) {
  if (experiments.empty()) {
    return invalid_argument("experiment_ids: at least one experiment is needed");
  }
  TRY(check_count("experiments", experiments.size(), kExperimentsOfDatasetsMax));
  return database_.view([&](sql::Reader& reader) {
    return store::list_datasets(reader, context.workspace, experiments, kDatasetSummariesMax);
  });
}

Result<void> Tracking::log_outputs(const Context& context, const RunId& id,
                                   std::span<const ModelReference> models) {
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(const auto run, required_active(txn, context, id));
    for (const auto& model : models) {
      TRY(store::put_model_reference(txn, run.number, store::Direction::kOutput, model));
    }
    return {};
  });
}

Result<void> Tracking::record_model(const Context& context, const RunId& id,
                                    std::string_view model_json) {
  auto model = json::parse(model_json);
  if (!model.ok()) return model.error().with_context("model_json");
  if (!model->is_object()) return invalid_argument("model_json: expected a JSON object");
  for (const std::string_view key : {"artifact_path", "flavors", "run_id", "utc_time_created"}) {
    if (model->find(key) == nullptr) {
      return invalid_argument("model_json: the member " + quoted(key) + " is missing");
    }
  }
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(const auto row, required_active(txn, context, id));
    TRY(const Run run, load(txn, row));
    json::Value history = json::Value::array();
    if (const Tag* tag = find_tag(run.tags, kModelHistoryTag)) {
      const auto known = json::parse(tag->value);
      if (known.ok() && known->is_array()) history = *known;
    }
    history.push_back(*model);
    const Tag tag{std::string(kModelHistoryTag), json::dump(history)};
    return store::put_tags(txn, row, std::span(&tag, 1));
  });
}

namespace {

constexpr std::int64_t kStreamedPageMax = 10'000;

// A history's token is the key of its last point.
std::string history_token(const Metric& last) {
  const store::StoredValue value = store::stored(last.value);
  const json::Value::Array key = {last.timestamp_ms, last.step, value.value, value.is_nan};
  return json::dump(json::Value(key));
}

Result<Metric> parse_history_token(std::string_view token) {
  const auto parsed = json::parse(token);
  const Error invalid =
      invalid_argument("invalid page token: expected the next_page_token of the same history");
  if (!parsed.ok() || !parsed->is_array() || parsed->items().size() != 4) return invalid;
  const auto& key = parsed->items();
  if (!key[0].is_int() || !key[1].is_int() || !key[2].is_number() || !key[3].is_int())
    return invalid;
  Metric last;
  last.timestamp_ms = key[0].integer();
  last.step = key[1].integer();
  last.value = store::restored(key[2].number(), key[3].integer() != 0);
  return last;
}

}  // namespace

Result<Page<Metric>> Tracking::metric_history(const Context& context, const HistoryQuery& query) {
  TRY(check_max_results(query.max_results, kHistoryResultsMax));
  Metric after;
  if (!query.page_token.empty()) {
    TRY(after, parse_history_token(query.page_token));
  }
  return database_.view([&](sql::Reader& reader) -> Result<Page<Metric>> {
    TRY(const auto run, required(reader, context, query.run_id));
    Page<Metric> page;
    TRY(store::read_points(reader, run.number, query.key,
                           query.page_token.empty() ? nullptr : &after, query.max_results + 1,
                           [&](const Metric& point) -> Result<void> {
                             if (std::ssize(page.items) < query.max_results) {
                               page.items.push_back(point);
                             } else {
                               page.next_page_token = history_token(page.items.back());
                             }
                             return {};
                           }));
    return page;
  });
}

// In pages, so that no query waits for a client that reads slowly.
Result<void> Tracking::stream_metric_history(
    const Context& context, const RunId& id, std::string_view key,
    const std::function<Result<void>(const Metric&)>& point) {
  HistoryQuery query{.run_id = id, .key = std::string(key), .max_results = kStreamedPageMax};
  do {
    TRY(const auto page, metric_history(context, query));
    for (const Metric& metric : page.items) TRY(point(metric));
    query.page_token = page.next_page_token;
  } while (!query.page_token.empty());
  return {};
}

Result<std::vector<Metric>> Tracking::sampled_metric_history(const Context& context,
                                                             const RunId& id, std::string_view key,
                                                             std::int64_t step_min,
                                                             std::int64_t step_max,
                                                             std::int64_t points_max) {
  TRY(check_max_results(points_max, kSampledPointsMax));
  return database_.view([&](sql::Reader& reader) -> Result<std::vector<Metric>> {
    TRY(const auto run, required(reader, context, id));
    return store::sample_points(reader, run.number, key, step_min, step_max, points_max);
  });
}

}  // namespace ciclo::tracking
