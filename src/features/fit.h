// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/result.h"
#include "data/batch.h"
#include "features/column.h"
#include "features/spec.h"
#include "features/transform.h"

// What a transform learns from the training rows, column by column.

namespace ciclo::features {

// All but the target's means. invalid_argument names the column that does not suit its encoding,
// holds no value, or holds an infinity.
Result<FittedColumn> fit_column(const ColumnSpec& spec, const data::Column& column);

// The numbers of a target-encoded column for the training rows, each from the other folds.
struct OutOfFold {
  std::vector<float> values;  // rows × outputs; empty when there is nothing to overwrite
  std::size_t outputs = 0;

  // Puts them into a matrix of `width` numbers a row, from column `at` on.
  void overwrite(std::vector<float>& matrix, std::size_t width, std::size_t at) const;
};

// Fills values and unseen: for each category (Σ target + smoothing · mean) / (n + smoothing), with
// the mean over all rows (Micci-Barreca 2001 with the weight n / (n + smoothing)). Out of fold,
// sums, n and mean are those of the rows in the other folds; a row's fold is a random function of
// seed and place.
Result<OutOfFold> fit_target(const ColumnSpec& spec, const data::Column& column,
                             const Target& target, std::uint64_t seed, FittedColumn& fitted);

}  // namespace ciclo::features
