// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/database.h"

// The SQL of what was imported, and the questions that a plan asks of the other modules' tables.

namespace ciclo::migrate::store {

// "experiment", "run", "model" (logged), "registered model".
using Kind = std::string_view;

struct Import {
  std::int64_t number = 0;
  std::int64_t started_ms = 0;
  std::optional<std::int64_t> finished_ms;
};

Result<std::optional<Import>> find_import(sql::Reader& reader, std::string_view source);
Result<std::int64_t> insert_import(sql::Txn& txn, std::string_view source, std::int64_t now_ms);
Result<void> finish_import(sql::Txn& txn, std::int64_t import, std::int64_t now_ms);

// Those of the ids that the import has copied.
Result<std::set<std::string>> copied(sql::Reader& reader, std::int64_t import, Kind kind,
                                     std::span<const std::string> ids);
Result<void> add_copied(sql::Txn& txn, std::int64_t import, Kind kind,
                        std::span<const std::string> ids);

// Those of the ids that the database has, in any workspace.
Result<std::vector<std::string>> existing_runs(sql::Reader& reader,
                                               std::span<const std::string> ids);
Result<std::vector<std::string>> existing_models(sql::Reader& reader,
                                                 std::span<const std::string> ids);
Result<std::vector<std::string>> existing_registered(sql::Reader& reader,
                                                     std::string_view workspace,
                                                     std::span<const std::string> names);
// What stands in the way of an experiment with that number and name: "experiment 3 \"churn\"".
Result<std::optional<std::string>> experiment_in_the_way(sql::Reader& reader,
                                                         std::string_view workspace,
                                                         std::int64_t number,
                                                         std::string_view name);

}  // namespace ciclo::migrate::store
