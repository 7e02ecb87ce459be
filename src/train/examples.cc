// SPDX-License-Identifier: Apache-2.0
#include "train/examples.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <thread>

namespace ciclo::train {
namespace {

Result<void> check_part(const LabelSpace& space, const Examples& examples,
                        const std::string& name) {
  const auto& features = examples.features;
  if (features.rows == 0) return invalid_argument(name + " has no rows");
  if (features.columns == 0) return invalid_argument("there are no feature columns");
  if (features.values.size() != features.rows * features.columns ||
      examples.labels.size() != features.rows ||
      (!examples.weights.empty() && examples.weights.size() != features.rows)) {
    return invalid_argument(name + ": features, labels and weights differ in their rows");
  }
  const auto classes = static_cast<float>(space.classes.size());
  for (std::size_t row = 0; row < features.rows; ++row) {
    const float label = examples.labels[row];
    const bool known =
        space.task == Task::kRegression ? std::isfinite(label) : label >= 0 && label < classes;
    if (!known) {
      return invalid_argument(name + ": row " + std::to_string(row + 1) + " has no usable label");
    }
    const double weight = weight_of(examples, row);
    if (!(weight > 0) || !std::isfinite(weight)) {
      return invalid_argument(name + ": the weight of row " + std::to_string(row + 1) +
                              " must be a positive number, got " + std::to_string(weight));
    }
  }
  return {};
}

}  // namespace

Result<void> check_examples(const LabelSpace& space, const Examples& training,
                            const std::optional<Examples>& validation) {
  TRY(check_part(space, training, "training data"));
  if (!validation) return {};
  if (validation->features.columns != training.features.columns) {
    return invalid_argument("validation data has " + std::to_string(validation->features.columns) +
                            " columns, training " + std::to_string(training.features.columns));
  }
  return check_part(space, *validation, "validation data");
}

Result<void> check_early_stopping(const json::Value& parameters, std::string_view booster) {
  if (parameters.string_or(booster, "") != "dart") return {};
  if (parameters.integer_or("early_stopping_rounds", 0) == 0) return {};
  return invalid_argument(
      "parameter \"early_stopping_rounds\" cannot be used with dart, which changes the trees of "
      "earlier rounds; leave it 0");
}

int threads_or_all(int threads) {
  if (threads > 0) return threads;
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace ciclo::train
