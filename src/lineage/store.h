// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "lineage/types.h"
#include "sql/database.h"

// The rows of lineage. Each function runs within the caller's transaction or snapshot.

namespace ciclo::lineage::store {

enum class Direction { kInput, kOutput };

Result<void> insert_artifact(sql::Txn& txn, std::string_view workspace, const Artifact& artifact,
                             const Tree& tree);
// already_exists when the id was used before; each port once per direction.
Result<void> insert_execution(sql::Txn& txn, std::string_view workspace,
                              const Execution& execution);

Result<std::optional<Artifact>> find_artifact(sql::Reader& reader, std::string_view workspace,
                                              const ArtifactId& id);
Result<Tree> read_tree(sql::Reader& reader, const Artifact& artifact);
// With its ports, ordered by name.
Result<std::optional<Execution>> find_execution(sql::Reader& reader, std::string_view workspace,
                                                const ExecutionId& id);

// Descending by id; see Lineage::list_artifacts.
Result<std::vector<Artifact>> list_artifacts(sql::Reader& reader, std::string_view workspace,
                                             std::string_view type, std::string_view before,
                                             int limit);

// The executions that have the artifact at a port of that direction, ascending by id.
Result<std::vector<ExecutionId>> executions_of(sql::Reader& reader, const ArtifactId& id,
                                               Direction direction);

}  // namespace ciclo::lineage::store
