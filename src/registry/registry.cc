// SPDX-License-Identifier: Apache-2.0
#include "registry/registry.h"

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "base/text.h"
#include "registry/store.h"
#include "registry/store_history.h"
#include "sql/once.h"
#include "tracking/limits.h"

namespace ciclo::registry {

namespace {

constexpr std::size_t kNameLengthMax = 256;
constexpr std::size_t kAliasLengthMax = 255;
constexpr std::size_t kTagValueLengthMax = 100'000;
constexpr std::size_t kDescriptionLengthMax = 5'000;
constexpr std::int64_t kModelResultsMax = 1'000;
constexpr std::int64_t kVersionResultsMax = 200'000;

Result<void> check_model_name(const std::string& name) {
  if (trim(name).empty()) return invalid_argument("model name is empty: a name is needed");
  const bool is_clean =
      name != "." && !name.starts_with("..") && name.find_first_of("/:") == std::string::npos &&
      std::none_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; });
  if (!is_clean) {
    return invalid_argument("model name " + quoted(name) +
                            " must not hold / : or control characters, or begin with \"..\"");
  }
  return tracking::check_length("model name", name, kNameLengthMax);
}

Result<void> check_alias(std::string_view alias) {
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || static_cast<unsigned char>(c) >= 0x80;
  };
  if (alias.empty() || !std::all_of(alias.begin(), alias.end(), is_allowed)) {
    return invalid_argument("invalid alias name " + quoted(alias) +
                            ": it needs letters, digits, underscores and dashes only");
  }
  const bool is_version = alias.size() > 1 && (alias[0] == 'v' || alias[0] == 'V') &&
                          alias.find_first_not_of("0123456789", 1) == std::string_view::npos;
  if (is_version || to_lower_ascii(alias) == "latest") {
    return invalid_argument("alias name " + quoted(alias) +
                            " is reserved, as are \"latest\" and \"v\" with a number");
  }
  return tracking::check_length("alias name", alias, kAliasLengthMax);
}

Result<void> check_tags(std::span<const Tag> tags) {
  for (const auto& tag : tags) {
    TRY(tracking::check_key("tag", tag.key));
    TRY(tracking::check_length("tag " + quoted(tag.key) + " value", tag.value, kTagValueLengthMax));
  }
  return {};
}

Result<void> check_description(const std::string& text) {
  return tracking::check_length("description", text, kDescriptionLengthMax);
}

// With every "%XX" decoded, and again what comes out, as whoever opens the URI may do.
std::string without_escapes(std::string text) {
  const auto hex = [](char c) { return std::string_view("0123456789abcdef").find(c); };
  for (bool changed = true; changed;) {
    changed = false;
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const std::string digits = to_lower_ascii(text.substr(i, 3));
      const bool is_escape = digits.size() == 3 && digits[0] == '%' &&
                             hex(digits[1]) != std::string_view::npos &&
                             hex(digits[2]) != std::string_view::npos;
      out += is_escape ? static_cast<char>(hex(digits[1]) * 16 + hex(digits[2])) : text[i];
      if (is_escape) i += 2;
      changed = changed || is_escape;
    }
    text = std::move(out);
  }
  return text;
}

// A package is in this server or at a URI that the client can reach; a path of this machine is
// neither.
Result<void> check_source(const std::string& source) {
  if (source.empty()) return invalid_argument("model version source is empty: a URI is needed");
  const std::size_t colon = source.find(':');
  if (colon == std::string::npos || source.starts_with("file:")) {
    return invalid_argument("invalid model version source " + quoted(source) +
                            ": a local path is not reachable for others; log the model to a run "
                            "first");
  }
  const std::string decoded = without_escapes(source.substr(colon + 1));
  for (const auto segment : split(std::string_view(decoded), '/')) {
    if (segment == "..") {
      return invalid_argument("invalid model version source " + quoted(source) +
                              ": it must not hold \"..\"");
    }
  }
  if (decoded.find('\0') != std::string::npos) {
    return invalid_argument("invalid model version source " + quoted(source) +
                            ": it must not hold a NUL");
  }
  return {};
}

Result<store::ModelRow> required(sql::Reader& reader, const Context& context,
                                 const std::string& name) {
  TRY(auto found, store::find_model(reader, context.workspace, name));
  if (!found) {
    TRY(check_model_name(name));
    return not_found("no registered model named " + quoted(name) + " exists");
  }
  return std::move(*found);
}

Result<store::VersionRow> required_version(sql::Reader& reader, const Context& context,
                                           const std::string& name, std::int64_t version) {
  TRY(auto found, store::find_version(reader, context.workspace, name, version));
  if (!found) {
    TRY(check_model_name(name));
    return not_found("registered model " + quoted(name) + " has no version " +
                     std::to_string(version));
  }
  return std::move(*found);
}

Result<void> touch(sql::Txn& txn, store::ModelRow& row, std::int64_t now_ms) {
  row.model.updated_ms = now_ms;
  return store::update_model(txn, row);
}

// "models:/NAME/3" or "models:/NAME@alias" as the place of that version.
Result<std::optional<std::string>> place_of_version(sql::Reader& reader, const Context& context,
                                                    std::string_view source) {
  constexpr std::string_view kScheme = "models:/";
  if (!source.starts_with(kScheme)) return std::optional<std::string>();
  source.remove_prefix(kScheme.size());
  const std::size_t mark = source.find_first_of("/@");
  if (mark == std::string_view::npos) return std::optional<std::string>();
  const std::string name(source.substr(0, mark));
  const std::string_view which = source.substr(mark + 1);
  auto number = parse_int(which);
  if (source[mark] == '@') {
    TRY(const auto model, required(reader, context, name));
    TRY(number, store::find_alias(reader, model.number, which));
  }
  if (!number) {
    return not_found("registered model " + quoted(name) + " has no version or alias " +
                     quoted(which));
  }
  TRY(auto row, required_version(reader, context, name, *number));
  return std::optional<std::string>(std::move(row.version.storage_uri));
}

// The tag by which MLflow's client keeps a prompt as a registered model; events say which it is.
bool is_prompt(std::span<const Tag> tags) {
  bool found = false;
  for (const auto& tag : tags) {
    if (tag.key == "mlflow.prompt.is_prompt") found = to_lower_ascii(tag.value) == "true";
  }
  return found;
}

json::Value with_prompt_mark(json::Value body, std::span<const Tag> tags) {
  if (is_prompt(tags)) body["is_prompt"] = true;
  return body;
}

json::Value object_of(std::span<const Tag> tags) {
  json::Value object = json::Value::object();
  for (const auto& tag : tags) object[tag.key] = tag.value;
  return object;
}

// For the registry's past. Before the events of the change, which come last.
Result<void> record(sql::Txn& txn, const Context& context, const store::ModelRow& model,
                    ModelChange change, std::int64_t now_ms) {
  change.model = model.model.name;
  change.caller = context.caller;
  change.time_ms = now_ms;
  return store::append_change(txn, context.workspace, model.number, change);
}

Result<RegisteredModel> insert(sql::Txn& txn, events::Log& events, const Context& context,
                               const std::string& name, const std::string& description,
                               std::span<const Tag> tags, std::int64_t now_ms) {
  RegisteredModel model;
  model.name = name;
  model.description = description;
  model.created_ms = now_ms;
  TRY(const std::int64_t number, store::insert_model(txn, context.workspace, model));
  TRY(store::put_model_tags(txn, number, tags));
  TRY(record(txn, context, {.number = number, .model = model}, {.kind = "model.created"}, now_ms));
  const auto body = json::Value::object(
      {{"model", name}, {"description", description}, {"tags", object_of(tags)}});
  TRY(events.append(txn, context.workspace, "registry.model_created", name,
                    with_prompt_mark(body, tags)));
  TRY(auto row, required(txn, context, name));
  return std::move(row.model);
}

json::Value number_or_null(std::optional<std::int64_t> number) {
  return number ? json::Value(*number) : json::Value();
}

// Sets or removes the alias, and records that.
Result<void> move_alias(sql::Txn& txn, events::Log& events, const Context& context,
                        const store::ModelRow& model, AliasMove move) {
  move.name = model.model.name;
  move.caller = context.caller;
  TRY(store::put_alias(txn, model.number, move.alias, move.version));
  TRY(store::append_move(txn, model.number, move));
  const auto body = json::Value::object({{"model", move.name},
                                         {"alias", move.alias},
                                         {"version", number_or_null(move.version)},
                                         {"previous", number_or_null(move.previous)}});
  return events.append(txn, context.workspace, "registry.alias_moved", move.name,
                       with_prompt_mark(body, model.model.tags));
}

// A tag of a model, or of a version of it when one is named, was set or removed.
Result<void> append_tag_event(sql::Txn& txn, events::Log& events, const Context& context,
                              std::string_view kind, const RegisteredModel& model,
                              std::optional<std::int64_t> version, std::string_view key,
                              const std::string* value) {
  json::Value body = json::Value::object({{"model", model.name}});
  if (version) body["version"] = *version;
  body["key"] = key;
  if (value != nullptr) body["value"] = *value;
  return events.append(txn, context.workspace, kind, model.name,
                       with_prompt_mark(std::move(body), model.tags));
}

}  // namespace

Registry::Registry(sql::Database& database, events::Log& events, Clock& clock)
    : database_(database), events_(events), clock_(clock) {}

Result<RegisteredModel> Registry::create_model(const Context& context, const std::string& name,
                                               const std::string& description,
                                               std::span<const Tag> tags) {
  TRY(check_model_name(name));
  TRY(check_description(description));
  TRY(check_tags(tags));
  auto created = sql::once(database_, context, [&](sql::Txn& txn) -> Result<RegisteredModel> {
    TRY(const auto taken, store::find_model(txn, context.workspace, name));
    if (taken) return already_exists("registered model " + quoted(name) + " exists already");
    return insert(txn, events_, context, name, description, tags, clock_.now_ms());
  });
  if (created.ok()) events_.wake();
  return created;
}

Result<RegisteredModel> Registry::ensure_model(const Context& context, const std::string& name) {
  TRY(check_model_name(name));
  auto model = sql::once(database_, context, [&](sql::Txn& txn) -> Result<RegisteredModel> {
    TRY(auto found, store::find_model(txn, context.workspace, name));
    if (found) return std::move(found->model);
    return insert(txn, events_, context, name, "", {}, clock_.now_ms());
  });
  if (model.ok()) events_.wake();
  return model;
}

Result<RegisteredModel> Registry::model(const Context& context, const std::string& name) {
  return database_.view([&](sql::Reader& reader) -> Result<RegisteredModel> {
    TRY(auto row, required(reader, context, name));
    return std::move(row.model);
  });
}

Result<tracking::Commented> Registry::commented(const Context& context, const std::string& name) {
  return database_.view([&](sql::Reader& reader) -> Result<tracking::Commented> {
    TRY(const auto row, required(reader, context, name));
    return tracking::Commented{"model", std::to_string(row.number), name};
  });
}

Result<tracking::Commented> Registry::commented(const Context& context, const std::string& name,
                                                std::int64_t version) {
  return database_.view([&](sql::Reader& reader) -> Result<tracking::Commented> {
    TRY(const auto row, required_version(reader, context, name, version));
    return tracking::Commented{"version", std::to_string(row.number),
                               name + "/" + std::to_string(version)};
  });
}

Result<RegisteredModel> Registry::rename_model(const Context& context, const std::string& name,
                                               const std::string& new_name) {
  TRY(check_model_name(new_name));
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<RegisteredModel> {
    TRY(auto row, required(txn, context, name));
    TRY(const auto taken, store::find_model(txn, context.workspace, new_name));
    if (taken && taken->number != row.number) {
      return already_exists("registered model " + quoted(new_name) + " exists already");
    }
    row.model.name = new_name;
    TRY(touch(txn, row, clock_.now_ms()));
    TRY(record(txn, context, row, {.kind = "model.renamed", .value = new_name, .previous = name},
               clock_.now_ms()));
    TRY(auto renamed, required(txn, context, new_name));
    return std::move(renamed.model);
  });
}

Result<RegisteredModel> Registry::describe_model(const Context& context, const std::string& name,
                                                 const std::string& description) {
  TRY(check_description(description));
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<RegisteredModel> {
    TRY(auto row, required(txn, context, name));
    row.model.description = description;
    TRY(touch(txn, row, clock_.now_ms()));
    return std::move(row.model);
  });
}

Result<void> Registry::delete_model(const Context& context, const std::string& name) {
  TRY(sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(const auto row, required(txn, context, name));
    TRY(record(txn, context, row, {.kind = "model.deleted"}, clock_.now_ms()));
    for (const auto& alias : row.model.aliases) {
      TRY(move_alias(txn, events_, context, row,
                     {.alias = alias.alias,
                      .previous = alias.version,
                      .time_ms = clock_.now_ms(),
                      .reason = "the model was deleted"}));
    }
    return store::delete_model(txn, row.number);
  }));
  events_.wake();
  return {};
}

Result<void> Registry::set_model_tag(const Context& context, const std::string& name,
                                     const Tag& tag) {
  TRY(check_tags(std::span(&tag, 1)));
  TRY(sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(const auto row, required(txn, context, name));
    TRY(store::put_model_tags(txn, row.number, std::span(&tag, 1)));
    return append_tag_event(txn, events_, context, "registry.model_tag_set", row.model, {}, tag.key,
                            &tag.value);
  }));
  events_.wake();
  return {};
}

Result<void> Registry::delete_model_tag(const Context& context, const std::string& name,
                                        std::string_view key) {
  TRY(sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(const auto row, required(txn, context, name));
    TRY(const bool removed, store::remove_model_tag(txn, row.number, key));
    if (!removed) return {};
    return append_tag_event(txn, events_, context, "registry.model_tag_deleted", row.model, {}, key,
                            nullptr);
  }));
  events_.wake();
  return {};
}

Result<Page<RegisteredModel>> Registry::search_models(const Context& context,
                                                      const ModelSearch& search) {
  TRY(tracking::check_max_results(search.max_results, kModelResultsMax));
  const tracking::SearchText text{search.filter, search.order_by, search.page_token, {}};
  return database_.view([&](sql::Reader& reader) {
    return store::search_models(reader, context.workspace, text, search.max_results);
  });
}

Result<ModelVersion> Registry::create_version(const Context& context,
                                              const NewModelVersion& wanted) {
  TRY(check_model_name(wanted.name));
  TRY(check_source(wanted.source));
  TRY(check_description(wanted.description));
  TRY(check_tags(wanted.tags));
  auto created = sql::once(database_, context, [&](sql::Txn& txn) -> Result<ModelVersion> {
    TRY(auto model, required(txn, context, wanted.name));
    ModelVersion version;
    version.name = wanted.name;
    version.version = ++model.last_version;
    version.created_ms = clock_.now_ms();
    version.description = wanted.description;
    if (context.caller != Context().caller) version.user_id = context.caller;
    version.source = wanted.source;
    version.run_id = wanted.run_id;
    version.run_link = wanted.run_link;
    version.model_id = wanted.model_id;
    version.storage_uri = wanted.storage_uri;
    if (version.storage_uri.empty()) {
      TRY(auto place, place_of_version(txn, context, wanted.source));
      version.storage_uri = place.value_or(wanted.source);
    }
    TRY(touch(txn, model, version.created_ms));
    TRY(const std::int64_t number, store::insert_version(txn, model.number, version));
    TRY(store::put_version_tags(txn, number, wanted.tags));
    TRY(record(txn, context, model,
               {.kind = "version.created",
                .version = version.version,
                .source = version.source,
                .run_id = version.run_id},
               version.created_ms));
    const auto body = json::Value::object({{"model", wanted.name},
                                           {"version", version.version},
                                           {"source", wanted.source},
                                           {"run_id", wanted.run_id},
                                           {"description", wanted.description},
                                           {"tags", object_of(wanted.tags)}});
    TRY(events_.append(txn, context.workspace, "registry.version_created", wanted.name,
                       with_prompt_mark(body, wanted.tags)));
    TRY(auto row, required_version(txn, context, wanted.name, version.version));
    return std::move(row.version);
  });
  if (created.ok()) events_.wake();
  return created;
}

Result<ModelVersion> Registry::version(const Context& context, const std::string& name,
                                       std::int64_t version) {
  return database_.view([&](sql::Reader& reader) -> Result<ModelVersion> {
    TRY(auto row, required_version(reader, context, name, version));
    return std::move(row.version);
  });
}

Result<ModelVersion> Registry::describe_version(const Context& context, const std::string& name,
                                                std::int64_t version,
                                                const std::string& description) {
  TRY(check_description(description));
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<ModelVersion> {
    TRY(auto row, required_version(txn, context, name, version));
    row.version.description = description;
    row.version.updated_ms = clock_.now_ms();
    TRY(store::update_version(txn, row));
    return std::move(row.version);
  });
}

Result<ModelVersion> Registry::set_stage(const Context& context, const std::string& name,
                                         std::int64_t version, Stage stage, StageOthers others) {
  if (others == StageOthers::kArchive && stage != Stage::kStaging && stage != Stage::kProduction) {
    return invalid_argument(
        "the other versions can be archived when the stage is Staging or "
        "Production, not " +
        std::string(name_of(stage)));
  }
  auto changed = sql::once(database_, context, [&](sql::Txn& txn) -> Result<ModelVersion> {
    TRY(auto model, required(txn, context, name));
    TRY(auto row, required_version(txn, context, name, version));
    const std::int64_t now_ms = clock_.now_ms();
    const auto record_stage = [&](std::int64_t of, Stage to, Stage from) {
      return record(txn, context, model,
                    {.kind = "stage.changed",
                     .version = of,
                     .value = std::string(name_of(to)),
                     .previous = std::string(name_of(from))},
                    now_ms);
    };
    if (others == StageOthers::kArchive) {
      TRY(const auto archived, store::archive_others(txn, model, row, stage, now_ms));
      for (const std::int64_t other : archived) TRY(record_stage(other, Stage::kArchived, stage));
    }
    const Stage before = std::exchange(row.version.stage, stage);
    if (before != stage) TRY(record_stage(version, stage, before));
    row.version.updated_ms = now_ms;
    TRY(store::update_version(txn, row));
    TRY(touch(txn, model, now_ms));
    TRY(events_.append(txn, context.workspace, "registry.stage_changed", name,
                       json::Value::object({{"model", name},
                                            {"version", version},
                                            {"stage", name_of(stage)},
                                            {"previous", name_of(before)}})));
    return std::move(row.version);
  });
  events_.wake();
  return changed;
}

Result<void> Registry::delete_version(const Context& context, const std::string& name,
                                      std::int64_t version) {
  TRY(sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(auto model, required(txn, context, name));
    TRY(const auto row, required_version(txn, context, name, version));
    TRY(record(txn, context, model, {.kind = "version.deleted", .version = version},
               clock_.now_ms()));
    for (const auto& alias : row.version.aliases) {
      TRY(move_alias(txn, events_, context, model,
                     {.alias = alias,
                      .previous = version,
                      .time_ms = clock_.now_ms(),
                      .reason = "the version was deleted"}));
    }
    TRY(store::delete_version(txn, row));
    return touch(txn, model, clock_.now_ms());
  }));
  events_.wake();
  return {};
}

Result<void> Registry::set_version_tag(const Context& context, const std::string& name,
                                       std::int64_t version, const Tag& tag) {
  TRY(check_tags(std::span(&tag, 1)));
  TRY(sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(const auto model, required(txn, context, name));
    TRY(const auto row, required_version(txn, context, name, version));
    TRY(store::put_version_tags(txn, row.number, std::span(&tag, 1)));
    return append_tag_event(txn, events_, context, "registry.version_tag_set", model.model, version,
                            tag.key, &tag.value);
  }));
  events_.wake();
  return {};
}

Result<void> Registry::delete_version_tag(const Context& context, const std::string& name,
                                          std::int64_t version, std::string_view key) {
  TRY(sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(const auto model, required(txn, context, name));
    TRY(const auto row, required_version(txn, context, name, version));
    TRY(const bool removed, store::remove_version_tag(txn, row.number, key));
    if (!removed) return {};
    return append_tag_event(txn, events_, context, "registry.version_tag_deleted", model.model,
                            version, key, nullptr);
  }));
  events_.wake();
  return {};
}

Result<Page<ModelVersion>> Registry::search_versions(const Context& context,
                                                     const ModelSearch& search) {
  TRY(tracking::check_max_results(search.max_results, kVersionResultsMax));
  const tracking::SearchText text{search.filter, search.order_by, search.page_token, {}};
  return database_.view([&](sql::Reader& reader) {
    return store::search_versions(reader, context.workspace, text, search.max_results);
  });
}

Result<void> Registry::set_alias(const Context& context, const std::string& name,
                                 const std::string& alias, std::int64_t version,
                                 const std::optional<Expected>& expected,
                                 const std::string& reason) {
  TRY(check_alias(alias));
  TRY(sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(const auto model, required(txn, context, name));
    TRY(required_version(txn, context, name, version));
    TRY(const auto previous, store::find_alias(txn, model.number, alias));
    if (expected && expected->version != previous) {
      const auto text = [](std::optional<std::int64_t> number) {
        return number ? "version " + std::to_string(*number) : std::string("no version");
      };
      return conflict("alias " + quoted(alias) + " of " + quoted(name) + " points at " +
                      text(previous) + ", not at " + text(expected->version) + " as expected");
    }
    if (previous == version) return {};
    return move_alias(txn, events_, context, model,
                      {.alias = alias,
                       .version = version,
                       .previous = previous,
                       .time_ms = clock_.now_ms(),
                       .reason = reason});
  }));
  events_.wake();
  return {};
}

Result<void> Registry::delete_alias(const Context& context, const std::string& name,
                                    const std::string& alias) {
  TRY(sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(const auto model, required(txn, context, name));
    TRY(const auto previous, store::find_alias(txn, model.number, alias));
    if (!previous) return {};
    return move_alias(txn, events_, context, model,
                      {.alias = alias, .previous = previous, .time_ms = clock_.now_ms()});
  }));
  events_.wake();
  return {};
}

Result<std::optional<ModelVersion>> Registry::find_by_alias(const Context& context,
                                                            const std::string& name,
                                                            std::string_view alias) {
  return database_.view([&](sql::Reader& reader) -> Result<std::optional<ModelVersion>> {
    TRY(auto model, store::find_model(reader, context.workspace, name));
    if (!model) return std::optional<ModelVersion>();
    if (to_lower_ascii(alias) == "latest") {
      const ModelVersion* latest = model->model.latest_version();
      return latest == nullptr ? std::nullopt : std::optional<ModelVersion>(*latest);
    }
    TRY(const auto version, store::find_alias(reader, model->number, alias));
    if (!version) return std::optional<ModelVersion>();
    TRY(auto row, required_version(reader, context, name, *version));
    return std::optional<ModelVersion>(std::move(row.version));
  });
}

Result<ModelVersion> Registry::version_by_alias(const Context& context, const std::string& name,
                                                std::string_view alias) {
  TRY(auto found, find_by_alias(context, name, alias));
  if (found) return std::move(*found);
  TRY(model(context, name));
  return not_found("registered model " + quoted(name) + " has no alias " + quoted(alias));
}

Result<std::vector<AliasMove>> Registry::alias_history(const Context& context,
                                                       const std::string& name,
                                                       std::string_view alias, std::int64_t limit) {
  return database_.view([&](sql::Reader& reader) -> Result<std::vector<AliasMove>> {
    TRY(const auto model, required(reader, context, name));
    return store::list_moves(reader, model.number, alias, limit);
  });
}

Result<void> visit_origins(sql::Reader& reader,
                           const std::function<Result<void>(const VersionOrigin&)>& on_origin) {
  return store::visit_origins(reader, on_origin);
}

}  // namespace ciclo::registry
