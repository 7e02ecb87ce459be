// SPDX-License-Identifier: Apache-2.0
#include "train/task.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/text.h"
#include "data/number_name.h"

namespace ciclo::train {
namespace {

constexpr std::size_t kClassesMax = 1'000;
constexpr std::array<std::string_view, 3> kTaskNames = {"binary", "multiclass", "regression"};

std::string class_name(const data::Column& label, double number) {
  if (label.type == data::ColumnType::kBoolean) return number != 0 ? "true" : "false";
  return data::number_name(number);
}

Result<void> check_present(const data::Column& label) {
  const auto name = "label column " + quoted(label.name);
  if (label.rows() == 0) return invalid_argument(name + " has no rows");
  for (std::size_t row = 0; row < label.rows(); ++row) {
    if (label.is_null(row)) {
      return invalid_argument(name + " has no value in row " + std::to_string(row + 1) +
                              "; leave out rows without a label");
    }
    if (label.type != data::ColumnType::kText && std::isinf(label.numbers[row])) {
      return invalid_argument(name + " holds an infinite value in row " + std::to_string(row + 1));
    }
  }
  return {};
}

std::vector<std::string> classes_in_order(const data::Column& label, std::size_t classes_max) {
  std::vector<std::string> names;
  if (label.type == data::ColumnType::kText) {
    std::set<std::string_view> distinct;
    for (const auto& text : label.texts) {
      distinct.insert(text);
      if (distinct.size() > classes_max) break;
    }
    names.assign(distinct.begin(), distinct.end());
    return names;
  }
  std::set<double> distinct;
  for (const double number : label.numbers) {
    distinct.insert(number);
    if (distinct.size() > classes_max) break;
  }
  for (const double number : distinct) names.push_back(class_name(label, number));
  return names;
}

Result<LabelSpace> regression_space(const data::Column& label) {
  const auto name = "label column " + quoted(label.name);
  if (label.type == data::ColumnType::kText) {
    return invalid_argument(
        name + " holds text, which regression cannot learn; use task: " + "binary or multiclass");
  }
  const auto [low, high] = std::minmax_element(label.numbers.begin(), label.numbers.end());
  if (*low == *high) {
    return invalid_argument(name + " is constant (" + class_name(label, *low) +
                            " in every row), so there is nothing to learn");
  }
  if (std::max(std::abs(*low), std::abs(*high)) >
      static_cast<double>(std::numeric_limits<float>::max())) {
    return invalid_argument(name + " holds values beyond ±3.4e38; scale it");
  }
  return LabelSpace{Task::kRegression, {}};
}

Result<void> put_positive_last(std::vector<std::string>& classes, const std::string& positive,
                               const std::string& name) {
  const auto found = std::find(classes.begin(), classes.end(), positive);
  if (found == classes.end()) {
    return invalid_argument("positive class " + quoted(positive) + " does not occur in " + name +
                            ", which holds " + join(classes, " and "));
  }
  std::swap(*found, classes.back());
  return {};
}

}  // namespace

std::span<const std::string_view> enum_names(Task) { return kTaskNames; }

std::string_view task_name(Task task) { return kTaskNames[static_cast<std::size_t>(task)]; }

Result<Task> parse_task(std::string_view name) {
  const auto found = std::find(kTaskNames.begin(), kTaskNames.end(), name);
  if (found == kTaskNames.end()) {
    return invalid_argument("task " + quoted(name) +
                            " is not known; use binary, multiclass or regression");
  }
  return static_cast<Task>(found - kTaskNames.begin());
}

Task infer_task(const data::Column& label) {
  constexpr std::size_t kFewClasses = 20;
  std::set<double> numbers;
  std::set<std::string_view> texts;
  bool whole = true;
  for (std::size_t row = 0; row < label.rows(); ++row) {
    if (label.is_null(row)) continue;
    if (label.type == data::ColumnType::kText) {
      texts.insert(label.texts[row]);
    } else {
      numbers.insert(label.numbers[row]);
      whole = whole && std::trunc(label.numbers[row]) == label.numbers[row];
    }
    if (numbers.size() > kFewClasses || texts.size() > 2) break;
  }
  if (label.type == data::ColumnType::kText) {
    return texts.size() > 2 ? Task::kMulticlass : Task::kBinary;
  }
  if (label.type == data::ColumnType::kBoolean || numbers.size() == 2) return Task::kBinary;
  return whole && numbers.size() > 2 && numbers.size() <= kFewClasses ? Task::kMulticlass
                                                                      : Task::kRegression;
}

Result<LabelSpace> label_space(const data::Column& label, Task task,
                               std::optional<std::string> positive) {
  TRY(check_present(label));
  const auto name = "label column " + quoted(label.name);
  if (task == Task::kRegression) return regression_space(label);
  LabelSpace space{task, classes_in_order(label, kClassesMax)};
  if (space.classes.size() == 1) {
    return invalid_argument(name + " holds one class only (" + quoted(space.classes.front()) +
                            "), so there is nothing to learn");
  }
  if (space.classes.size() > kClassesMax) {
    return invalid_argument(name + " holds more than 1000 classes; is the task regression?");
  }
  if (task == Task::kBinary) {
    if (space.classes.size() > 2) {
      return invalid_argument(name + " holds " + std::to_string(space.classes.size()) +
                              " classes, and a binary task has two; use task: multiclass");
    }
    if (positive) TRY(put_positive_last(space.classes, *positive, name));
  }
  return space;
}

Result<std::vector<double>> label_numbers(const data::Column& label, const LabelSpace& space) {
  TRY(check_present(label));
  const bool text = label.type == data::ColumnType::kText;
  if (space.task == Task::kRegression) {
    if (text) return regression_space(label).error();
    return label.numbers;
  }
  std::unordered_map<std::string_view, double> numbers_of_text;
  for (std::size_t i = 0; i < space.classes.size(); ++i) {
    numbers_of_text[space.classes[i]] = static_cast<double>(i);
  }
  std::unordered_map<double, double> numbers_of_value;
  std::vector<double> values;
  values.reserve(label.rows());
  for (std::size_t row = 0; row < label.rows(); ++row) {
    if (!text) {
      const auto known = numbers_of_value.find(label.numbers[row]);
      if (known != numbers_of_value.end()) {
        values.push_back(known->second);
        continue;
      }
    }
    const auto name = text ? label.texts[row] : class_name(label, label.numbers[row]);
    const auto found = numbers_of_text.find(name);
    if (found == numbers_of_text.end()) {
      return invalid_argument("label column " + quoted(label.name) + " holds the class " +
                              quoted(name) + ", which did not occur in training");
    }
    if (!text) numbers_of_value[label.numbers[row]] = found->second;
    values.push_back(found->second);
  }
  return values;
}

Result<std::vector<float>> label_values(const data::Column& label, const LabelSpace& space) {
  TRY(const std::vector<double> numbers, label_numbers(label, space));
  std::vector<float> values;
  values.reserve(numbers.size());
  for (const double number : numbers) values.push_back(static_cast<float>(number));
  return values;
}

}  // namespace ciclo::train
