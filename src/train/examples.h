// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>

#include "train/learner.h"

// What every learner asks of its input, and the loop that the learners of trees share.

namespace ciclo::train {

// invalid_argument for no rows, no columns, lengths that do not fit, a label outside the space, or
// a weight that is not positive and finite.
Result<void> check_examples(const LabelSpace& space, const Examples& training,
                            const std::optional<Examples>& validation);

inline double weight_of(const Examples& examples, std::size_t row) {
  return examples.weights.empty() ? 1.0 : static_cast<double>(examples.weights[row]);
}

// The number of cores when `threads` is 0.
int threads_or_all(int threads);

// The metric that the learners of trees watch and report: "log_loss", "rmse".
inline const char* watched_metric(Task task) {
  return task == Task::kRegression ? "rmse" : "log_loss";
}

// invalid_argument for early stopping of dart, which goes on to change the trees of earlier rounds.
Result<void> check_early_stopping(const json::Value& parameters, std::string_view booster);

// Stops boosting when the watched metric of the validation rows has not become smaller for a number
// of rounds.
class EarlyStopping {
 public:
  explicit EarlyStopping(int patience) : patience_(patience) {}  // 0: never
  // True when boosting shall stop after this round.
  bool stop_after(int round, double metric) {
    if (best_round_ < 0 || metric < best_metric_) {
      best_round_ = round;
      best_metric_ = metric;
    }
    return patience_ > 0 && round - best_round_ >= patience_;
  }
  bool is_on() const { return patience_ > 0; }
  int best_round() const { return best_round_; }

 private:
  int patience_;
  int best_round_ = -1;
  double best_metric_ = 0;
};

}  // namespace ciclo::train
