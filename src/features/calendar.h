// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

// Parts of a time in UTC, in the Gregorian calendar.

namespace ciclo::features {

enum class Part {
  kYear,
  kMonth,      // 1 to 12
  kDay,        // 1 to 31
  kDayOfWeek,  // Monday is 0
  kDayOfYear,  // from 1
  kHour,
  kMinute,
  kIsWeekend,  // 1 on Saturday and Sunday
  kEpochDay,   // days since 1970-01-01
};

std::span<const std::string_view> enum_names(Part part);

// NaN for a time that is NaN or more than 275,000 years away.
float part_of(Part part, double time_ms);

}  // namespace ciclo::features
