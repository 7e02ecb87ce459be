// SPDX-License-Identifier: Apache-2.0
#include "data/number_name.h"

#include <charconv>
#include <cmath>
#include <cstdint>

namespace ciclo::data {

std::string number_name(double value) {
  constexpr double kExact = 9007199254740992;  // 2^53
  if (std::trunc(value) == value && std::abs(value) < kExact) {
    return std::to_string(static_cast<std::int64_t>(value));
  }
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  return std::string(buffer, end);
}

}  // namespace ciclo::data
