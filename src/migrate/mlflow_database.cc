// SPDX-License-Identifier: Apache-2.0
#include "migrate/mlflow_database.h"

#include <limits>
#include <unordered_map>
#include <utility>

#include "base/text.h"
#include "sql/open.h"

namespace ciclo::migrate {

namespace {

using tracking::ExperimentId;
using tracking::LifecycleStage;
using tracking::LoggedModelStatus;
using tracking::Param;
using tracking::Tag;

// A version that was deleted stays as a row in this stage.
constexpr std::string_view kDeletedStage = "Deleted_Internal";

LifecycleStage stage_of(std::string_view name) {
  return name == "deleted" ? LifecycleStage::kDeleted : LifecycleStage::kActive;
}

LoggedModelStatus model_status(std::int64_t number) {
  switch (number) {
    case 1: return LoggedModelStatus::kPending;
    case 2: return LoggedModelStatus::kReady;
    case 3: return LoggedModelStatus::kUploadFailed;
    default: return LoggedModelStatus::kUnspecified;
  }
}

// NaN has been stored as NULL where it has no column of its own.
double value_of(const sql::Row& row, int column) {
  return row.is_null(column) ? std::numeric_limits<double>::quiet_NaN() : row.number(column);
}

// The objects of a page by their ids, and queries that bring more about them.
template <class Id, class Record>
class Rows {
 public:
  Rows(sql::Reader& reader, std::span<const Id> ids) : reader_(reader) {
    for (const auto& id : ids) {
      params_.emplace_back(std::string_view(id.str()));
      list_ += (list_.empty() ? "($" : ", $") + std::to_string(params_.size());
    }
    list_ += ")";
  }

  const std::string& list() const { return list_; }
  const sql::Params& params() const { return params_; }

  Record& add(const std::string& id) {
    by_id_[id] = records_.size();
    return records_.emplace_back();
  }

  // The statement ends before the list of ids; the first column of its rows is the id.
  template <class OnRow>
  Result<void> load(std::string_view select, std::string_view order, OnRow on_row) {
    if (records_.empty()) return {};
    return reader_.query(std::string(select) + " " + list_ + " " + std::string(order), params_,
                         [&](const sql::Row& row) -> Result<void> {
                           const auto found = by_id_.find(row.string(0));
                           if (found != by_id_.end()) on_row(records_[found->second], row);
                           return {};
                         });
  }

  std::vector<Record> take() { return std::move(records_); }

 private:
  sql::Reader& reader_;
  sql::Params params_;
  std::string list_;
  std::vector<Record> records_;
  std::unordered_map<std::string, std::size_t> by_id_;
};

using RunRows = Rows<RunId, RunRecord>;
using ModelRows = Rows<LoggedModelId, ModelRecord>;

Result<void> load_infos(sql::Reader& reader, RunRows& runs) {
  return reader.query(
      "SELECT run_uuid, experiment_id, COALESCE(name, ''), COALESCE(user_id, ''), "
      "COALESCE(status, 'RUNNING'), COALESCE(start_time, 0), end_time, "
      "COALESCE(lifecycle_stage, 'active'), deleted_time, COALESCE(artifact_uri, '') "
      "FROM runs WHERE run_uuid IN " +
          runs.list(),
      runs.params(), [&](const sql::Row& row) -> Result<void> {
        RunRecord& record = runs.add(row.string(0));
        auto& info = record.run.info;
        info.run_id = RunId(row.string(0));
        info.experiment_id = ExperimentId(std::to_string(row.integer(1)));
        info.name = row.string(2);
        info.user_id = row.string(3);
        const auto status = tracking::parse_run_status(row.text(4));
        if (!status) {
          return failed_precondition("run " + quoted(row.text(0)) + " has the status " +
                                     quoted(row.text(4)) + ", which is none of MLflow's");
        }
        info.status = *status;
        info.start_ms = row.integer(5);
        info.end_ms = row.optional_integer(6);
        info.lifecycle_stage = stage_of(row.text(7));
        record.deleted_ms = row.optional_integer(8);
        info.artifact_uri = row.string(9);
        return {};
      });
}

// What MLflow wrote as a tag only, before runs had a name of their own.
void take_tag(RunRecord& record, const sql::Row& row) {
  record.run.tags.push_back({row.string(1), row.string(2)});
  auto& name = record.run.info.name;
  if (name.empty() && row.text(1) == "mlflow.runName") name = row.string(2);
}

void take_dataset_tag(RunRecord& record, const sql::Row& row) {
  for (auto& dataset : record.run.datasets) {
    if (dataset.name == row.text(1) && dataset.digest == row.text(2)) {
      dataset.tags.push_back({row.string(3), row.string(4)});
    }
  }
}

Result<void> load_datasets(RunRows& runs) {
  TRY(runs.load(
      "SELECT i.destination_id, d.name, d.digest, d.dataset_source_type, "
      "d.dataset_source, d.dataset_schema, d.dataset_profile "
      "FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id "
      "WHERE i.source_type = 'DATASET' AND i.destination_type = 'RUN' "
      "AND i.destination_id IN",
      "ORDER BY i.destination_id, d.name, d.digest", [](RunRecord& record, const sql::Row& row) {
        auto& dataset = record.run.datasets.emplace_back();
        dataset.name = row.string(1);
        dataset.digest = row.string(2);
        dataset.source_type = row.string(3);
        dataset.source = row.string(4);
        dataset.schema = row.optional_string(5);
        dataset.profile = row.optional_string(6);
      }));
  return runs.load(
      "SELECT i.destination_id, d.name, d.digest, t.name, t.value "
      "FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id "
      "JOIN input_tags t ON t.input_uuid = i.input_uuid "
      "WHERE i.source_type = 'DATASET' AND i.destination_type = 'RUN' AND i.destination_id IN",
      "ORDER BY i.destination_id, t.name", take_dataset_tag);
}

Result<void> load_references(RunRows& runs, const MlflowSchema& schema) {
  if (!schema.has_models) return {};
  return runs.load(std::string("SELECT source_id, source_type, destination_id, ") +
                       (schema.has_output_step ? "step" : "0") +
                       " FROM inputs WHERE source_type IN ('RUN_INPUT', 'RUN_OUTPUT') AND "
                       "source_id IN",
                   "ORDER BY source_id, destination_id",
                   [](RunRecord& record, const sql::Row& row) {
                     auto& list = row.text(1) == "RUN_INPUT" ? record.run.model_inputs
                                                             : record.run.model_outputs;
                     list.push_back({LoggedModelId(row.string(2)), row.integer(3)});
                   });
}

Result<void> load_model_infos(sql::Reader& reader, ModelRows& models) {
  return reader.query(
      "SELECT model_id, experiment_id, name, artifact_location, creation_timestamp_ms, "
      "last_updated_timestamp_ms, status, COALESCE(lifecycle_stage, 'active'), "
      "COALESCE(model_type, ''), COALESCE(source_run_id, ''), COALESCE(status_message, '') "
      "FROM logged_models WHERE model_id IN " +
          models.list(),
      models.params(), [&](const sql::Row& row) -> Result<void> {
        ModelRecord& record = models.add(row.string(0));
        auto& model = record.model;
        model.model_id = LoggedModelId(row.string(0));
        model.experiment_id = ExperimentId(std::to_string(row.integer(1)));
        model.name = row.string(2);
        model.artifact_location = row.string(3);
        model.created_ms = row.integer(4);
        model.updated_ms = row.integer(5);
        model.status = model_status(row.integer(6));
        record.stage = stage_of(row.text(7));
        model.model_type = row.string(8);
        model.source_run_id = RunId(row.string(9));
        model.status_message = row.string(10);
        return {};
      });
}

// In the order of time: the last of a key, run and data set is the latest.
void take_model_metric(ModelRecord& record, const sql::Row& row) {
  Metric metric{.key = row.string(1),
                .value = value_of(row, 2),
                .timestamp_ms = row.integer(3),
                .step = row.integer(4),
                .model_id = record.model.model_id,
                .dataset_name = row.string(6),
                .dataset_digest = row.string(7)};
  auto& metrics = record.model.metrics;
  if (!metrics.empty()) {
    const auto& last = metrics.back();
    if (last.metric.key == metric.key && last.run_id.str() == row.text(5) &&
        last.metric.dataset_name == metric.dataset_name &&
        last.metric.dataset_digest == metric.dataset_digest) {
      metrics.pop_back();
    }
  }
  metrics.push_back({std::move(metric), RunId(row.string(5))});
}

registry::ModelVersion version_of(const sql::Row& row, const std::string& name) {
  registry::ModelVersion version;
  version.name = name;
  version.version = row.integer(0);
  version.created_ms = row.integer(1);
  version.updated_ms = row.integer(2);
  version.description = row.string(3);
  version.user_id = row.string(4);
  version.stage = registry::parse_stage(row.text(5)).value_or(registry::Stage::kNone);
  version.source = row.string(6);
  version.run_id = row.string(7);
  version.run_link = row.string(8);
  version.storage_uri = row.is_null(9) ? version.source : row.string(9);
  return version;
}

}  // namespace

Result<std::unique_ptr<MlflowDatabase>> MlflowDatabase::open(const std::string& url) {
  // A long answer is read as slowly as its copy is written.
  TRY(auto database,
      sql::open(database_url(url), {.statement_timeout_ms = 0, .is_read_only = true}));
  auto schema = database->view([](sql::Reader& reader) { return read_schema(reader); });
  if (!schema.ok()) return schema.error().with_context(sql::redact_url(url));
  return std::unique_ptr<MlflowDatabase>(
      new MlflowDatabase(std::move(database), std::move(schema).value()));
}

std::string MlflowDatabase::in_workspace(std::string_view table) const {
  if (!schema_.has_workspaces) return "";
  return " AND " + std::string(table) + ".workspace = 'default'";
}

Result<std::vector<NotCopied>> MlflowDatabase::not_copied() {
  return database_->view([&](sql::Reader& reader) { return find_not_copied(reader, schema_); });
}

Result<Totals> MlflowDatabase::totals() {
  return database_->view([&](sql::Reader& reader) -> Result<Totals> {
    const auto count = [&](const std::string& what) -> Result<std::int64_t> {
      TRY(const auto found, reader.query_one("SELECT COUNT(*) FROM " + what, {},
                                             [](const sql::Row& row) { return row.integer(0); }));
      return found.value_or(0);
    };
    Totals totals;
    TRY(totals.experiments, count("experiments e WHERE 1 = 1" + in_workspace("e")));
    TRY(totals.runs, count("runs r JOIN experiments e ON e.experiment_id = r.experiment_id "
                           "WHERE 1 = 1" +
                           in_workspace("e")));
    TRY(totals.registered, count("registered_models m WHERE 1 = 1" + in_workspace("m")));
    if (schema_.has_models) {
      TRY(totals.models,
          count("logged_models m JOIN experiments e ON e.experiment_id = m.experiment_id "
                "WHERE 1 = 1" +
                in_workspace("e")));
    }
    return totals;
  });
}

Result<std::set<std::string>> MlflowDatabase::used_experiments() {
  return database_->view([&](sql::Reader& reader) -> Result<std::set<std::string>> {
    std::set<std::string> ids;
    const auto add = [&](const sql::Row& row) -> Result<void> {
      ids.insert(std::to_string(row.integer(0)));
      return {};
    };
    TRY(reader.query("SELECT DISTINCT experiment_id FROM runs", {}, add));
    if (!schema_.has_models) return ids;
    TRY(reader.query("SELECT DISTINCT experiment_id FROM logged_models", {}, add));
    return ids;
  });
}

Result<std::vector<ExperimentRecord>> MlflowDatabase::experiments() {
  return database_->view([&](sql::Reader& reader) -> Result<std::vector<ExperimentRecord>> {
    std::vector<ExperimentRecord> records;
    std::unordered_map<std::int64_t, std::size_t> by_number;
    TRY(
        reader.query("SELECT e.experiment_id, e.name, COALESCE(e.artifact_location, ''), "
                     "COALESCE(e.lifecycle_stage, 'active'), COALESCE(e.creation_time, 0), "
                     "COALESCE(e.last_update_time, 0) FROM experiments e WHERE 1 = 1" +
                         in_workspace("e") + " ORDER BY e.experiment_id",
                     {}, [&](const sql::Row& row) -> Result<void> {
                       by_number[row.integer(0)] = records.size();
                       auto& record = records.emplace_back();
                       auto& experiment = record.experiment;
                       experiment.experiment_id = ExperimentId(std::to_string(row.integer(0)));
                       experiment.workspace = "default";
                       experiment.name = row.string(1);
                       experiment.artifact_location = row.string(2);
                       experiment.lifecycle_stage = stage_of(row.text(3));
                       experiment.created_ms = row.integer(4);
                       experiment.updated_ms = row.integer(5);
                       // MLflow keeps no other time of its deletion.
                       if (experiment.lifecycle_stage == LifecycleStage::kDeleted) {
                         record.deleted_ms = experiment.updated_ms;
                       }
                       return {};
                     }));
    TRY(reader.query(
        "SELECT experiment_id, key, COALESCE(value, '') FROM experiment_tags", {},
        [&](const sql::Row& row) -> Result<void> {
          const auto found = by_number.find(row.integer(0));
          if (found == by_number.end()) return {};
          records[found->second].experiment.tags.push_back({row.string(1), row.string(2)});
          return {};
        }));
    return records;
  });
}

Result<std::vector<RunId>> MlflowDatabase::run_ids(std::string_view after, std::int64_t limit) {
  return database_->view([&](sql::Reader& reader) {
    return reader.query_all(
        "SELECT r.run_uuid FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id "
        "WHERE r.run_uuid > $1" +
            in_workspace("e") + " ORDER BY r.run_uuid LIMIT $2",
        {after, limit}, [](const sql::Row& row) { return RunId(row.string(0)); });
  });
}

Result<std::vector<LoggedModelId>> MlflowDatabase::model_ids(std::string_view after,
                                                             std::int64_t limit) {
  if (!schema_.has_models) return std::vector<LoggedModelId>();
  return database_->view([&](sql::Reader& reader) {
    return reader.query_all(
        "SELECT m.model_id FROM logged_models m JOIN experiments e "
        "ON e.experiment_id = m.experiment_id WHERE m.model_id > $1" +
            in_workspace("e") + " ORDER BY m.model_id LIMIT $2",
        {after, limit}, [](const sql::Row& row) { return LoggedModelId(row.string(0)); });
  });
}

Result<std::vector<std::string>> MlflowDatabase::registered_names(std::string_view after,
                                                                  std::int64_t limit) {
  return database_->view([&](sql::Reader& reader) {
    return reader.query_all("SELECT m.name FROM registered_models m WHERE m.name > $1" +
                                in_workspace("m") + " ORDER BY m.name LIMIT $2",
                            {after, limit}, [](const sql::Row& row) { return row.string(0); });
  });
}

Result<std::vector<RunRecord>> MlflowDatabase::runs(std::span<const RunId> ids) {
  if (ids.empty()) return std::vector<RunRecord>();
  return database_->view([&](sql::Reader& reader) -> Result<std::vector<RunRecord>> {
    RunRows runs(reader, ids);
    TRY(load_infos(reader, runs));
    TRY(runs.load("SELECT run_uuid, key, value FROM params WHERE run_uuid IN",
                  "ORDER BY run_uuid, key", [](RunRecord& record, const sql::Row& row) {
                    record.run.params.push_back({row.string(1), row.string(2)});
                  }));
    TRY(runs.load("SELECT run_uuid, key, COALESCE(value, '') FROM tags WHERE run_uuid IN",
                  "ORDER BY run_uuid, key", take_tag));
    TRY(load_datasets(runs));
    TRY(load_references(runs, schema_));
    return runs.take();
  });
}

Result<std::vector<ModelRecord>> MlflowDatabase::models(std::span<const LoggedModelId> ids) {
  if (ids.empty() || !schema_.has_models) return std::vector<ModelRecord>();
  return database_->view([&](sql::Reader& reader) -> Result<std::vector<ModelRecord>> {
    ModelRows models(reader, ids);
    TRY(load_model_infos(reader, models));
    TRY(
        models.load("SELECT model_id, param_key, param_value FROM logged_model_params "
                    "WHERE model_id IN",
                    "ORDER BY model_id, param_key", [](ModelRecord& record, const sql::Row& row) {
                      record.model.params.push_back({row.string(1), row.string(2)});
                    }));
    TRY(models.load("SELECT model_id, tag_key, tag_value FROM logged_model_tags WHERE model_id IN",
                    "ORDER BY model_id, tag_key", [](ModelRecord& record, const sql::Row& row) {
                      record.model.tags.push_back({row.string(1), row.string(2)});
                    }));
    TRY(models.load(
        "SELECT model_id, metric_name, metric_value, metric_timestamp_ms, metric_step, run_id, "
        "COALESCE(dataset_name, ''), COALESCE(dataset_digest, '') FROM logged_model_metrics "
        "WHERE model_id IN",
        "ORDER BY model_id, metric_name, run_id, COALESCE(dataset_name, ''), "
        "COALESCE(dataset_digest, ''), metric_step, metric_timestamp_ms, metric_value",
        take_model_metric));
    return models.take();
  });
}

Result<std::optional<RegisteredRecord>> MlflowDatabase::registered(const std::string& name) {
  using Found = std::optional<RegisteredRecord>;
  return database_->view([&](sql::Reader& reader) -> Result<Found> {
    RegisteredRecord record;
    auto& model = record.model;
    TRY(const auto found,
        reader.query_one("SELECT COALESCE(m.creation_time, 0), COALESCE(m.last_updated_time, "
                         "0), COALESCE(m.description, '') FROM registered_models m "
                         "WHERE m.name = $1" +
                             in_workspace("m"),
                         {name}, [&](const sql::Row& row) {
                           model.name = name;
                           model.created_ms = row.integer(0);
                           model.updated_ms = row.integer(1);
                           model.description = row.string(2);
                           return true;
                         }));
    if (!found) return Found();
    const auto tag_of = [](const sql::Row& row) { return Tag{row.string(0), row.string(1)}; };
    TRY(model.tags, reader.query_all("SELECT t.key, COALESCE(t.value, '') FROM "
                                     "registered_model_tags t WHERE t.name = $1" +
                                         in_workspace("t"),
                                     {name}, tag_of));
    TRY(model.aliases, reader.query_all("SELECT a.alias, a.version FROM registered_model_aliases a "
                                        "WHERE a.name = $1" +
                                            in_workspace("a"),
                                        {name}, [](const sql::Row& row) {
                                          return registry::Alias{row.string(0), row.integer(1)};
                                        }));
    TRY(reader.query(
        "SELECT v.version, COALESCE(v.creation_time, 0), COALESCE(v.last_updated_time, 0), "
        "COALESCE(v.description, ''), COALESCE(v.user_id, ''), COALESCE(v.current_stage, 'None'), "
        "COALESCE(v.source, ''), COALESCE(v.run_id, ''), COALESCE(v.run_link, ''), "
        "v.storage_location FROM model_versions v WHERE v.name = $1" +
            in_workspace("v") + " ORDER BY v.version",
        {name}, [&](const sql::Row& row) -> Result<void> {
          record.last_version = row.integer(0);
          if (row.text(5) != kDeletedStage) record.versions.push_back(version_of(row, name));
          return {};
        }));
    for (auto& version : record.versions) {
      TRY(version.tags, reader.query_all("SELECT t.key, COALESCE(t.value, '') FROM "
                                         "model_version_tags t WHERE t.name = $1 AND "
                                         "t.version = $2" +
                                             in_workspace("t"),
                                         {name, version.version}, tag_of));
    }
    return Found(std::move(record));
  });
}

Result<void> MlflowDatabase::points(std::span<const RunId> ids, const OnPoints& on_points) {
  if (ids.empty()) return {};
  return database_->read([&](sql::Reader& reader) -> Result<void> {
    const RunRows runs(reader, ids);
    Pieces pieces(on_points);
    TRY(reader.query(
        "SELECT run_uuid, key, value, timestamp, step, is_nan FROM metrics "
        "WHERE run_uuid IN " +
            runs.list() + " ORDER BY run_uuid, key, timestamp, step, value",
        runs.params(), [&](const sql::Row& row) {
          Metric metric;
          metric.key = row.string(1);
          metric.value = row.boolean(5) ? std::numeric_limits<double>::quiet_NaN() : row.number(2);
          metric.timestamp_ms = row.integer(3);
          metric.step = row.integer(4);
          return pieces.add(row.text(0), std::move(metric));
        }));
    return pieces.flush();
  });
}

}  // namespace ciclo::migrate
