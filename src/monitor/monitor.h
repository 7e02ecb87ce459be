// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/context.h"
#include "base/json.h"
#include "base/result.h"
#include "evaluate/metrics.h"
#include "events/log.h"
#include "monitor/drift.h"
#include "serve/endpoints.h"
#include "sql/database.h"

// Watches endpoints: cuts their captured traffic into tumbling windows of event time, compares each
// with the data that the serving model was trained on, and, once labels have come, measures how
// good the predictions were. What it finds is stored and, where a limit is passed, appended to the
// event log.
//
// A window is measured for each model version that served rows of it, against that version's own
// reference. Everything follows from the capture on disk and the tables here, so a restart goes on
// where it stopped, and a window never raises the same alarm twice.

namespace ciclo::monitor {

using evaluate::Task;

// What a model version was trained on, and what it promised.
struct Reference {
  Task task = Task::kBinary;
  // Of the raw feature columns and of the predictions ("prediction:NAME" for an output column
  // NAME).
  std::vector<ColumnReference> columns;
  std::int64_t training_window_ms = 0;  // the length of the columns' windows
  // In their order: class k is classes[k]; of a binary task classes[1] is the positive one.
  std::vector<std::string> classes;
  std::map<std::string, double>
      metrics;  // measured on validation data, by the names that evaluate uses
};

class ReferenceSource {
 public:
  virtual ~ReferenceSource() = default;
  virtual Result<Reference> reference(const Context& ctx, std::string_view model,
                                      std::string_view version) = 0;
};

struct MetricLimit {
  std::string metric;  // "auc", "log_loss", "rmse", …
  double drop = 0.05;  // how much worse than the reference is tolerated, in the metric's unit
  std::optional<double> reference;  // to compare with; absent: what the package promised

  template <class V>
  void fields(V& v) {
    v("metric", metric);
    v.or_default("drop", drop);
    v("reference", reference);
  }
};

// The monitor of an endpoint, as it stands in its spec. Durations are texts: "6h", "1d", "7d".
struct Config {
  std::string window = "1d";    // a multiple of 1h; starts are multiples of it since 1970-01-01 UTC
  std::string lateness = "1h";  // a window closes when the newest event is this much past its end
  // How long after a window's end labels are waited for. Metrics are measured once labels are
  // `lateness` past its end, and again at growing intervals until then.
  std::string label_horizon = "30d";
  // To compare; empty: all that the reference knows but times, which always move.
  std::vector<std::string> columns;
  DriftLimits drift;
  // A window is drifted when at least this share of the compared columns is; at least one in any
  // case.
  double drifted_share_min = 0;
  // Drift raises an alarm once a column is drifted in so many judged windows of a version on end.
  int for_windows = 2;
  std::int64_t rows_min = 200;       // a window with fewer rows (or fewer labels) gets no verdict
  double label_coverage_min = 0.5;   // share of labelled rows from which live metrics are measured
  std::vector<std::string> metrics;  // empty: all of the task
  std::vector<MetricLimit>
      quality;  // passed and significant: quality.degraded; one may stand alone

  template <class V>
  void fields(V& v) {
    v.or_default("window", window);
    v.or_default("lateness", lateness);
    v.or_default("label_horizon", label_horizon);
    v.or_default("columns", columns);
    v.or_default("drift", drift);
    v.or_default("drifted_share_min", drifted_share_min);
    v.or_default("for", for_windows);
    v.or_default("rows_min", rows_min);
    v.or_default("label_coverage_min", label_coverage_min);
    v.or_default("metrics", metrics);
    v.or_default("quality", quality);
  }
};
// Unknown fields and unusable values are refused, naming the path. Null gives the defaults.
Result<Config> parse_config(const json::Value& value);

struct LiveMetric {
  std::string metric;
  double value = 0;
  double low = 0;  // 95 % bootstrap interval
  double high = 0;
  std::optional<double> reference;  // what the package promised
  bool is_degraded = false;  // worse than the reference by more than the limit, and significantly

  template <class V>
  void fields(V& v) {
    v("metric", metric);
    v("value", value);
    v("low", low);
    v("high", high);
    v("reference", reference);
    v("is_degraded", is_degraded);
  }
};

// One window of one version.
struct Window {
  std::string id;
  std::string endpoint;
  std::string model;
  std::string version;
  std::int64_t start_ms = 0;
  std::int64_t end_ms = 0;
  std::int64_t rows = 0;
  bool is_judged = false;  // enough rows, over the whole window, for a verdict
  bool is_drifted = false;
  std::vector<ColumnDrift> columns;
  std::int64_t labels = 0;  // rows with a label at the last measuring
  bool is_degraded = false;
  std::vector<LiveMetric> metrics;  // empty until enough labels have come
  std::int64_t closed_ms = 0;
  std::int64_t measured_ms = 0;  // when the metrics were last computed; 0: never

  template <class V>
  void fields(V& v) {
    v("id", id);
    v("endpoint", endpoint);
    v("model", model);
    v("version", version);
    v("start_ms", start_ms);
    v("end_ms", end_ms);
    v("rows", rows);
    v("is_judged", is_judged);
    v("is_drifted", is_drifted);
    v("columns", columns);
    v("labels", labels);
    v("is_degraded", is_degraded);
    v("metrics", metrics);
    v("closed_ms", closed_ms);
    v("measured_ms", measured_ms);
  }
};

// What was alarmed. The same facts as the event.
struct Alert {
  std::int64_t id = 0;
  std::string kind;  // "drift.detected" or "quality.degraded"
  std::string endpoint;
  std::string window_id;
  std::string version;
  std::int64_t start_ms = 0;
  std::int64_t end_ms = 0;
  std::int64_t time_ms = 0;
  json::Value detail;  // columns with their PSI, or metrics with reference and interval

  template <class V>
  void fields(V& v) {
    v("id", id);
    v("kind", kind);
    v("endpoint", endpoint);
    v("window_id", window_id);
    v("version", version);
    v("start_ms", start_ms);
    v("end_ms", end_ms);
    v("time_ms", time_ms);
    v("detail", detail);
  }
};

struct Progress {
  int windows_closed = 0;
  int windows_measured = 0;
  int alerts = 0;
};

enum class Close { kByWatermark, kAll };

struct Options {
  std::int64_t poll_ms = 1'000;   // between two looks at the endpoints
  int bootstrap_resamples = 200;  // of a live metric's interval
  std::uint64_t seed = 1;
};

// Safe to share between threads; one endpoint is worked on by one caller at a time.
class Monitor {
 public:
  // All must outlive the monitor.
  Monitor(sql::Database& database, events::Log& log, Clock& clock, serve::Endpoints& endpoints,
          serve::Capture& capture, ReferenceSource& references, Options options = {});
  ~Monitor();
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

  // Advances all watched endpoints on a thread, until stopped.
  void start();
  void stop();

  // Closes the windows that are due and measures those whose labels have come. kAll first flushes
  // the capture, then closes whatever has rows, also the window that is still filling, and measures
  // with the labels there are: for the end of a replay, and for tests.
  Result<Progress> advance(const Context& ctx, std::string_view endpoint,
                           Close close = Close::kByWatermark);

  // Windows of an endpoint by start time, newest first, at most `limit`; those that start before
  // `before_ms` when it is not 0.
  Result<std::vector<Window>> windows(const Context& ctx, std::string_view endpoint,
                                      std::int64_t before_ms = 0, int limit = 100);
  Result<std::optional<Window>> window(const Context& ctx, std::string_view id);
  // Newest first; of all endpoints when the name is empty; with ids below `before` when it is not
  // 0.
  Result<std::vector<Alert>> alerts(const Context& ctx, std::string_view endpoint,
                                    std::int64_t before = 0, int limit = 100);

  // Live metrics over any range of event time, all versions together, with the labels there are
  // now.
  struct Performance {
    std::int64_t rows = 0;
    std::int64_t labels = 0;
    std::vector<LiveMetric> metrics;
  };
  Result<Performance> performance(const Context& ctx, std::string_view endpoint,
                                  std::int64_t from_ms, std::int64_t to_ms);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The module's migrations.
std::span<const sql::Migration> schema();

}  // namespace ciclo::monitor
