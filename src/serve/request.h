// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "data/batch.h"
#include "serve/endpoints.h"
#include "serve/model.h"

// What all prediction protocols share: how a JSON or text value becomes a cell of a column, and how
// a request names its inferences. JSON has no NaN, so null is a missing value in every column; the
// words "NaN", "Infinity" and "-Infinity" are taken in columns of numbers.

namespace ciclo::serve {

// Columns with the names and types of the signature's inputs, without rows.
data::Batch empty_rows(const Signature& signature);

// Appends one value. invalid_argument says what the column's type takes and what was found:
//   boolean    true, false, 0, 1
//   integer    whole numbers, also as 3.0
//   number     numbers
//   timestamp  ms since the epoch, or a text as parse_utc takes it
//   text       texts
Result<void> append_cell(data::Column& column, json::View value);

// The same for a field of CSV. A field that is one of `null_texts` (Signature::null_texts) is
// missing, in columns of every type: what had no value in training has none in serving. In columns
// other than text an empty field and the usual words (nan, null, na) are missing too.
Result<void> append_field(data::Column& column, std::string_view field,
                          std::span<const std::string> null_texts);

// From the parameters of a request: "inference_id" (a text), "inference_ids" (texts),
// "event_time_ms" (an integer), "event_times_ms" (integers); others are left alone. A value that is
// missing or null gives the defaults.
Result<PredictOptions> read_options(json::View parameters);

}  // namespace ciclo::serve
