// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "data/batch.h"
#include "features/transform.h"
#include "steps/job.h"
#include "train/learner.h"
#include "train/package.h"
#include "train/task.h"

// What the steps that learn and judge share: rows and labels from data set artifacts, and the
// matrices that a learner sees.

namespace ciclo::steps {

// The parameters of a step that learns.
struct LearningParameters {
  std::string target;
  std::string task;
  std::string positive;              // class of a binary target; empty: the last in order
  std::vector<std::string> columns;  // features; empty: all but target and `exclude`
  std::vector<std::string> exclude;
  json::Value transforms = json::Value::array();
  std::string learner;
  json::Value parameters = json::Value::object();
  std::int64_t seed = 0;
  std::vector<std::string> null_texts;  // of the examples' source, for Signature::null_texts

  template <class V>
  void fields(V& v) {
    v("target", target);
    v("task", task);
    v.or_default("positive", positive);
    v.or_default("columns", columns);
    v.or_default("exclude", exclude);
    v.or_default("transforms", transforms);
    v("learner", learner);
    v.or_default("parameters", parameters);
    v.or_default("seed", seed);
    v.or_default("null_texts", null_texts);
  }
};

// Raw columns of one part, with the label apart.
struct Rows {
  data::Batch features;
  data::Column label;
};

// The rows of a data set artifact on an input port.
Result<Rows> read_rows(const Job& job, std::string_view port, const LearningParameters& parameters);

// Training and validation rows, transformed.
struct LearningData {
  train::LabelSpace space;
  features::Transform transform;
  Rows training_rows;
  Rows validation_rows;
  std::vector<float> training_matrix;
  std::vector<float> validation_matrix;
  std::vector<float> training_labels;
  std::vector<float> validation_labels;

  train::Examples training() const;
  std::optional<train::Examples> validation() const;  // nullopt: no rows
};

// From the input ports "train" and "validation".
Result<LearningData> prepare(const Job& job, const LearningParameters& parameters);

}  // namespace ciclo::steps
