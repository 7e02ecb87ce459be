// SPDX-License-Identifier: Apache-2.0
// ciclo runs list, show, delete, restore.
#include <cstdio>

#include "base/text.h"
#include "cli/cells.h"
#include "cli/commands.h"
#include "cli/comparison.h"
#include "cli/table.h"
#include "cli/tracked.h"
#include "http/message.h"

namespace ciclo::cli {
namespace {

constexpr std::size_t kMetricsShown = 3;

std::string took(const json::Value& info) {
  const std::int64_t start_ms = integer_of(info, "start_time");
  const std::int64_t end_ms = integer_of(info, "end_time");
  return start_ms == 0 || end_ms < start_ms ? "-" : duration_text(end_ms - start_ms);
}

// Of a metric, a param or a tag.
std::string value_text(const json::Value& item) {
  const json::Value* value = item.find("value");
  if (value != nullptr && value->is_number()) return metric_text(value->number());
  return cell(item, "value");
}

std::string first_metrics(const json::Value& run) {
  std::vector<std::string> shown;
  for (const auto& metric : items_of(run.find("data"), "metrics")) {
    if (shown.size() == kMetricsShown) break;
    shown.push_back(metric.string_or("key", "") + "=" + value_text(metric));
  }
  return join(shown, " ");
}

// How the run's model was judged; null where nothing tells, as of runs that others logged.
json::Value report_of_run(Api& api, const std::string& id) {
  const auto report =
      api.get("/get-artifact?path=" + http::percent_encode("evaluation/report.json") +
              "&run_id=" + http::percent_encode(id));
  return report.ok() && report->is_object() ? *report : json::Value();
}

std::string interval(const json::Value& metric) {
  const std::string low = cell(metric, "low");
  const std::string high = cell(metric, "high");
  return low == "-" || high == "-" ? "-" : low + " … " + high;
}

void print_report(const json::Value& report) {
  Table metrics({"on test rows", "value", "interval"});
  for (const auto& metric : items_of(report, "metrics")) {
    metrics.add({cell(metric, "metric"), cell(metric, "value"), interval(metric)});
  }
  metrics.print();
  Table slices({"slice", "rows", "metric", "value", "interval"});
  for (const auto& slice : items_of(report, "slices")) {
    const auto& measured = items_of(slice, "metrics");
    if (measured.empty()) continue;
    slices.add({cell(slice, "column") + "=" + cell(slice, "value"),
                count_text(slice.integer_or("rows", 0)), cell(measured.front(), "metric"),
                cell(measured.front(), "value"), interval(measured.front())});
  }
  if (slices.empty()) return;
  std::printf("\n");
  slices.print();
}

void print_values(const json::Value& run, const char* kind) {
  Table table({kind, "value"});
  for (const auto& item : items_of(run.find("data"), kind)) {
    // What clients note for themselves is in --json.
    const std::string key = cell(item, "key");
    if (!key.starts_with("mlflow.")) table.add({key, value_text(item)});
  }
  if (table.empty()) return;
  table.print();
  std::printf("\n");
}

Result<void> change(Session& session, const std::vector<std::string>& runs, const char* path,
                    const char* done) {
  TRY(Api * api, session.api());
  std::vector<std::string> ids;
  for (const auto& name : runs) {
    TRY(const json::Value run, find_run(*api, name));
    ids.push_back(run_id_of(run));
  }
  json::Value list = json::Value::array();
  for (const auto& id : ids) {
    TRY(api->post(std::string("/api/2.0/mlflow/runs/") + path,
                  json::Value::object({{"run_id", id}})));
    list.push_back(id);
  }
  session.show(json::Value::object({{"run_ids", list}}), [&] {
    for (const auto& id : ids) std::printf("run %s %s\n", id.c_str(), done);
  });
  return {};
}

}  // namespace

Result<void> runs_list(Session& session, const ListOptions& options) {
  TRY(Api * api, session.api());
  TRY(auto names, experiment_names(*api));
  json::Value::Array runs;
  const RunSearch search{.experiments = options.experiments,
                         .filter = options.filter,
                         .order_by = options.order_by,
                         .view = options.view(),
                         .limit = options.limit};
  TRY(each_run(*api, search, [&](const json::Value& run) -> Result<void> {
    runs.push_back(run);
    return {};
  }));
  session.show(json::Value::object({{"runs", runs}}), [&] {
    Table table({"run", "name", "experiment", "status", "started", "took", "metrics"});
    for (const auto& run : runs) {
      const json::Value& info = *run.find("info");
      table.add({run_id_of(run), cell(info, "run_name"), names[cell(info, "experiment_id")],
                 cell(info, "status"), ago(integer_of(info, "start_time"), now_ms()), took(info),
                 first_metrics(run)});
    }
    table.print();
  });
  return {};
}

Result<void> runs_show(Session& session, const std::string& id_or_name) {
  TRY(Api * api, session.api());
  TRY(const json::Value run, find_run(*api, id_or_name));
  const json::Value report = report_of_run(*api, run_id_of(run));
  session.show(run, [&] {
    const json::Value& info = *run.find("info");
    std::printf("%s  %s  %s  started %s, took %s\n\n", run_id_of(run).c_str(),
                cell(info, "run_name").c_str(), cell(info, "status").c_str(),
                ago(integer_of(info, "start_time"), now_ms()).c_str(), took(info).c_str());
    for (const auto* kind : {"params", "metrics", "tags"}) print_values(run, kind);
    if (!report.is_null()) print_report(report);
  });
  return {};
}

Result<void> runs_delete(Session& session, const std::vector<std::string>& runs) {
  return change(session, runs, "delete", "is deleted; `ciclo runs restore` brings it back");
}

Result<void> runs_restore(Session& session, const std::vector<std::string>& runs) {
  return change(session, runs, "restore", "is restored");
}

}  // namespace ciclo::cli
