// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/database.h"
#include "tracking/artifacts.h"
#include "tracking/types.h"

// What users have deleted is only marked, and can be restored. Here it is listed and removed for
// good: the rows of a run, logged model or experiment with all that belongs to it, and the names of
// its files. The bytes are collected later, since other names may share them. Of all workspaces.
// Functions over a transaction or snapshot; who needs what is asked by the caller.

namespace ciclo::tracking {

struct Trashed {
  enum class Kind { kRun, kLoggedModel, kExperiment };

  Kind kind = Kind::kRun;
  std::int64_t number = 0;  // of its row
  std::string id;
  std::string name;
  std::int64_t experiment = 0;
  std::string workspace;
  std::int64_t deleted_ms = 0;
  std::string artifact_location;

  // The folder of this server that goes with it; nothing when its files are elsewhere ("s3://…") or
  // in a folder that does not bear its id, which others may share.
  std::optional<ArtifactPath> folder() const;
};

// "run", "logged model", "experiment".
std::string_view name_of(Trashed::Kind kind);

// Everything that is marked as deleted: runs, then logged models, then experiments, each by number.
// Logged models of a deleted experiment count as deleted with it.
Result<void> list_trash(sql::Reader& reader,
                        const std::function<Result<void>(Trashed)>& on_trashed);

// The same for one run, and for one experiment; nullopt when there is none of that id, or it is not
// deleted, which `is_known` tells apart.
struct TrashFound {
  bool is_known = false;
  std::optional<Trashed> trashed;
};
Result<TrashFound> find_trashed_run(sql::Reader& reader, const RunId& id);
Result<TrashFound> find_trashed_experiment(sql::Reader& reader, const ExperimentId& id);
// The runs and logged models that go with a deleted experiment.
Result<void> list_trash_of(sql::Reader& reader, const Trashed& experiment,
                           const std::function<Result<void>(Trashed)>& on_trashed);

// Runs and logged models of an experiment, deleted or not.
Result<std::int64_t> count_members(sql::Reader& reader, std::int64_t experiment);

// The experiments whose artifacts lie in this server in another folder than that of their own id,
// as their creators have said: what is removed with that folder would be theirs.
struct Guest {
  std::string experiment_id;
  std::string workspace;
  ArtifactPath place;
};
Result<void> visit_guests(sql::Reader& reader,
                          const std::function<Result<void>(const Guest&)>& on_guest);

// Removes it with all its rows. False, and nothing removed, when it is no longer deleted, or when
// an experiment still has runs or logged models. A metric that a removed run logged to a logged
// model stays with the model.
Result<bool> remove_for_good(sql::Txn& txn, const Trashed& trashed);

// Data sets that runs have logged and none that is left uses: what follows removals of runs. Reads
// all uses once.
Result<void> remove_unused_datasets(sql::Txn& txn);

// What the runs and logged models rest on, added until nothing is new: the runs that logged the
// models, the models that the runs read, and the parents of the runs. `on_new` hears of each that
// is added and why: (kind, id, the kind and id that it is needed for).
using RestsOn = std::function<void(Trashed::Kind, const std::string& id, Trashed::Kind of_kind,
                                   const std::string& of_id)>;
Result<void> add_foundations(sql::Reader& reader, std::set<std::string>& runs,
                             std::set<std::string>& models, const RestsOn& on_new);

}  // namespace ciclo::tracking
