// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "data/batch.h"
#include "evaluate/metrics.h"

namespace ciclo::evaluate {

// Rows that share a value of a column.
struct Slice {
  std::string value;
  std::vector<std::size_t> rows;
};

// By category, the largest first, then "(other)" for what is beyond `slices_max`, and "(null)";
// numbers and times with more than `slices_max` different values by quarters of their rows.
std::vector<Slice> slices_of(const data::Column& column, int slices_max);

// The rows with that value, written as slices_of() writes it: a slice that slices_of(column,
// slices_max) has; else the rows with exactly this value; else, of numbers, those within the range
// "[100, 250)" whatever the quarters of these rows are. No rows when there are none.
Slice slice_with(const data::Column& column, const std::string& value, int slices_max);

// Labels, predictions and weights of the rows of a slice.
struct OwnedScored {
  std::vector<double> labels;
  std::vector<double> predictions;
  std::vector<double> weights;
  std::size_t outputs = 1;

  Scored view() const { return {labels, predictions, outputs, weights}; }
};
OwnedScored take(const Scored& scored, const std::vector<std::size_t>& rows);

}  // namespace ciclo::evaluate
