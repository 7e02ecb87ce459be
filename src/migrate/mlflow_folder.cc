// SPDX-License-Identifier: Apache-2.0
#include "migrate/mlflow_folder.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>
#include <tuple>
#include <utility>

#include "base/text.h"
#include "migrate/mlflow_files.h"
#include "migrate/sorted_points.h"

namespace ciclo::migrate {

namespace fs = std::filesystem;

namespace {

using tracking::ExperimentId;
using tracking::LifecycleStage;
using tracking::LoggedModelStatus;
using tracking::RunStatus;
using MetricValue = tracking::LoggedModel::MetricValue;

constexpr const char* kTrash = ".trash";
constexpr const char* kModels = "models";
constexpr std::string_view kVersion = "version-";
// A version that was deleted stays as a file in this stage.
constexpr std::string_view kDeletedStage = "Deleted_Internal";

bool has_meta(const fs::path& folder) {
  std::error_code ignored;
  return fs::exists(folder / "meta.yaml", ignored);
}

LifecycleStage stage_of(const MetaFile& meta) {
  return meta.text("lifecycle_stage") == "deleted" ? LifecycleStage::kDeleted
                                                   : LifecycleStage::kActive;
}

// Numbers from 1 on, as in MLflow's protocol; the client of an old release wrote names.
Result<RunStatus> run_status(const MetaFile& meta) {
  constexpr std::array kStatuses = {RunStatus::kRunning, RunStatus::kScheduled,
                                    RunStatus::kFinished, RunStatus::kFailed, RunStatus::kKilled};
  const auto text = meta.optional_text("status");
  if (!text) return RunStatus::kRunning;
  const auto number = parse_int(*text).value_or(0);
  if (number >= 1 && number <= std::ssize(kStatuses)) {
    return kStatuses[static_cast<std::size_t>(number - 1)];
  }
  if (const auto named = tracking::parse_run_status(*text)) return *named;
  return failed_precondition(quoted(meta.path().string()) + " has the status " + quoted(*text) +
                             ", which is none of MLflow's");
}

LoggedModelStatus model_status(const MetaFile& meta) {
  switch (parse_int(meta.text("status")).value_or(0)) {
    case 1: return LoggedModelStatus::kPending;
    case 2: return LoggedModelStatus::kReady;
    case 3: return LoggedModelStatus::kUploadFailed;
    default: return LoggedModelStatus::kUnspecified;
  }
}

// Python writes "nan", "inf" and "-inf".
std::optional<double> float_of(std::string_view text) {
  double value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// A line of a metric: "TIMESTAMP VALUE", since MLflow 1.1 " STEP", and then perhaps more.
struct MetricLine {
  std::int64_t timestamp_ms = 0;
  double value = 0;
  std::int64_t step = 0;
  std::vector<std::string_view> more;
};

std::optional<MetricLine> metric_line(std::string_view text) {
  const auto parts = split(trim(text), ' ');
  if (parts.size() < 2) return std::nullopt;
  const auto timestamp_ms = parse_int(parts[0]);
  const auto value = float_of(parts[1]);
  const auto step = parts.size() > 2 ? parse_int(parts[2]) : std::optional<std::int64_t>(0);
  if (!timestamp_ms || !value || !step) return std::nullopt;
  MetricLine line{*timestamp_ms, *value, *step, {}};
  if (parts.size() > 3) line.more.assign(parts.begin() + 3, parts.end());
  return line;
}

// Calls `use` for each line of a metric's file.
Result<void> each_metric_line(const fs::path& file,
                              const std::function<Result<void>(const MetricLine&)>& use) {
  return each_line(file, [&](std::string_view text) -> Result<void> {
    if (trim(text).empty()) return {};
    const auto line = metric_line(text);
    if (line) return use(*line);
    return failed_precondition(quoted(file.string()) + " has the line " + quoted(text) +
                               ", expected: TIMESTAMP VALUE STEP");
  });
}

template <class Pair>
Result<std::vector<Pair>> pairs_in(const fs::path& folder) {
  std::vector<Pair> pairs;
  TRY(auto found, values_in(folder));
  for (auto& [key, value] : found) pairs.push_back({std::move(key), std::move(value)});
  return pairs;
}

Result<void> load_dataset(const fs::path& experiment, const MetaFile& input, RunRecord& record) {
  TRY(const auto meta, MetaFile::read(experiment / "datasets" / input.text("source_id")));
  if (!meta) {
    return failed_precondition(quoted(input.path().string()) + " names the data set " +
                               quoted(input.text("source_id")) + ", which has no meta.yaml");
  }
  auto& dataset = record.run.datasets.emplace_back();
  dataset.name = meta->text("name");
  dataset.digest = meta->text("digest");
  dataset.source_type = meta->text("source_type");
  dataset.source = meta->text("source");
  dataset.schema = meta->optional_text("schema");
  dataset.profile = meta->optional_text("profile");
  for (auto& [key, value] : input.pairs("tags")) dataset.tags.push_back({key, value});
  return {};
}

// Data sets and logged models that the run has read, and logged models that it has made.
Result<void> load_inputs(const fs::path& experiment, const fs::path& folder, RunRecord& record) {
  TRY(const auto inputs, subfolders(folder / "inputs"));
  for (const auto& name : inputs) {
    TRY(const auto input, MetaFile::read(folder / "inputs" / name));
    if (!input) continue;
    const std::string type = input->text("source_type");
    if (type == "DATASET") TRY(load_dataset(experiment, *input, record));
    if (type == "MODEL") {
      record.run.model_inputs.push_back({LoggedModelId(input->text("source_id")), 0});
    }
  }
  TRY(const auto outputs, subfolders(folder / "outputs"));
  for (const auto& name : outputs) {
    TRY(const auto output, MetaFile::read(folder / "outputs" / name));
    if (!output) continue;
    TRY(const auto step, output->number("step"));
    record.run.model_outputs.push_back({LoggedModelId(name), step});
  }
  return {};
}

bool is_later(const Metric& a, const Metric& b) {
  const auto place = [](const Metric& metric) {
    return std::tuple(metric.step, metric.timestamp_ms,
                      tracking::store::stored(metric.value).value);
  };
  return place(a) > place(b);
}

// Of each run and data set the latest: "TIMESTAMP VALUE STEP RUN [NAME DIGEST]". A name may hold
// spaces, a digest does not.
Result<void> load_model_metric(const fs::path& folder, const std::string& key,
                               tracking::LoggedModel& model) {
  std::map<std::tuple<std::string, std::string, std::string>, MetricValue> latest;
  TRY(each_metric_line(folder / key, [&](const MetricLine& line) -> Result<void> {
    MetricValue value;
    value.metric = {.key = key,
                    .value = line.value,
                    .timestamp_ms = line.timestamp_ms,
                    .step = line.step,
                    .model_id = model.model_id};
    const auto& more = line.more;
    if (!more.empty()) value.run_id = RunId(std::string(more.front()));
    if (more.size() > 2) {
      std::vector<std::string> name(more.begin() + 1, more.end() - 1);
      value.metric.dataset_name = join(name, " ");
      value.metric.dataset_digest = std::string(more.back());
    }
    auto& kept =
        latest[{value.run_id.str(), value.metric.dataset_name, value.metric.dataset_digest}];
    if (kept.metric.key.empty() || is_later(value.metric, kept.metric)) kept = std::move(value);
    return {};
  }));
  for (auto& [owner, value] : latest) model.metrics.push_back(std::move(value));
  return {};
}

Result<registry::ModelVersion> version_of(const MetaFile& meta, const std::string& name,
                                          std::int64_t number) {
  registry::ModelVersion version;
  version.name = name;
  version.version = number;
  TRY(version.created_ms, meta.number("creation_timestamp"));
  TRY(version.updated_ms, meta.number("last_updated_timestamp"));
  version.description = meta.text("description");
  version.user_id = meta.text("user_id");
  version.stage =
      registry::parse_stage(meta.text("current_stage")).value_or(registry::Stage::kNone);
  version.source = meta.text("source");
  version.run_id = meta.text("run_id");
  version.run_link = meta.text("run_link");
  version.storage_uri = meta.optional_text("storage_location").value_or(version.source);
  return version;
}

Result<void> load_versions(const fs::path& folder, RegisteredRecord& record) {
  TRY(const auto names, subfolders(folder));
  for (const auto& name : names) {
    if (!name.starts_with(kVersion)) continue;
    const auto number = parse_int(std::string_view(name).substr(kVersion.size()));
    TRY(const auto meta, MetaFile::read(folder / name));
    if (!number || !meta) continue;
    record.last_version = std::max(record.last_version, *number);
    if (meta->text("current_stage") == kDeletedStage) continue;
    TRY(auto version, version_of(*meta, record.model.name, *number));
    TRY(version.tags, pairs_in<tracking::Tag>(folder / name / "tags"));
    record.versions.push_back(std::move(version));
  }
  std::sort(record.versions.begin(), record.versions.end(),
            [](const auto& a, const auto& b) { return a.version < b.version; });
  return {};
}

Result<void> load_aliases(const fs::path& folder, RegisteredRecord& record) {
  TRY(const auto found, values_in(folder / "aliases"));
  for (const auto& [alias, text] : found) {
    const auto number = parse_int(trim(text));
    if (!number) {
      return failed_precondition(quoted((folder / "aliases" / alias).string()) +
                                 " must hold the number of a version, got " + quoted(text));
    }
    record.model.aliases.push_back({alias, *number});
  }
  return {};
}

// The ids behind `after` of a map or list that is sorted.
template <class Id, class Names, class NameOf>
std::vector<Id> behind(const Names& names, std::string_view after, std::int64_t limit,
                       NameOf name_of) {
  std::vector<Id> ids;
  for (auto at = names; at.first != at.second && std::ssize(ids) < limit; ++at.first) {
    if (after.empty() || name_of(*at.first) > after) ids.emplace_back(name_of(*at.first));
  }
  return ids;
}

}  // namespace

Result<std::unique_ptr<MlflowFolder>> MlflowFolder::open(const fs::path& folder) {
  std::error_code failed;
  // The folder itself may be a link: the user has named it.
  const auto whole = fs::canonical(folder, failed);
  if (failed) {
    return not_found("cannot find the folder " + quoted(folder.string()) + ": " + failed.message());
  }
  std::unique_ptr<MlflowFolder> opened(new MlflowFolder(whole));
  TRY(opened->index());
  if (opened->experiments_.empty()) {
    return failed_precondition(quoted(folder.string()) +
                               " holds no experiment of MLflow's (a folder NUMBER/meta.yaml): name "
                               "the folder that is usually called mlruns");
  }
  return opened;
}

Result<void> MlflowFolder::index() {
  TRY(index_experiments(folder_));
  TRY(index_experiments(folder_ / kTrash));
  return index_registered();
}

Result<void> MlflowFolder::index_experiments(const fs::path& folder) {
  TRY(const auto names, subfolders(folder));
  for (const auto& name : names) {
    if (name == kTrash || name == kModels) continue;
    TRY(const auto meta, MetaFile::read(folder / name));
    if (meta && parse_int(name).value_or(-1) >= 0) {
      TRY(index_experiment(folder / name));
    } else {
      skip(folder / name);
    }
  }
  return {};
}

Result<void> MlflowFolder::index_experiment(const fs::path& folder) {
  const std::size_t number = experiments_.size();
  experiments_.push_back(folder);
  TRY(const auto names, subfolders(folder));
  for (const auto& name : names) {
    if (name == "tags" || name == "datasets" || name == kModels || name == "traces") continue;
    if (has_meta(folder / name)) {
      TRY(add(runs_, name, number, "run"));
    } else {
      skip(folder / name);
    }
  }
  TRY(const auto models, subfolders(folder / kModels));
  for (const auto& name : models) {
    if (has_meta(folder / kModels / name)) {
      TRY(add(models_, name, number, "logged model"));
    } else {
      skip(folder / kModels / name);
    }
  }
  TRY(const auto traces, subfolders(folder / "traces"));
  traces_ += std::ssize(traces);
  return {};
}

Result<void> MlflowFolder::index_registered() {
  TRY(const auto names, subfolders(folder_ / kModels));
  for (const auto& name : names) {
    if (has_meta(folder_ / kModels / name)) {
      registered_.push_back(name);
    } else {
      skip(folder_ / kModels / name);
    }
  }
  return {};
}

// An id that two experiments have would be copied once, and the rest lost.
Result<void> MlflowFolder::add(Owners& owners, const std::string& id, std::size_t experiment,
                               std::string_view kind) {
  const auto [place, is_new] = owners.emplace(id, experiment);
  if (is_new) return {};
  return failed_precondition(std::string(kind) + " " + quoted(id) + " is in two experiments, " +
                             quoted(experiments_[place->second].string()) + " and " +
                             quoted(experiments_[experiment].string()) + ": remove one of them");
}

void MlflowFolder::skip(const fs::path& folder) {
  if (skipped_++ == 0) first_skipped_ = folder.string();
}

Result<Totals> MlflowFolder::totals() {
  return Totals{.experiments = std::ssize(experiments_),
                .runs = static_cast<std::int64_t>(runs_.size()),
                .models = static_cast<std::int64_t>(models_.size()),
                .registered = std::ssize(registered_)};
}

Result<std::vector<NotCopied>> MlflowFolder::not_copied() {
  std::vector<NotCopied> rest;
  if (traces_ > 0) {
    rest.push_back({"traces", traces_, "their spans and assessments are not copied either"});
  }
  if (skipped_ > 0) {
    rest.push_back({"folders", skipped_,
                    "they are no objects of MLflow's, having no meta.yaml or no number, such as " +
                        first_skipped_});
  }
  return rest;
}

Result<std::set<std::string>> MlflowFolder::used_experiments() {
  std::set<std::string> ids;
  for (const auto* owners : {&runs_, &models_}) {
    for (const auto& [id, experiment] : *owners) {
      ids.insert(experiments_[experiment].filename().string());
    }
  }
  return ids;
}

Result<std::vector<ExperimentRecord>> MlflowFolder::experiments() {
  std::vector<ExperimentRecord> records;
  for (const auto& folder : experiments_) {
    TRY(const auto meta, MetaFile::read(folder));
    if (!meta) return failed_precondition(quoted(folder.string()) + " has lost its meta.yaml");
    auto& record = records.emplace_back();
    auto& experiment = record.experiment;
    experiment.experiment_id = ExperimentId(folder.filename().string());
    experiment.workspace = "default";
    experiment.name = meta->text("name");
    experiment.artifact_location = meta->text("artifact_location");
    experiment.lifecycle_stage = stage_of(*meta);
    TRY(experiment.created_ms, meta->number("creation_time"));
    TRY(experiment.updated_ms, meta->number("last_update_time"));
    // MLflow keeps no other time of its deletion.
    if (experiment.lifecycle_stage == LifecycleStage::kDeleted) {
      record.deleted_ms = experiment.updated_ms;
    }
    TRY(experiment.tags, pairs_in<tracking::Tag>(folder / "tags"));
  }
  return records;
}

Result<std::vector<RunId>> MlflowFolder::run_ids(std::string_view after, std::int64_t limit) {
  const auto rest =
      std::pair(after.empty() ? runs_.begin() : runs_.upper_bound(after), runs_.end());
  return behind<RunId>(rest, after, limit, [](const auto& one) { return one.first; });
}

Result<std::vector<LoggedModelId>> MlflowFolder::model_ids(std::string_view after,
                                                           std::int64_t limit) {
  const auto rest =
      std::pair(after.empty() ? models_.begin() : models_.upper_bound(after), models_.end());
  return behind<LoggedModelId>(rest, after, limit, [](const auto& one) { return one.first; });
}

Result<std::vector<std::string>> MlflowFolder::registered_names(std::string_view after,
                                                                std::int64_t limit) {
  const auto rest = std::pair(registered_.begin(), registered_.end());
  return behind<std::string>(rest, after, limit, [](const auto& one) { return one; });
}

fs::path MlflowFolder::run_folder(const std::string& id, std::size_t experiment) const {
  return experiments_[experiment] / id;
}

Result<RunRecord> MlflowFolder::run(const std::string& id, std::size_t experiment) const {
  const fs::path folder = run_folder(id, experiment);
  TRY(const auto meta, MetaFile::read(folder));
  if (!meta) return failed_precondition(quoted(folder.string()) + " has lost its meta.yaml");
  RunRecord record;
  auto& run = record.run;
  auto& info = run.info;
  info.run_id = RunId(id);
  info.experiment_id = ExperimentId(experiments_[experiment].filename().string());
  info.name = meta->text("run_name");
  info.user_id = meta->text("user_id");
  TRY(info.status, run_status(*meta));
  TRY(info.start_ms, meta->number("start_time"));
  TRY(info.end_ms, meta->optional_number("end_time"));
  info.lifecycle_stage = stage_of(*meta);
  TRY(record.deleted_ms, meta->optional_number("deleted_time"));
  info.artifact_uri = meta->text("artifact_uri");
  TRY(run.params, pairs_in<tracking::Param>(folder / "params"));
  TRY(run.tags, pairs_in<tracking::Tag>(folder / "tags"));
  for (const auto& tag : run.tags) {
    if (info.name.empty() && tag.key == "mlflow.runName") info.name = tag.value;
  }
  TRY(load_inputs(experiments_[experiment], folder, record));
  return record;
}

Result<std::vector<RunRecord>> MlflowFolder::runs(std::span<const RunId> ids) {
  std::vector<RunRecord> records;
  for (const auto& id : ids) {
    const auto found = runs_.find(id.str());
    if (found == runs_.end()) continue;
    TRY(auto record, run(found->first, found->second));
    records.push_back(std::move(record));
  }
  return records;
}

Result<ModelRecord> MlflowFolder::model(const std::string& id, std::size_t experiment) const {
  const fs::path folder = experiments_[experiment] / kModels / id;
  TRY(const auto meta, MetaFile::read(folder));
  if (!meta) return failed_precondition(quoted(folder.string()) + " has lost its meta.yaml");
  ModelRecord record;
  auto& model = record.model;
  model.model_id = LoggedModelId(id);
  model.experiment_id = ExperimentId(experiments_[experiment].filename().string());
  model.name = meta->text("name");
  model.model_type = meta->text("model_type");
  model.source_run_id = RunId(meta->text("source_run_id"));
  model.artifact_location = meta->text("artifact_location");
  model.status = model_status(*meta);
  model.status_message = meta->text("status_message");
  record.stage = stage_of(*meta);
  TRY(model.created_ms, meta->number("creation_timestamp"));
  TRY(model.updated_ms, meta->number("last_updated_timestamp"));
  TRY(model.params, pairs_in<tracking::Param>(folder / "params"));
  TRY(model.tags, pairs_in<tracking::Tag>(folder / "tags"));
  TRY(const auto keys, keys_in(folder / "metrics"));
  for (const auto& key : keys) TRY(load_model_metric(folder / "metrics", key, model));
  return record;
}

Result<std::vector<ModelRecord>> MlflowFolder::models(std::span<const LoggedModelId> ids) {
  std::vector<ModelRecord> records;
  for (const auto& id : ids) {
    const auto found = models_.find(id.str());
    if (found == models_.end()) continue;
    TRY(auto record, model(found->first, found->second));
    records.push_back(std::move(record));
  }
  return records;
}

Result<std::optional<RegisteredRecord>> MlflowFolder::registered(const std::string& name) {
  using Found = std::optional<RegisteredRecord>;
  if (!std::binary_search(registered_.begin(), registered_.end(), name)) return Found();
  const fs::path folder = folder_ / kModels / name;
  TRY(const auto meta, MetaFile::read(folder));
  if (!meta) return Found();
  RegisteredRecord record;
  auto& model = record.model;
  model.name = name;
  model.description = meta->text("description");
  TRY(model.created_ms, meta->number("creation_timestamp"));
  TRY(model.updated_ms, meta->number("last_updated_timestamp"));
  TRY(model.tags, pairs_in<tracking::Tag>(folder / "tags"));
  TRY(load_versions(folder, record));
  TRY(load_aliases(folder, record));
  return Found(std::move(record));
}

Result<void> MlflowFolder::points(std::span<const RunId> ids, const OnPoints& on_points) {
  Pieces pieces(on_points);
  for (const auto& id : ids) {
    const auto found = runs_.find(id.str());
    if (found == runs_.end()) continue;
    const fs::path folder = run_folder(found->first, found->second) / "metrics";
    TRY(const auto keys, keys_in(folder));
    for (const auto& key : keys) {
      SortedPoints sorted;
      TRY(each_metric_line(folder / key, [&](const MetricLine& line) {
        return sorted.add(line.value, line.timestamp_ms, line.step);
      }));
      TRY(sorted.each([&](const SortedPoints::Point& point) {
        return pieces.add(id.str(), {.key = key,
                                     .value = tracking::store::restored(point.value, point.is_nan),
                                     .timestamp_ms = point.timestamp_ms,
                                     .step = point.step});
      }));
    }
  }
  return pieces.flush();
}

}  // namespace ciclo::migrate
