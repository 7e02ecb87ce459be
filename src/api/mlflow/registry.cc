// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>

#include "api/mlflow/answer.h"
#include "api/mlflow/messages.h"
#include "base/text.h"

namespace ciclo::api::mlflow {

namespace {

using registry::Registry;

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

// Without stages the latest versions of a model are the latest version.
Result<std::string> latest_versions(const Services& services, const Context& context,
                                    const Input& input) {
  TRY(const auto name, input.text("name"));
  TRY(const auto stages, input.texts("stages"));
  for (const auto& stage : stages) {
    if (to_lower_ascii(stage) != "none") {
      return invalid_argument("stages: there is no stage " + quoted(stage) +
                              ", every version is in \"None\"; use aliases");
    }
  }
  TRY(const auto model, services.registry.model(context, name));
  registry::Page<registry::ModelVersion> page;
  if (model.latest_version) page.items.push_back(*model.latest_version);
  return page_with("model_versions", page);
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
  add("GET", "model-versions/get", get_version);
  add("PATCH", "model-versions/update", update_version);
  add("DELETE", "model-versions/delete", delete_version);
  add("POST", "model-versions/set-tag", set_version_tag);
  add("DELETE", "model-versions/delete-tag", delete_version_tag);
  add("GET", "model-versions/search", search_versions);
  add("GET", "model-versions/get-download-uri", download_uri);
}

}  // namespace ciclo::api::mlflow
