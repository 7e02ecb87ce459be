// SPDX-License-Identifier: Apache-2.0
#include "tracking/trash.h"

#include <utility>

#include "tracking/store.h"
#include "tracking/store_trash.h"

namespace ciclo::tracking {
namespace {

constexpr std::string_view kArtifacts = "artifacts";

// The experiment "0" is always there; it cannot be removed even when it is marked.
constexpr std::int64_t kDefaultExperiment = 0;

// Those of `found` that the set has not yet.
void add_new(const store::Pairs& found, Trashed::Kind kind, Trashed::Kind of_kind,
             std::set<std::string>& known, std::vector<std::string>& fresh, const RestsOn& on_new) {
  for (const auto& [of, id] : found) {
    if (id.empty() || !known.insert(id).second) continue;
    fresh.push_back(id);
    on_new(kind, id, of_kind, of);
  }
}

}  // namespace

std::optional<ArtifactPath> Trashed::folder() const {
  auto path = ArtifactPath::from_uri(artifact_location);
  if (!path.ok() || path->is_root()) return std::nullopt;
  if (kind == Kind::kExperiment) {
    if (path->str() != id) return std::nullopt;
    return *std::move(path);
  }
  ArtifactPath own = path->parent();
  if (path->file_name() != kArtifacts || own.file_name() != id) return std::nullopt;
  return own;
}

std::string_view name_of(Trashed::Kind kind) {
  switch (kind) {
    case Trashed::Kind::kRun: return "run";
    case Trashed::Kind::kLoggedModel: return "logged model";
    case Trashed::Kind::kExperiment: return "experiment";
  }
  return "";
}

Result<void> list_trash(sql::Reader& reader,
                        const std::function<Result<void>(Trashed)>& on_trashed) {
  TRY(store::deleted_runs(reader, {}, on_trashed));
  TRY(store::deleted_models(reader, on_trashed));
  return store::deleted_experiments(reader, [&](Trashed found) -> Result<void> {
    if (found.number == kDefaultExperiment) return {};
    return on_trashed(std::move(found));
  });
}

Result<TrashFound> find_trashed_run(sql::Reader& reader, const RunId& id) {
  return store::find_deleted_run(reader, id.str());
}

Result<TrashFound> find_trashed_experiment(sql::Reader& reader, const ExperimentId& id) {
  TRY(const std::int64_t number, store::experiment_number(id));
  return store::find_deleted_experiment(reader, number);
}

Result<void> list_trash_of(sql::Reader& reader, const Trashed& experiment,
                           const std::function<Result<void>(Trashed)>& on_trashed) {
  TRY(store::deleted_runs(reader, experiment.number, on_trashed));
  return store::models_of_deleted(reader, experiment.number, on_trashed);
}

Result<std::int64_t> count_members(sql::Reader& reader, std::int64_t experiment) {
  return store::count_members(reader, experiment);
}

Result<void> visit_guests(sql::Reader& reader,
                          const std::function<Result<void>(const Guest&)>& on_guest) {
  return store::experiments_elsewhere(
      reader, [&](std::string id, std::string workspace, std::string_view uri) -> Result<void> {
        auto place = ArtifactPath::from_uri(uri);
        if (!place.ok() || place->str() == id) return {};
        return on_guest({std::move(id), std::move(workspace), std::move(place).value()});
      });
}

Result<bool> remove_for_good(sql::Txn& txn, const Trashed& trashed) {
  TRY(const bool is_deleted, store::is_deleted(txn, trashed));
  if (!is_deleted) return false;
  if (trashed.kind == Trashed::Kind::kExperiment) {
    TRY(const std::int64_t members, store::count_members(txn, trashed.number));
    if (members > 0 || trashed.number == kDefaultExperiment) return false;
  }
  switch (trashed.kind) {
    case Trashed::Kind::kRun: TRY(store::erase_run(txn, trashed.number)); break;
    case Trashed::Kind::kLoggedModel: TRY(store::erase_model(txn, trashed)); break;
    case Trashed::Kind::kExperiment: TRY(store::erase_experiment(txn, trashed.number)); break;
  }
  if (const auto folder = trashed.folder()) {
    TRY(remove_artifacts(txn, trashed.workspace, *folder));
  }
  return true;
}

Result<void> remove_unused_datasets(sql::Txn& txn) { return store::erase_unused_datasets(txn); }

Result<void> add_foundations(sql::Reader& reader, std::set<std::string>& runs,
                             std::set<std::string>& models, const RestsOn& on_new) {
  using Kind = Trashed::Kind;
  std::vector<std::string> new_runs(runs.begin(), runs.end());
  std::vector<std::string> new_models(models.begin(), models.end());
  while (!new_runs.empty() || !new_models.empty()) {
    const auto of_models = std::exchange(new_models, {});
    TRY(const auto sources, store::source_runs_of(reader, of_models));
    add_new(sources, Kind::kRun, Kind::kLoggedModel, runs, new_runs, on_new);
    const auto of_runs = std::exchange(new_runs, {});
    TRY(const auto inputs, store::model_inputs_of(reader, of_runs));
    add_new(inputs, Kind::kLoggedModel, Kind::kRun, models, new_models, on_new);
    TRY(const auto parents, store::parents_of(reader, of_runs));
    add_new(parents, Kind::kRun, Kind::kRun, runs, new_runs, on_new);
  }
  return {};
}

}  // namespace ciclo::tracking
