// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "sql/database.h"
#include "tracking/trash.h"

// The SQL of what is removed for good.

namespace ciclo::tracking::store {

using OnTrashed = std::function<Result<void>(Trashed)>;

// Of one experiment when `experiment` is set.
Result<void> deleted_runs(sql::Reader& reader, std::optional<std::int64_t> experiment,
                          const OnTrashed& on_trashed);
Result<void> deleted_models(sql::Reader& reader, const OnTrashed& on_trashed);
// All logged models of a deleted experiment.
Result<void> models_of_deleted(sql::Reader& reader, std::int64_t experiment,
                               const OnTrashed& on_trashed);
Result<void> deleted_experiments(sql::Reader& reader, const OnTrashed& on_trashed);
Result<TrashFound> find_deleted_run(sql::Reader& reader, std::string_view id);
Result<TrashFound> find_deleted_experiment(sql::Reader& reader, std::int64_t number);

// Those with artifacts in this server that are not where they are by default: (id, workspace, URI).
Result<void> experiments_elsewhere(
    sql::Reader& reader,
    const std::function<Result<void>(std::string, std::string, std::string_view)>& on_experiment);

// Whether the row is there and deleted, now.
Result<bool> is_deleted(sql::Reader& reader, const Trashed& trashed);
Result<std::int64_t> count_members(sql::Reader& reader, std::int64_t experiment);
Result<void> erase_run(sql::Txn& txn, std::int64_t run);
Result<void> erase_unused_datasets(sql::Txn& txn);
Result<void> erase_model(sql::Txn& txn, const Trashed& model);
Result<void> erase_experiment(sql::Txn& txn, std::int64_t experiment);

// Of the runs with these ids: (run, what it rests on).
using Pairs = std::vector<std::pair<std::string, std::string>>;
Result<Pairs> parents_of(sql::Reader& reader, const std::vector<std::string>& runs);
Result<Pairs> model_inputs_of(sql::Reader& reader, const std::vector<std::string>& runs);
// Of the logged models with these ids: (model, run that logged it).
Result<Pairs> source_runs_of(sql::Reader& reader, const std::vector<std::string>& models);

}  // namespace ciclo::tracking::store
