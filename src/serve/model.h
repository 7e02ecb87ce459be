// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "data/batch.h"
#include "train/task.h"

// The two ports through which an endpoint reaches its models: a loaded model that predicts, and the
// place where models come from. package_model.h implements them over the registry and
// train::Package.

namespace ciclo::serve {

// What a model takes and gives, in the order of its columns. A null is allowed in every input.
struct Signature {
  struct Column {
    std::string name;
    data::ColumnType type = data::ColumnType::kNumber;
    bool required = true;
  };
  std::vector<Column> inputs;
  std::vector<Column> outputs;
  std::string positive;  // the class that a single probability is of; empty: another task
  std::vector<std::string> null_texts;  // of CSV: no value, as in the training files

  // nullptr when there is no such input.
  const Column* input(std::string_view name) const;
};

// One loaded version. Immutable; safe to share between threads.
class Model {
 public:
  virtual ~Model() = default;

  virtual const Signature& signature() const = 0;
  // What made the model: "xgboost", "lightgbm", … Told to clients as the platform.
  virtual std::string_view platform() const = 0;
  // What its labels may be.
  virtual const train::LabelSpace& labels() const = 0;
  // Rows to warm the model with; no rows when the package holds no example.
  virtual const data::Batch& input_example() const = 0;

  // One output row for each input row, with the columns of signature().outputs. Columns beyond the
  // signature are ignored, their order is free. invalid_argument names the column that is missing
  // or has another type.
  virtual Result<data::Batch> predict(const data::Batch& rows) const = 0;
};

// Safe to share between threads. Calls may read the disk.
class ModelSource {
 public:
  virtual ~ModelSource() = default;

  // The version that the alias names now; not_found when the model or the alias does not exist.
  virtual Result<std::string> resolve(const Context& ctx, std::string_view model,
                                      std::string_view alias) = 0;
  // not_found when there is no such version; data_loss or failed_precondition when its package is
  // damaged or of a kind that cannot be served.
  virtual Result<std::unique_ptr<Model>> load(const Context& ctx, std::string_view model,
                                              std::string_view version) = 0;
};

}  // namespace ciclo::serve
