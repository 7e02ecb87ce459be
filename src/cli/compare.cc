// SPDX-License-Identifier: Apache-2.0
// ciclo runs compare.
#include <algorithm>
#include <cstdio>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "base/version.h"
#include "cli/cells.h"
#include "cli/commands.h"
#include "cli/comparison.h"
#include "cli/plot.h"
#include "cli/report.h"
#include "cli/table.h"
#include "cli/tracked.h"

namespace ciclo::cli {
namespace {

constexpr std::size_t kRunsMax = 20;
constexpr std::size_t kChartsMax = 60;
constexpr std::size_t kPlotWidth = 80;  // where there is no terminal
constexpr std::size_t kPlotHeight = 15;

ComparedRun compared(const json::Value& run) {
  ComparedRun out{.run_id = run_id_of(run), .name = run_name_of(run)};
  if (const json::Value* info = run.find("info")) out.status = info->string_or("status", "");
  for (const auto& [key, value] : values_of(run, "params")) {
    out.params[key] = value.is_string() ? value.string() : json::dump(value);
  }
  for (const auto& metric : items_of(run.find("data"), "metrics")) {
    out.metrics[metric.string_or("key", "")] = number_of(metric, "value");
  }
  return out;
}

Result<std::vector<ComparedRun>> find_all(Api& api, const std::vector<std::string>& names) {
  if (names.size() < 2 || names.size() > kRunsMax) {
    return invalid_argument("name 2 to " + std::to_string(kRunsMax) + " runs to compare, got " +
                            std::to_string(names.size()));
  }
  std::vector<ComparedRun> runs;
  for (const auto& name : names) {
    TRY(const json::Value run, find_run(api, name));
    const bool is_there = std::any_of(runs.begin(), runs.end(), [&](const ComparedRun& other) {
      return other.run_id == run_id_of(run);
    });
    if (is_there) return invalid_argument("run " + ciclo::quoted(name) + " is named twice");
    runs.push_back(compared(run));
  }
  return runs;
}

std::vector<std::string> metric_names(const Comparison& comparison) {
  std::vector<std::string> names;
  for (const auto& metric : comparison.metrics) names.push_back(metric.key);
  return names;
}

Result<void> check_metrics(const Comparison& comparison, const std::vector<std::string>& asked) {
  const auto names = metric_names(comparison);
  for (const auto& name : asked) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    const std::string near(nearest(name, names));
    return not_found("none of the runs has a metric " + ciclo::quoted(name) +
                     (near.empty() ? "; they have: " + join(names, ", ")
                                   : "; did you mean " + ciclo::quoted(near) + "?"));
  }
  return {};
}

// A history by its steps, or by seconds since its beginning where all steps are equal.
std::vector<std::pair<double, double>> points_of(const json::Value::Array& history, bool by_step) {
  std::vector<std::pair<double, double>> points;
  for (const auto& point : history) {
    const std::int64_t x =
        by_step ? integer_of(point, "step")
                : integer_of(point, "timestamp") - integer_of(history.front(), "timestamp");
    points.emplace_back(by_step ? static_cast<double>(x) : static_cast<double>(x) / 1000,
                        number_of(point, "value"));
  }
  return points;
}

Result<Chart> chart_of(Api& api, const Comparison& comparison, const std::string& metric) {
  Chart chart{.metric = metric, .x = "seconds"};
  std::vector<json::Value::Array> histories;
  for (const auto& run : comparison.runs) {
    histories.emplace_back();
    if (!run.metrics.contains(metric)) continue;
    TRY(histories.back(), sampled_history(api, run.run_id, metric));
    const auto& history = histories.back();
    for (const auto& point : history) {
      if (integer_of(point, "step") != integer_of(history.front(), "step")) chart.x = "step";
    }
  }
  const auto headings = headings_of(comparison.runs);
  for (std::size_t i = 0; i < histories.size(); ++i) {
    chart.series.push_back({headings[i], points_of(histories[i], chart.x == "step")});
  }
  return chart;
}

bool has_a_curve(const Chart& chart) {
  return std::any_of(chart.series.begin(), chart.series.end(),
                     [](const Series& series) { return series.points.size() > 1; });
}

json::Value to_json(const std::vector<Chart>& charts) {
  json::Value all = json::Value::array();
  for (const auto& chart : charts) {
    json::Value curves = json::Value::array();
    for (const auto& series : chart.series) {
      json::Value points = json::Value::array();
      for (const auto& [x, y] : series.points) {
        json::Value point = json::Value::array();
        point.push_back(x);
        point.push_back(y);
        points.push_back(std::move(point));
      }
      curves.push_back(std::move(points));
    }
    all.push_back(json::Value::object(
        {{"metric", chart.metric}, {"x", chart.x}, {"points", std::move(curves)}}));
  }
  return all;
}

// Those asked for, or all that have more than one point.
Result<std::vector<Chart>> charts_for_report(Api& api, const Comparison& comparison,
                                             const std::vector<std::string>& asked) {
  std::vector<Chart> charts;
  for (const auto& metric : asked.empty() ? metric_names(comparison) : asked) {
    if (charts.size() == kChartsMax) {
      std::fprintf(stderr,
                   "ciclo: the report has charts of the first %zu metrics; --metric chooses\n",
                   kChartsMax);
      break;
    }
    TRY(Chart chart, chart_of(api, comparison, metric));
    if (!asked.empty() || has_a_curve(chart)) charts.push_back(std::move(chart));
  }
  return charts;
}

std::map<std::string, Better> stated(const CompareOptions& options) {
  std::map<std::string, Better> better;
  for (const auto& name : options.lower) better[name] = Better::kLower;
  for (const auto& name : options.higher) better[name] = Better::kHigher;
  return better;
}

void keep_metrics(Comparison& comparison, const std::vector<std::string>& asked) {
  if (asked.empty()) return;
  std::erase_if(comparison.metrics, [&](const Comparison::Metric& metric) {
    return std::find(asked.begin(), asked.end(), metric.key) == asked.end();
  });
}

Result<void> write_report(Api& api, const Comparison& comparison, const CompareOptions& options) {
  TRY(const auto charts, charts_for_report(api, comparison, options.metrics));
  const std::string made = "made by ciclo " + std::string(kVersion) + " at " +
                           format_utc(now_ms()) + " from " + api.target();
  return write_file_durably(options.html, html_report(comparison, charts, made));
}

}  // namespace

Result<void> runs_compare(Session& session, const CompareOptions& options) {
  if (options.plot && options.metrics.empty()) {
    return invalid_argument("--plot draws the history of a metric: name it with --metric");
  }
  TRY(Api * api, session.api());
  TRY(auto runs, find_all(*api, options.runs));
  Comparison comparison = compare(std::move(runs), stated(options));
  for (const auto* names : {&options.metrics, &options.lower, &options.higher}) {
    TRY(check_metrics(comparison, *names));
  }
  keep_metrics(comparison, options.metrics);
  std::vector<Chart> plots;
  if (options.plot) {
    for (const auto& metric : options.metrics) {
      TRY(plots.emplace_back(), chart_of(*api, comparison, metric));
    }
  }
  if (!options.html.empty()) TRY(write_report(*api, comparison, options));
  json::Value document = to_json(comparison);
  if (options.plot) document["histories"] = to_json(plots);
  session.show(document, [&] {
    const std::size_t width = terminal_width();
    std::fputs(to_text(comparison, options.differences_only, width).c_str(), stdout);
    for (const auto& plot : plots) {
      std::printf("\n%s by %s\n", plot.metric.c_str(), plot.x.c_str());
      std::fputs(plot_text(plot.series, width == 0 ? kPlotWidth : width, kPlotHeight).c_str(),
                 stdout);
    }
    if (!options.html.empty()) std::printf("\nwrote %s\n", options.html.c_str());
  });
  return {};
}

}  // namespace ciclo::cli
