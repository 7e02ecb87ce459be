// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "data/statistics.h"
#include "steps/job.h"

namespace ciclo::steps {

// What the monitor needs to know of how windows of the training rows differ from one another:
// monitor::TrainingWindows as JSON. Features from the rows of port "train"; predictions, row by row
// as `outputs` are named, from those of port "validation", as a model flatters the rows that it has
// learned. Null when the step was told no time column or no window.
Result<json::Value> reference_windows(const Job& job, const data::Statistics& features,
                                      const data::Statistics* prediction_statistics,
                                      const std::vector<std::string>& outputs,
                                      const std::vector<double>& predictions);

}  // namespace ciclo::steps
