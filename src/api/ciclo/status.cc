// SPDX-License-Identifier: Apache-2.0
#include "api/ciclo/answer.h"
#include "api/ciclo/routes.h"
#include "base/version.h"

namespace ciclo::api::native {
namespace {

Result<json::Value> counts(sql::Database& database) {
  json::Value all = json::Value::object();
  TRY(database.read([&](sql::Reader& reader) {
    all = json::Value::object();
    return reader.query(
        "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM registered_models), "
        "(SELECT count(*) FROM pipeline_runs), (SELECT count(*) FROM datasets), "
        "(SELECT count(*) FROM endpoints), (SELECT count(*) FROM projects)",
        {}, [&](const sql::Row& row) -> Result<void> {
          int column = 0;
          for (const auto* name :
               {"runs", "models", "pipeline_runs", "datasets", "endpoints", "projects"}) {
            all[name] = row.integer(column++);
          }
          return {};
        });
  }));
  return all;
}

}  // namespace

void add_status_routes(http::Router& router, const Services& services) {
  router.add("GET", "/api/v1/status", answering([services](http::Request&) -> Result<json::Value> {
               TRY(json::Value all, counts(services.database));
               return json::Value::object(
                   {{"version", kVersion},
                    {"started_ms", services.started_ms},
                    {"database",
                     services.database.engine() == sql::Engine::kSqlite ? "sqlite" : "postgresql"},
                    {"counts", std::move(all)}});
             }));
}

}  // namespace ciclo::api::native
