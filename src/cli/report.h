// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cli/comparison.h"
#include "cli/plot.h"

namespace ciclo::cli {

// The histories of one metric, a series for each run of the comparison, in its order.
struct Chart {
  std::string metric;
  std::string x;  // what the axis counts: "step" or "seconds"
  std::vector<Series> series;
};

// One HTML page that needs nothing from elsewhere: the runs, their params and metrics side by side,
// and the charts.
std::string html_report(const Comparison& comparison, const std::vector<Chart>& charts,
                        const std::string& made);

}  // namespace ciclo::cli
