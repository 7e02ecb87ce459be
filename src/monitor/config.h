// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "monitor/monitor.h"

namespace ciclo::monitor {

// "90m", "6h", "1d", "2w" in milliseconds, as whole numbers above 0.
Result<std::int64_t> parse_duration(std::string_view text);

// A Config with its durations in numbers.
struct Plan {
  Config config;
  std::int64_t window_ms = 0;
  std::int64_t lateness_ms = 0;
  std::int64_t label_horizon_ms = 0;
};
Result<Plan> plan_of(const json::Value& value);

}  // namespace ciclo::monitor
