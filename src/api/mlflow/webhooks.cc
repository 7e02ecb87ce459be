// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "api/mlflow/answer.h"
#include "api/mlflow/messages.h"
#include "base/text.h"

namespace ciclo::api::mlflow {

namespace {

using events::Topic;
using events::Webhook;
using events::WebhookStatus;

// Enums of the protocol by their numbers; clients may send either.
constexpr std::array<std::string_view, 11> kEntities = {
    "ENTITY_UNSPECIFIED",  "REGISTERED_MODEL", "MODEL_VERSION",  "MODEL_VERSION_TAG",
    "MODEL_VERSION_ALIAS", "PROMPT",           "PROMPT_VERSION", "PROMPT_TAG",
    "PROMPT_VERSION_TAG",  "PROMPT_ALIAS",     "BUDGET_POLICY"};
constexpr std::array<std::string_view, 6> kActions = {
    "ACTION_UNSPECIFIED", "CREATED", "UPDATED", "DELETED", "SET", "EXCEEDED"};
constexpr std::array<std::string_view, 3> kStatuses = {"", "ACTIVE", "DISABLED"};

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

template <std::size_t N>
std::string name_of(const std::array<std::string_view, N>& names, std::string word) {
  const auto number = parse_int(word);
  if (!number || *number < 0 || *number >= static_cast<std::int64_t>(N)) return word;
  return std::string(names[static_cast<std::size_t>(*number)]);
}

Result<Topic> topic_of(const Fields& fields) {
  TRY(const auto entity, fields.word("entity"));
  TRY(const auto action, fields.word("action"));
  return Topic{to_lower_ascii(name_of(kEntities, entity)),
               to_lower_ascii(name_of(kActions, action))};
}

Result<std::vector<Topic>> topics_of(const Input& input) {
  std::vector<Topic> topics;
  TRY(input.each("events", [&](const Fields& item) -> Result<void> {
    TRY(auto topic, topic_of(item));
    topics.push_back(std::move(topic));
    return {};
  }));
  return topics;
}

// nullopt for an unknown one too, as protobuf leaves out the name of an enum that it does not know.
Result<std::optional<WebhookStatus>> status_of(const Input& input) {
  TRY(const auto word, input.word("status"));
  const std::string name = name_of(kStatuses, word);
  if (name == "ACTIVE") return std::optional(WebhookStatus::kActive);
  if (name == "DISABLED") return std::optional(WebhookStatus::kDisabled);
  return std::optional<WebhookStatus>();
}

void write(json::Writer& out, const Webhook& webhook) {
  out.begin_object().key("webhook_id").string(webhook.webhook_id);
  out.key("name").string(webhook.name);
  if (!webhook.description.empty()) out.key("description").string(webhook.description);
  out.key("url").string(webhook.url);
  list_if_any(out, "events", webhook.topics, [&](const Topic& topic) {
    out.begin_object().key("entity").string(upper(topic.entity));
    out.key("action").string(upper(topic.action)).end_object();
  });
  out.key("status").string(webhook.status == WebhookStatus::kActive ? "ACTIVE" : "DISABLED");
  out.key("creation_timestamp").integer(webhook.created_ms);
  out.key("last_updated_timestamp").integer(webhook.updated_ms);
  out.end_object();
}

std::string answer_of(const Webhook& webhook) {
  return object([&](json::Writer& out) {
    out.key("webhook");
    write(out, webhook);
  });
}

Result<std::string> create_webhook(const Services& services, const Context& context,
                                   const std::string&, const Input& input) {
  events::NewWebhook wanted;
  TRY(wanted.name, input.text("name"));
  TRY(wanted.url, input.text("url"));
  TRY(wanted.topics, topics_of(input));
  TRY(wanted.description, input.text_or_empty("description"));
  TRY(wanted.secret, input.text_or_empty("secret"));
  TRY(const auto status, status_of(input));
  wanted.status = status.value_or(WebhookStatus::kActive);
  TRY(const auto webhook, services.webhooks.create(context, wanted));
  return answer_of(webhook);
}

Result<std::string> list_webhooks(const Services& services, const Context& context,
                                  const std::string&, const Input& input) {
  constexpr std::int64_t kResults = 100;
  TRY(const auto asked, input.integer_or("max_results", kResults));
  TRY(const auto token, input.text_or_empty("page_token"));
  TRY(const auto page, services.webhooks.list(context, asked == 0 ? kResults : asked, token));
  return object([&](json::Writer& out) {
    list_if_any(out, "webhooks", page.items, [&](const Webhook& item) { write(out, item); });
    if (!page.next_page_token.empty()) out.key("next_page_token").string(page.next_page_token);
  });
}

Result<std::string> get_webhook(const Services& services, const Context& context,
                                const std::string& id, const Input&) {
  TRY(const auto webhook, services.webhooks.get(context, id));
  return answer_of(webhook);
}

// Empty names, URLs and lists mean "as it is"; an empty description or secret removes it.
Result<std::string> update_webhook(const Services& services, const Context& context,
                                   const std::string& id, const Input& input) {
  events::WebhookChange change;
  TRY(const auto name, input.text_or_empty("name"));
  TRY(const auto url, input.text_or_empty("url"));
  TRY(auto topics, topics_of(input));
  if (!name.empty()) change.name = name;
  if (!url.empty()) change.url = url;
  if (!topics.empty()) change.topics = std::move(topics);
  TRY(change.description, input.optional_text("description"));
  TRY(change.secret, input.optional_text("secret"));
  TRY(change.status, status_of(input));
  TRY(const auto webhook, services.webhooks.update(context, id, change));
  return answer_of(webhook);
}

Result<std::string> delete_webhook(const Services& services, const Context& context,
                                   const std::string& id, const Input&) {
  TRY(services.webhooks.remove(context, id));
  return "{}";
}

Result<std::string> test_webhook(const Services& services, const Context& context,
                                 const std::string& id, const Input& input) {
  std::optional<Topic> topic;
  if (input.has("event")) {
    TRY(const auto event, input.member("event"));
    TRY(topic, topic_of(event));
  }
  TRY(const auto result, services.webhooks.test(context, id, topic));
  return object([&](json::Writer& out) {
    out.key("result").begin_object().key("success").boolean(result.succeeded);
    if (result.status != 0) out.key("response_status").integer(result.status);
    if (!result.body.empty()) out.key("response_body").string(result.body);
    if (!result.error.empty()) out.key("error_message").string(result.error);
    out.end_object();
  });
}

}  // namespace

void add_webhook_routes(http::Router& router, const Services& services) {
  using Function =
      Result<std::string> (*)(const Services&, const Context&, const std::string&, const Input&);
  const auto add = [&](std::string_view method, std::string_view path, Function function) {
    add_handler(router, method, "/2.0/mlflow/webhooks" + std::string(path),
                [services, function](http::Request& request, http::Reply reply) {
                  const auto input = Input::of(request);
                  if (!input.ok()) return reply.send(malformed_response(input.error()));
                  const std::string id(request.path_value("webhook_id"));
                  auto answer = function(services, request.context, id, *input);
                  reply.send(answer.ok() ? http::Response::json(std::move(answer).value())
                                         : error_response(answer.error()));
                });
  };
  add("POST", "", create_webhook);
  add("GET", "", list_webhooks);
  add("GET", "/{webhook_id}", get_webhook);
  add("PATCH", "/{webhook_id}", update_webhook);
  add("DELETE", "/{webhook_id}", delete_webhook);
  add("POST", "/{webhook_id}/test", test_webhook);
}

}  // namespace ciclo::api::mlflow
