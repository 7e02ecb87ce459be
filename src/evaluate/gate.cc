// SPDX-License-Identifier: Apache-2.0
#include "evaluate/gate.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "base/json_fields.h"
#include "base/text.h"
#include "evaluate/bootstrap.h"
#include "evaluate/slices.h"

namespace ciclo::evaluate {
namespace {

std::string number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.6g", value);
  return text.data();
}

// --- Parsing
// ------------------------------------------------------------------------------------------

Result<void> check_bounds(Task task, const std::string& metric, const std::optional<double>& min,
                          const std::optional<double>& max) {
  TRY(find_metric(task, metric));
  if (!min && !max) return invalid_argument("give min or max for " + metric);
  if (min && max && *min > *max) return invalid_argument("min must not be above max");
  return {};
}

Result<void> check_confidence(double confidence) {
  if (confidence > 0.5 && confidence < 1) return {};
  return invalid_argument("confidence must lie between 0.5 and 1, got " + number(confidence));
}

Result<void> check_spec(const Threshold& threshold, Task task) {
  TRY(check_bounds(task, threshold.metric, threshold.min, threshold.max));
  if (threshold.confidence) return check_confidence(*threshold.confidence);
  return {};
}

Result<void> check_spec(const SliceThreshold& slice, Task task) {
  if (slice.column.empty()) return invalid_argument("column must not be empty");
  if (slice.rows_min < 1) return invalid_argument("rows_min must be at least 1");
  return check_bounds(task, slice.metric, slice.min, slice.max);
}

Result<void> check_spec(const ChampionRule& rule, Task task) {
  TRY(find_metric(task, rule.metric));
  if (!(rule.margin >= 0)) {
    return invalid_argument("margin must not be negative, got " + number(rule.margin));
  }
  return check_confidence(rule.confidence);
}

template <class T>
Result<void> check_all(const std::string& name, const std::vector<T>& specs, Task task) {
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const auto checked = check_spec(specs[i], task);
    if (!checked.ok()) return checked.error().with_context(name + "[" + std::to_string(i) + "]");
  }
  return {};
}

struct Wrapped {
  GateSpec gate;
  template <class V>
  void fields(V& v) {
    v("gate", gate);
  }
};

// --- Deciding
// -----------------------------------------------------------------------------------------

struct Limits {
  std::optional<double> min;
  std::optional<double> max;

  std::string text(const std::string& metric) const {
    if (min && max) return number(*min) + " ≤ " + metric + " ≤ " + number(*max);
    return metric + (min ? " ≥ " + number(*min) : " ≤ " + number(*max));
  }
};

// Compares `low` with the minimum and `high` with the maximum; `word` tells what they are.
void compare(const Limits& limits, const std::string& metric, double low, double high,
             const std::string& word, GateCheck& check) {
  check.passed = true;
  check.required = limits.min ? limits.min : limits.max;
  check.reason = metric + " " + word + " " + number(limits.min ? low : high) + " satisfies it";
  if (limits.min && low < *limits.min) {
    check.passed = false;
    check.required = limits.min;
    check.reason = metric + " " + word + " " + number(low) + " is below " + number(*limits.min);
  } else if (limits.max && high > *limits.max) {
    check.passed = false;
    check.required = limits.max;
    check.reason = metric + " " + word + " " + number(high) + " is above " + number(*limits.max);
  }
}

GateCheck check_rows(const GateSpec& gate, const Scored& challenger) {
  GateCheck check;
  check.name = "rows ≥ " + std::to_string(gate.rows_min);
  check.rows = static_cast<std::int64_t>(challenger.rows());
  check.required = static_cast<double>(gate.rows_min);
  check.passed = *check.rows >= gate.rows_min;
  check.reason = std::to_string(*check.rows) + " evaluated rows" +
                 (check.passed ? " suffice" : " are fewer than " + std::to_string(gate.rows_min));
  return check;
}

Result<GateCheck> check_threshold(const GateSpec& gate, const Threshold& threshold, Task task,
                                  const Scored& challenger) {
  const Limits limits{threshold.min, threshold.max};
  GateCheck check;
  check.name = limits.text(threshold.metric);
  check.rows = static_cast<std::int64_t>(challenger.rows());
  // A two-sided interval with both tails of 1 − confidence.
  const double confidence = threshold.confidence ? 2 * *threshold.confidence - 1 : 0.95;
  const Bootstrap bootstrap{threshold.confidence ? gate.resamples : 1, confidence, gate.seed};
  TRY(const auto measured, measure_with_intervals(task, {threshold.metric}, challenger, bootstrap));
  const auto& metric = measured.front();
  check.observed = metric.value;
  if (!metric.value) {
    check.reason = threshold.metric + " is undefined on these rows";
    return check;
  }
  if (!threshold.confidence) {
    compare(limits, threshold.metric, *metric.value, *metric.value, "of", check);
    return check;
  }
  if (!metric.low || !metric.high) {
    check.reason = threshold.metric + " is undefined in too many resamples for an interval";
    return check;
  }
  compare(limits, threshold.metric, *metric.low, *metric.high,
          "at confidence " + number(*threshold.confidence), check);
  check.bound = limits.min ? metric.low : metric.high;
  return check;
}

Result<GateCheck> check_slice(const SliceThreshold& rule, Task task, const Scored& challenger,
                              const Slice& slice) {
  const Limits limits{rule.min, rule.max};
  GateCheck check;
  check.name = rule.column + "=" + slice.value + ": " + limits.text(rule.metric);
  check.rows = static_cast<std::int64_t>(slice.rows.size());
  if (*check.rows < rule.rows_min) {
    check.reason = rule.column + "=" + slice.value + " has " + std::to_string(*check.rows) +
                   " rows, fewer than " + std::to_string(rule.rows_min);
    return check;
  }
  const auto part = take(challenger, slice.rows);
  TRY(check.observed, measure(task, rule.metric, part.view()));
  if (!check.observed) {
    check.reason = rule.metric + " is undefined for " + rule.column + "=" + slice.value;
    return check;
  }
  compare(limits, rule.metric, *check.observed, *check.observed,
          "of " + rule.column + "=" + slice.value, check);
  return check;
}

Result<void> check_slices(const SliceThreshold& rule, Task task, const Scored& challenger,
                          const data::Batch& columns, std::vector<GateCheck>& checks) {
  constexpr int kSlicesMax = 1'000;
  const auto* column = columns.find(rule.column);
  if (column == nullptr || column->rows() != challenger.rows()) {
    return invalid_argument("slice column " + quoted(rule.column) +
                            " is not in the evaluated rows");
  }
  if (rule.value) {
    // Named as the report names it.
    const Slice slice = slice_with(*column, *rule.value, EvaluateOptions().slices_max);
    TRY(auto check, check_slice(rule, task, challenger, slice));
    checks.push_back(std::move(check));
    return {};
  }
  bool any = false;
  for (const auto& slice : slices_of(*column, kSlicesMax)) {
    if (static_cast<std::int64_t>(slice.rows.size()) < rule.rows_min) continue;
    any = true;
    TRY(auto check, check_slice(rule, task, challenger, slice));
    checks.push_back(std::move(check));
  }
  if (any) return {};
  GateCheck none;
  none.name = rule.column + ": " + Limits{rule.min, rule.max}.text(rule.metric);
  none.reason = "no value of " + rule.column + " has " + std::to_string(rule.rows_min) + " rows";
  checks.push_back(std::move(none));
  return {};
}

Result<GateCheck> check_champion(const GateSpec& gate, const ChampionRule& rule, Task task,
                                 const Scored& challenger, const std::optional<Scored>& champion) {
  const bool superior = rule.mode == ChampionRule::Mode::kSuperior;
  GateCheck check;
  check.name = rule.metric + (superior ? " superior to champion" : " not inferior to champion");
  check.rows = static_cast<std::int64_t>(challenger.rows());
  if (!champion) {
    check.passed = true;
    check.reason = "there is no champion to compare with";
    return check;
  }
  TRY(const auto metric, find_metric(task, rule.metric));
  TRY(check.observed, measure(task, rule.metric, challenger));
  TRY(check.champion, measure(task, rule.metric, *champion));
  const Bootstrap bootstrap{gate.resamples, rule.confidence, gate.seed};
  TRY(const auto differences,
      paired_differences(task, rule.metric, challenger, *champion, bootstrap));
  const auto resamples = static_cast<std::size_t>(resamples_for(bootstrap, challenger.rows()));
  if (!check.observed || !check.champion || differences.size() * 10 < resamples * 9) {
    check.reason = rule.metric + " is undefined on these rows, so the models cannot be compared";
    return check;
  }
  check.difference = *check.observed - *check.champion;
  // Where lower is better, the unfavourable end is the upper one, and limits change their sign.
  const bool higher = metric.direction == Direction::kHigherIsBetter;
  const double bound = quantile(differences, higher ? 1 - rule.confidence : rule.confidence);
  const double needed = superior ? rule.margin : -rule.margin;
  const double gain = higher ? bound : -bound;
  check.bound = bound;
  check.required = higher ? needed : -needed;
  check.passed = superior ? gain > needed : gain >= needed;
  check.reason =
      rule.metric + " " + number(*check.observed) + " against " + number(*check.champion) +
      ": the difference " + number(*check.difference) + " is with confidence " +
      number(rule.confidence) + (higher ? " at least " : " at most ") + number(bound) +
      (check.passed ? ", as required" : ", and " + number(*check.required) + " is required");
  return check;
}

GateCheck check_incomparable(const GateSpec& gate, const std::string& obstacle) {
  GateCheck check;
  check.name = "comparable with the champion";
  check.passed = gate.incomparable_champion == Incomparable::kReplace;
  check.reason = obstacle;
  if (!check.passed) check.reason += " (gate.incomparable_champion: replace lets it be replaced)";
  return check;
}

std::string summarise(const std::vector<GateCheck>& checks) {
  std::vector<std::string> failures;
  for (const auto& check : checks) {
    if (!check.passed) failures.push_back(check.reason);
  }
  if (failures.empty()) {
    return "passed " + std::to_string(checks.size()) + (checks.size() == 1 ? " check" : " checks");
  }
  return "refused: " + join(failures, "; ");
}

}  // namespace

std::span<const std::string_view> enum_names(ChampionRule::Mode) {
  static constexpr std::array<std::string_view, 2> kNames = {"non_inferior", "superior"};
  return kNames;
}

std::span<const std::string_view> enum_names(Incomparable) {
  static constexpr std::array<std::string_view, 2> kNames = {"refuse", "replace"};
  return kNames;
}

Result<GateSpec> parse_gate(const json::Value& value, Task task) {
  TRY(auto read,
      json::read_node<Wrapped>(json::Value::object({{"gate", value}}), json::Unknown::kRefuse));
  const auto& gate = read.gate;
  if (gate.rows_min < 0) return invalid_argument("gate.rows_min must not be negative");
  if (gate.resamples < 0) return invalid_argument("gate.resamples must not be negative");
  TRY(check_all("gate.thresholds", gate.thresholds, task));
  TRY(check_all("gate.slices", gate.slices, task));
  TRY(check_all("gate.champion", gate.champion, task));
  return std::move(read.gate);
}

Result<Decision> decide(const GateSpec& gate, Task task, const Scored& challenger,
                        const std::optional<Scored>& champion, const data::Batch& columns,
                        const std::string& obstacle) {
  Decision decision;
  auto& checks = decision.checks;
  checks.push_back(check_rows(gate, challenger));
  for (const auto& threshold : gate.thresholds) {
    TRY(auto check, check_threshold(gate, threshold, task, challenger));
    checks.push_back(std::move(check));
  }
  for (const auto& slice : gate.slices) {
    TRY(check_slices(slice, task, challenger, columns, checks));
  }
  if (!obstacle.empty() && !gate.champion.empty()) {
    checks.push_back(check_incomparable(gate, obstacle));
  }
  for (const auto& rule : gate.champion) {
    if (!obstacle.empty()) break;
    TRY(auto check, check_champion(gate, rule, task, challenger, champion));
    checks.push_back(std::move(check));
  }
  decision.passed =
      std::all_of(checks.begin(), checks.end(), [](const auto& check) { return check.passed; });
  decision.summary = summarise(checks);
  return decision;
}

std::string write_decision(const Decision& decision) { return json::write(decision); }

Result<Decision> read_decision(std::string_view json) { return json::read<Decision>(json); }

}  // namespace ciclo::evaluate
