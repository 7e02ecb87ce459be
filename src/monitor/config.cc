// SPDX-License-Identifier: Apache-2.0
#include "monitor/config.h"

#include <utility>

#include "base/json_fields.h"
#include "base/text.h"

namespace ciclo::monitor {
namespace {

constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kDayMs = 24 * kHourMs;

Result<std::int64_t> duration_of(std::string_view field, std::string_view text) {
  auto parsed = parse_duration(text);
  if (!parsed.ok()) return parsed.error().with_context(field);
  return parsed;
}

Result<void> check_share(std::string_view field, double value) {
  if (value >= 0 && value <= 1) return {};
  return invalid_argument(std::string(field) + ": must lie in [0, 1], got " + json::dump(value));
}

Result<void> check_limits(const Config& config) {
  TRY(check_share("drift.alpha", config.drift.alpha));
  TRY(check_share("drift.null_share", config.drift.null_share));
  TRY(check_share("drift.new_category_share", config.drift.new_category_share));
  TRY(check_share("drifted_share_min", config.drifted_share_min));
  TRY(check_share("label_coverage_min", config.label_coverage_min));
  if (!(config.drift.psi >= 0)) return invalid_argument("drift.psi: must not be negative");
  if (config.for_windows < 1 || config.for_windows > 100) {
    return invalid_argument("for: must be from 1 to 100 windows, got " +
                            std::to_string(config.for_windows));
  }
  if (config.rows_min < 1) return invalid_argument("rows_min: must be at least 1");
  for (const auto& limit : config.quality) {
    if (!(limit.drop >= 0)) return invalid_argument("quality.drop: must not be negative");
  }
  return {};
}

}  // namespace

Result<std::int64_t> parse_duration(std::string_view text) {
  const auto refused = [&] {
    return invalid_argument(
        ciclo::quoted(text) +
        " is no duration; write a whole number and m, h, d or w, such as \"6h\"");
  };
  if (text.size() < 2) return refused();
  std::int64_t unit_ms = 0;
  switch (text.back()) {
    case 'm': unit_ms = 60'000; break;
    case 'h': unit_ms = kHourMs; break;
    case 'd': unit_ms = kDayMs; break;
    case 'w': unit_ms = 7 * kDayMs; break;
    default: return refused();
  }
  const auto count = parse_int(text.substr(0, text.size() - 1));
  if (!count || *count < 1 || *count > 1'000'000) return refused();
  return *count * unit_ms;
}

Result<Plan> plan_of(const json::Value& value) {
  Plan plan;
  if (!value.is_null()) {
    json::Value read = value;
    if (const json::Value* quality = read.find("quality");
        quality != nullptr && quality->is_object()) {
      json::Value list = json::Value::array();
      list.push_back(*quality);
      read["quality"] = std::move(list);
    }
    TRY(plan.config, json::read_node<Config>(read, json::Unknown::kRefuse));
  }
  TRY(plan.window_ms, duration_of("window", plan.config.window));
  TRY(plan.lateness_ms, duration_of("lateness", plan.config.lateness));
  TRY(plan.label_horizon_ms, duration_of("label_horizon", plan.config.label_horizon));
  if (plan.window_ms % kHourMs != 0) {
    return invalid_argument("window: must be a multiple of 1h, got " +
                            ciclo::quoted(plan.config.window));
  }
  TRY(check_limits(plan.config));
  return plan;
}

Result<Config> parse_config(const json::Value& value) {
  TRY(auto plan, plan_of(value));
  return std::move(plan.config);
}

}  // namespace ciclo::monitor
