// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "evaluate/evaluate.h"
#include "evaluate/measurer.h"

namespace ciclo::evaluate {

// Bootstrap::resamples, or what stands for 0.
int resamples_for(const Bootstrap& bootstrap, std::size_t rows);

// For each resample of the rows (drawn with replacement, each with its weight) the values of all
// measurers, one after the other: resamples × Σ metrics, row-major. All measurers have the same
// rows and see the same draws. Resample r depends on the seed and r alone.
std::vector<double> bootstrap_values(const std::vector<const Measurer*>& measurers,
                                     const Bootstrap& bootstrap);

// The quantile of sorted values with linear interpolation (NumPy's default); `sorted` is not empty.
double quantile(const std::vector<double>& sorted, double level);

}  // namespace ciclo::evaluate
