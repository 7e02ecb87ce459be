// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/json.h"
#include "base/result.h"
#include "data/batch.h"
#include "train/task.h"

// A label that was told from outside, after the prediction. The endpoint that takes it, the monitor
// that measures by it and the step that learns from it read it by these functions alone, so that
// what one accepts the others understand.

namespace ciclo::train {

// The label as learners and metrics take it: the value, or the class's number.
//
// Of classes: the class's name; a number that equals the class's number ("1.0" is class 1); yes and
// no in either spelling, true and 1, false and 0. Of a regression: a finite number that a float
// holds, also one that is written as text. invalid_argument names the label and what would be
// right.
Result<double> label_number(const json::Value& label, const LabelSpace& space);

// Appends the label of that number to a target column: the class's name in a column of text, its
// value in a column of numbers or booleans, the number itself of a regression. `number` comes from
// label_number with the same space.
void append_label(data::Column& target, double number, const LabelSpace& space);

}  // namespace ciclo::train
