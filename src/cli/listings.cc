// SPDX-License-Identifier: Apache-2.0
// Commands that show what there is: data, models, runs, endpoints, status.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/clock.h"
#include "base/file.h"
#include "base/json_fields.h"
#include "base/text.h"
#include "base/yaml.h"
#include "cli/commands.h"
#include "cli/submission.h"
#include "cli/table.h"
#include "http/message.h"

namespace ciclo::cli {
namespace {

std::int64_t now_ms() { return SystemClock().now_ms(); }

// MLflow writes 64-bit integers as numbers or as texts.
std::int64_t integer_of(const json::Value& object, std::string_view key) {
  const json::Value* value = object.find(key);
  if (value == nullptr) return 0;
  if (value->is_int()) return value->integer();
  return value->is_string() ? parse_int(value->string()).value_or(0) : 0;
}

std::string cell(const json::Value& object, std::string_view key, int digits = 4) {
  const json::Value* value = object.find(key);
  if (value == nullptr || value->is_null()) return "-";
  if (value->is_string()) return value->string().empty() ? "-" : value->string();
  if (value->is_int()) return std::to_string(value->integer());
  if (value->is_number()) return number_text(value->number(), digits);
  return json::dump(*value);
}

std::string path_of(std::string_view before, const std::string& name, std::string_view after = {}) {
  return std::string(before) + http::percent_encode(name) + std::string(after);
}

void print_findings(const json::Value& validation) {
  for (const auto& finding : items_of(validation, "findings")) {
    std::printf("%s: %s\n", finding.string_or("severity", "").c_str(),
                finding.string_or("message", "").c_str());
  }
}

}  // namespace

Result<void> data_add(Session& session, const DataAddOptions& options) {
  TRY(Api * api, session.api_or_new());
  TRY(const auto files, expand_below(".", options.files));
  json::Value list = json::Value::array();
  for (const auto& file : files) {
    TRY(const std::string hash, api->upload(file));
    list.push_back(json::Value::object(
        {{"name", std::filesystem::path(file).filename().string()}, {"hash", hash}}));
  }
  json::Value body = json::Value::object({{"files", std::move(list)}});
  if (!options.format.empty()) body["options"]["format"] = options.format;
  TRY(const json::Value version,
      api->post(path_of("/api/v1/datasets/", options.name, "/versions"), body));
  session.show(version, [&] {
    std::printf("%s version %s: %s rows, %s%s\n", options.name.c_str(),
                cell(version, "number").c_str(), count_text(version.integer_or("rows", 0)).c_str(),
                bytes_text(version.integer_or("bytes", 0)).c_str(),
                version.boolean_or("created", true) ? "" : " (the same content was there already)");
  });
  return {};
}

Result<void> data_list(Session& session) {
  TRY(Api * api, session.api());
  TRY(const json::Value page, api->get("/api/v1/datasets?limit=1000"));
  session.show(page, [&] {
    Table table({"data set", "latest", "updated"});
    for (const auto& item : items_of(page)) {
      table.add({cell(item, "name"), cell(item, "latest"),
                 ago(item.integer_or("updated_ms", 0), now_ms())});
    }
    table.print();
  });
  return {};
}

Result<void> data_show(Session& session, const std::string& name) {
  TRY(Api * api, session.api());
  TRY(const json::Value version, api->get(path_of("/api/v1/datasets/", name, "/versions/latest")));
  session.show(version, [&] {
    std::printf("%s version %s: %s rows, %s, hash %s\n\n", name.c_str(),
                cell(version, "number").c_str(), count_text(version.integer_or("rows", 0)).c_str(),
                bytes_text(version.integer_or("bytes", 0)).c_str(),
                cell(version, "hash").substr(0, 12).c_str());
    Table table({"column", "type", "nulls", "distinct", "min", "mean", "max", "most frequent"});
    const json::Value* statistics = version.find("statistics");
    for (const auto& column : items_of(statistics, "columns")) {
      const auto& top = items_of(column, "top");
      table.add({cell(column, "name"), cell(column, "type"), cell(column, "nulls"),
                 cell(column, "distinct"), cell(column, "min"), cell(column, "mean"),
                 cell(column, "max"), top.empty() ? "-" : cell(top.front(), "value")});
    }
    table.print();
  });
  return {};
}

Result<void> data_log(Session& session, const std::string& name) {
  TRY(Api * api, session.api());
  TRY(const json::Value page, api->get(path_of("/api/v1/datasets/", name, "/versions")));
  session.show(page, [&] {
    Table table({"version", "rows", "size", "hash", "made"});
    for (const auto& item : items_of(page)) {
      table.add({cell(item, "number"), count_text(item.integer_or("rows", 0)),
                 bytes_text(item.integer_or("bytes", 0)), cell(item, "hash").substr(0, 12),
                 ago(item.integer_or("created_ms", 0), now_ms())});
    }
    table.print();
  });
  return {};
}

Result<void> data_validate(Session& session, const std::string& name,
                           const std::string& schema_file) {
  TRY(Api * api, session.api());
  json::Value body = json::Value::object();
  if (!schema_file.empty()) {
    TRY(const std::string text, read_file(schema_file));
    auto schema = data::read_schema(text);
    if (!schema.ok()) return schema.error().with_context(schema_file);
    TRY(body["schema"], json::parse(data::to_json(*schema)));
  }
  TRY(const json::Value found, api->post(path_of("/api/v1/datasets/", name, "/validate"), body));
  const bool passed = found.boolean_or("passed", false);
  session.show(found, [&] {
    print_findings(found);
    std::printf("%s: %s\n", name.c_str(), passed ? "keeps to the schema" : "breaks the schema");
  });
  if (passed) return {};
  return failed_precondition("data set " + ciclo::quoted(name) + " breaks its schema");
}

Result<void> models_list(Session& session) {
  TRY(Api * api, session.api());
  TRY(const json::Value page,
      api->get("/api/2.0/mlflow/registered-models/search?max_results=1000"));
  session.show(page, [&] {
    Table table({"model", "latest", "champion", "updated"});
    for (const auto& model : items_of(page, "registered_models")) {
      std::string champion = "-";
      for (const auto& alias : items_of(model, "aliases")) {
        if (alias.string_or("alias", "") == "champion") champion = cell(alias, "version");
      }
      const auto& latest = items_of(model, "latest_versions");
      table.add({cell(model, "name"), latest.empty() ? "-" : cell(latest.front(), "version"),
                 champion, ago(integer_of(model, "last_updated_timestamp"), now_ms())});
    }
    table.print();
  });
  return {};
}

Result<void> models_show(Session& session, const std::string& name) {
  TRY(Api * api, session.api());
  TRY(const json::Value model,
      api->get("/api/2.0/mlflow/registered-models/get?name=" + http::percent_encode(name)));
  TRY(const json::Value versions,
      api->get("/api/2.0/mlflow/model-versions/search?max_results=1000&filter=" +
               http::percent_encode("name='" + name + "'")));
  TRY(const json::Value history, api->get(path_of("/api/v1/models/", name, "/aliases/history")));
  const json::Value document =
      json::Value::object({{"model", *model.find("registered_model")},
                           {"versions", items_of(versions, "model_versions")},
                           {"alias_history", items_of(history)}});
  session.show(document, [&] {
    Table table({"version", "run", "aliases", "made"});
    for (const auto& version : items_of(versions, "model_versions")) {
      std::vector<std::string> aliases;
      for (const auto& alias : items_of(version, "aliases")) aliases.push_back(alias.string());
      table.add({cell(version, "version"), cell(version, "run_id"), join(aliases, ", "),
                 ago(integer_of(version, "creation_timestamp"), now_ms())});
    }
    table.print();
    std::printf("\ndeployment history\n");
    Table moves({"alias", "version", "before", "when", "by", "reason"});
    for (const auto& move : items_of(history)) {
      moves.add({cell(move, "alias"), cell(move, "version"), cell(move, "previous"),
                 ago(move.integer_or("time_ms", 0), now_ms()), cell(move, "caller"),
                 cell(move, "reason")});
    }
    moves.print();
  });
  return {};
}

Result<void> models_promote(Session& session, const std::string& name, std::int64_t version,
                            const std::string& alias) {
  TRY(Api * api, session.api());
  const json::Value body =
      json::Value::object({{"name", name}, {"alias", alias}, {"version", std::to_string(version)}});
  TRY(api->post("/api/2.0/mlflow/registered-models/alias", body));
  session.show(body, [&] {
    std::printf("%s of %s is now version %lld\n", alias.c_str(), name.c_str(),
                static_cast<long long>(version));
  });
  return {};
}

Result<void> runs_list(Session& session, std::int64_t limit) {
  TRY(Api * api, session.api());
  TRY(const json::Value experiments, api->post("/api/2.0/mlflow/experiments/search",
                                               json::Value::object({{"max_results", 1000}})));
  json::Value ids = json::Value::array();
  std::map<std::string, std::string> names;
  for (const auto& experiment : items_of(experiments, "experiments")) {
    const std::string id = experiment.string_or("experiment_id", "");
    ids.push_back(id);
    names[id] = experiment.string_or("name", "");
  }
  TRY(const json::Value page,
      api->post("/api/2.0/mlflow/runs/search",
                json::Value::object({{"experiment_ids", std::move(ids)}, {"max_results", limit}})));
  session.show(page, [&] {
    Table table({"run", "name", "experiment", "status", "started", "metrics"});
    for (const auto& run : items_of(page, "runs")) {
      const json::Value* info = run.find("info");
      const json::Value* data = run.find("data");
      std::vector<std::string> metrics;
      for (const auto& metric : items_of(data, "metrics")) {
        if (metrics.size() == 3) break;
        metrics.push_back(metric.string_or("key", "") + "=" + cell(metric, "value"));
      }
      table.add({cell(*info, "run_id"), cell(*info, "run_name"),
                 names[cell(*info, "experiment_id")], cell(*info, "status"),
                 ago(integer_of(*info, "start_time"), now_ms()), join(metrics, " ")});
    }
    table.print();
  });
  return {};
}

namespace {

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

}  // namespace

Result<void> runs_show(Session& session, const std::string& id) {
  TRY(Api * api, session.api());
  TRY(const json::Value answer,
      api->get("/api/2.0/mlflow/runs/get?run_id=" + http::percent_encode(id)));
  const json::Value& run = *answer.find("run");
  const json::Value report = report_of_run(*api, id);
  session.show(run, [&] {
    const json::Value& info = *run.find("info");
    std::printf("%s  %s  %s\n\n", cell(info, "run_id").c_str(), cell(info, "run_name").c_str(),
                cell(info, "status").c_str());
    for (const auto* kind : {"params", "metrics"}) {
      Table table({kind, "value"});
      for (const auto& item : items_of(*run.find("data"), kind)) {
        table.add({cell(item, "key"), cell(item, "value", 6)});
      }
      if (!table.empty()) table.print();
      std::printf("\n");
    }
    if (!report.is_null()) print_report(report);
  });
  return {};
}

Result<void> endpoints_list(Session& session) {
  TRY(Api * api, session.api());
  TRY(const json::Value page, api->get("/api/v1/endpoints"));
  session.show(page, [&] {
    Table table({"endpoint", "model", "version", "state", "requests", "p50 µs", "p99 µs"});
    for (const auto& item : items_of(page)) {
      const json::Value* stats = item.find("stats");
      const json::Value none = json::Value::object();
      const json::Value& numbers = stats == nullptr ? none : *stats;
      table.add({cell(item, "name"), cell(item, "model"), cell(item, "serving_version"),
                 cell(item, "state"), cell(numbers, "requests"), cell(numbers, "p50_us"),
                 cell(numbers, "p99_us")});
    }
    table.print();
  });
  return {};
}

Result<void> status(Session& session) {
  TRY(Api * api, session.api());
  TRY(const json::Value answer, api->get("/api/v1/status"));
  TRY(const json::Value runs, api->get("/api/v1/pipeline-runs?limit=5"));
  TRY(const json::Value endpoints, api->get("/api/v1/endpoints"));
  TRY(const json::Value alerts, api->get("/api/v1/alerts?limit=5"));
  json::Value document = answer;
  document["pipeline_runs"] = items_of(runs);
  document["endpoints"] = items_of(endpoints);
  document["alerts"] = items_of(alerts);
  session.show(document, [&] {
    std::printf("ciclo %s at %s, %s\n\n", cell(answer, "version").c_str(), api->target().c_str(),
                cell(answer, "database").c_str());
    Table pipelines({"pipeline run", "pipeline", "state", "started"});
    for (const auto& run : items_of(runs)) {
      pipelines.add({cell(run, "pipeline_run_id"), cell(run, "pipeline"), cell(run, "state"),
                     ago(run.integer_or("created_ms", 0), now_ms())});
    }
    pipelines.print();
    std::printf("\n");
    Table serving({"endpoint", "model", "version", "state"});
    for (const auto& endpoint : items_of(endpoints)) {
      serving.add({cell(endpoint, "name"), cell(endpoint, "model"),
                   cell(endpoint, "serving_version"), cell(endpoint, "state")});
    }
    serving.print();
    if (items_of(alerts).empty()) return;
    std::printf("\n");
    Table raised({"alert", "endpoint", "version", "window"});
    for (const auto& alert : items_of(alerts)) {
      raised.add({cell(alert, "kind"), cell(alert, "endpoint"), cell(alert, "version"),
                  format_utc(alert.integer_or("start_ms", 0)).substr(0, 10)});
    }
    raised.print();
  });
  return {};
}

}  // namespace ciclo::cli
