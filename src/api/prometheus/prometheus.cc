// SPDX-License-Identifier: Apache-2.0
#include "api/prometheus/prometheus.h"

#include <sys/resource.h>
#include <unistd.h>
#include <array>
#include <cmath>
#include <cstdio>
#include <memory>

#include "api/prometheus/exposition.h"

namespace ciclo::api::prometheus {
namespace {

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// 0 where it cannot be told.
std::uint64_t resident_bytes() {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/self/statm", "r"),
                                                             &std::fclose);
  std::array<char, 128> line{};
  if (!file || std::fgets(line.data(), line.size(), file.get()) == nullptr) return 0;
  unsigned long long resident_pages = 0;
  if (std::sscanf(line.data(), "%*u %llu", &resident_pages) != 1) return 0;
  return resident_pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

void add_process(Exposition& out, const Sources& sources) {
  out.family("ciclo_build_info", Kind::kGauge, "1, labelled with the version of the program.");
  out.sample({{"version", sources.version}}, std::uint64_t{1});
  out.family("process_start_time_seconds", Kind::kGauge, "When the process started, Unix time.");
  out.sample({}, static_cast<double>(sources.started_ms) / 1000);
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) {
    out.family("process_cpu_seconds_total", Kind::kCounter, "CPU time, user and system.");
    out.sample({}, seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
  }
  if (const std::uint64_t resident = resident_bytes(); resident > 0) {
    out.family("process_resident_memory_bytes", Kind::kGauge, "Memory that is resident.");
    out.sample({}, resident);
  }
}

void add_requests(Exposition& out, const http::ServerStats& stats) {
  out.family("ciclo_http_requests_total", Kind::kCounter,
             "Requests answered, by route. An empty route: none matched. Status 0: a rare one.");
  for (const auto& route : stats.routes) {
    for (const auto& [status, answers] : route.statuses) {
      out.sample(
          {{"method", route.method}, {"route", route.path}, {"status", std::to_string(status)}},
          answers);
    }
  }
  out.family("ciclo_http_request_duration_seconds", Kind::kHistogram,
             "From the first byte of a request to the last of its answer.");
  for (const auto& route : stats.routes) {
    out.histogram({{"method", route.method}, {"route", route.path}}, http::kDurationBounds,
                  route.durations, route.seconds);
  }
}

void add_server(Exposition& out, const http::ServerStats& stats) {
  add_requests(out, stats);
  out.family("ciclo_http_connections", Kind::kGauge, "Connections that are open.");
  out.sample({}, stats.connections_open);
  out.family("ciclo_http_refused_total", Kind::kCounter,
             "Requests and connections refused for want of a worker, a connection or memory.");
  out.sample({}, stats.refused);
  out.family("ciclo_http_body_bytes", Kind::kGauge, "Memory that whole request bodies take.");
  out.sample({}, stats.body_bytes_held);
}

void add_database(Exposition& out, const sql::Database& database) {
  const sql::Stats stats = database.stats();
  const Labels engine = {
      {"engine", database.engine() == sql::Engine::kSqlite ? "sqlite" : "postgresql"}};
  const auto one = [&](std::string_view name, Kind kind, std::string_view help,
                       std::uint64_t value) {
    out.family(name, kind, help);
    out.sample(engine, value);
  };
  one("ciclo_sql_transactions_total", Kind::kCounter, "Transactions that ended, well or not.",
      stats.transactions);
  one("ciclo_sql_commits_total", Kind::kCounter,
      "Commits of the engine; transactions that wait together share one.", stats.commits);
  one("ciclo_sql_retries_total", Kind::kCounter,
      "Transactions run again after a conflict or a lost connection.", stats.retries);
  one("ciclo_sql_waiting", Kind::kGauge, "Transactions that wait for their turn.", stats.waiting);
  one("ciclo_sql_connections", Kind::kGauge, "Connections to the database.", stats.connections);
  if (database.engine() == sql::Engine::kSqlite) {
    one("ciclo_sql_full_scan_rows_total", Kind::kCounter, "Rows read because no index led to them.",
        stats.full_scan_rows);
  }
}

// Bucket i of the stats holds what took less than 2^i µs.
std::vector<double> prediction_bounds(std::size_t buckets) {
  std::vector<double> bounds;
  for (std::size_t i = 0; i + 1 < buckets; ++i)
    bounds.push_back(std::ldexp(1e-6, static_cast<int>(i)));
  return bounds;
}

void add_endpoints(Exposition& out, const serve::Endpoints& endpoints) {
  std::vector<std::pair<std::string, serve::EndpointStats>> all;
  for (auto& name : endpoints.names()) {
    auto stats = endpoints.stats(name);
    all.emplace_back(std::move(name), stats);
  }
  const auto counter = [&](std::string_view name, std::string_view help,
                           std::uint64_t serve::EndpointStats::*field) {
    out.family(name, Kind::kCounter, help);
    for (const auto& [endpoint, stats] : all) out.sample({{"endpoint", endpoint}}, stats.*field);
  };
  counter("ciclo_endpoint_requests_total", "Requests answered with predictions.",
          &serve::EndpointStats::requests);
  counter("ciclo_endpoint_failures_total", "Requests that could not be answered.",
          &serve::EndpointStats::failures);
  counter("ciclo_endpoint_rows_total", "Rows predicted.", &serve::EndpointStats::rows);
  out.family("ciclo_endpoint_duration_seconds", Kind::kHistogram,
             "Time of a prediction in the process.");
  for (const auto& [endpoint, stats] : all) {
    const auto bounds = prediction_bounds(stats.duration_us.size());
    out.histogram({{"endpoint", endpoint}}, bounds, stats.duration_us,
                  static_cast<double>(stats.predicting_us) / 1e6);
  }
}

void add_capture(Exposition& out, const serve::CaptureStats& stats) {
  const auto counter = [&](std::string_view name, std::string_view help, std::uint64_t value) {
    out.family(name, Kind::kCounter, help);
    out.sample({}, value);
  };
  counter("ciclo_capture_rows_total", "Predictions written down.", stats.rows_written);
  counter("ciclo_capture_rows_dropped_total", "Predictions that the disk refused.",
          stats.rows_dropped);
  counter("ciclo_capture_bytes_total", "Bytes of predictions and labels.", stats.bytes_written);
  counter("ciclo_capture_labels_total", "Labels written down.", stats.labels_written);
  counter("ciclo_capture_labels_unknown_total", "Labels of inferences that nobody knows.",
          stats.labels_unknown);
}

std::string exposition(const Sources& sources) {
  Exposition out;
  add_process(out, sources);
  if (const auto server = sources.server()) add_server(out, *server);
  add_database(out, sources.database);
  add_endpoints(out, sources.endpoints);
  add_capture(out, sources.capture.stats());
  return out.text();
}

}  // namespace

void add_routes(http::Router& router, const Sources& sources) {
  // On the loop: an overloaded server can still be watched.
  router.add("GET", "/metrics",
             [sources](http::Request&, http::Reply reply) {
               http::Response response;
               response.headers.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
               response.body = exposition(sources);
               reply.send(std::move(response));
             },
             {.run_on = http::RunOn::kLoop});
}

}  // namespace ciclo::api::prometheus
