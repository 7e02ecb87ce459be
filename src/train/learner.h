// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "train/task.h"

// A learner makes a model from a matrix and labels. There are "xgboost", "lightgbm", "linear"
// (logistic and ridge regression, elastic net) and "baseline" (the prior, the mean). The two
// libraries of trees are opened on first use; a program that never trains or loads such a model
// never loads them.

namespace ciclo::train {

// Borrowed numbers: rows × columns, row-major; NaN is missing.
struct Matrix {
  std::span<const float> values;
  std::size_t rows = 0;
  std::size_t columns = 0;
};

struct Examples {
  Matrix features;
  std::span<const float> labels;   // as label_values() makes them
  std::span<const float> weights;  // positive, one a row; empty: all 1
};

// After each round of boosting: metrics by name, "training.log_loss", "validation.log_loss", ….
struct Round {
  int number = 0;  // from 0
  std::vector<std::pair<std::string, double>> metrics;
};

struct FitOptions {
  std::vector<std::string> feature_names;  // one a column
  std::uint64_t seed = 0;
  int threads = 0;  // 0: all cores
  // Called after each round; false ends the training with Code::kCancelled.
  std::function<bool(const Round&)> on_round;
};

// Safe to share between threads.
class Model {
 public:
  virtual ~Model() = default;

  // Name of the learner.
  virtual std::string_view kind() const = 0;
  virtual std::size_t columns() const = 0;
  // 1, or the number of classes of a multiclass task.
  virtual std::size_t outputs() const = 0;
  // Fills `out` (rows × outputs, row-major): probability of the positive class, probabilities of
  // all classes, or the value. Uses the calling thread only.
  virtual Result<void> predict(const Matrix& rows, std::span<double> out) const = 0;
  // How much each column contributed, adding up to 1: total gain for trees, |weight| × standard
  // deviation for linear models, all 0 for the baseline.
  virtual std::vector<double> importance() const = 0;
  // Rounds of boosting kept after early stopping; 0 for other learners.
  virtual int rounds() const { return 0; }
  // Name of the file of this model in a package: "model.ubj", "model.lgb", "model.json".
  virtual std::string_view file_name() const = 0;
  virtual Result<void> save(const std::filesystem::path& file) const = 0;
};

class Learner {
 public:
  virtual ~Learner() = default;

  virtual std::string_view kind() const = 0;
  // The parameters with defaults filled in and members in order, so that equal settings are equal
  // texts. invalid_argument for a name that is not known ("did you mean"), a wrong type or range.
  virtual Result<json::Value> check_parameters(const json::Value& parameters) const = 0;
  // The same input, seed, parameters and number of threads give the same model. Early stopping
  // happens on `validation` when the parameters ask for it.
  virtual Result<std::unique_ptr<Model>> fit(const LabelSpace& space, const Examples& training,
                                             const std::optional<Examples>& validation,
                                             const json::Value& parameters,
                                             const FitOptions& options) const = 0;
  // Reads what Model::save() wrote. data_loss when the file is not such a model.
  virtual Result<std::unique_ptr<Model>> load(const std::filesystem::path& file,
                                              const LabelSpace& space,
                                              std::size_t columns) const = 0;
};

// invalid_argument for a name that is none of learner_kinds().
Result<const Learner*> find_learner(std::string_view kind);
const std::vector<std::string>& learner_kinds();

// The version of the library that a learner is: of XGBoost, of LightGBM; of this program for its
// own learners.
std::string_view learner_version(std::string_view kind);

}  // namespace ciclo::train
