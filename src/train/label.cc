// SPDX-License-Identifier: Apache-2.0
#include "train/label.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"

namespace ciclo::train {
namespace {

std::optional<double> class_named(std::string_view name, const LabelSpace& space) {
  for (std::size_t i = 0; i < space.classes.size(); ++i) {
    if (space.classes[i] == name) return static_cast<double>(i);
  }
  return std::nullopt;
}

// The class whose name reads as the same number: 1.0 and "1.0" are class 1.
std::optional<double> class_of_value(double value, const LabelSpace& space) {
  for (std::size_t i = 0; i < space.classes.size(); ++i) {
    if (parse_double(space.classes[i]) == value) return static_cast<double>(i);
  }
  return std::nullopt;
}

std::optional<double> class_number(const json::Value& label, const LabelSpace& space) {
  std::optional<double> value;
  std::string name;
  if (label.is_string()) {
    name = label.string();
    value = parse_double(name);
  } else if (label.is_bool()) {
    name = label.boolean() ? "true" : "false";
  } else {
    value = label.number();
    name = json::dump(label);
  }
  if (const auto found = class_named(name, space)) return found;
  if (value) {
    if (const auto found = class_of_value(*value, space)) return found;
  }
  // Yes and no are written in two ways.
  if (name == "true") return class_of_value(1, space);
  if (name == "false") return class_of_value(0, space);
  if (value == 1) return class_named("true", space);
  if (value == 0) return class_named("false", space);
  return std::nullopt;
}

std::optional<double> regression_number(const json::Value& label) {
  std::optional<double> value;
  if (label.is_number()) value = label.number();
  if (label.is_string()) value = parse_double(label.string());
  const double limit = std::numeric_limits<float>::max();
  if (!value || !std::isfinite(*value) || std::abs(*value) > limit) return std::nullopt;
  return value;
}

// "a", "b" or "c"; of many the first few.
std::string classes_text(const LabelSpace& space) {
  constexpr std::size_t kShown = 10;
  std::string text;
  const std::size_t shown = std::min(kShown, space.classes.size());
  for (std::size_t i = 0; i < shown; ++i) {
    if (i > 0) text += i + 1 == space.classes.size() ? " or " : ", ";
    text += quoted(space.classes[i]);
  }
  if (shown < space.classes.size()) {
    text += " or one of " + std::to_string(space.classes.size() - shown) + " others";
  }
  return text;
}

}  // namespace

Result<double> label_number(const json::Value& label, const LabelSpace& space) {
  const bool is_scalar = label.is_number() || label.is_bool() || label.is_string();
  const auto refused = [&](const std::string& right) {
    return invalid_argument("label " + json::dump(label) + ": must be " + right);
  };
  if (space.task == Task::kRegression) {
    const auto value = is_scalar ? regression_number(label) : std::nullopt;
    if (value) return *value;
    return refused("a finite number within ±3.4e38");
  }
  const auto found = is_scalar ? class_number(label, space) : std::nullopt;
  if (found) return *found;
  return refused("a class that the model knows: " + classes_text(space));
}

void append_label(data::Column& target, double number, const LabelSpace& space) {
  if (space.task == Task::kRegression) return target.append(number);
  const std::string& name = space.classes[static_cast<std::size_t>(number)];
  if (target.type == data::ColumnType::kText) return target.append(std::string_view(name));
  if (target.type == data::ColumnType::kBoolean) return target.append(name == "true" ? 1.0 : 0.0);
  // Classes of a column of numbers are named by their numbers.
  target.append(parse_double(name).value_or(std::nan("")));
}

}  // namespace ciclo::train
