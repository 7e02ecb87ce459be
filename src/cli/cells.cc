// SPDX-License-Identifier: Apache-2.0
#include "cli/cells.h"

#include <limits>

#include "base/clock.h"
#include "base/text.h"
#include "cli/table.h"
#include "http/message.h"

namespace ciclo::cli {

std::string cell(const json::Value& object, std::string_view key, int digits) {
  const json::Value* value = object.find(key);
  if (value == nullptr || value->is_null()) return "-";
  if (value->is_string()) return value->string().empty() ? "-" : value->string();
  if (value->is_int()) return std::to_string(value->integer());
  if (value->is_number()) return number_text(value->number(), digits);
  return json::dump(*value);
}

std::int64_t integer_of(const json::Value& object, std::string_view key) {
  const json::Value* value = object.find(key);
  if (value == nullptr) return 0;
  if (value->is_int()) return value->integer();
  return value->is_string() ? parse_int(value->string()).value_or(0) : 0;
}

double number_of(const json::Value& object, std::string_view key) {
  const json::Value* value = object.find(key);
  if (value != nullptr && value->is_number()) return value->number();
  return std::numeric_limits<double>::quiet_NaN();
}

std::string path_of(std::string_view before, const std::string& name, std::string_view after) {
  return std::string(before) + http::percent_encode(name) + std::string(after);
}

std::int64_t now_ms() { return SystemClock().now_ms(); }

}  // namespace ciclo::cli
