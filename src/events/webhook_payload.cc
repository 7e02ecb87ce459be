// SPDX-License-Identifier: Apache-2.0
#include "events/webhook_payload.h"

#include <algorithm>
#include <initializer_list>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/text.h"

namespace ciclo::events {
namespace {

constexpr std::array<std::string_view, 7> kKinds = {
    "registry.model_created",     "registry.version_created", "registry.model_tag_set",
    "registry.model_tag_deleted", "registry.version_tag_set", "registry.version_tag_deleted",
    "registry.alias_moved"};

struct KnownTopic {
  std::string_view entity;
  std::string_view action;
  // The members of its data.
  std::string_view members;
};

constexpr std::array<KnownTopic, 15> kTopics = {{
    {"registered_model", "created", "name tags description"},
    {"model_version", "created", "name version source run_id tags description"},
    {"model_version_tag", "set", "name version key value"},
    {"model_version_tag", "deleted", "name version key"},
    {"model_version_alias", "created", "name alias version"},
    {"model_version_alias", "deleted", "name alias"},
    {"prompt", "created", "name tags description"},
    {"prompt_version", "created", "name version template tags description"},
    {"prompt_tag", "set", "name key value"},
    {"prompt_tag", "deleted", "name key"},
    {"prompt_version_tag", "set", "name version key value"},
    {"prompt_version_tag", "deleted", "name version key"},
    {"prompt_alias", "created", "name alias version"},
    {"prompt_alias", "deleted", "name alias"},
    // Budgets are MLflow's gateway's, which is not here: it can be asked for and tested, and does
    // not happen.
    {"budget_policy", "exceeded",
     "budget_policy_id budget_unit budget_amount current_spend duration_unit duration_value "
     "target_scope workspace target_value window_start"},
}};

// Tags by which MLflow's client stores a prompt as a registered model.
constexpr std::string_view kPromptMark = "mlflow.prompt.is_prompt";
constexpr std::string_view kPromptType = "_mlflow_prompt_type";
constexpr std::string_view kPromptText = "mlflow.prompt.text";

const KnownTopic* find_topic(const Topic& topic) {
  const auto* found = std::find_if(kTopics.begin(), kTopics.end(), [&](const KnownTopic& known) {
    return known.entity == topic.entity && known.action == topic.action;
  });
  return found == kTopics.end() ? nullptr : found;
}

// The tags of a prompt without those that make it one.
json::Value own_tags(const json::Value& tags) {
  json::Value own = json::Value::object();
  for (const auto& [key, value] : tags.members()) {
    if (key != kPromptMark && key != kPromptType && key != kPromptText) own[key] = value;
  }
  return own;
}

json::Value text_or_null(const json::Value& body, std::string_view key) {
  std::string text = body.string_or(key, "");
  return text.empty() ? json::Value() : json::Value(std::move(text));
}

// MLflow's versions are texts.
json::Value version_of(const json::Value& body) {
  return std::to_string(body.integer_or("version", 0));
}

json::Value member_of(const json::Value& body, std::string_view member, bool is_prompt,
                      std::string_view action, std::string_view entity) {
  if (member == "name") return body.string_or("model", "");
  if (member == "version") return version_of(body);
  if (member == "run_id") return text_or_null(body, "run_id");
  const json::Value* tags = body.find("tags");
  if (member == "tags") {
    if (tags == nullptr || !tags->is_object()) return json::Value::object();
    return is_prompt ? own_tags(*tags) : *tags;
  }
  if (member == "template")
    return tags == nullptr ? json::Value() : text_or_null(*tags, kPromptText);
  // A model without a description has an empty one, a version none: so it is in MLflow.
  if (member == "description" && action == "created" && entity.ends_with("_version")) {
    return text_or_null(body, "description");
  }
  return body.string_or(member, "");
}

Topic topic_of(std::string_view kind, const json::Value& body, bool is_prompt) {
  const std::string model = is_prompt ? "prompt" : "registered_model";
  const std::string version = is_prompt ? "prompt_version" : "model_version";
  if (kind == "registry.model_created") return {model, "created"};
  if (kind == "registry.version_created") return {version, "created"};
  if (kind == "registry.model_tag_set") return {model + "_tag", "set"};
  if (kind == "registry.model_tag_deleted") return {model + "_tag", "deleted"};
  if (kind == "registry.version_tag_set") return {version + "_tag", "set"};
  if (kind == "registry.version_tag_deleted") return {version + "_tag", "deleted"};
  const json::Value* target = body.find("version");
  const bool is_set = target != nullptr && !target->is_null();
  return {is_prompt ? "prompt_alias" : "model_version_alias", is_set ? "created" : "deleted"};
}

json::Value example_member(std::string_view member) {
  if (member == "version") return "1";
  if (member == "source") return "models:/m-0123456789abcdef0123456789abcdef";
  if (member == "run_id") return "0123456789abcdef0123456789abcdef";
  if (member == "tags") return json::Value::object({{"key", "value"}});
  if (member == "template") return "Say hello to {{name}}.";
  if (member == "budget_unit") return "USD";
  if (member == "budget_amount") return 100.0;
  if (member == "current_spend") return 101.5;
  if (member == "duration_unit") return "MONTHS";
  if (member == "duration_value") return 1;
  if (member == "target_scope") return "GLOBAL";
  if (member == "target_value") return nullptr;
  if (member == "window_start") return std::int64_t{1'767'225'600'000};
  if (member == "workspace") return "default";
  return "example";
}

}  // namespace

std::span<const std::string_view> webhook_kinds() { return kKinds; }

Result<void> check_topic(const Topic& topic) {
  if (find_topic(topic) != nullptr) return {};
  std::vector<std::string> actions;
  std::vector<std::string> entities;
  for (const auto& known : kTopics) {
    if (known.entity == topic.entity) actions.emplace_back(known.action);
    if (entities.empty() || entities.back() != known.entity) entities.emplace_back(known.entity);
  }
  if (actions.empty()) {
    return invalid_argument("unknown entity " + quoted(topic.entity) +
                            " of a webhook event: expected one of " + join(entities, ", "));
  }
  return invalid_argument("invalid action " + quoted(topic.action) + " of the entity " +
                          quoted(topic.entity) + ": expected " + join(actions, " or "));
}

std::optional<Notice> notice_of(const Event& event) {
  if (std::find(kKinds.begin(), kKinds.end(), event.kind) == kKinds.end()) return std::nullopt;
  const bool is_prompt = event.body.boolean_or("is_prompt", false);
  Notice notice{topic_of(event.kind, event.body, is_prompt), json::Value::object()};
  const KnownTopic* known = find_topic(notice.topic);
  if (known == nullptr) return std::nullopt;
  for (const auto member : split(known->members, ' ')) {
    notice.data[member] = member_of(event.body, member, is_prompt, known->action, known->entity);
  }
  return notice;
}

Notice example_of(const Topic& topic) {
  const KnownTopic* known = find_topic(topic);
  CHECK(known != nullptr);
  Notice notice{topic, json::Value::object()};
  for (const auto member : split(known->members, ' ')) notice.data[member] = example_member(member);
  return notice;
}

std::string payload_of(const Notice& notice, std::int64_t time_ms) {
  std::string time = format_utc(time_ms);
  time.pop_back();  // the Z
  return json::dump(json::Value::object({{"entity", notice.topic.entity},
                                         {"action", notice.topic.action},
                                         {"timestamp", time + "+00:00"},
                                         {"data", notice.data}}));
}

}  // namespace ciclo::events
