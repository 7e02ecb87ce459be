// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "serve/endpoints.h"
#include "sql/database.h"

// The tables of endpoints. Functions without state; each runs in the caller's transaction or
// snapshot.

namespace ciclo::serve::store {

Result<std::vector<Endpoint>> list(sql::Reader& reader);
Result<std::optional<Endpoint>> find(sql::Reader& reader, std::string_view name);

// Inserts the endpoint or replaces the one of its name.
Result<void> put(sql::Txn& txn, const Context& ctx, const Endpoint& endpoint);
// False when there was none.
Result<bool> remove(sql::Txn& txn, std::string_view name);
// Why the wanted version does not serve; empty once it does.
Result<void> set_message(sql::Txn& txn, std::string_view name, EndpointState state,
                         std::string_view message, std::int64_t now_ms);

Result<void> add_deployment(sql::Txn& txn, const Deployment& deployment);
Result<std::vector<Deployment>> deployments(sql::Reader& reader, std::string_view name,
                                            std::int64_t before, int limit);
// The newest of each endpoint up to then, but for those that were removed by then.
Result<std::vector<Deployment>> deployments_at(sql::Reader& reader, std::int64_t time_ms);
Result<std::vector<Deployment>> deployments_of(sql::Reader& reader, std::string_view model,
                                               int limit);

}  // namespace ciclo::serve::store
