// SPDX-License-Identifier: Apache-2.0
#include "api/ciclo/answer.h"
#include "api/ciclo/routes.h"

namespace ciclo::api::native {
namespace {

json::Value value_of(const events::Webhook& webhook) {
  json::Value::Array topics;
  for (const auto& topic : webhook.topics) topics.push_back(topic.entity + "." + topic.action);
  const events::DeliveryState& state = webhook.deliveries;
  json::Value out =
      json::Value::object({{"webhook_id", webhook.webhook_id},
                           {"name", webhook.name},
                           {"url", webhook.url},
                           {"events", std::move(topics)},
                           {"active", webhook.status == events::WebhookStatus::kActive},
                           {"signed", webhook.is_signed},
                           {"delivered", state.delivered},
                           {"given_up", state.given_up},
                           {"attempts", state.attempts}});
  if (state.attempts > 0) out["due_ms"] = state.due_ms;
  if (state.last_attempt_ms > 0) out["last_attempt_ms"] = state.last_attempt_ms;
  if (state.last_status > 0) out["last_status"] = state.last_status;
  if (!state.last_error.empty()) out["last_error"] = state.last_error;
  return out;
}

}  // namespace

// How deliveries went, for which MLflow's messages have no place.
void add_webhook_routes(http::Router& router, const Services& services) {
  router.add("GET", "/api/v1/webhooks",
             answering([services](http::Request& request) -> Result<json::Value> {
               TRY(const int limit, limit_of(request));
               TRY(const auto page,
                   services.webhooks.list(request.context, limit, request.query_value("page")));
               json::Value::Array items;
               for (const auto& webhook : page.items) items.push_back(value_of(webhook));
               return page_of(std::move(items), page.next_page_token);
             }));
}

}  // namespace ciclo::api::native
