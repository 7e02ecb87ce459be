// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "base/json.h"
#include "data/batch.h"

// Rows as the JSON of prediction requests.

namespace ciclo::cli {

// A cell: null, boolean, integer (timestamps in ms), number or text.
json::Value cell_json(const data::Column& column, std::size_t row);

// {"columns": […], "data": [[…], …]}, pandas' split orientation.
json::Value split_json(const data::Batch& rows);

}  // namespace ciclo::cli
