// SPDX-License-Identifier: Apache-2.0
#include "base/utc.h"

#include <chrono>

namespace ciclo {

namespace {

// Reads digits from the front of a text.
struct Digits {
  std::string_view rest;
  bool failed = false;

  std::int64_t take(std::size_t count) {
    std::int64_t value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (rest.empty() || rest.front() < '0' || rest.front() > '9') {
        failed = true;
        return 0;
      }
      value = 10 * value + (rest.front() - '0');
      rest.remove_prefix(1);
    }
    return value;
  }
  bool skip(char c) {
    if (rest.empty() || rest.front() != c) return false;
    rest.remove_prefix(1);
    return true;
  }
};

// "Z", "+02:00", "+0200", "+02" → minutes east of UTC; the text must end there.
std::optional<std::int64_t> parse_zone(Digits& in) {
  if (in.rest.empty()) return 0;
  if (in.skip('Z') || in.skip('z'))
    return in.rest.empty() ? std::optional<std::int64_t>(0) : std::nullopt;
  const std::int64_t sign = in.skip('-') ? -1 : in.skip('+') ? 1 : 0;
  if (sign == 0) return std::nullopt;
  const std::int64_t hours = in.take(2);
  in.skip(':');
  const std::int64_t minutes = in.rest.empty() ? 0 : in.take(2);
  if (in.failed || !in.rest.empty() || hours > 23 || minutes > 59) return std::nullopt;
  return sign * (60 * hours + minutes);
}

}  // namespace

std::optional<std::int64_t> parse_utc(std::string_view text) {
  Digits in{text};
  const std::int64_t year = in.take(4);
  if (!in.skip('-')) return std::nullopt;
  const std::int64_t month = in.take(2);
  if (!in.skip('-')) return std::nullopt;
  const std::int64_t day = in.take(2);
  if (in.failed) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(year)),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day)));
  if (!date.ok()) return std::nullopt;
  std::int64_t ms = std::chrono::sys_days(date).time_since_epoch().count() * 86'400'000;
  if (in.rest.empty()) return ms;
  if (!in.skip('T') && !in.skip('t') && !in.skip(' ')) return std::nullopt;
  const std::int64_t hour = in.take(2);
  if (!in.skip(':')) return std::nullopt;
  const std::int64_t minute = in.take(2);
  std::int64_t second = 0;
  std::int64_t fraction_ms = 0;
  if (in.skip(':')) {
    second = in.take(2);
    if (in.skip('.')) {
      std::int64_t scale = 100;
      if (in.rest.empty() || in.rest.front() < '0' || in.rest.front() > '9') return std::nullopt;
      while (!in.rest.empty() && in.rest.front() >= '0' && in.rest.front() <= '9') {
        fraction_ms += scale * (in.rest.front() - '0');
        scale /= 10;
        in.rest.remove_prefix(1);
      }
    }
  }
  if (in.failed || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  const auto zone_minutes = parse_zone(in);
  if (!zone_minutes) return std::nullopt;
  return ms + ((hour * 60 + minute - *zone_minutes) * 60 + second) * 1'000 + fraction_ms;
}

}  // namespace ciclo
