// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "api/mlflow/answer.h"
#include "api/mlflow/messages.h"
#include "base/text.h"

namespace ciclo::api::mlflow {

namespace {


Result<std::int64_t> version_of(const Input& input) {
  TRY(const auto word, input.word("version"));
  const auto version = parse_int(word);
  if (!version) {
    return invalid_argument("parameter \"version\" must be an integer, got " + quoted(word));
  }
  return *version;
}

Result<registry::Tag> tag_of(const Input& input) {
  registry::Tag tag;
  TRY(tag.key, input.text("key"));
  TRY(tag.value, input.text_or_empty("value"));
  return tag;
}

Result<registry::ModelSearch> search_of(const Input& input, std::int64_t max_results) {
  registry::ModelSearch search;
  TRY(search.filter, input.text_or_empty("filter"));
  TRY(search.order_by, input.texts("order_by"));
  TRY(search.max_results, input.integer_or("max_results", max_results));
  TRY(search.page_token, input.text_or_empty("page_token"));
  return search;
}

Result<std::string> create_model(const Services& services, const Context& context,
                                 const Input& input) {
  TRY(const auto name, input.text("name"));
  TRY(const auto description, input.text_or_empty("description"));
  TRY(const auto tags, input.tags("tags"));
  TRY(const auto model, services.registry.create_model(context, name, description, tags));
  return object_with("registered_model", model);
}

Result<std::string> get_model(const Services& services, const Context& context,
                              const Input& input) {
  TRY(const auto name, input.text("name"));
  TRY(const auto model, services.registry.model(context, name));
  return object_with("registered_model", model);
}

Result<std::string> rename_model(const Services& services, const Context& context,
                                 const Input& input) {
  TRY(const auto name, input.text("name"));
  TRY(const auto new_name, input.text("new_name"));
  TRY(const auto model, services.registry.rename_model(context, name, new_name));
  return object_with("registered_model", model);
}

Result<std::string> update_model(const Services& services, const Context& context,
                                 const Input& input) {
  TRY(const auto name, input.text("name"));
  TRY(const auto description, input.text_or_empty("description"));
  TRY(const auto model, services.registry.describe_model(context, name, description));
  return object_with("registered_model", model);
}

Result<std::string> delete_model(const Services& services, const Context& context,
                                 const Input& input) {
  TRY(const auto name, input.text("name"));
  TRY(services.registry.delete_model(context, name));
  return "{}";
}

Result<std::string> set_model_tag(const Services& services, const Context& context,
                                  const Input& input) {
  TRY(const auto name, input.text("name"));
  TRY(const auto tag, tag_of(input));
  TRY(services.registry.set_model_tag(context, name, tag));
  return "{}";
}

Result<std::string> delete_model_tag(const Services& services, const Context& context,
                                     const Input& input) {
  TRY(const auto name, input.text("name"));
  TRY(const auto key, input.text("key"));
  TRY(services.registry.delete_model_tag(context, name, key));
  return "{}";
}

Result<std::string> search_models(const Services& services, const Context& context,
                                  const Input& input) {
  TRY(const auto search, search_of(input, 100));
  TRY(const auto page, services.registry.search_models(context, search));
  return page_with("registered_models", page);
}

Result<registry::Stage> stage_named(std::string_view name) {
  const auto stage = registry::parse_stage(name);
  if (!stage) {
    return invalid_argument("invalid stage " + quoted(name) +
                            ": expected None, Staging, Production or Archived");
  }
  return *stage;
}

// The newest of each stage asked for; of all stages when none is.
Result<std::string> latest_versions(const Services& services, const Context& context,
                                    const Input& input) {
  TRY(const auto name, input.text("name"));
  TRY(const auto names, input.texts("stages"));
  std::vector<registry::Stage> stages;
  for (const auto& stage_name : names) {
    TRY(const auto stage, stage_named(stage_name));
    stages.push_back(stage);
  }
  TRY(auto model, services.registry.model(context, name));
  registry::Page<registry::ModelVersion> page;
  for (auto& version : model.latest_versions) {
    const bool is_wanted =
        stages.empty() || std::find(stages.begin(), stages.end(), version.stage) != stages.end();
    if (is_wanted) page.items.push_back(std::move(version));
  }
  return page_with("model_versions", page);
}

Result<std::string> transition_stage(const Services& services, const Context& context,
                                     const Input& input) {
  TRY(const auto name, input.text("name"));
  TRY(const auto number, version_of(input));
  TRY(const auto stage_name, input.text("stage"));
  TRY(const auto stage, stage_named(stage_name));
  TRY(const bool archives, input.boolean_or("archive_existing_versions", false));
  TRY(const auto version, services.registry.set_stage(context, name, number, stage,
                                                      archives ? registry::StageOthers::kArchive
                                                               : registry::StageOthers::kKeep));
  return object_with("model_version", version);
}

// The folder that a source may lie in: that of the logged model or run that the version names;
// nothing when it names neither.
Result<std::optional<tracking::ArtifactPath>> owner_folder(
    const Services& services, const Context& context, const registry::NewModelVersion& version) {
  std::string uri;
  if (!version.model_id.empty()) {
    TRY(const auto model,
        services.logged_models.get(context, tracking::LoggedModelId(version.model_id)));
    uri = model.artifact_location;
  } else if (!version.run_id.empty()) {
    TRY(const auto run, services.tracking.run_info(context, tracking::RunId(version.run_id)));
    uri = run.artifact_uri;
  }
  if (uri.empty()) return std::optional<tracking::ArtifactPath>();
  TRY(auto folder, tracking::ArtifactPath::from_uri(uri));
  return std::optional<tracking::ArtifactPath>(std::move(folder));
}

// Files of this server belong to somebody: a version takes those of the run or model it names.
Result<void> check_owner(const Services& services, const Context& context,
                         const registry::NewModelVersion& version) {
  if (!version.source.starts_with("mlflow-artifacts:")) return {};
  const auto folder = owner_folder(services, context, version);
  if (!folder.ok()) return invalid_argument(folder.error().message);
  if (!*folder) {
    return invalid_argument("invalid model version source " + quoted(version.source) +
                            ": a run_id or model_id is needed that the artifacts belong to");
  }
  TRY(const auto place, tracking::ArtifactPath::from_uri(version.source));
  const std::string& root = (*folder)->str();
  if (place.str() == root || place.str().starts_with(root + "/")) return {};
  return invalid_argument("invalid model version source " + quoted(version.source) +
                          ": it is not among the artifacts of the run or model that it names");
}

// A model logged by MLflow 3 has an id, and its files and run are found by it.
Result<void> resolve_source(const Services& services, const Context& context,
                            registry::NewModelVersion& version) {
  constexpr std::string_view kModels = "models:/";
  const std::string_view source = version.source;
  std::string id = version.model_id;
  const bool names_model = source.starts_with(kModels) &&
                           source.find_first_of("/@", kModels.size()) == std::string_view::npos;
  if (names_model) id = std::string(source.substr(kModels.size()));
  TRY(check_owner(services, context, version));
  if (id.empty()) return {};
  TRY(const auto model, services.logged_models.get(context, tracking::LoggedModelId(id)));
  if (names_model) version.storage_uri = model.artifact_location;
  if (version.run_id.empty()) version.run_id = model.source_run_id.str();
  version.model_id = std::move(id);
  return {};
}

Result<std::string> create_version(const Services& services, const Context& context,
                                   const Input& input) {
  registry::NewModelVersion version;
  TRY(version.name, input.text("name"));
  TRY(version.source, input.text("source"));
  TRY(version.run_id, input.text_or_empty("run_id"));
  TRY(version.run_link, input.text_or_empty("run_link"));
  TRY(version.model_id, input.text_or_empty("model_id"));
  TRY(version.description, input.text_or_empty("description"));
  TRY(version.tags, input.tags("tags"));
  TRY(resolve_source(services, context, version));
  TRY(const auto created, services.registry.create_version(context, version));
  return object_with("model_version", created);
}

Result<std::string> get_version(const Services& services, const Context& context,
                                const Input& input) {
  TRY(const auto name, input.text("name"));
  TRY(const auto number, version_of(input));
  TRY(const auto version, services.registry.version(context, name, number));
  return object_with("model_version", version);
}

Result<std::string> update_version(const Services& services, const Context& context,
                                   const Input& input) {
  TRY(const auto name, input.text("name"));
  TRY(const auto number, version_of(input));
  TRY(const auto description, input.text_or_empty("description"));
  TRY(const auto version, services.registry.describe_version(context, name, number, description));
  return object_with("model_version", version);
}

Result<std::string> delete_version(const Services& services, const Context& context,
                                   const Input& input) {
  TRY(const auto name, input.text("name"));
  TRY(const auto number, version_of(input));
  TRY(services.registry.delete_version(context, name, number));
  return "{}";
}

Result<std::string> set_version_tag(const Services& services, const Context& context,
                                    const Input& input) {
  TRY(const auto name, input.text("name"));
  TRY(const auto number, version_of(input));
  TRY(const auto tag, tag_of(input));
  TRY(services.registry.set_version_tag(context, name, number, tag));
  return "{}";
}

Result<std::string> delete_version_tag(const Services& services, const Context& context,
                                       const Input& input) {
  TRY(const auto name, input.text("name"));
  TRY(const auto number, version_of(input));
  TRY(const auto key, input.text("key"));
  TRY(services.registry.delete_version_tag(context, name, number, key));
  return "{}";
}

Result<std::string> search_versions(const Services& services, const Context& context,
                                    const Input& input) {
  TRY(const auto search, search_of(input, 10'000));
  TRY(const auto page, services.registry.search_versions(context, search));
  return page_with("model_versions", page);
}

Result<std::string> download_uri(const Services& services, const Context& context,
                                 const Input& input) {
  TRY(const auto name, input.text("name"));
  TRY(const auto number, version_of(input));
  TRY(const auto version, services.registry.version(context, name, number));
  return object([&](json::Writer& out) { out.key("artifact_uri").string(version.storage_uri); });
}

Result<std::string> set_alias(const Services& services, const Context& context,
                              const Input& input) {
  TRY(const auto name, input.text("name"));
  TRY(const auto alias, input.text("alias"));
  TRY(const auto number, version_of(input));
  TRY(services.registry.set_alias(context, name, alias, number));
  return "{}";
}

Result<std::string> delete_alias(const Services& services, const Context& context,
                                 const Input& input) {
  TRY(const auto name, input.text("name"));
  TRY(const auto alias, input.text("alias"));
  TRY(services.registry.delete_alias(context, name, alias));
  return "{}";
}

// MLflow says 400, not 404, where the model has no such alias.
Result<std::string> get_by_alias(const Services& services, const Context& context,
                                 const Input& input) {
  TRY(const auto name, input.text("name"));
  TRY(const auto alias, input.text("alias"));
  TRY(const auto model, services.registry.model(context, name));
  const auto version = services.registry.version_by_alias(context, model.name, alias);
  if (version.ok()) return object_with("model_version", *version);
  if (version.error().code == Code::kNotFound) return invalid_argument(version.error().message);
  return version.error();
}

}  // namespace

void add_registry_routes(http::Router& router, const Services& services) {
  using Function = Result<std::string> (*)(const Services&, const Context&, const Input&);
  const auto add = [&](std::string_view method, std::string_view path, Function function) {
    add_call(router, method, "/2.0/mlflow/" + std::string(path),
             [services, function](const Context& context, const Input& input) {
               return function(services, context, input);
             });
  };
  add("POST", "registered-models/create", create_model);
  add("GET", "registered-models/get", get_model);
  add("POST", "registered-models/rename", rename_model);
  add("PATCH", "registered-models/update", update_model);
  add("DELETE", "registered-models/delete", delete_model);
  add("POST", "registered-models/set-tag", set_model_tag);
  add("DELETE", "registered-models/delete-tag", delete_model_tag);
  add("GET", "registered-models/search", search_models);
  add("GET", "registered-models/get-latest-versions", latest_versions);
  add("POST", "registered-models/get-latest-versions", latest_versions);
  add("POST", "registered-models/alias", set_alias);
  add("DELETE", "registered-models/alias", delete_alias);
  add("GET", "registered-models/alias", get_by_alias);
  add("POST", "model-versions/create", create_version);
  add("POST", "model-versions/transition-stage", transition_stage);
  add("GET", "model-versions/get", get_version);
  add("PATCH", "model-versions/update", update_version);
  add("DELETE", "model-versions/delete", delete_version);
  add("POST", "model-versions/set-tag", set_version_tag);
  add("DELETE", "model-versions/delete-tag", delete_version_tag);
  add("GET", "model-versions/search", search_versions);
  add("GET", "model-versions/get-download-uri", download_uri);
}

}  // namespace ciclo::api::mlflow
