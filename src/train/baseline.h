// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>

#include "train/learner.h"

// What every model must beat: the share of each class, or the mean, whatever the row.

namespace ciclo::train {

class BaselineLearner final : public Learner {
 public:
  std::string_view kind() const override { return "baseline"; }
  Result<json::Value> check_parameters(const json::Value& parameters) const override;
  Result<std::unique_ptr<Model>> fit(const LabelSpace& space, const Examples& training,
                                     const std::optional<Examples>& validation,
                                     const json::Value& parameters,
                                     const FitOptions& options) const override;
  Result<std::unique_ptr<Model>> load(const std::filesystem::path& file, const LabelSpace& space,
                                      std::size_t columns) const override;
};

}  // namespace ciclo::train
