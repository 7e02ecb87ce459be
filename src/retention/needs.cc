// SPDX-License-Identifier: Apache-2.0
#include "retention/needs.h"

#include <utility>

#include "base/text.h"
#include "tracking/artifacts.h"

namespace ciclo::retention {
namespace {

using Kind = tracking::Trashed::Kind;

std::string place_key(std::string_view workspace, std::string_view path) {
  return std::string(workspace) + "\n" + std::string(path);
}

// Whose place is the one with that key, or lies below it.
std::optional<std::string> owner_inside(const std::map<std::string, std::string>& places,
                                        const std::string& key) {
  for (auto place = places.lower_bound(key); place != places.end() && place->first.starts_with(key);
       ++place) {
    if (place->first.size() == key.size() || place->first[key.size()] == '/') return place->second;
  }
  return std::nullopt;
}

std::set<std::string> ids_of(const std::map<std::string, std::string>& reasons) {
  std::set<std::string> ids;
  for (const auto& [id, reason] : reasons) ids.insert(id);
  return ids;
}

std::string reason_of(Kind kind, Kind of_kind, const std::string& of_id) {
  const std::string of = std::string(tracking::name_of(of_kind)) + " " + of_id;
  if (kind == Kind::kLoggedModel) return of + ", which is needed, has read it";
  if (of_kind == Kind::kLoggedModel) return of + ", which is needed, was logged by it";
  return of + ", which is needed, is a child of it";
}

}  // namespace

Result<Needs> Needs::read(sql::Reader& reader) {
  Needs needs;
  TRY(registry::visit_origins(reader, [&](const registry::VersionOrigin& origin) -> Result<void> {
    needs.add(origin);
    return {};
  }));
  TRY(tracking::visit_guests(reader, [&](const tracking::Guest& guest) -> Result<void> {
    needs.guests_.emplace(place_key(guest.workspace, guest.place.str()),
                          "experiment " + guest.experiment_id);
    return {};
  }));
  auto runs = ids_of(needs.runs_);
  auto models = ids_of(needs.models_);
  TRY(tracking::add_foundations(
      reader, runs, models,
      [&](Kind kind, const std::string& id, Kind of_kind, const std::string& of_id) {
        auto& reasons = kind == Kind::kRun ? needs.runs_ : needs.models_;
        reasons.emplace(id, reason_of(kind, of_kind, of_id));
      }));
  return needs;
}

void Needs::add(const registry::VersionOrigin& origin) {
  const std::string who =
      "version " + std::to_string(origin.version) + " of model " + ciclo::quoted(origin.model);
  if (!origin.run_id.empty()) runs_.emplace(origin.run_id, who + " was made by it");
  if (!origin.model_id.empty()) models_.emplace(origin.model_id, who + " was made from it");
  add_place(origin, origin.source, who);
  add_place(origin, origin.storage_uri, who);
}

void Needs::add_place(const registry::VersionOrigin& origin, std::string_view uri,
                      const std::string& who) {
  constexpr std::string_view kRuns = "runs:/";
  constexpr std::string_view kModels = "models:/";
  if (uri.starts_with(kRuns)) {
    const auto id = uri.substr(kRuns.size());
    runs_.emplace(id.substr(0, id.find('/')), who + " was made by it");
  } else if (uri.starts_with(kModels)) {
    models_.emplace(uri.substr(kModels.size()), who + " was made from it");
  } else if (const auto path = tracking::ArtifactPath::from_uri(uri); path.ok()) {
    places_.emplace(place_key(origin.workspace, path->str()), who);
  }
}

std::optional<std::string> Needs::reason_to_keep(const tracking::Trashed& trashed) const {
  if (trashed.kind != Kind::kExperiment) {
    const auto& reasons = trashed.kind == Kind::kRun ? runs_ : models_;
    if (const auto found = reasons.find(trashed.id); found != reasons.end()) return found->second;
  }
  const auto folder = trashed.folder();
  if (!folder) return std::nullopt;
  // A package in the folder, or one whose folder holds this one.
  const std::string key = place_key(trashed.workspace, folder->str());
  for (const auto* places : {&places_, &guests_}) {
    if (const auto owner = owner_inside(*places, key))
      return "the files of " + *owner + " lie in it";
  }
  for (auto above = folder->parent(); !above.is_root(); above = above.parent()) {
    const auto place = places_.find(place_key(trashed.workspace, above.str()));
    if (place != places_.end()) return "it lies in the files of " + place->second;
  }
  return std::nullopt;
}

}  // namespace ciclo::retention
