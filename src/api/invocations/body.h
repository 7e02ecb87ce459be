// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "data/batch.h"
#include "serve/endpoints.h"
#include "serve/model.h"

// The bodies of /invocations, as MLflow's scoring server (3.17) and SageMaker's containers take
// them. Pure functions.

namespace ciclo::api::invocations {

struct Invocation {
  data::Batch rows;
  serve::PredictOptions options;  // from "params"
};

// `content_type` as it stands in the header:
//
//   application/json   an object with exactly one of dataframe_split {columns, index?, data},
//                      dataframe_records [{…}], instances (rows: values, lists or objects), inputs
//                      (rows, or {column: values}); beside it params {}
//   text/csv           RFC 4180. MLflow's clients send a header line, SageMaker's none: a first
//   line in
//                      which any field is no number is a header, unless the media type says
//                      `header=present` or `header=absent`. Without a header the fields are the
//                      model's columns in order.
//
// Columns that the model does not have are dropped; one that is missing is an error that names it.
// null, NaN and an empty field are missing values. unimplemented: a media type, charset or
// parameter that is not served (415).
Result<Invocation> parse_body(std::string_view content_type, std::string_view body,
                              const serve::Signature& signature);

// {"predictions": […]}: numbers for a model with one output, else an object a row.
std::string write_json(const data::Batch& outputs);
// One line a row, without a header, as SageMaker's clients expect.
std::string write_csv(const data::Batch& outputs);

}  // namespace ciclo::api::invocations
