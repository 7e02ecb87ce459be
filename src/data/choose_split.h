// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "data/engine.h"
#include "data/guess.h"
#include "data/split.h"

// The split of a table that nobody described, for `ciclo init`: tried on the very rows, since a
// split that leaves a part without rows, or without one of two classes, would fail the first run.

namespace ciclo::data {

struct SplitChoice {
  SplitRule rule;
  std::vector<std::string> reasons;  // why it is not the usual one; a sentence each
};

// By time when the guess has a time column and the parts are good, else at random, with larger
// parts for validation and test where the table is small. `table` holds the rows with a target.
// invalid_argument when no split gives training, validation and test rows that can be learned from
// and judged.
Result<SplitChoice> choose_split(const Engine& engine, const Context& context, const Table& table,
                                 const Guess& guess);

}  // namespace ciclo::data
