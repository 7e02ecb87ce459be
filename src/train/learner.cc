// SPDX-License-Identifier: Apache-2.0
#include "train/learner.h"

#include "base/text.h"
#include "base/version.h"
#include "train/baseline.h"
#include "train/lightgbm.h"
#include "train/linear.h"
#include "train/xgboost.h"

namespace ciclo::train {

Result<const Learner*> find_learner(std::string_view kind) {
  static const XgboostLearner xgboost;
  static const LightgbmLearner lightgbm;
  static const LinearLearner linear;
  static const BaselineLearner baseline;
  for (const Learner* learner :
       {static_cast<const Learner*>(&xgboost), static_cast<const Learner*>(&lightgbm),
        static_cast<const Learner*>(&linear), static_cast<const Learner*>(&baseline)}) {
    if (learner->kind() == kind) return learner;
  }
  const auto near = nearest(kind, learner_kinds());
  return invalid_argument("learner " + quoted(kind) + " is not known; " +
                          (near.empty() ? "use one of: " + join(learner_kinds(), ", ")
                                        : "did you mean " + quoted(near) + "?"));
}

const std::vector<std::string>& learner_kinds() {
  static const std::vector<std::string> kinds = {"xgboost", "lightgbm", "linear", "baseline"};
  return kinds;
}

std::string_view learner_version(std::string_view kind) {
  // As third_party pins them; LightGBM's library does not tell its own.
  if (kind == "xgboost") return "3.2.0";
  if (kind == "lightgbm") return "4.7.0";
  return kVersion;
}

}  // namespace ciclo::train
