// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "data/batch.h"
#include "features/spec.h"

// A transform turns rows of raw columns into the numbers that a learner sees. It is fitted on
// training rows, then frozen: it is written as JSON into the model package, read back to exactly
// the same function, and apply() is the one implementation that runs in training and in serving.

namespace ciclo::features {

// One raw column that the transform reads.
struct Input {
  std::string name;
  data::ColumnType type = data::ColumnType::kNumber;
  bool nullable = true;  // whether the training rows had a null in it
};

// What the encodings that look at the target learn from.
struct Target {
  // One a row: the value, 0/1 of the positive class, or the class number when classes > 2.
  std::span<const float> values;
  std::size_t classes = 0;  // 0: a number to be estimated
};

struct FitOptions {
  std::uint64_t seed = 0;  // of the folds of target encoding
};

struct Fitted;

// Safe to share between threads: nothing changes after fit() or read().
class Transform {
 public:
  // Learns from `rows`. Each column of the spec must be there, hold a value and no infinity;
  // invalid_argument names the column otherwise. `target` may be empty when no column is encoded by
  // it.
  static Result<Fitted> fit(const Spec& spec, const data::Batch& rows, const Target& target,
                            const FitOptions& options = {});

  // data_loss when the text is not what write() made.
  static Result<Transform> read(std::string_view json);
  std::string write() const;

  const std::vector<Input>& inputs() const;
  // Names of the numbers of one row, in their order: "distance", "origin=JFK", "departure.hour".
  const std::vector<std::string>& outputs() const;
  std::size_t width() const { return outputs().size(); }
  // True when each output is the input column of the same place, as it is.
  bool is_identity() const;

  // Fills `out` (rows × width, row-major; NaN is missing). The batch may hold more columns, in any
  // order. invalid_argument names the column that is missing or of another type: text where numbers
  // were, or the reverse. Numbers beyond the range of float become its largest ones. One row of ten
  // columns costs about a microsecond.
  Result<void> apply(const data::Batch& rows, std::span<float> out) const;

 private:
  struct State;
  explicit Transform(std::shared_ptr<const State> state) : state_(std::move(state)) {}

  // Never changes once it is built; copies of a Transform share it.
  std::shared_ptr<const State> state_;
};

struct Fitted {
  Transform transform;
  // The training rows as the learner shall see them (rows × width, row-major): like apply(), but
  // target encoding of a row comes from the other folds, so that its own target does not leak.
  std::vector<float> training;
};

}  // namespace ciclo::features
