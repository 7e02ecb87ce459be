// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"
#include "data/engine.h"
#include "data/statistics.h"
#include "steps/job.h"

// The layout of a data set artifact.

namespace ciclo::steps {

inline constexpr const char* kDataFile = "data.parquet";
inline constexpr const char* kStatisticsFile = "statistics.json";
inline constexpr const char* kSchemaFile = "schema.json";

// The artifact in `directory` as a table of the engine.
data::Table data_set_table(const std::filesystem::path& directory, std::string name);

// Writes statistics and inferred schema beside the Parquet file of an output port, and reports its
// properties.
Result<data::Statistics> describe_data_set(const Job& job, std::string_view port,
                                           const data::ParquetFile& file);

Result<data::Statistics> read_statistics(const std::filesystem::path& directory);

}  // namespace ciclo::steps
