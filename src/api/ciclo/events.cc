// SPDX-License-Identifier: Apache-2.0
#include "api/ciclo/answer.h"
#include "api/ciclo/routes.h"

namespace ciclo::api::native {

void add_event_routes(http::Router& router, const Services& services) {
  router.add("GET", "/api/v1/events",
             answering([services](http::Request& request) -> Result<json::Value> {
               TRY(const std::int64_t after, number_of(request, "after", 0));
               TRY(const int limit, limit_of(request));
               const std::string_view kind = request.query_value("kind");
               const std::span<const std::string_view> kinds(&kind, kind.empty() ? 0U : 1U);
               TRY(const auto found, services.events.read_after(after, limit, kinds));
               json::Value::Array items;
               std::int64_t last = after;
               for (const auto& event : found) {
                 if (event.workspace != request.context.workspace) continue;
                 items.push_back(json::Value::object({{"cursor", event.id},
                                                      {"kind", event.kind},
                                                      {"subject", event.subject},
                                                      {"time_ms", event.time_ms},
                                                      {"data", event.body}}));
               }
               if (!found.empty()) last = found.back().id;
               return page_of(std::move(items), std::to_string(last));
             }));
  router.add("GET", "/api/v1/models/{name}/aliases/history",
             answering([services](http::Request& request) -> Result<json::Value> {
               TRY(const int limit, limit_of(request));
               TRY(const auto moves, services.registry.alias_history(
                                         request.context, std::string(request.path_value("name")),
                                         request.query_value("alias"), limit));
               json::Value::Array items;
               for (const auto& move : moves) {
                 const auto number = [](const std::optional<std::int64_t>& version) {
                   return version ? json::Value(*version) : json::Value();
                 };
                 items.push_back(json::Value::object({{"id", move.id},
                                                      {"alias", move.alias},
                                                      {"version", number(move.version)},
                                                      {"previous", number(move.previous)},
                                                      {"time_ms", move.time_ms},
                                                      {"caller", move.caller},
                                                      {"reason", move.reason}}));
               }
               return page_of(std::move(items), "");
             }));
}

}  // namespace ciclo::api::native
