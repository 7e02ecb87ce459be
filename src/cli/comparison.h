// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace ciclo::cli {

struct ComparedRun {
  std::string run_id;
  std::string name;
  std::string status;
  std::map<std::string, std::string> params;
  std::map<std::string, double> metrics;
};

enum class Better { kUnknown, kLower, kHigher };

// What a metric's name says about the better end: "val_loss" and "rmse" are better low, "auc" and
// "f1_macro" high. By the words of the name; one of loss outweighs one of gain.
Better better_of(std::string_view metric);

// Runs side by side, a row for each param or metric that any of them has, by name.
struct Comparison {
  struct Param {
    std::string key;
    std::vector<std::optional<std::string>> values;  // by run
    bool differs = false;
  };
  struct Metric {
    std::string key;
    std::vector<std::optional<double>> values;  // by run
    bool differs = false;
    Better better = Better::kUnknown;
    std::vector<bool> is_best;  // by run; none where nothing is known or all are equal
  };

  std::vector<ComparedRun> runs;
  std::vector<Param> params;
  std::vector<Metric> metrics;
};

// `better` overrides what names say.
Comparison compare(std::vector<ComparedRun> runs, const std::map<std::string, Better>& better);

// A heading for each run: its name, with a part of its id where names are missing or equal.
std::vector<std::string> headings_of(const std::vector<ComparedRun>& runs);

// Six significant digits: "0.25", "1.5e-07", "NaN".
std::string metric_text(double value);

json::Value to_json(const Comparison& comparison);

// Tables for people; `differences_only` leaves out rows whose values are all equal.
std::string to_text(const Comparison& comparison, bool differences_only, std::size_t width_max);

}  // namespace ciclo::cli
