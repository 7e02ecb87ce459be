// SPDX-License-Identifier: Apache-2.0
#include "cli/comparison.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <set>
#include <utility>

#include "base/text.h"
#include "cli/table.h"

namespace ciclo::cli {
namespace {

const std::set<std::string, std::less<>> kLowerWords = {
    "loss",  "error",      "err", "rmse",   "mse",      "mae",     "mape", "rmsle", "logloss",
    "brier", "perplexity", "wer", "cer",    "latency",  "seconds", "ms",   "time",  "duration",
    "nll",   "deviance",   "ece", "regret", "distance", "cost",    "fpr",  "fnr",   "misses"};
const std::set<std::string, std::less<>> kHigherWords = {
    "accuracy", "acc",   "auc",  "auroc", "auprc", "ap",    "f1",        "precision", "recall",
    "r2",       "score", "iou",  "dice",  "bleu",  "rouge", "ndcg",      "map",       "mrr",
    "gini",     "gain",  "hits", "tpr",   "mcc",   "kappa", "throughput"};

std::vector<std::string> words_of(std::string_view metric) {
  std::vector<std::string> words(1);
  for (const char c : metric) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      words.back() += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  return words;
}

template <class T>
bool all_equal(const std::vector<std::optional<T>>& values) {
  return std::all_of(values.begin(), values.end(), [&](const auto& value) {
    if constexpr (std::is_same_v<T, double>) {
      const auto& first = values.front();
      if (value && first && std::isnan(*value) && std::isnan(*first)) return true;
    }
    return value == values.front();
  });
}

// The values of a key, by run.
template <class T, class Of>
std::vector<std::optional<T>> row_of(const std::vector<ComparedRun>& runs, const std::string& key,
                                     const Of& of) {
  std::vector<std::optional<T>> values;
  for (const auto& run : runs) {
    const auto found = of(run).find(key);
    values.push_back(found == of(run).end() ? std::optional<T>() : found->second);
  }
  return values;
}

template <class Of>
std::set<std::string> keys_of(const std::vector<ComparedRun>& runs, const Of& of) {
  std::set<std::string> keys;
  for (const auto& run : runs) {
    for (const auto& [key, value] : of(run)) keys.insert(key);
  }
  return keys;
}

std::vector<bool> best_of(const Comparison::Metric& metric) {
  std::vector<bool> best(metric.values.size(), false);
  if (!metric.differs || metric.better == Better::kUnknown) return best;
  const auto is_better = [&](double a, double b) {
    return metric.better == Better::kLower ? a < b : a > b;
  };
  std::optional<double> champion;
  for (const auto& value : metric.values) {
    if (value && !std::isnan(*value) && (!champion || is_better(*value, *champion))) {
      champion = value;
    }
  }
  for (std::size_t i = 0; i < best.size(); ++i) {
    best[i] = champion && metric.values[i] == champion;
  }
  return best;
}

const char* arrow_of(Better better) { return better == Better::kLower ? " ↓" : " ↑"; }

}  // namespace

Better better_of(std::string_view metric) {
  Better found = Better::kUnknown;
  for (const auto& word : words_of(metric)) {
    if (kLowerWords.contains(word)) return Better::kLower;
    if (kHigherWords.contains(word)) found = Better::kHigher;
  }
  return found;
}

Comparison compare(std::vector<ComparedRun> runs, const std::map<std::string, Better>& better) {
  Comparison out;
  const auto params = [](const ComparedRun& run) -> const auto& { return run.params; };
  const auto metrics = [](const ComparedRun& run) -> const auto& { return run.metrics; };
  for (const auto& key : keys_of(runs, params)) {
    auto values = row_of<std::string>(runs, key, params);
    const bool differs = !all_equal(values);
    out.params.push_back({key, std::move(values), differs});
  }
  for (const auto& key : keys_of(runs, metrics)) {
    const auto stated = better.find(key);
    Comparison::Metric metric{.key = key,
                              .values = row_of<double>(runs, key, metrics),
                              .better = stated == better.end() ? better_of(key) : stated->second};
    metric.differs = !all_equal(metric.values);
    metric.is_best = best_of(metric);
    out.metrics.push_back(std::move(metric));
  }
  out.runs = std::move(runs);
  return out;
}

std::vector<std::string> headings_of(const std::vector<ComparedRun>& runs) {
  std::map<std::string, int> counts;
  for (const auto& run : runs) ++counts[run.name];
  std::vector<std::string> headings;
  for (const auto& run : runs) {
    const std::string id = run.run_id.substr(0, 8);
    if (run.name.empty()) {
      headings.push_back(id);
    } else {
      headings.push_back(counts[run.name] > 1 ? run.name + " " + id : run.name);
    }
  }
  return headings;
}

std::string metric_text(double value) {
  if (std::isnan(value)) return "NaN";
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

json::Value to_json(const Comparison& comparison) {
  constexpr const char* kBetter[] = {"", "lower", "higher"};
  json::Value runs = json::Value::array();
  for (const auto& run : comparison.runs) {
    runs.push_back(json::Value::object(
        {{"run_id", run.run_id}, {"run_name", run.name}, {"status", run.status}}));
  }
  json::Value params = json::Value::array();
  for (const auto& param : comparison.params) {
    json::Value values = json::Value::array();
    for (const auto& value : param.values) values.push_back(value ? json::Value(*value) : nullptr);
    params.push_back(
        json::Value::object({{"key", param.key}, {"values", values}, {"differs", param.differs}}));
  }
  json::Value metrics = json::Value::array();
  for (const auto& metric : comparison.metrics) {
    json::Value values = json::Value::array();
    json::Value best = json::Value::array();
    for (std::size_t i = 0; i < metric.values.size(); ++i) {
      const auto& value = metric.values[i];
      if (!value) {
        values.push_back(nullptr);
      } else {
        values.push_back(std::isfinite(*value) ? json::Value(*value)
                                               : json::Value(metric_text(*value)));
      }
      if (metric.is_best[i]) best.push_back(comparison.runs[i].run_id);
    }
    const char* direction = kBetter[static_cast<std::size_t>(metric.better)];
    metrics.push_back(json::Value::object(
        {{"key", metric.key},
         {"values", values},
         {"differs", metric.differs},
         {"better", *direction == '\0' ? json::Value() : json::Value(direction)},
         {"best", best}}));
  }
  return json::Value::object({{"runs", runs}, {"params", params}, {"metrics", metrics}});
}

std::string to_text(const Comparison& comparison, bool differences_only, std::size_t width_max) {
  const auto headings = headings_of(comparison.runs);
  const auto table_of = [&](const char* kind) {
    std::vector<std::string> header = {" ", kind};
    header.insert(header.end(), headings.begin(), headings.end());
    return Table(std::move(header));
  };
  Table runs = table_of("run");
  std::vector<std::string> ids = {" ", "id"};
  std::vector<std::string> statuses = {" ", "status"};
  for (const auto& run : comparison.runs) {
    ids.push_back(run.run_id);
    statuses.push_back(run.status);
  }
  runs.add(std::move(ids));
  runs.add(std::move(statuses));
  Table params = table_of("param");
  for (const auto& param : comparison.params) {
    if (differences_only && !param.differs) continue;
    std::vector<std::string> row = {param.differs ? "≠" : "", param.key};
    for (const auto& value : param.values) row.push_back(value.value_or("-"));
    params.add(std::move(row));
  }
  Table metrics = table_of("metric");
  for (const auto& metric : comparison.metrics) {
    if (differences_only && !metric.differs) continue;
    std::vector<std::string> row = {metric.differs ? "≠" : "", metric.key};
    for (std::size_t i = 0; i < metric.values.size(); ++i) {
      const auto& value = metric.values[i];
      row.push_back((value ? metric_text(*value) : "-") +
                    (metric.is_best[i] ? arrow_of(metric.better) : ""));
    }
    metrics.add(std::move(row));
  }
  std::string out = runs.text(width_max);
  for (const Table* table : {&params, &metrics}) {
    if (!table->empty()) out += "\n" + table->text(width_max);
  }
  return out;
}

}  // namespace ciclo::cli
