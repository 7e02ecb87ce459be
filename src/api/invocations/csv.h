// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace ciclo::api::invocations {

// Splits comma-separated text (RFC 4180) into records of fields; a field in quotes may hold commas,
// newlines and doubled quotes. Empty lines are passed over; a byte order mark is taken off.
// invalid_argument, with the line, for a quote that does not end or has text after it.
Result<std::vector<std::vector<std::string>>> parse_csv(std::string_view text);

}  // namespace ciclo::api::invocations
