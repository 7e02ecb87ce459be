// SPDX-License-Identifier: Apache-2.0
#include "serve/store.h"

#include <limits>

#include "base/json.h"

namespace ciclo::serve::store {
namespace {

EndpointState state_of(std::string_view name) {
  if (name == state_name(EndpointState::kReady)) return EndpointState::kReady;
  if (name == state_name(EndpointState::kFailed)) return EndpointState::kFailed;
  return EndpointState::kPending;
}

Endpoint endpoint_of(const sql::Row& row) {
  Endpoint out;
  out.spec.name = row.string(0);
  out.spec.model = row.string(1);
  out.spec.alias = row.string(2);
  out.spec.version = row.string(3);
  out.spec.capture = row.boolean(4);
  auto monitor = json::parse(row.text(5));
  if (monitor.ok()) out.spec.monitor = std::move(*monitor);
  out.state = state_of(row.text(6));
  out.serving_model = row.string(7);
  out.serving_version = row.string(8);
  out.message = row.string(9);
  out.created_ms = row.integer(10);
  out.updated_ms = row.integer(11);
  return out;
}

Deployment deployment_of(const sql::Row& row) {
  return {.id = row.integer(0),
          .endpoint = row.string(1),
          .model = row.string(2),
          .version = row.string(3),
          .previous = row.string(4),
          .time_ms = row.integer(5),
          .caller = row.string(6)};
}

}  // namespace

Result<std::vector<Endpoint>> list(sql::Reader& reader) {
  return reader.query_all(R"(
      SELECT name, model, alias, version, capture, monitor, state, serving_model, serving_version,
             message, created_ms, updated_ms
      FROM endpoints ORDER BY name)",
                          {}, endpoint_of);
}

Result<std::optional<Endpoint>> find(sql::Reader& reader, std::string_view name) {
  return reader.query_one(R"(
      SELECT name, model, alias, version, capture, monitor, state, serving_model, serving_version,
             message, created_ms, updated_ms
      FROM endpoints WHERE name = $1)",
                          {name}, endpoint_of);
}

Result<void> put(sql::Txn& txn, const Context& ctx, const Endpoint& endpoint) {
  const std::string monitor = json::dump(endpoint.spec.monitor);
  TRY(txn.execute(
      R"(
      INSERT INTO endpoints (name, workspace, model, alias, version, capture, monitor, state,
                             serving_model, serving_version, message, created_ms, updated_ms)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
      ON CONFLICT (name) DO UPDATE SET
        model = excluded.model, alias = excluded.alias, version = excluded.version,
        capture = excluded.capture, monitor = excluded.monitor, state = excluded.state,
        serving_model = excluded.serving_model, serving_version = excluded.serving_version,
        message = excluded.message, updated_ms = excluded.updated_ms)",
      {std::string_view(endpoint.spec.name), std::string_view(ctx.workspace),
       std::string_view(endpoint.spec.model), std::string_view(endpoint.spec.alias),
       std::string_view(endpoint.spec.version), sql::param(endpoint.spec.capture),
       std::string_view(monitor), state_name(endpoint.state),
       std::string_view(endpoint.serving_model), std::string_view(endpoint.serving_version),
       std::string_view(endpoint.message), endpoint.created_ms, endpoint.updated_ms}));
  return {};
}

Result<bool> remove(sql::Txn& txn, std::string_view name) {
  TRY(const auto removed, txn.execute("DELETE FROM endpoints WHERE name = $1", {name}));
  return removed > 0;
}

Result<void> set_message(sql::Txn& txn, std::string_view name, EndpointState state,
                         std::string_view message, std::int64_t now_ms) {
  TRY(txn.execute("UPDATE endpoints SET state = $2, message = $3, updated_ms = $4 WHERE name = $1",
                  {name, state_name(state), message, now_ms}));
  return {};
}

Result<void> add_deployment(sql::Txn& txn, const Deployment& deployment) {
  TRY(txn.execute(R"(
      INSERT INTO endpoint_deployments (endpoint, model, version, previous, time_ms, caller)
      VALUES ($1, $2, $3, $4, $5, $6))",
                  {std::string_view(deployment.endpoint), std::string_view(deployment.model),
                   std::string_view(deployment.version), std::string_view(deployment.previous),
                   deployment.time_ms, std::string_view(deployment.caller)}));
  return {};
}

Result<std::vector<Deployment>> deployments(sql::Reader& reader, std::string_view name,
                                            std::int64_t before, int limit) {
  const std::int64_t below = before == 0 ? std::numeric_limits<std::int64_t>::max() : before;
  return reader.query_all(R"(
      SELECT deployment_id, endpoint, model, version, previous, time_ms, caller
      FROM endpoint_deployments WHERE endpoint = $1 AND deployment_id < $2
      ORDER BY deployment_id DESC LIMIT $3)",
                          {name, below, std::int64_t{limit}}, deployment_of);
}

Result<std::vector<Deployment>> deployments_at(sql::Reader& reader, std::int64_t time_ms) {
  return reader.query_all(R"(
      SELECT deployment_id, endpoint, model, version, previous, time_ms, caller
      FROM endpoint_deployments
      WHERE version <> '' AND deployment_id IN
        (SELECT MAX(deployment_id) FROM endpoint_deployments WHERE time_ms <= $1 GROUP BY endpoint)
      ORDER BY endpoint)",
                          {time_ms}, deployment_of);
}

Result<std::vector<Deployment>> deployments_of(sql::Reader& reader, std::string_view model,
                                               int limit) {
  return reader.query_all(R"(
      SELECT deployment_id, endpoint, model, version, previous, time_ms, caller
      FROM endpoint_deployments WHERE model = $1 ORDER BY deployment_id DESC LIMIT $2)",
                          {model, std::int64_t{limit}}, deployment_of);
}

}  // namespace ciclo::serve::store
