// SPDX-License-Identifier: Apache-2.0
#include "registry/history.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/clock.h"
#include "base/text.h"
#include "registry/store_history.h"

namespace ciclo::registry {
namespace {

using ModelsByNumber = std::map<std::int64_t, PastModel>;

void apply(ModelsByNumber& models, std::int64_t number, const ModelChange& change) {
  if (change.kind == "model.created") {
    models[number] = {.name = change.model, .created_ms = change.time_ms};
    return;
  }
  // Aliases come after all else, so those of a model that is gone come to nothing here.
  const auto found = models.find(number);
  if (found == models.end()) return;
  PastModel& model = found->second;
  const std::int64_t version = change.version.value_or(0);
  if (change.kind == "model.renamed") {
    model.name = change.model;
  } else if (change.kind == "model.deleted") {
    models.erase(found);
  } else if (change.kind == "version.created") {
    model.versions[version] = {version, change.time_ms, change.source, change.run_id};
  } else if (change.kind == "version.deleted") {
    model.versions.erase(version);
  } else if (change.kind == "stage.changed") {
    if (const auto of = model.versions.find(version); of != model.versions.end()) {
      of->second.stage = change.value;
    }
  } else if (change.kind == "alias.moved") {
    if (change.version) {
      model.aliases[change.alias] = version;
    } else {
      model.aliases.erase(change.alias);
    }
  }
}

Result<ModelsByNumber> read_models(sql::Reader& reader, const Context& context,
                                   std::optional<std::int64_t> number, std::int64_t time_ms) {
  ModelsByNumber models;
  TRY(store::visit_changes(reader, context.workspace, number, time_ms,
                           [&](std::int64_t of, const ModelChange& change) -> Result<void> {
                             apply(models, of, change);
                             return {};
                           }));
  return models;
}

}  // namespace

Result<std::vector<ModelChange>> History::changes(const Context& context, const std::string& name,
                                                  std::int64_t limit) {
  return database_.view([&](sql::Reader& reader) -> Result<std::vector<ModelChange>> {
    TRY(const auto numbers, store::models_named(reader, context.workspace, name));
    if (numbers.empty()) return not_found("there was never a model named " + quoted(name));
    std::vector<ModelChange> all;
    for (const std::int64_t number : numbers) {
      TRY(store::visit_changes(reader, context.workspace, number,
                               std::numeric_limits<std::int64_t>::max(),
                               [&](std::int64_t, const ModelChange& change) -> Result<void> {
                                 all.push_back(change);
                                 return {};
                               }));
    }
    std::stable_sort(all.begin(), all.end(),
                     [](const auto& a, const auto& b) { return a.time_ms < b.time_ms; });
    std::reverse(all.begin(), all.end());
    if (std::ssize(all) > limit) all.resize(static_cast<std::size_t>(limit));
    return all;
  });
}

Result<std::vector<PastModel>> History::models_at(const Context& context, std::int64_t time_ms) {
  return database_.view([&](sql::Reader& reader) -> Result<std::vector<PastModel>> {
    TRY(auto models, read_models(reader, context, {}, time_ms));
    std::vector<PastModel> all;
    for (auto& [number, model] : models) all.push_back(std::move(model));
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return all;
  });
}

Result<PastModel> History::model_at(const Context& context, const std::string& name,
                                    std::int64_t time_ms) {
  return database_.view([&](sql::Reader& reader) -> Result<PastModel> {
    TRY(const auto numbers, store::models_named(reader, context.workspace, name));
    for (const std::int64_t number : numbers) {
      TRY(auto models, read_models(reader, context, number, time_ms));
      const auto found = models.find(number);
      if (found != models.end() && found->second.name == name) return std::move(found->second);
    }
    return not_found("at " + format_utc(time_ms) + " there was no model named " + quoted(name));
  });
}

}  // namespace ciclo::registry
