// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "base/text.h"
#include "sql/once.h"
#include "tracking/limits.h"
#include "tracking/store.h"
#include "tracking/tracking.h"

namespace ciclo::tracking {

namespace {

struct Found {
  std::int64_t number = 0;
  Experiment experiment;
};

Error no_experiment(const ExperimentId& id) {
  return not_found("no experiment with id " + quoted(id.str()) + " exists");
}

Result<Found> required(sql::Reader& reader, const Context& context, const ExperimentId& id) {
  Found out;
  TRY(out.number, store::experiment_number(id));
  TRY(auto found, store::find_experiment(reader, context.workspace, out.number));
  if (!found) return no_experiment(id);
  out.experiment = std::move(*found);
  return out;
}

Result<Found> required_active(sql::Reader& reader, const Context& context, const ExperimentId& id) {
  TRY(auto found, required(reader, context, id));
  if (found.experiment.lifecycle_stage != LifecycleStage::kActive) {
    return failed_precondition("experiment " + quoted(id.str()) +
                               " is deleted: restore it before changing it");
  }
  return found;
}

Error name_taken(const Experiment& experiment) {
  const bool is_deleted = experiment.lifecycle_stage == LifecycleStage::kDeleted;
  return already_exists(
      "experiment name " + quoted(experiment.name) + " is taken by experiment " +
      experiment.experiment_id.str() +
      (is_deleted ? ", which is deleted: restore it, or choose another name" : ""));
}

Result<void> check_experiment_tag(const Tag& tag) {
  TRY(check_key("tag", tag.key));
  return check_length("tag " + quoted(tag.key) + " value", tag.value, kExperimentTagValueLengthMax);
}

Result<void> check_location(std::string_view location) {
  for (const auto segment : split(location, '/')) {
    if (segment == "..") {
      return invalid_argument("artifact location " + quoted(location) + " must not hold \"..\"");
    }
  }
  return {};
}

Result<ExperimentId> insert(sql::Txn& txn, const Context& context, const NewExperiment& wanted,
                            std::int64_t now_ms) {
  Experiment experiment;
  experiment.name = wanted.name;
  experiment.artifact_location = wanted.artifact_location;
  experiment.created_ms = now_ms;
  TRY(const std::int64_t number, store::insert_experiment(txn, context.workspace, experiment));
  const std::string id = std::to_string(number);
  if (wanted.artifact_location.empty()) {
    TRY(store::set_artifact_location(txn, number, "mlflow-artifacts:/" + id));
  }
  TRY(store::put_experiment_tags(txn, number, wanted.tags));
  return ExperimentId(id);
}

}  // namespace

Result<ExperimentId> Tracking::create_experiment(const Context& context,
                                                 const NewExperiment& experiment) {
  TRY(check_experiment_name(experiment.name));
  TRY(check_location(experiment.artifact_location));
  for (const auto& tag : experiment.tags) TRY(check_experiment_tag(tag));
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<ExperimentId> {
    TRY(const auto taken, store::find_experiment_by_name(txn, context.workspace, experiment.name));
    if (taken) return name_taken(*taken);
    return insert(txn, context, experiment, clock_.now_ms());
  });
}

Result<ExperimentId> Tracking::ensure_experiment(const Context& context, const std::string& name) {
  TRY(check_experiment_name(name));
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<ExperimentId> {
    TRY(const auto found, store::find_experiment_by_name(txn, context.workspace, name));
    if (!found) return insert(txn, context, {.name = name}, clock_.now_ms());
    if (found->lifecycle_stage == LifecycleStage::kDeleted) return name_taken(*found);
    return found->experiment_id;
  });
}

Result<Experiment> Tracking::experiment(const Context& context, const ExperimentId& id) {
  return database_.view([&](sql::Reader& reader) -> Result<Experiment> {
    TRY(auto found, required(reader, context, id));
    return std::move(found.experiment);
  });
}

Result<Commented> Tracking::commented(const Context& context, const ExperimentId& id) {
  TRY(const auto found, experiment(context, id));
  return Commented{"experiment", found.experiment_id.str(), found.name};
}

Result<Experiment> Tracking::experiment_by_name(const Context& context, std::string_view name) {
  return database_.view([&](sql::Reader& reader) -> Result<Experiment> {
    TRY(auto found, store::find_experiment_by_name(reader, context.workspace, name));
    if (!found) return not_found("no experiment named " + quoted(name) + " exists");
    return std::move(*found);
  });
}

Result<void> Tracking::rename_experiment(const Context& context, const ExperimentId& id,
                                         const std::string& name) {
  TRY(check_experiment_name(name));
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(const auto found, required_active(txn, context, id));
    TRY(const auto taken, store::find_experiment_by_name(txn, context.workspace, name));
    if (taken && taken->experiment_id != id) return name_taken(*taken);
    return store::rename_experiment(txn, found.number, name, clock_.now_ms());
  });
}

Result<void> Tracking::delete_experiment(const Context& context, const ExperimentId& id) {
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(const auto found, required(txn, context, id));
    if (found.experiment.lifecycle_stage == LifecycleStage::kDeleted) return no_experiment(id);
    return store::delete_experiment(txn, found.number, clock_.now_ms());
  });
}

Result<void> Tracking::restore_experiment(const Context& context, const ExperimentId& id) {
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(const auto found, required(txn, context, id));
    if (found.experiment.lifecycle_stage == LifecycleStage::kActive) {
      return not_found("no deleted experiment with id " + quoted(id.str()) + " exists");
    }
    return store::restore_experiment(txn, found.number, clock_.now_ms());
  });
}

Result<void> Tracking::set_experiment_tag(const Context& context, const ExperimentId& id,
                                          const Tag& tag) {
  TRY(check_experiment_tag(tag));
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(const auto found, required_active(txn, context, id));
    return store::put_experiment_tags(txn, found.number, std::span(&tag, 1));
  });
}

Result<void> Tracking::delete_experiment_tag(const Context& context, const ExperimentId& id,
                                             std::string_view key) {
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(const auto found, required_active(txn, context, id));
    TRY(const bool removed, store::remove_experiment_tag(txn, found.number, key));
    if (!removed) {
      return not_found("experiment " + id.str() + " has no tag " + quoted(key));
    }
    return {};
  });
}

Result<Page<Experiment>> Tracking::search_experiments(const Context& context,
                                                      const ExperimentSearch& search) {
  TRY(check_max_results(search.max_results, kSearchResultsMax));
  const SearchText text{search.filter, search.order_by, search.page_token,
                        std::to_string(static_cast<int>(search.view))};
  return database_.view([&](sql::Reader& reader) {
    return store::search_experiments(reader, context.workspace, search.view, text,
                                     search.max_results);
  });
}

}  // namespace ciclo::tracking
