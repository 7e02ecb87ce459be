// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "base/text.h"
#include "migrate/migration.h"

// Where the source's artifacts are to be with us.

namespace ciclo::migrate {

namespace {

// "…/RUN/artifacts/model" → where "RUN" begins and ends, for each part that stands before
// "artifacts": one of them is the id of the run or logged model that the URI leads into.
std::vector<std::string> owners_in(std::string_view uri) {
  std::vector<std::string> owners;
  std::string_view before;
  for (const auto segment : split(uri, '/')) {
    if (segment == "artifacts" && !before.empty()) owners.emplace_back(before);
    before = segment;
  }
  return owners;
}

// What follows the prefix: "" or "/model"; nullopt when the URI does not lie there.
std::optional<std::string_view> rest_behind(std::string_view uri, std::string_view prefix) {
  if (prefix.empty() || !uri.starts_with(prefix)) return std::nullopt;
  uri.remove_prefix(prefix.size());
  if (!uri.empty() && !uri.starts_with('/')) return std::nullopt;
  return uri;
}

}  // namespace

// Where MLflow has kept none, what is deleted counts as deleted when its copy began, so that
// retention does not take it for as old as the clock.
std::int64_t Migration::deletion_time(std::optional<std::int64_t> deleted_ms) const {
  if (deleted_ms.value_or(0) > 0) return *deleted_ms;
  return import_ ? import_->started_ms : 0;
}

Result<void> Migration::relocate(ExperimentRecord& record) const {
  if (record.experiment.lifecycle_stage == tracking::LifecycleStage::kDeleted) {
    record.deleted_ms = deletion_time(record.deleted_ms);
  }
  auto& location = record.experiment.artifact_location;
  if (!ArtifactPlaces::is_local(location)) return {};
  TRY(const auto ours, place_of(record.experiment));
  location = ours.uri();
  return {};
}

Result<void> Migration::relocate(RunRecord& record) const {
  auto& info = record.run.info;
  if (ArtifactPlaces::is_local(info.artifact_uri)) {
    TRY(const auto ours, place_of(info));
    info.artifact_uri = ours.uri();
  }
  if (info.lifecycle_stage == tracking::LifecycleStage::kDeleted) {
    record.deleted_ms = deletion_time(record.deleted_ms);
  }
  // MLflow deletes the runs of an experiment one by one, after it; restoring it restores them. With
  // us they share its mark.
  const auto deleted = deleted_experiments_.find(info.experiment_id.str());
  if (deleted != deleted_experiments_.end() && record.deleted_ms >= deleted->second) {
    record.deleted_ms = deleted->second;
  }
  return {};
}

Result<void> Migration::relocate(ModelRecord& record) const {
  auto& location = record.model.artifact_location;
  if (!ArtifactPlaces::is_local(location)) return {};
  TRY(const auto ours, place_of(record.model));
  location = ours.uri();
  return {};
}

Result<void> Migration::relocate(RegisteredRecord& record, Report* report) {
  for (auto& version : record.versions) {
    bool stays = false;
    for (std::string* uri : {&version.source, &version.storage_uri}) {
      if (!ArtifactPlaces::is_local(*uri)) continue;
      TRY(auto ours, relocated(*uri));
      stays = !ours;
      if (ours) *uri = *std::move(ours);
    }
    if (stays && report != nullptr) {
      report->notes.push_back("version " + std::to_string(version.version) + " of " +
                              quoted(record.model.name) + " keeps its source " +
                              quoted(version.source) +
                              ", which lies below no run or logged model of the source: its files "
                              "are not copied");
    }
  }
  return {};
}

Result<std::optional<std::string>> Migration::relocated(const std::string& uri) {
  using Found = std::optional<std::string>;
  for (const auto& owner : owners_in(uri)) {
    const LoggedModelId model_id(owner);
    TRY(const auto models, source_.models(std::span(&model_id, 1)));
    for (const auto& found : models) {
      const auto rest = rest_behind(uri, found.model.artifact_location);
      if (!rest) continue;
      TRY(const auto ours, place_of(found.model));
      return Found(ours.uri() + std::string(*rest));
    }
    const RunId run_id(owner);
    TRY(const auto runs, source_.runs(std::span(&run_id, 1)));
    for (const auto& found : runs) {
      const auto rest = rest_behind(uri, found.run.info.artifact_uri);
      if (!rest) continue;
      TRY(const auto ours, place_of(found.run.info));
      return Found(ours.uri() + std::string(*rest));
    }
  }
  return Found();
}

Result<std::vector<tracking::ArtifactLink>> Migration::store_files(
    const std::string& uri, const tracking::ArtifactPath& ours, Report& report) {
  std::vector<tracking::ArtifactLink> links;
  if (!ArtifactPlaces::is_local(uri)) return links;
  TRY(const auto found, places_.find(uri, ours));
  for (const auto& file : found.files) {
    TRY(const auto stored, target_.blobs.put_file(file.file.string()));
    links.push_back({ours / file.path, stored.hash, stored.size});
    ++report.copied.files;
    report.copied.bytes += static_cast<std::int64_t>(stored.size);
    tell("files", report.copied.files, 0, report.copied);
  }
  return links;
}

}  // namespace ciclo::migrate
