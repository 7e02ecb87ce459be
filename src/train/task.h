// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/batch.h"

// What is to be learned, and the labels of it as numbers.

namespace ciclo::train {

enum class Task { kBinary, kMulticlass, kRegression };

// "binary", "multiclass", "regression".
std::string_view task_name(Task task);
std::span<const std::string_view> enum_names(Task task);
Result<Task> parse_task(std::string_view name);

// The task that a label column calls for: two different values: binary; text, boolean, or at most
// 20 different whole numbers: multiclass; else regression.
Task infer_task(const data::Column& label);

// The classes in their order: class k of a model is classes[k]. For a binary task classes[1] is the
// positive one. Empty for regression.
struct LabelSpace {
  Task task = Task::kRegression;
  std::vector<std::string> classes;

  std::size_t outputs() const { return task == Task::kMulticlass ? classes.size() : 1; }
};

// The space of a label column. Classes are in order of their value (numbers by size, false before
// true, text by bytes); `positive` chooses the positive class of a binary task. invalid_argument,
// in one sentence that names the column: no rows, a null, an infinite value, text for regression,
// one class only, a constant target, more than two classes for a binary task, more than 1,000
// classes, a `positive` that does not occur.
Result<LabelSpace> label_space(const data::Column& label, Task task,
                               std::optional<std::string> positive = {});

// One number a row: the value, or the class's number. invalid_argument for a null, an infinite
// value, or a class that the space does not have.
Result<std::vector<double>> label_numbers(const data::Column& label, const LabelSpace& space);
// The same as learners take them; regression targets beyond 2^24 lose digits here, so metrics take
// label_numbers().
Result<std::vector<float>> label_values(const data::Column& label, const LabelSpace& space);

}  // namespace ciclo::train
