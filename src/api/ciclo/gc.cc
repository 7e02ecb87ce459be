// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "api/ciclo/answer.h"
#include "api/ciclo/routes.h"

namespace ciclo::api::native {

void add_gc_routes(http::Router& router, const Services& services) {
  router.add("POST", "/api/v1/gc",
             answering([services](http::Request& request) -> Result<json::Value> {
               TRY(const auto wanted, read_body<retention::Request>(request));
               TRY(const auto started, services.collections.start(request.context, wanted));
               return json::to_value(started);
             }));
  router.add("GET", "/api/v1/gc", answering([services](http::Request&) -> Result<json::Value> {
               json::Value::Array items;
               for (const auto& one : services.collections.list()) {
                 items.push_back(json::to_value(one));
               }
               return page_of(std::move(items), "");
             }));
  router.add("GET", "/api/v1/gc/{id}",
             answering([services](http::Request& request) -> Result<json::Value> {
               TRY(const auto found,
                   services.collections.get(std::string(request.path_value("id"))));
               return json::to_value(found);
             }));
}

}  // namespace ciclo::api::native
