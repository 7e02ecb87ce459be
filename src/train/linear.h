// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>

#include "train/learner.h"

// Linear and logistic regression with an elastic-net penalty. Minimises
//
//   Σ weight · loss / Σ weight + l1 · Σ|w| + l2 / 2 · Σ w²
//
// over the weights w and an intercept without penalty; the loss is half the squared error, the log
// loss, or the log loss of the softmax over all classes. In scikit-learn's words: C = 1 / (n · l2)
// of LogisticRegression, alpha = n · l2 of Ridge, alpha · l1_ratio = l1 and alpha · (1 − l1_ratio)
// = l2 of ElasticNet. With `standardise` the penalty counts columns scaled to deviation 1. A
// missing value counts as the column's mean.

namespace ciclo::train {

class LinearLearner final : public Learner {
 public:
  std::string_view kind() const override { return "linear"; }
  Result<json::Value> check_parameters(const json::Value& parameters) const override;
  Result<std::unique_ptr<Model>> fit(const LabelSpace& space, const Examples& training,
                                     const std::optional<Examples>& validation,
                                     const json::Value& parameters,
                                     const FitOptions& options) const override;
  Result<std::unique_ptr<Model>> load(const std::filesystem::path& file, const LabelSpace& space,
                                      std::size_t columns) const override;
};

}  // namespace ciclo::train
