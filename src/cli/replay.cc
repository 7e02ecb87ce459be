// SPDX-License-Identifier: Apache-2.0
// `ciclo replay`: history as live traffic.
//
// Each day of event time: its rows are sent, one request a row; the labels that have become known
// by then are posted; the platform is asked to settle, and while it retrains, time stands still, as
// a day is long against a training.

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "base/json_fields.h"
#include "base/random.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/rows_json.h"
#include "cli/submission.h"
#include "cli/table.h"
#include "data/ingest.h"
#include "data/join.h"
#include "http/client.h"
#include "steps/pipelines_of_project.h"

namespace ciclo::cli {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;

// The rows to send, by event time.
struct Traffic {
  data::Batch features;
  std::vector<std::int64_t> event_ms;
  data::Column label;
};

Result<Traffic> read_traffic(const steps::Project& project, const std::filesystem::path& directory,
                             const ReplayOptions& options) {
  if (project.table.time.empty()) {
    return failed_precondition(
        "replaying needs table.time in ciclo.yaml, to know the order of the rows");
  }
  SystemClock clock;
  const TemporaryDirectory work;
  data::EngineOptions memory;
  memory.memory_bytes_max = std::size_t{4} << 30;
  memory.spill_directory = (work.path() / "spill").string();
  const data::Engine engine(clock, memory);
  std::vector<data::Table> tables;
  for (const auto& [name, source] : project.data) {
    TRY(const auto files, expand_below(directory, source.files));
    TRY(const data::Table opened, data::open_source(engine, Context(), name, files, source.options,
                                                    (work.path() / ("unpacked_" + name)).string()));
    tables.push_back(opened);
  }
  steps::Project later = project;
  later.table.since = options.from.empty() ? project.table.until : options.from;
  later.table.until = options.to;
  TRY(const std::string sql,
      data::build_query(engine, Context(), tables, steps::examples_query(later)));
  TRY(data::Batch rows, engine.query_all(Context(), tables,
                                         "SELECT * FROM (" + sql + ") ORDER BY " +
                                             data::quote_identifier(project.table.time)));
  Traffic traffic;
  for (auto& column : rows.columns) {
    if (column.name == project.table.time) {
      for (const double ms : column.numbers)
        traffic.event_ms.push_back(static_cast<std::int64_t>(ms));
    } else if (column.name == project.target) {
      traffic.label = std::move(column);
    } else if (column.name != project.table.key) {
      traffic.features.columns.push_back(std::move(column));
    }
  }
  if (traffic.event_ms.empty())
    return failed_precondition("there is no row to replay in that time");
  return traffic;
}

std::string_view datatype_of(data::ColumnType type) {
  switch (type) {
    case data::ColumnType::kBoolean: return "BOOL";
    case data::ColumnType::kInteger:
    case data::ColumnType::kTimestamp: return "INT64";
    case data::ColumnType::kNumber: return "FP64";
    case data::ColumnType::kText: return "BYTES";
  }
  return "BYTES";
}

std::string inference_id(std::size_t row) { return "replay-" + std::to_string(row); }

// The body of POST /v2/models/NAME/infer for rows [begin, end).
std::string infer_body(const Traffic& traffic, const std::set<std::string>& columns,
                       std::size_t begin, std::size_t end) {
  std::string body;
  json::Writer writer(body);
  writer.begin_object().key("parameters").begin_object().key("inference_ids").begin_array();
  for (std::size_t row = begin; row < end; ++row) writer.string(inference_id(row));
  writer.end_array().key("event_times_ms").begin_array();
  for (std::size_t row = begin; row < end; ++row) writer.integer(traffic.event_ms[row]);
  writer.end_array().end_object().key("inputs").begin_array();
  for (const auto& column : traffic.features.columns) {
    if (!columns.contains(column.name)) continue;
    writer.begin_object()
        .key("name")
        .string(column.name)
        .key("datatype")
        .string(datatype_of(column.type));
    writer.key("shape").begin_array().integer(static_cast<std::int64_t>(end - begin)).end_array();
    writer.key("data").begin_array();
    for (std::size_t row = begin; row < end; ++row) writer.value(cell_json(column, row));
    writer.end_array().end_object();
  }
  writer.end_array().end_object();
  return body;
}

// What was observed of the requests of one month.
struct Month {
  std::int64_t requests = 0;
  std::int64_t failures = 0;
  std::vector<float> milliseconds;
  std::set<std::string> versions;
};

std::string month_of(std::int64_t ms) { return format_utc(ms).substr(0, 7); }

float quantile(std::vector<float> values, double share) {
  if (values.empty()) return std::nanf("");
  const auto index = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(index),
                   values.end());
  return values[index];
}

class Replay {
 public:
  Replay(Session& session, Api& api, const steps::Project& project, const ReplayOptions& options,
         std::int64_t label_delay_ms)
      : session_(session),
        api_(api),
        project_(project),
        options_(options),
        label_delay_ms_(label_delay_ms),
        client_(http::Client::create(random_)) {}

  Result<void> run(const Traffic& traffic) {
    TRY(columns_, columns_of(project_.endpoint));
    if (!options_.beside.empty()) {
      TRY(columns_beside_, columns_of(options_.beside));
    }
    const std::size_t rows = traffic.event_ms.size();
    std::size_t begin = 0;
    while (begin < rows) {
      const std::int64_t day = traffic.event_ms[begin] / kDayMs;
      std::size_t end = begin;
      while (end < rows && traffic.event_ms[end] / kDayMs == day) ++end;
      show_progress(traffic, begin);
      TRY(send_day(traffic, begin, end));
      TRY(post_labels(traffic, end, (day + 1) * kDayMs));
      TRY(settle());
      begin = end;
    }
    TRY(post_labels(traffic, rows, INT64_MAX));
    TRY(close_windows());
    if (show_) std::fputs("\n", stderr);
    return {};
  }

  Result<json::Value> report(const Traffic& traffic) {
    json::Value months = json::Value::array();
    TRY(const json::Value alerts,
        api_.get("/api/v1/alerts?limit=1000&endpoint=" + http::percent_encode(project_.endpoint)));
    std::map<std::string, std::int64_t> alarms;
    for (const auto& alert : alerts.find("items")->items()) {
      ++alarms[month_of(alert.integer_or("end_ms", 0) - 1)];
    }
    TRY(const auto retrained, retrainings());
    for (auto& [name, month] : months_) {
      json::Value item = json::Value::object(
          {{"month", name}, {"requests", month.requests}, {"failures", month.failures}});
      const auto [from, to] = bounds(traffic, name);
      TRY(item["managed"], performance(project_.endpoint, from, to));
      if (!options_.beside.empty()) {
        TRY(item["beside"], performance(options_.beside, from, to));
      }
      item["alarms"] = alarms[name];
      const auto runs = retrained.find(name);
      item["retrainings"] = runs == retrained.end() ? std::int64_t{0} : runs->second;
      json::Value versions = json::Value::array();
      for (const auto& version : month.versions) versions.push_back(version);
      item["versions"] = std::move(versions);
      item["p50_ms"] = static_cast<double>(quantile(month.milliseconds, 0.5));
      item["p99_ms"] = static_cast<double>(quantile(month.milliseconds, 0.99));
      months.push_back(std::move(item));
    }
    return json::Value::object({{"endpoint", project_.endpoint},
                                {"beside", options_.beside},
                                {"rows", static_cast<std::int64_t>(traffic.event_ms.size())},
                                {"months", std::move(months)}});
  }

 private:
  Result<std::set<std::string>> columns_of(const std::string& endpoint) {
    TRY(const json::Value answer, api_.get("/api/v1/endpoints/" + http::percent_encode(endpoint)));
    const json::Value* signature = answer.find("signature");
    if (signature == nullptr || signature->find("inputs") == nullptr) {
      return unavailable("endpoint " + ciclo::quoted(endpoint) +
                         " serves no model: " + answer.string_or("message", ""));
    }
    std::set<std::string> names;
    for (const auto& column : signature->find("inputs")->items()) {
      names.insert(column.string_or("name", ""));
    }
    return names;
  }

  Result<http::Response> infer(const std::string& endpoint, std::string body) {
    http::ClientRequest request;
    request.method = "POST";
    request.url = session_.server + "/v2/models/" + http::percent_encode(endpoint) + "/infer";
    request.headers.add("Content-Type", "application/json");
    request.body = std::move(body);
    return client_->call(request);
  }

  Result<void> send_day(const Traffic& traffic, std::size_t begin, std::size_t end) {
    std::atomic<std::size_t> next = begin;
    std::mutex mutex;
    std::optional<Error> problem;  // guarded by mutex, as is the month
    Month& month = months_[month_of(traffic.event_ms[begin])];
    const auto work = [&] {
      while (true) {
        const std::size_t row = next++;
        if (row >= end) return;
        std::string body = infer_body(traffic, columns_, row, row + 1);
        const std::int64_t start = clock_.monotonic_ns();
        auto response = infer(project_.endpoint, std::move(body));
        const float ms = static_cast<float>(clock_.monotonic_ns() - start) / 1e6F;
        std::lock_guard lock(mutex);
        ++month.requests;
        if (!response.ok() || response->status != 200) {
          ++month.failures;
          if (!problem) problem = response.ok() ? internal(response->body) : response.error();
          continue;
        }
        month.milliseconds.push_back(ms);
        note_version(month, response->body);
      }
    };
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < options_.connections; ++i) threads.emplace_back(work);
    }
    if (problem && month.failures == month.requests)
      return problem->with_context("every prediction failed");
    if (options_.beside.empty()) return {};
    TRY(const http::Response beside,
        infer(options_.beside, infer_body(traffic, columns_beside_, begin, end)));
    if (beside.status != 200)
      return internal("endpoint " + options_.beside + " answered: " + beside.body);
    return {};
  }

  static void note_version(Month& month, const std::string& body) {
    constexpr std::string_view kKey = "\"model_version\":\"";
    const std::size_t start = body.find(kKey);
    if (start == std::string::npos) return;
    const std::size_t from = start + kKey.size();
    month.versions.insert(body.substr(from, body.find('"', from) - from));
  }

  // Labels of rows before `end` that are known at `now_ms` of event time.
  Result<void> post_labels(const Traffic& traffic, std::size_t end, std::int64_t now_ms) {
    json::Value labels = json::Value::array();
    for (; labelled_ < end; ++labelled_) {
      const std::int64_t known = traffic.event_ms[labelled_] + label_delay_ms_;
      if (known > now_ms) break;
      if (traffic.label.is_null(labelled_)) continue;
      labels.push_back(json::Value::object({{"inference_id", inference_id(labelled_)},
                                            {"label", cell_json(traffic.label, labelled_)},
                                            {"time_ms", known}}));
    }
    if (labels.items().empty()) return {};
    const json::Value body = json::Value::object({{"labels", std::move(labels)}});
    TRY(api_.post("/api/v1/endpoints/" + project_.endpoint + "/labels", body));
    if (!options_.beside.empty())
      TRY(api_.post("/api/v1/endpoints/" + options_.beside + "/labels", body));
    return {};
  }

  // Until nothing is under way any more.
  Result<void> settle() {
    while (true) {
      TRY(const json::Value answer,
          api_.post("/api/v1/endpoints/" + project_.endpoint + "/settle", json::Value::object()));
      if (answer.find("runs_active")->items().empty()) break;
      std::mutex mutex;
      std::condition_variable never;
      std::unique_lock lock(mutex);
      never.wait_for(lock, std::chrono::milliseconds(20));
    }
    // A new version may take other columns.
    TRY(columns_, columns_of(project_.endpoint));
    return {};
  }

  Result<void> close_windows() {
    for (const auto& endpoint : {project_.endpoint, options_.beside}) {
      if (endpoint.empty()) continue;
      TRY(api_.post("/api/v1/endpoints/" + endpoint + "/windows/close", json::Value::object()));
    }
    return {};
  }

  // Retraining runs by the month in which the window that alarmed ended.
  Result<std::map<std::string, std::int64_t>> retrainings() {
    TRY(const json::Value page, api_.get("/api/v1/pipeline-runs?limit=1000&pipeline=" +
                                         steps::retraining_name(project_.name)));
    std::map<std::string, std::int64_t> by_month;
    for (const auto& run : page.find("items")->items()) {
      const json::Value* cause = run.find("cause");
      const json::Value* event = cause == nullptr ? nullptr : cause->find("event");
      const json::Value* body = event == nullptr ? nullptr : event->find("body");
      if (body != nullptr) ++by_month[month_of(body->integer_or("end_ms", 0) - 1)];
    }
    return by_month;
  }

  static std::pair<std::int64_t, std::int64_t> bounds(const Traffic& traffic,
                                                      const std::string& month) {
    std::int64_t from = INT64_MAX;
    std::int64_t to = 0;
    for (const std::int64_t ms : traffic.event_ms) {
      if (month_of(ms) != month) continue;
      from = std::min(from, ms);
      to = std::max(to, ms + 1);
    }
    return {from, to};
  }

  Result<json::Value> performance(const std::string& endpoint, std::int64_t from, std::int64_t to) {
    TRY(const json::Value answer,
        api_.get("/api/v1/endpoints/" + endpoint + "/performance?from_ms=" + std::to_string(from) +
                 "&to_ms=" + std::to_string(to)));
    const json::Value* metrics = answer.find("metrics");
    if (metrics == nullptr || metrics->items().empty()) return json::Value();
    return metrics->items().front();
  }

  void show_progress(const Traffic& traffic, std::size_t row) const {
    if (!show_) return;
    std::fprintf(stderr, "\r\x1b[2K  %s  %s of %s rows",
                 format_utc(traffic.event_ms[row]).substr(0, 10).c_str(),
                 count_text(static_cast<std::int64_t>(row)).c_str(),
                 count_text(static_cast<std::int64_t>(traffic.event_ms.size())).c_str());
  }

  SystemClock clock_;
  SystemRandom random_;
  Session& session_;
  Api& api_;
  const steps::Project& project_;
  const ReplayOptions& options_;
  const std::int64_t label_delay_ms_;
  std::unique_ptr<http::Client> client_;
  const bool show_ = ::isatty(STDERR_FILENO) != 0;
  std::set<std::string> columns_;
  std::set<std::string> columns_beside_;
  std::map<std::string, Month> months_;
  std::size_t labelled_ = 0;
};

std::string metric_cell(const json::Value& metric) {
  if (!metric.is_object()) return "-";
  return number_text(metric.number_or("value", std::nan("")), 3) + " [" +
         number_text(metric.number_or("low", std::nan("")), 3) + ", " +
         number_text(metric.number_or("high", std::nan("")), 3) + "]";
}

void print_report(const json::Value& report, const std::string& metric) {
  const bool compared = !report.string_or("beside", "").empty();
  std::vector<std::string> headers = {"month", "requests", "failed"};
  if (compared) headers.push_back(metric + " " + report.string_or("beside", ""));
  for (const auto& header : {metric + " " + report.string_or("endpoint", ""), std::string("alarms"),
                             std::string("retrained"), std::string("versions"),
                             std::string("p50 ms"), std::string("p99 ms")}) {
    headers.push_back(header);
  }
  Table table(headers);
  for (const auto& month : report.find("months")->items()) {
    std::vector<std::string> versions;
    for (const auto& version : month.find("versions")->items())
      versions.push_back(version.string());
    std::vector<std::string> row = {month.string_or("month", ""),
                                    count_text(month.integer_or("requests", 0)),
                                    std::to_string(month.integer_or("failures", 0))};
    if (compared) row.push_back(metric_cell(*month.find("beside")));
    row.push_back(metric_cell(*month.find("managed")));
    row.push_back(std::to_string(month.integer_or("alarms", 0)));
    row.push_back(std::to_string(month.integer_or("retrainings", 0)));
    row.push_back(join(versions, " "));
    row.push_back(number_text(month.number_or("p50_ms", 0), 2));
    row.push_back(number_text(month.number_or("p99_ms", 0), 2));
    table.add(std::move(row));
  }
  table.print();
}

std::string metric_name(const json::Value& report) {
  for (const auto& month : report.find("months")->items()) {
    const json::Value* metric = month.find("managed");
    if (metric != nullptr && metric->is_object()) return metric->string_or("metric", "metric");
  }
  return "metric";
}

}  // namespace

Result<void> replay(Session& session, const ReplayOptions& options) {
  if (session.server.empty()) return invalid_argument("replay needs --server URL");
  while (session.server.ends_with('/')) session.server.pop_back();
  TRY(const steps::Project project, load_project(session.project, {}));
  if (project.endpoint.empty()) return failed_precondition("the project deploys to no endpoint");
  TRY(const std::int64_t delay, steps::parse_duration(options.label_delay));
  TRY(const Traffic traffic, read_traffic(project, session.project, options));
  TRY(Api * api, session.api());
  Replay replay(session, *api, project, options, delay);
  TRY(replay.run(traffic));
  TRY(const json::Value report, replay.report(traffic));
  session.show(report, [&] { print_report(report, metric_name(report)); });
  return {};
}

}  // namespace ciclo::cli
