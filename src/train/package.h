// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "data/batch.h"
#include "data/engine.h"
#include "features/transform.h"
#include "train/learner.h"
#include "train/task.h"

namespace ciclo::data {
struct Statistics;
}

// A model package is what a model version holds: the fitted transform, the model, the signature,
// the statistics that drift is measured against, and where it all came from. On disk it is an
// MLflow model directory:
//
//   MLmodel                 flavors: `ciclo` always; `xgboost` or `lightgbm` with `python_function`
//                           only when the transform is the identity, since those know none
//   package.json            task, classes, learner, parameters, signature, importance, example
//   model.ubj|.lgb|.json    the model in its library's own format
//   transform.json
//   statistics.json         {"features": …, "predictions": …}, as data::Statistics
//   lineage.json            what the caller knows about the origin: facts of the content (hashes,
//                           parameters, versions) and no ids, so that equal training writes equal
//                           bytes
//   input_example.json, serving_input_example.json   the example rows, as MLflow writes them
//   requirements.txt, conda.yaml, python_env.yaml    beside the flavor python_function

namespace ciclo::train {

struct SignatureColumn {
  std::string name;
  data::ColumnType type = data::ColumnType::kNumber;
  bool nullable = true;  // the training rows had nulls here; a null is accepted everywhere

  template <class V>
  void fields(V& v) {
    v("name", name);
    v("type", type);
    v.or_default("nullable", nullable);
  }
};

struct Signature {
  std::vector<SignatureColumn> inputs;
  // Texts that were no value in the training files; a reader of CSV must take them so too.
  std::vector<std::string> null_texts;
  std::string positive;  // the class that "probability" is of; empty unless the task is binary
  // "probability" (of `positive`); "value"; or "probability_CLASS", one a class.
  std::vector<std::string> outputs;
};

struct Predictions {
  std::size_t rows = 0;
  std::size_t outputs = 1;
  std::vector<double> values;  // rows × outputs, row-major; names are Signature::outputs

  double at(std::size_t row, std::size_t output = 0) const {
    return values[row * outputs + output];
  }
};

struct Metadata {
  std::string model_uuid;  // 32 hexadecimal digits; empty: write() takes those of the content
  std::string target;      // name of the label column
  Task task = Task::kRegression;
  std::vector<std::string> classes;  // classes[1] is the positive one of a binary task
  std::string learner;
  json::Value parameters = json::Value::object();
  int rounds = 0;
  std::int64_t training_rows = 0;

  template <class V>
  void fields(V& v) {
    v("model_uuid", model_uuid);
    v("target", target);
    v("task", task);
    v("classes", classes);
    v("learner", learner);
    v("parameters", parameters);
    v("rounds", rounds);
    v("training_rows", training_rows);
  }
};

// Safe to share between threads. Copies share everything.
class Package {
 public:
  struct Parts {
    features::Transform transform;
    LabelSpace space;
    std::shared_ptr<const Model> model;
    Metadata metadata;  // task, classes, learner and rounds come from space and model
    json::Value lineage = json::Value::object();
    // The raw columns of at most a few rows, from which the input example is written.
    data::Batch example;
    std::vector<std::string> null_texts = data::CsvDialect{}.null_texts;
    // Reference for drift: of the raw feature columns of the training rows, and of the predictions
    // (columns named as Signature::outputs) on rows that were not trained on. May be null.
    std::shared_ptr<const data::Statistics> features;
    std::shared_ptr<const data::Statistics> predictions;
  };

  // A package in memory: predicts at once, and can be written.
  static Package assemble(Parts parts);
  // not_found when there is no package in `directory`, data_loss when it is damaged.
  static Result<Package> load(const std::filesystem::path& directory);
  // Fills an empty or missing directory.
  Result<void> write(const std::filesystem::path& directory) const;

  const Signature& signature() const;
  const Metadata& metadata() const;
  const features::Transform& transform() const;
  const Model& model() const;
  const json::Value& lineage() const;
  // One or a few rows that predict() accepts: for warm-up.
  const data::Batch& example() const;
  // Null when the package was written without.
  const data::Statistics* statistics() const;
  const data::Statistics* prediction_statistics() const;

  // The batch may hold more columns than the signature, in any order; nulls are allowed.
  // invalid_argument names a column that is missing or of the wrong kind (text or not). Uses the
  // calling thread only. One row costs a few microseconds more than the library's own call.
  Result<Predictions> predict(const data::Batch& rows) const;

 private:
  struct State;
  explicit Package(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

// An empty batch with the columns and types of the signature, to be filled from a request.
data::Batch empty_batch(const Signature& signature);

}  // namespace ciclo::train
