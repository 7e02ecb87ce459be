// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"

// Values of answers as the text of a table's cells.

namespace ciclo::cli {

// The member as text, numbers that are no integers with `digits` after the point; "-" for none.
std::string cell(const json::Value& object, std::string_view key, int digits = 4);

// An integer, which MLflow writes as a number or as a text; 0 for none.
std::int64_t integer_of(const json::Value& object, std::string_view key);

// A double, which MLflow writes as a number or as the text "NaN"; NaN for none.
double number_of(const json::Value& object, std::string_view key);

// `before`, the name percent-encoded, `after`.
std::string path_of(std::string_view before, const std::string& name, std::string_view after = {});

std::int64_t now_ms();

}  // namespace ciclo::cli
