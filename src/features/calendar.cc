// SPDX-License-Identifier: Apache-2.0
#include "features/calendar.h"

#include <array>
#include <chrono>
#include <cmath>
#include <limits>

namespace ciclo::features {

std::span<const std::string_view> enum_names(Part) {
  static constexpr std::array<std::string_view, 9> kNames = {
      "year", "month",  "day",        "day_of_week", "day_of_year",
      "hour", "minute", "is_weekend", "epoch_day"};
  return kNames;
}

float part_of(Part part, double time_ms) {
  constexpr double kFarthestMs = 8.64e15;
  if (!(std::abs(time_ms) <= kFarthestMs)) return std::numeric_limits<float>::quiet_NaN();
  const double day_number = std::floor(time_ms / 86'400'000);
  const auto days = std::chrono::sys_days(std::chrono::days(static_cast<int>(day_number)));
  const double ms_of_day = time_ms - day_number * 86'400'000;
  // 1970-01-01 was a Thursday.
  const int day_of_week = ((static_cast<int>(day_number) + 3) % 7 + 7) % 7;
  switch (part) {
    case Part::kDayOfWeek: return static_cast<float>(day_of_week);
    case Part::kIsWeekend: return day_of_week >= 5 ? 1 : 0;
    case Part::kHour: return static_cast<float>(std::floor(ms_of_day / 3'600'000));
    case Part::kMinute: return static_cast<float>(std::fmod(std::floor(ms_of_day / 60'000), 60));
    case Part::kEpochDay: return static_cast<float>(day_number);
    default: break;
  }
  // year_month_day holds years of 16 bits; 400 years are a whole number of weeks and days, so a far
  // time is moved into range by such cycles.
  constexpr int kCycleDays = 146'097;
  const int cycles = static_cast<int>(std::floor(day_number / kCycleDays));
  const auto near = std::chrono::year_month_day(days - std::chrono::days(cycles * kCycleDays));
  const int year = static_cast<int>(near.year()) + cycles * 400;
  switch (part) {
    case Part::kYear: return static_cast<float>(year);
    case Part::kMonth: return static_cast<float>(static_cast<unsigned>(near.month()));
    case Part::kDay: return static_cast<float>(static_cast<unsigned>(near.day()));
    default: break;
  }
  const auto new_year = std::chrono::sys_days(near.year() / std::chrono::January / 1);
  return static_cast<float>((std::chrono::sys_days(near) - new_year).count() + 1);
}

}  // namespace ciclo::features
