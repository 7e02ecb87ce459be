// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/datasets.h"
#include "sql/database.h"

// The rows of the catalog. Each function runs within the caller's transaction or snapshot.

namespace ciclo::data::store {

Result<std::optional<DataSet>> find_data_set(sql::Reader& reader, std::string_view workspace,
                                             std::string_view name);
Result<std::vector<DataSet>> list_data_sets(sql::Reader& reader, std::string_view workspace,
                                            std::string_view after, int limit);
// Names close to a wrong one are looked for among these.
Result<std::vector<std::string>> data_set_names(sql::Reader& reader, std::string_view workspace);

Result<std::optional<DataSetVersion>> find_version(sql::Reader& reader, std::string_view workspace,
                                                   std::string_view name, std::int64_t number);
// The number of the version whose hash begins so; nullopt when there is none, invalid_argument when
// there are several.
Result<std::optional<std::int64_t>> find_hash(sql::Reader& reader, std::string_view workspace,
                                              std::string_view name, std::string_view prefix);
Result<std::vector<DataSetVersion>> list_versions(sql::Reader& reader, std::string_view workspace,
                                                  std::string_view name, std::int64_t before,
                                                  int limit);

// Makes the data set when it is new, and moves its latest version.
Result<void> put_data_set(sql::Txn& txn, std::string_view workspace, const DataSet& data_set);
Result<void> insert_version(sql::Txn& txn, std::string_view workspace,
                            const DataSetVersion& version);

}  // namespace ciclo::data::store
