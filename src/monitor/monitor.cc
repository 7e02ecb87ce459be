// SPDX-License-Identifier: Apache-2.0
#include "monitor/monitor.h"

#include <algorithm>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_set>
#include <utility>

#include "base/json_fields.h"
#include "base/log.h"
#include "base/text.h"
#include "base/worker_pool.h"
#include "evaluate/evaluate.h"
#include "monitor/config.h"
#include "monitor/rows.h"
#include "monitor/store.h"

namespace ciclo::monitor {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMeasureGrowth = 4;  // each wait for more labels is this much longer
constexpr double kWholeShare = 0.9;         // of a window; with less it is not judged

std::int64_t floor_to(std::int64_t ms, std::int64_t step) {
  return ms - ((ms % step) + step) % step;
}

std::string window_id(const Window& window) {
  return window.endpoint + "." + std::to_string(window.start_ms) + "." + window.model + "." +
         window.version;
}

// Whether enough of the compared columns are drifted.
bool is_drifted(const std::vector<ColumnDrift>& columns, double share_min) {
  const auto drifted = std::count_if(columns.begin(), columns.end(),
                                     [](const ColumnDrift& column) { return column.is_drifted; });
  return drifted > 0 &&
         static_cast<double>(drifted) >= share_min * static_cast<double>(columns.size());
}

json::Value drift_detail(const Window& window) {
  json::Value columns = json::Value::array();
  for (const auto& column : window.columns) {
    if (!column.is_drifted) continue;
    json::Value reasons = json::Value::array();
    for (const auto& reason : column.reasons) reasons.push_back(reason);
    columns.push_back(json::Value::object({{"column", column.column},
                                           {"psi", column.psi_nearest},
                                           {"psi_limit", column.psi_limit},
                                           {"q_value", column.q_value},
                                           {"null_share", column.null_share},
                                           {"reasons", std::move(reasons)}}));
  }
  return json::Value::object({{"columns", std::move(columns)}});
}

json::Value quality_detail(const Window& window) {
  json::Value metrics = json::Value::array();
  for (const auto& metric : window.metrics) {
    if (metric.is_degraded) metrics.push_back(json::to_value(metric));
  }
  return json::Value::object({{"metrics", std::move(metrics)}});
}

// What events and alerts tell of a window, besides their detail.
json::Value about(const Window& window) {
  return json::Value::object({{"endpoint", window.endpoint},
                              {"model", window.model},
                              {"version", window.version},
                              {"window_id", window.id},
                              {"start_ms", window.start_ms},
                              {"end_ms", window.end_ms},
                              {"rows", window.rows}});
}

// Significant: the interval excludes the reference. Passed: worse by more than the limit.
bool is_degraded(const LiveMetric& live, const evaluate::MetricKind& kind, double drop) {
  if (!live.reference) return false;
  if (kind.direction == evaluate::Direction::kHigherIsBetter) {
    return *live.reference - live.value > drop && live.high < *live.reference;
  }
  return live.value - *live.reference > drop && live.low > *live.reference;
}

std::vector<std::string> metric_names(Task task, const Config& config) {
  std::vector<std::string> names = config.metrics;
  if (names.empty()) {
    for (const auto& kind : evaluate::metrics_of(task)) names.emplace_back(kind.name);
  }
  for (const auto& limit : config.quality) {
    if (std::find(names.begin(), names.end(), limit.metric) == names.end()) {
      names.push_back(limit.metric);
    }
  }
  return names;
}

Result<std::vector<LiveMetric>> live_metrics(const Reference& reference, const Config& config,
                                             const Scores& scores, const Options& options) {
  const evaluate::Scored scored{.labels = scores.labels,
                                .predictions = scores.predictions,
                                .outputs = scores.outputs,
                                .weights = {}};
  evaluate::Bootstrap bootstrap;
  bootstrap.resamples = options.bootstrap_resamples;
  bootstrap.seed = options.seed;
  bootstrap.threads = 1;
  TRY(const auto values,
      evaluate::measure_with_intervals(reference.task, metric_names(reference.task, config), scored,
                                       bootstrap));
  std::vector<LiveMetric> out;
  for (const auto& value : values) {
    if (!value.value) continue;
    TRY(const auto kind, evaluate::find_metric(reference.task, value.metric));
    LiveMetric live{.metric = value.metric,
                    .value = *value.value,
                    .low = value.low.value_or(*value.value),
                    .high = value.high.value_or(*value.value)};
    const auto promised = reference.metrics.find(value.metric);
    if (promised != reference.metrics.end()) live.reference = promised->second;
    for (const auto& limit : config.quality) {
      if (limit.metric != value.metric) continue;
      if (limit.reference) live.reference = limit.reference;
      live.is_degraded = value.low && value.high && is_degraded(live, kind, limit.drop);
    }
    out.push_back(std::move(live));
  }
  return out;
}

}  // namespace

struct Monitor::State {
  State(sql::Database& database_in, events::Log& log_in, Clock& clock_in,
        serve::Endpoints& endpoints_in, serve::Capture& capture_in, ReferenceSource& references_in,
        Options options_in)
      : database(database_in),
        log(log_in),
        clock(clock_in),
        endpoints(endpoints_in),
        capture(capture_in),
        references(references_in),
        options(options_in) {}

  sql::Database& database;
  events::Log& log;
  Clock& clock;
  serve::Endpoints& endpoints;
  serve::Capture& capture;
  ReferenceSource& references;
  const Options options;

  // One caller works on an endpoint at a time; it holds the endpoint's mutex while it reads and
  // writes.
  std::mutex mutex;
  std::map<std::string, std::unique_ptr<std::mutex>, std::less<>>
      endpoint_mutexes;                                                      // guarded by mutex
  std::map<std::string, std::shared_ptr<const Reference>> known_references;  // guarded by mutex
  std::condition_variable_any wake;
  std::jthread watcher;

  // What one call of advance works with.
  struct Work {
    const Context& ctx;
    const serve::Endpoint& endpoint;
    const Plan& plan;
    Progress progress;
  };

  std::mutex& mutex_of(std::string_view endpoint);
  Result<std::shared_ptr<const Reference>> reference_of(const Context& ctx,
                                                        const std::string& model,
                                                        const std::string& version,
                                                        std::int64_t window_ms);
  Result<void> close_windows(Work& work, Close close);
  Result<void> close_window(Work& work, std::int64_t start_ms, std::int64_t end_ms);
  Result<std::vector<Window>> measure_traffic(Work& work, std::int64_t start_ms,
                                              std::int64_t end_ms);
  std::shared_ptr<const Reference> reference_or_none(const Work& work, const std::string& model,
                                                     const std::string& version);
  bool covers_edges(const Work& work, std::int64_t start_ms, std::int64_t end_ms,
                    const TrafficParts& parts);
  Result<bool> persists(const Work& work, const Window& window);
  Result<void> measure_due(Work& work, Close close);
  Result<void> measure_labels(Work& work, Window window, std::int64_t label_time_ms);
  Result<bool> raise(sql::Txn& txn, const Context& ctx, std::string_view kind, const Window& window,
                     json::Value detail);
  Result<Progress> advance(const Context& ctx, const serve::Endpoint& endpoint, Close close);
  void watch(std::stop_token stop);
};

Monitor::Monitor(sql::Database& database, events::Log& log, Clock& clock,
                 serve::Endpoints& endpoints, serve::Capture& capture, ReferenceSource& references,
                 Options options)
    : state_(
          std::make_unique<State>(database, log, clock, endpoints, capture, references, options)) {}

Monitor::~Monitor() { stop(); }

void Monitor::start() {
  state_->watcher =
      std::jthread([state = state_.get()](std::stop_token stop) { state->watch(stop); });
}

void Monitor::stop() {
  state_->watcher.request_stop();
  if (state_->watcher.joinable()) state_->watcher.join();
}

void Monitor::State::watch(std::stop_token stop) {
  set_thread_name("monitor");
  const Context ctx{.caller = "monitor"};
  while (!stop.stop_requested()) {
    const auto all = endpoints.list(ctx);
    if (!all.ok()) log::warn("the monitor cannot list endpoints", {{"error", all.error().message}});
    if (all.ok()) {
      for (const auto& endpoint : *all) {
        if (stop.stop_requested()) return;
        const auto advanced = advance(ctx, endpoint, Close::kByWatermark);
        if (!advanced.ok()) {
          log::warn("the monitor cannot advance",
                    {{"endpoint", endpoint.spec.name}, {"error", advanced.error().message}});
        }
      }
    }
    std::unique_lock lock(mutex);
    wake.wait_for(lock, stop, std::chrono::milliseconds(options.poll_ms), [] { return false; });
  }
}

Result<Progress> Monitor::advance(const Context& ctx, std::string_view endpoint, Close close) {
  TRY(const auto found, state_->endpoints.get(ctx, endpoint));
  if (close == Close::kAll) TRY(state_->capture.flush());
  return state_->advance(ctx, found, close);
}

Result<Progress> Monitor::State::advance(const Context& ctx, const serve::Endpoint& endpoint,
                                         Close close) {
  if (endpoint.spec.monitor.is_null()) return Progress{};
  auto plan = plan_of(endpoint.spec.monitor);
  if (!plan.ok()) {
    return plan.error().with_context("monitor of endpoint " + ciclo::quoted(endpoint.spec.name));
  }
  const std::lock_guard lock(mutex_of(endpoint.spec.name));
  Work work{.ctx = ctx, .endpoint = endpoint, .plan = *plan, .progress = {}};
  TRY(close_windows(work, close));
  TRY(measure_due(work, close));
  return work.progress;
}

std::mutex& Monitor::State::mutex_of(std::string_view endpoint) {
  const std::lock_guard lock(mutex);
  auto& found = endpoint_mutexes[std::string(endpoint)];
  if (!found) found = std::make_unique<std::mutex>();
  return *found;
}

Result<std::shared_ptr<const Reference>> Monitor::State::reference_of(const Context& ctx,
                                                                      const std::string& model,
                                                                      const std::string& version,
                                                                      std::int64_t window_ms) {
  // Another window has other windows of training rows: made before the endpoint asks for them.
  const std::string key = model + "\n" + version + "\n" + std::to_string(window_ms);
  {
    const std::lock_guard lock(mutex);
    const auto known = known_references.find(key);
    if (known != known_references.end()) return known->second;
  }
  TRY(auto read, references.reference(ctx, model, version));
  auto reference = std::make_shared<const Reference>(std::move(read));
  const std::lock_guard lock(mutex);
  constexpr std::size_t kReferencesMax = 64;
  if (known_references.size() >= kReferencesMax) known_references.clear();
  known_references[key] = reference;
  return reference;
}

// Windows in order of time, from where the last call stopped to the watermark.
Result<void> Monitor::State::close_windows(Work& work, Close close) {
  const std::string& name = work.endpoint.spec.name;
  const auto newest = capture.newest_event_ms(name);
  if (!newest) return {};
  const std::int64_t step = work.plan.window_ms;
  const std::int64_t watermark =
      close == Close::kAll ? floor_to(*newest, step) + step : *newest - work.plan.lateness_ms;
  TRY(const auto until,
      database.view([&](sql::Reader& reader) { return store::closed_until(reader, name); }));
  // The starts of all windows that hold a day with rows. A window that was cut short by a change of
  // the configuration is not opened again.
  std::set<std::int64_t> starts;
  for (const std::int64_t day : serve::captured_days(capture.root(), name)) {
    for (std::int64_t start = floor_to(day, step); start < day + kDayMs; start += step) {
      if (!until || start >= *until) starts.insert(start);
    }
  }
  for (const std::int64_t start : starts) {
    if (start + step > watermark) break;
    TRY(work.ctx.check_deadline(clock));
    TRY(close_window(work, start, start + step));
  }
  return {};
}

Result<void> Monitor::State::close_window(Work& work, std::int64_t start_ms, std::int64_t end_ms) {
  TRY(const auto windows, measure_traffic(work, start_ms, end_ms));
  std::set<std::string> alarming;  // by window id
  for (const Window& window : windows) {
    TRY(const bool is_alarming, persists(work, window));
    if (is_alarming) alarming.insert(window.id);
  }
  int closed = 0;
  int alarms = 0;
  const auto body = [&](sql::Txn& txn) -> Result<void> {
    closed = 0;
    alarms = 0;
    for (const Window& window : windows) {
      // Measured once labels are as late as rows may be.
      TRY(const bool is_new, store::add_window(txn, window, end_ms + work.plan.lateness_ms));
      if (!is_new) continue;
      ++closed;
      json::Value body_of_event = about(window);
      body_of_event["is_drifted"] = window.is_drifted;
      TRY(log.append(txn, work.ctx.workspace, "monitor.window_closed", window.endpoint,
                     body_of_event));
      if (!alarming.contains(window.id)) continue;
      TRY(const bool is_raised,
          raise(txn, work.ctx, "drift.detected", window, drift_detail(window)));
      alarms += is_raised ? 1 : 0;
    }
    return store::set_closed_until(txn, work.endpoint.spec.name, end_ms);
  };
  TRY(database.transaction(body));
  log.wake();
  work.progress.windows_closed += closed;
  work.progress.alerts += alarms;
  return {};
}

Result<bool> Monitor::State::raise(sql::Txn& txn, const Context& ctx, std::string_view kind,
                                   const Window& window, json::Value detail) {
  const Alert alert{.kind = std::string(kind),
                    .endpoint = window.endpoint,
                    .window_id = window.id,
                    .version = window.version,
                    .start_ms = window.start_ms,
                    .end_ms = window.end_ms,
                    .time_ms = clock.now_ms(),
                    .detail = detail};
  TRY(const bool is_new, store::add_alert(txn, alert));
  if (!is_new) return false;
  json::Value body = about(window);
  for (const auto& [key, value] : detail.members()) body[key] = value;
  TRY(log.append(txn, ctx.workspace, kind, window.endpoint, body));
  return true;
}

// Reads the window's rows once, for each version of each model into its own sample.
Result<std::vector<Window>> Monitor::State::measure_traffic(Work& work, std::int64_t start_ms,
                                                            std::int64_t end_ms) {
  const Config& config = work.plan.config;
  std::map<std::pair<std::string, std::string>, TrafficSample> samples;
  std::unordered_set<std::string> seen;
  TrafficParts parts(start_ms, end_ms);
  const auto on_row = [&](const serve::CapturedRow& row) -> Result<void> {
    if (!seen.emplace(row.inference_id).second) return {};
    std::string model(row.model.empty() ? work.endpoint.serving_model : row.model);
    std::pair served(std::move(model), std::string(row.version));
    parts.add(served, row.event_time_ms);
    auto sample = samples.find(served);
    if (sample == samples.end()) {
      auto reference = reference_or_none(work, served.first, served.second);
      sample =
          samples.emplace(std::move(served), TrafficSample(std::move(reference), config.columns))
              .first;
    }
    sample->second.add(row);
    return {};
  };
  TRY(serve::read_captured(capture.root(), work.endpoint.spec.name, start_ms, end_ms, on_row));
  const bool is_closed_whole = covers_edges(work, start_ms, end_ms, parts);

  std::vector<Window> windows;
  for (const auto& [served, sample] : samples) {
    Window window;
    window.endpoint = work.endpoint.spec.name;
    window.model = served.first;
    window.version = served.second;
    window.start_ms = start_ms;
    window.end_ms = end_ms;
    window.id = window_id(window);
    window.rows = sample.rows();
    window.columns = sample.measure();
    window.is_judged = window.rows >= config.rows_min && !window.columns.empty() &&
                       is_closed_whole && parts.covered_share(served) >= kWholeShare;
    if (window.is_judged) {
      judge_drift(window.columns, config.drift);
      window.is_drifted = is_drifted(window.columns, config.drifted_share_min);
    }
    window.closed_ms = clock.now_ms();
    windows.push_back(std::move(window));
  }
  return windows;
}

// A version without a reference is served and counted, but not compared.
std::shared_ptr<const Reference> Monitor::State::reference_or_none(const Work& work,
                                                                   const std::string& model,
                                                                   const std::string& version) {
  auto reference = reference_of(work.ctx, model, version, work.plan.window_ms);
  if (reference.ok()) {
    const Reference& known = **reference;
    if (known.training_window_ms == 0 || known.training_window_ms == work.plan.window_ms) {
      return std::move(*reference);
    }
    // The monitor's window was changed since the version was deployed: windows of another length
    // tell nothing.
    Reference whole = known;
    for (auto& column : whole.columns) column.windows.clear();
    return std::make_shared<const Reference>(std::move(whole));
  }
  log::warn("no reference to compare traffic with", {{"endpoint", work.endpoint.spec.name},
                                                     {"model", model},
                                                     {"version", version},
                                                     {"error", reference.error().message}});
  return std::make_shared<const Reference>();
}

// Whether the endpoint took traffic from the window's beginning to its end: not when it is the
// first window and began later, or is closed while it still fills. A part of a week has other
// weekdays than a week.
bool Monitor::State::covers_edges(const Work& work, std::int64_t start_ms, std::int64_t end_ms,
                                  const TrafficParts& parts) {
  const auto slack =
      static_cast<std::int64_t>((1 - kWholeShare) * static_cast<double>(end_ms - start_ms));
  const std::string& name = work.endpoint.spec.name;
  const auto days = serve::captured_days(capture.root(), name);
  const bool is_first = days.empty() || days.front() >= floor_to(start_ms, kDayMs);
  if (is_first && parts.first_ms() > start_ms + slack) return false;
  const auto newest = capture.newest_event_ms(name);
  return newest && *newest >= end_ms - slack;
}

// The alarm is raised when a column is drifted in this window and in as many judged ones of the
// version before it as the monitor's `for` tells: one odd window may be chance.
Result<bool> Monitor::State::persists(const Work& work, const Window& window) {
  if (!window.is_drifted) return false;
  std::set<std::string, std::less<>> persistent;
  for (const auto& column : window.columns) {
    if (column.is_drifted) persistent.insert(column.column);
  }
  const int others = work.plan.config.for_windows - 1;
  if (others == 0) return true;
  TRY(const auto before, database.view([&](sql::Reader& reader) {
    return store::judged_before(reader, window, others);
  }));
  for (const Window& earlier : before) {
    std::set<std::string, std::less<>> still;
    for (const auto& column : earlier.columns) {
      if (column.is_drifted && persistent.contains(column.column)) still.insert(column.column);
    }
    persistent = std::move(still);
  }
  return std::ssize(before) == others && !persistent.empty();
}

Result<void> Monitor::State::measure_due(Work& work, Close close) {
  const std::string& name = work.endpoint.spec.name;
  const auto newest = capture.newest_label_ms(name);
  if (!newest) return {};
  const std::int64_t due = close == Close::kAll ? kNever - 1 : *newest;
  TRY(const auto windows,
      database.view([&](sql::Reader& reader) { return store::windows_due(reader, name, due); }));
  for (const Window& window : windows) {
    TRY(work.ctx.check_deadline(clock));
    TRY(measure_labels(work, window, *newest));
  }
  return {};
}

Result<void> Monitor::State::measure_labels(Work& work, Window window, std::int64_t label_time_ms) {
  const Config& config = work.plan.config;
  const std::int64_t labels_until_ms = window.end_ms + work.plan.label_horizon_ms;
  const auto reference = reference_of(work.ctx, window.model, window.version, work.plan.window_ms);
  const bool was_degraded = window.is_degraded;
  if (reference.ok()) {
    TRY(const auto scores,
        read_scores(capture.root(), window.endpoint, {window.model, window.version},
                    {window.start_ms, window.end_ms, labels_until_ms}, **reference));
    window.labels = static_cast<std::int64_t>(scores.labels.size());
    const bool is_covered = static_cast<double>(window.labels) >=
                            config.label_coverage_min * static_cast<double>(window.rows);
    if (is_covered && window.labels >= config.rows_min) {
      TRY(window.metrics, live_metrics(**reference, config, scores, options));
      window.is_degraded =
          was_degraded || std::any_of(window.metrics.begin(), window.metrics.end(),
                                      [](const LiveMetric& metric) { return metric.is_degraded; });
      window.measured_ms = clock.now_ms();
      ++work.progress.windows_measured;
    }
  }
  // Looked at again after a wait that grows with each look, until all labels or the horizon have
  // come.
  const std::int64_t waited = std::max(label_time_ms - window.end_ms, work.plan.lateness_ms);
  const bool is_final = label_time_ms >= labels_until_ms || window.labels >= window.rows;
  const std::int64_t next =
      is_final ? kNever : std::min(window.end_ms + kMeasureGrowth * waited, labels_until_ms);
  int alarms = 0;
  const auto body = [&](sql::Txn& txn) -> Result<void> {
    alarms = 0;
    TRY(store::set_metrics(txn, window, next));
    if (!window.is_degraded || was_degraded) return {};
    TRY(const bool is_raised,
        raise(txn, work.ctx, "quality.degraded", window, quality_detail(window)));
    alarms = is_raised ? 1 : 0;
    return {};
  };
  TRY(database.transaction(body));
  log.wake();
  work.progress.alerts += alarms;
  return {};
}

Result<std::vector<Window>> Monitor::windows(const Context&, std::string_view endpoint,
                                             std::int64_t before_ms, int limit) {
  return state_->database.view(
      [&](sql::Reader& reader) { return store::windows(reader, endpoint, before_ms, limit); });
}

Result<std::optional<Window>> Monitor::window(const Context&, std::string_view id) {
  return state_->database.view([&](sql::Reader& reader) { return store::find_window(reader, id); });
}

Result<std::vector<Alert>> Monitor::alerts(const Context&, std::string_view endpoint,
                                           std::int64_t before, int limit) {
  return state_->database.view(
      [&](sql::Reader& reader) { return store::alerts(reader, endpoint, before, limit); });
}

Result<Monitor::Performance> Monitor::performance(const Context& ctx, std::string_view endpoint,
                                                  std::int64_t from_ms, std::int64_t to_ms) {
  TRY(const auto found, state_->endpoints.get(ctx, endpoint));
  TRY(const auto plan, plan_of(found.spec.monitor));
  TRY(const auto reference,
      state_->reference_of(ctx, found.serving_model, found.serving_version, plan.window_ms));
  TRY(const auto scores,
      read_scores(state_->capture.root(), found.spec.name, {found.serving_model, ""},
                  {from_ms, to_ms, kNever}, *reference));
  Performance out;
  out.rows = scores.rows;
  out.labels = static_cast<std::int64_t>(scores.labels.size());
  if (out.labels == 0) return out;
  TRY(out.metrics, live_metrics(*reference, plan.config, scores, state_->options));
  return out;
}

}  // namespace ciclo::monitor
