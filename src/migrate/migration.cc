// SPDX-License-Identifier: Apache-2.0
#include "migrate/migration.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/text.h"
#include "migrate/naming.h"
#include "sql/dialect.h"
#include "tracking/store.h"

namespace ciclo::migrate {

namespace {

// Objects of a transaction: what kill -9 can cost is their copy.
constexpr std::int64_t kPage = 100;
constexpr std::size_t kNamedMax = 20;

constexpr store::Kind kExperiment = "experiment";
constexpr store::Kind kRun = "run";
constexpr store::Kind kModel = "model";
constexpr store::Kind kRegistered = "registered model";

template <class Id>
std::vector<std::string> texts_of(const std::vector<Id>& ids) {
  std::vector<std::string> texts;
  for (const auto& id : ids) texts.push_back(id.str());
  return texts;
}

template <class Id>
std::vector<Id> ids_of(const std::vector<std::string>& texts) {
  return std::vector<Id>(texts.begin(), texts.end());
}

}  // namespace

Migration::Migration(Source& source, std::string name, ArtifactPlaces places, Target target,
                     std::function<void(const Progress&)> progress)
    : source_(source),
      name_(std::move(name)),
      places_(std::move(places)),
      target_(std::move(target)),
      here_(target_.database, target_.workspace),
      progress_(std::move(progress)) {}

void Migration::tell(std::string_view phase, std::int64_t done, std::int64_t total,
                     const Counts& copied) {
  if (progress_) progress_({phase, done, total, copied});
}

Result<Report> Migration::plan() {
  Report report;
  report.revision = source_.revision();
  TRY(report.found, source_.totals());
  TRY(report.not_copied, source_.not_copied());
  TRY(import_, target_.database.view(
                   [&](sql::Reader& reader) { return store::find_import(reader, name_); }));
  report.was_complete = import_ && import_->finished_ms;
  TRY(refuse_unplaced());
  TRY(find_conflicts());
  return report;
}

// Before anything is written, so that nobody waits for hours to be told.
Result<void> Migration::refuse_unplaced() {
  TRY(const auto used, source_.used_experiments());
  TRY(const auto experiments, source_.experiments());
  for (const auto& record : experiments) {
    const auto& experiment = record.experiment;
    const auto& location = experiment.artifact_location;
    if (!used.contains(experiment.experiment_id.str())) continue;
    if (!ArtifactPlaces::is_local(location)) continue;
    TRY(const auto ours, place_of(experiment));
    TRY(places_.locate(location, ours));
    TRY(const bool is_elsewhere, places_.is_elsewhere(location));
    if (!is_elsewhere) continue;
    return failed_precondition(
        "the artifacts of experiment " + experiment.experiment_id.str() + " are at " +
        quoted(location) +
        ", of which not even the directory above is on this machine: name the directory that "
        "holds them, as EXPERIMENT/RUN/artifacts, with --artifacts (an empty one when there are "
        "none)");
  }
  return {};
}

Result<void> Migration::each_page(store::Kind kind,
                                  const std::function<Result<void>(const Ids&)>& page) {
  Ids ids;
  do {
    const std::string after = ids.empty() ? "" : ids.back();
    if (kind == kRun) {
      TRY(const auto found, source_.run_ids(after, kPage));
      ids = texts_of(found);
    } else if (kind == kModel) {
      TRY(const auto found, source_.model_ids(after, kPage));
      ids = texts_of(found);
    } else {
      TRY(ids, source_.registered_names(after, kPage));
    }
    if (!ids.empty()) TRY(page(ids));
  } while (!ids.empty());
  return {};
}

Result<Migration::Ids> Migration::existing(sql::Reader& reader, store::Kind kind, const Ids& ids) {
  if (kind == kRun) return store::existing_runs(reader, ids);
  if (kind == kModel) return store::existing_models(reader, ids);
  return store::existing_registered(reader, target_.workspace, ids);
}

// Those that this migration has not copied yet.
Result<Migration::Ids> Migration::missing(store::Kind kind, const Ids& ids) {
  if (!import_) return ids;
  TRY(const auto copied, target_.database.view([&](sql::Reader& reader) {
    return store::copied(reader, import_->number, kind, ids);
  }));
  Ids out;
  for (const auto& id : ids) {
    if (!copied.contains(id)) out.push_back(id);
  }
  return out;
}

Result<void> Migration::find_conflicts() {
  std::vector<std::string> conflicts;
  TRY(const auto experiments, source_.experiments());
  for (const auto& record : experiments) {
    const auto& experiment = record.experiment;
    TRY(const auto is_missing, missing(kExperiment, {experiment.experiment_id.str()}));
    if (is_missing.empty()) continue;
    TRY(const std::int64_t number, tracking::store::experiment_number(experiment.experiment_id));
    TRY(const auto other, target_.database.view([&](sql::Reader& reader) {
      return store::experiment_in_the_way(reader, target_.workspace, number, experiment.name);
    }));
    if (!other) continue;
    conflicts.push_back("experiment " + std::to_string(number) + " " + quoted(experiment.name) +
                        " (here is " + *other + ")");
  }
  for (const store::Kind kind : {kRun, kModel, kRegistered}) {
    TRY(each_page(kind, [&](const Ids& ids) -> Result<void> {
      TRY(const auto to_copy, missing(kind, ids));
      TRY(const auto taken, target_.database.view([&](sql::Reader& reader) {
        return existing(reader, kind, to_copy);
      }));
      for (const auto& id : taken) conflicts.push_back(std::string(kind) + " " + quoted(id));
      return {};
    }));
  }
  if (conflicts.empty()) return {};
  const std::size_t count = conflicts.size();
  conflicts.resize(std::min(count, kNamedMax));
  return already_exists(std::to_string(count) +
                        " objects of the source have ids or names that others have here: " +
                        join(conflicts, ", ") + (count > kNamedMax ? ", …" : "") +
                        "; nothing was copied: choose another --root, or rename them");
}

Result<void> Migration::begin() {
  if (import_) return {};
  store::Import made{.started_ms = target_.clock.now_ms()};
  TRY(made.number, target_.database.transact([&](sql::Txn& txn) {
    return store::insert_import(txn, name_, made.started_ms);
  }));
  import_ = made;
  return {};
}

Result<Report> Migration::copy() {
  TRY(Report report, plan());
  TRY(begin());
  TRY(copy_experiments(report));
  std::int64_t done = 0;
  const auto step = [&](store::Kind kind, std::string_view phase, std::int64_t total,
                        auto&& copy_some) -> Result<void> {
    done = 0;
    return each_page(kind, [&](const Ids& ids) -> Result<void> {
      TRY(const auto to_copy, missing(kind, ids));
      if (!to_copy.empty()) TRY(copy_some(to_copy));
      done += std::ssize(ids);
      tell(phase, done, total, report.copied);
      return {};
    });
  };
  TRY(step(kRun, "runs", report.found.runs,
           [&](const Ids& ids) { return copy_runs(report, ids); }));
  TRY(step(kModel, "logged models", report.found.models,
           [&](const Ids& ids) { return copy_models(report, ids); }));
  TRY(step(kRegistered, "registered models", report.found.registered,
           [&](const Ids& ids) { return copy_registered(report, ids); }));
  return report;
}

Result<void> Migration::copy_experiments(Report& report) {
  TRY(auto records, source_.experiments());
  std::int64_t greatest = 0;
  std::vector<ExperimentRecord> to_copy;
  Ids ids;
  for (auto& record : records) {
    const std::string id = record.experiment.experiment_id.str();
    TRY(const std::int64_t number,
        tracking::store::experiment_number(record.experiment.experiment_id));
    greatest = std::max(greatest, number);
    if (record.deleted_ms) deleted_experiments_[id] = deletion_time(record.deleted_ms);
    TRY(const auto is_missing, missing(kExperiment, {id}));
    if (is_missing.empty()) continue;
    if (!ArtifactPlaces::is_local(record.experiment.artifact_location)) {
      report.notes.push_back("the artifacts of experiment " + id + " stay at " +
                             record.experiment.artifact_location +
                             "; clients go on reading them there");
    }
    TRY(relocate(record));
    ids.push_back(id);
    to_copy.push_back(std::move(record));
  }
  if (ids.empty()) return {};
  TRY(target_.database.transaction([&](sql::Txn& txn) -> Result<void> {
    for (const auto& record : to_copy) {
      TRY(naming(tracking::store::insert_record(txn, target_.workspace, record), kExperiment,
                 record.experiment.experiment_id.str()));
    }
    TRY(tracking::store::reserve_experiments(txn, greatest));
    return store::add_copied(txn, import_->number, kExperiment, ids);
  }));
  report.copied.experiments += std::ssize(ids);
  return {};
}

Result<void> Migration::copy_runs(Report& report, const Ids& texts) {
  const auto ids = ids_of<RunId>(texts);
  TRY(auto records, source_.runs(ids));
  Counts counts;
  std::vector<tracking::ArtifactLink> links;
  for (auto& record : records) {
    const std::string uri = record.run.info.artifact_uri;
    TRY(relocate(record));
    TRY(const auto ours, place_of(record.run.info));
    TRY(auto stored, store_files(uri, ours, report));
    std::move(stored.begin(), stored.end(), std::back_inserter(links));
    counts.params += std::ssize(record.run.params);
    counts.tags += std::ssize(record.run.tags);
  }
  counts.runs = std::ssize(records);
  std::int64_t points = 0;
  TRY(target_.database.transaction([&](sql::Txn& txn) -> Result<void> {
    TRY(sql::lift_time_limit(txn));
    Counts copied;
    std::vector<tracking::store::RunRow> rows;
    for (const auto& record : records) {
      TRY(rows.emplace_back(),
          naming(tracking::store::insert_record(txn, record), kRun, record.run.info.run_id.str()));
    }
    TRY(copy_points(txn, ids, rows, copied));
    TRY(tracking::Artifacts::link_in(txn, target_.workspace, links, target_.clock.now_ms()));
    TRY(store::add_copied(txn, import_->number, kRun, texts));
    points = copied.points;
    return {};
  }));
  report.copied.runs += counts.runs;
  report.copied.params += counts.params;
  report.copied.tags += counts.tags;
  report.copied.points += points;
  return {};
}

Result<void> Migration::copy_points(sql::Txn& txn, std::span<const RunId> ids,
                                    std::span<const tracking::store::RunRow> rows, Counts& copied) {
  std::map<std::string_view, const tracking::store::RunRow*> by_id;
  for (const auto& row : rows) by_id[row.info.run_id.str()] = &row;
  return source_.points(ids, [&](const RunId& run, std::span<const Metric> points) -> Result<void> {
    const auto row = by_id.find(run.str());
    if (row == by_id.end()) return {};
    copied.points += std::ssize(points);
    return naming(tracking::store::append_metrics(txn, *row->second, points), "the metrics of run",
                  run.str());
  });
}

Result<void> Migration::copy_models(Report& report, const Ids& texts) {
  const auto ids = ids_of<LoggedModelId>(texts);
  TRY(auto records, source_.models(ids));
  std::vector<tracking::ArtifactLink> links;
  for (auto& record : records) {
    const std::string uri = record.model.artifact_location;
    TRY(relocate(record));
    TRY(const auto ours, place_of(record.model));
    TRY(auto stored, store_files(uri, ours, report));
    std::move(stored.begin(), stored.end(), std::back_inserter(links));
  }
  TRY(target_.database.transaction([&](sql::Txn& txn) -> Result<void> {
    for (const auto& record : records) {
      TRY(naming(tracking::store::insert_record(txn, record), "logged model",
                 record.model.model_id.str()));
    }
    TRY(tracking::Artifacts::link_in(txn, target_.workspace, links, target_.clock.now_ms()));
    return store::add_copied(txn, import_->number, kModel, texts);
  }));
  report.copied.models += std::ssize(records);
  return {};
}

Result<void> Migration::copy_registered(Report& report, const Ids& names) {
  std::vector<RegisteredRecord> records;
  std::int64_t versions = 0;
  for (const auto& name : names) {
    TRY(auto record, source_.registered(name));
    if (!record) continue;
    TRY(relocate(*record, &report));
    versions += std::ssize(record->versions);
    records.push_back(std::move(*record));
  }
  const std::string reason = "copied from " + name_;
  TRY(target_.database.transaction([&](sql::Txn& txn) -> Result<void> {
    for (const auto& record : records) {
      TRY(naming(registry::store::insert_record(txn, target_.workspace, record, reason,
                                                target_.clock.now_ms()),
                 kRegistered, record.model.name));
    }
    return store::add_copied(txn, import_->number, kRegistered, names);
  }));
  report.copied.registered += std::ssize(records);
  report.copied.versions += versions;
  return {};
}

}  // namespace ciclo::migrate
