// SPDX-License-Identifier: Apache-2.0
#include "cli/report.h"

#include <functional>
#include <string_view>

namespace ciclo::cli {
namespace {

constexpr int kChartWidth = 720;
constexpr int kChartHeight = 260;

constexpr std::string_view kHead = R"(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Runs compared</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1a1a1a; background: #fff }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem }
.wide { overflow-x: auto }
table { border-collapse: collapse }
th, td { text-align: left; padding: .3rem .8rem; border-bottom: 1px solid #ddd; vertical-align: top }
thead th { border-bottom: 2px solid #888 }
.differs { background: #fff6dd } .best { font-weight: 700 }
svg { width: 100%; max-width: 720px; display: block }
svg line { stroke: #e3e3e3 } svg polyline { fill: none; stroke-width: 1.8 }
svg text { font-size: 11px; fill: #555 }
.legend span { margin-right: 1.2rem } .legend i { display: inline-block; width: 1rem; height: .25rem; margin-right: .4rem; vertical-align: middle }
footer { margin-top: 2rem; color: #666 }
</style>
)";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

void open_table(std::string& out, const char* kind, const std::vector<std::string>& headings) {
  out += "<div class=\"wide\"><table><thead><tr><th>" + std::string(kind) + "</th>";
  for (const auto& heading : headings) out += "<th>" + escaped(heading) + "</th>";
  out += "</tr></thead><tbody>\n";
}

void close_table(std::string& out) { out += "</tbody></table></div>\n"; }

// A row; `cell` gives the text of run i, and whether it is the best.
void add_row(std::string& out, const std::string& key, bool differs, std::size_t runs,
             const std::function<std::pair<std::string, bool>(std::size_t)>& cell) {
  out += differs ? "<tr class=\"differs\"><th>" : "<tr><th>";
  out += escaped(key) + "</th>";
  for (std::size_t i = 0; i < runs; ++i) {
    const auto [text, is_best] = cell(i);
    out += (is_best ? "<td class=\"best\">" : "<td>") + escaped(text) + "</td>";
  }
  out += "</tr>\n";
}

void add_tables(std::string& out, const Comparison& comparison,
                const std::vector<std::string>& headings) {
  const std::size_t count = comparison.runs.size();
  open_table(out, "run", headings);
  add_row(out, "id", false, count,
          [&](std::size_t i) { return std::pair(comparison.runs[i].run_id, false); });
  add_row(out, "status", false, count,
          [&](std::size_t i) { return std::pair(comparison.runs[i].status, false); });
  close_table(out);
  out += "<h2>Params</h2>\n";
  open_table(out, "param", headings);
  for (const auto& param : comparison.params) {
    add_row(out, param.key, param.differs, count,
            [&](std::size_t i) { return std::pair(param.values[i].value_or("–"), false); });
  }
  close_table(out);
  out += "<h2>Metrics</h2>\n";
  open_table(out, "metric", headings);
  for (const auto& metric : comparison.metrics) {
    const char* arrow = metric.better == Better::kLower ? " ↓" : " ↑";
    add_row(out, metric.key, metric.differs, count, [&](std::size_t i) {
      const auto& value = metric.values[i];
      const bool is_best = metric.is_best[i];
      return std::pair((value ? metric_text(*value) : "–") + (is_best ? arrow : ""), is_best);
    });
  }
  close_table(out);
}

}  // namespace

std::string html_report(const Comparison& comparison, const std::vector<Chart>& charts,
                        const std::string& made) {
  const auto headings = headings_of(comparison.runs);
  std::string out(kHead);
  out += "<h1>" + std::to_string(comparison.runs.size()) + " runs compared</h1>\n";
  add_tables(out, comparison, headings);
  for (const auto& chart : charts) {
    out += "<h2>" + escaped(chart.metric) + " by " + escaped(chart.x) + "</h2>\n";
    out += plot_svg(chart.series, kChartWidth, kChartHeight) + "\n<p class=\"legend\">";
    for (std::size_t i = 0; i < chart.series.size(); ++i) {
      out += "<span><i style=\"background:" + std::string(series_colour(i)) + "\"></i>" +
             escaped(chart.series[i].name) + "</span>";
    }
    out += "</p>\n";
  }
  out +=
      "<footer>" + escaped(made) + "; rows with a ground differ, bold is best.</footer>\n</html>\n";
  return out;
}

}  // namespace ciclo::cli
