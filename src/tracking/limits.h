// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "tracking/types.h"

// What names and values may be, as MLflow 3.17 has it. Lengths count characters (code points).

namespace ciclo::tracking {

inline constexpr std::size_t kKeyLengthMax = 250;
inline constexpr std::size_t kParamValueLengthMax = 6'000;  // longer ones are cut
inline constexpr std::size_t kTagValueLengthMax = 8'000;    // longer ones are cut
inline constexpr std::size_t kExperimentNameLengthMax = 500;
inline constexpr std::size_t kExperimentTagValueLengthMax = 20'000;
inline constexpr std::size_t kBatchMetricsMax = 1'000;
inline constexpr std::size_t kBatchParamsMax = 100;
inline constexpr std::size_t kBatchTagsMax = 100;
inline constexpr std::size_t kBatchMax = 1'000;
inline constexpr std::size_t kDatasetsMax = 1'000;
inline constexpr std::size_t kDatasetNameLengthMax = 500;
inline constexpr std::size_t kDatasetDigestLengthMax = 36;
inline constexpr std::size_t kDatasetSourceLengthMax = 65'535;
inline constexpr std::size_t kDatasetSchemaLengthMax = 1'048'575;
inline constexpr std::size_t kDatasetProfileLengthMax = 16'777'215;
inline constexpr std::int64_t kSearchResultsMax = 50'000;
inline constexpr std::int64_t kHistoryResultsMax = 25'000;
inline constexpr std::int64_t kSampledPointsMax = 2'500;
inline constexpr std::size_t kExperimentsOfDatasetsMax = 20;
inline constexpr std::int64_t kDatasetSummariesMax = 1'000;

// Characters of a valid UTF-8 text.
std::size_t length_of(std::string_view text);
// At most `length_max` characters of it.
std::string_view cut_to(std::string_view text, std::size_t length_max);

// invalid_argument unless the text has at most `length_max` characters; `what` begins the message.
Result<void> check_length(std::string_view what, std::string_view text, std::size_t length_max);

// The key of a metric, param or tag (`what`): letters, digits, "_-.: /", and its own normalised
// path.
Result<void> check_key(std::string_view what, std::string_view key);

Result<void> check_metric(const Metric& metric);
Result<void> check_experiment_name(std::string_view name);
Result<void> check_dataset(const DatasetInput& dataset);
Result<void> check_max_results(std::int64_t max_results, std::int64_t limit);

}  // namespace ciclo::tracking
