// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "data/batch.h"
#include "evaluate/evaluate.h"

// The gate decides whether a model may be promoted, and keeps the evidence. Declared as JSON
// (YAML):
//
//   rows_min: 1000
//   thresholds:
//     - {metric: auc, min: 0.65}
//     - {metric: log_loss, max: 0.5, confidence: 0.95}     # the interval's bad end must satisfy it
//   slices:
//     - {column: carrier, metric: auc, min: 0.55, rows_min: 200}     # every carrier
//     - {column: origin, value: JFK, metric: auc, min: 0.6}          # this one must be there
//   champion:
//     - {metric: auc, mode: non_inferior, margin: 0.005, confidence: 0.95}
//   incomparable_champion: refuse     # or replace, when the champion cannot judge the new rows

namespace ciclo::evaluate {

struct Threshold {
  std::string metric;
  std::optional<double> min;
  std::optional<double> max;
  // When given, the far end of the one-sided bootstrap interval must satisfy the threshold.
  std::optional<double> confidence;

  template <class V>
  void fields(V& v) {
    v("metric", metric);
    v("min", min);
    v("max", max);
    v("confidence", confidence);
  }
};

struct SliceThreshold {
  std::string column;
  // As the report names it: a category, "(null)", a range "[100, 250)". None: every value of the
  // column.
  std::optional<std::string> value;
  std::string metric;
  std::optional<double> min;
  std::optional<double> max;
  // A named value with fewer rows fails; when every value is meant, smaller ones are not judged.
  std::int64_t rows_min = 1;

  template <class V>
  void fields(V& v) {
    v("column", column);
    v("value", value);
    v("metric", metric);
    v("min", min);
    v("max", max);
    v.or_default("rows_min", rows_min);
  }
};

struct ChampionRule {
  std::string metric;
  // The one-sided lower bound of (challenger − champion), in the direction of better, must be at
  // least −margin (not inferior), or above +margin (superior).
  enum class Mode { kNonInferior, kSuperior };
  Mode mode = Mode::kNonInferior;
  double margin = 0;
  double confidence = 0.95;

  template <class V>
  void fields(V& v) {
    v("metric", metric);
    v.or_default("mode", mode);
    v.or_default("margin", margin);
    v.or_default("confidence", confidence);
  }
};

std::span<const std::string_view> enum_names(ChampionRule::Mode mode);

// What the gate does when the champion cannot be compared: it needs a column that the project
// dropped, or knows other classes.
enum class Incomparable { kRefuse, kReplace };
std::span<const std::string_view> enum_names(Incomparable choice);

struct GateSpec {
  std::int64_t rows_min = 1;
  std::vector<Threshold> thresholds;
  std::vector<SliceThreshold> slices;
  std::vector<ChampionRule> champion;
  Incomparable incomparable_champion = Incomparable::kRefuse;
  int resamples = 0;  // as Bootstrap::resamples
  std::uint64_t seed = 0;

  template <class V>
  void fields(V& v) {
    v.or_default("rows_min", rows_min);
    v.or_default("thresholds", thresholds);
    v.or_default("slices", slices);
    v.or_default("champion", champion);
    v.or_default("incomparable_champion", incomparable_champion);
    v.or_default("resamples", resamples);
    v.or_default("seed", seed);
  }
};

// invalid_argument names the place and what would be right: an unknown metric of the task, a
// threshold without min or max, a margin below 0, a confidence outside (0.5, 1).
Result<GateSpec> parse_gate(const json::Value& value, Task task);

// One sentence of the decision, with its numbers.
struct GateCheck {
  std::string name;  // "rows ≥ 1000", "auc ≥ 0.65", "carrier=UA: auc ≥ 0.55", "auc not inferior"
  bool passed = false;
  std::string reason;
  std::optional<std::int64_t> rows;
  std::optional<double> observed;    // challenger
  std::optional<double> champion;    // champion, on the same rows
  std::optional<double> difference;  // challenger − champion
  std::optional<double> bound;       // the end of the interval that was compared
  std::optional<double> required;    // what it was compared with

  template <class V>
  void fields(V& v) {
    v("name", name);
    v("passed", passed);
    v("reason", reason);
    v("rows", rows);
    v("observed", observed);
    v("champion", champion);
    v("difference", difference);
    v("bound", bound);
    v("required", required);
  }
};

struct Decision {
  bool passed = false;
  std::string summary;  // one line: "passed 4 checks", "refused: auc 0.61 is below 0.65"
  std::vector<GateCheck> checks;

  template <class V>
  void fields(V& v) {
    v("passed", passed);
    v("summary", summary);
    v("checks", checks);
  }
};

// `champion` holds the champion's predictions on the same rows; without one the champion rules pass
// and say so. `obstacle`, when it is not empty, says why the champion that there is cannot be
// compared: instead of the champion rules, one check then fails, or passes where the spec lets such
// a champion be replaced. `columns` holds the columns that slices name. An undefined metric or a
// named slice that is missing fails the check; a column that is missing is invalid_argument.
Result<Decision> decide(const GateSpec& gate, Task task, const Scored& challenger,
                        const std::optional<Scored>& champion, const data::Batch& columns,
                        const std::string& obstacle = {});

std::string write_decision(const Decision& decision);
Result<Decision> read_decision(std::string_view json);

}  // namespace ciclo::evaluate
