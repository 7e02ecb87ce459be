// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/database.h"
#include "tracking/artifacts.h"

// The SQL of artifact names. A file's `path` is its name within the directory.

namespace ciclo::tracking::store {

Result<std::optional<ArtifactFile>> find_entry(sql::Reader& reader, std::string_view workspace,
                                               std::string_view directory, std::string_view name);
// Sorted by name.
Result<std::vector<ArtifactFile>> list_entries(sql::Reader& reader, std::string_view workspace,
                                               std::string_view directory);
Result<void> put_entry(sql::Txn& txn, std::string_view workspace, std::string_view directory,
                       const ArtifactFile& file);
Result<void> remove_entry(sql::Txn& txn, std::string_view workspace, std::string_view directory,
                          std::string_view name);
// All files, of all workspaces, in no order.
Result<void> visit_files(
    sql::Reader& reader,
    const std::function<Result<void>(std::string_view workspace, std::string_view directory,
                                     std::string_view hash)>& on_file);
// All entries directly below the directory.
Result<void> remove_entries(sql::Txn& txn, std::string_view workspace, std::string_view directory);

}  // namespace ciclo::tracking::store
