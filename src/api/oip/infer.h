// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/batch.h"
#include "serve/endpoints.h"
#include "serve/model.h"

// The messages of the Open Inference Protocol, version 2, REST: JSON in, columns out, and back.
// Pure functions.

namespace ciclo::api::oip {

struct InferRequest {
  std::string id;  // echoed
  data::Batch rows;
  serve::PredictOptions options;
  std::vector<std::string> outputs;  // those wanted; empty: all
};

// A tensor for each column of the model, by name, of shape [rows] or [rows, 1]; or, for a model
// without columns of text, one tensor of shape [rows, columns] with the columns in the order of the
// signature. Data is flat or nested, row-major; null is a missing value. invalid_argument names the
// tensor.
Result<InferRequest> parse_infer(std::string_view body, const serve::Signature& signature);

std::string write_infer(const InferRequest& request, const serve::Prediction& prediction);

// The answer to GET v2/models/NAME: what the tensors of infer must look like.
std::string write_metadata(const serve::ServingVersion& serving);

// The protocol's name of a column's type: "BOOL", "INT64", "FP64", "BYTES"; a timestamp is INT64,
// in milliseconds since the epoch.
std::string_view datatype_of(data::ColumnType type);

}  // namespace ciclo::api::oip
