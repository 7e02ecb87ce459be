// SPDX-License-Identifier: Apache-2.0
#include "monitor/store.h"

#include <limits>
#include <string>
#include <utility>

#include "base/json_fields.h"

namespace ciclo::monitor::store {
namespace {

constexpr std::int64_t kNoBound = std::numeric_limits<std::int64_t>::max();

// A list that is stored as JSON; empty when it cannot be read, which only a damaged database
// causes.
template <class T>
std::vector<T> read_list(std::string_view text) {
  auto read = json::read<std::vector<T>>(text);
  return read.ok() ? std::move(*read) : std::vector<T>();
}

Window window_of(const sql::Row& row) {
  Window out;
  out.id = row.string(0);
  out.endpoint = row.string(1);
  out.model = row.string(2);
  out.version = row.string(3);
  out.start_ms = row.integer(4);
  out.end_ms = row.integer(5);
  out.rows = row.integer(6);
  out.is_judged = row.boolean(7);
  out.is_drifted = row.boolean(8);
  out.columns = read_list<ColumnDrift>(row.text(9));
  out.labels = row.integer(10);
  out.is_degraded = row.boolean(11);
  out.metrics = read_list<LiveMetric>(row.text(12));
  out.closed_ms = row.integer(13);
  out.measured_ms = row.integer(14);
  return out;
}

Alert alert_of(const sql::Row& row) {
  Alert out;
  out.id = row.integer(0);
  out.kind = row.string(1);
  out.endpoint = row.string(2);
  out.window_id = row.string(3);
  out.version = row.string(4);
  out.start_ms = row.integer(5);
  out.end_ms = row.integer(6);
  out.time_ms = row.integer(7);
  auto detail = json::parse(row.text(8));
  if (detail.ok()) out.detail = std::move(*detail);
  return out;
}

}  // namespace

Result<std::optional<std::int64_t>> closed_until(sql::Reader& reader, std::string_view endpoint) {
  return reader.query_one("SELECT closed_until_ms FROM monitor_cursors WHERE endpoint = $1",
                          {endpoint}, [](const sql::Row& row) { return row.integer(0); });
}

Result<void> set_closed_until(sql::Txn& txn, std::string_view endpoint, std::int64_t ms) {
  TRY(txn.execute(R"(
      INSERT INTO monitor_cursors (endpoint, closed_until_ms) VALUES ($1, $2)
      ON CONFLICT (endpoint) DO UPDATE SET closed_until_ms = excluded.closed_until_ms)",
                  {endpoint, ms}));
  return {};
}

Result<bool> add_window(sql::Txn& txn, const Window& window, std::int64_t next_measure_ms) {
  const std::string columns = json::write(window.columns);
  const std::string metrics = json::write(window.metrics);
  TRY(const auto added,
      txn.execute(
          R"(
      INSERT INTO monitor_windows (window_id, endpoint, model, version, start_ms, end_ms, row_count,
                                   is_judged, is_drifted, column_drift, label_count, is_degraded,
                                   metrics, closed_ms, measured_ms, next_measure_ms)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
      ON CONFLICT (window_id) DO NOTHING)",
          {std::string_view(window.id), std::string_view(window.endpoint),
           std::string_view(window.model), std::string_view(window.version), window.start_ms,
           window.end_ms, window.rows, sql::param(window.is_judged), sql::param(window.is_drifted),
           std::string_view(columns), window.labels, sql::param(window.is_degraded),
           std::string_view(metrics), window.closed_ms, window.measured_ms, next_measure_ms}));
  return added > 0;
}

Result<void> set_metrics(sql::Txn& txn, const Window& window, std::int64_t next_measure_ms) {
  const std::string metrics = json::write(window.metrics);
  TRY(txn.execute(R"(
      UPDATE monitor_windows SET label_count = $2, is_degraded = $3, metrics = $4, measured_ms = $5,
                                 next_measure_ms = $6
      WHERE window_id = $1)",
                  {std::string_view(window.id), window.labels, sql::param(window.is_degraded),
                   std::string_view(metrics), window.measured_ms, next_measure_ms}));
  return {};
}

Result<std::optional<Window>> find_window(sql::Reader& reader, std::string_view id) {
  return reader.query_one(R"(
      SELECT window_id, endpoint, model, version, start_ms, end_ms, row_count, is_judged, is_drifted,
             column_drift, label_count, is_degraded, metrics, closed_ms, measured_ms
      FROM monitor_windows WHERE window_id = $1)",
                          {id}, window_of);
}

Result<std::vector<Window>> windows(sql::Reader& reader, std::string_view endpoint,
                                    std::int64_t before_ms, int limit) {
  return reader.query_all(R"(
      SELECT window_id, endpoint, model, version, start_ms, end_ms, row_count, is_judged, is_drifted,
             column_drift, label_count, is_degraded, metrics, closed_ms, measured_ms
      FROM monitor_windows WHERE endpoint = $1 AND start_ms < $2
      ORDER BY start_ms DESC, window_id DESC LIMIT $3)",
                          {endpoint, before_ms == 0 ? kNoBound : before_ms, std::int64_t{limit}},
                          window_of);
}

Result<std::vector<Window>> judged_before(sql::Reader& reader, const Window& window, int limit) {
  return reader.query_all(R"(
      SELECT window_id, endpoint, model, version, start_ms, end_ms, row_count, is_judged, is_drifted,
             column_drift, label_count, is_degraded, metrics, closed_ms, measured_ms
      FROM monitor_windows
      WHERE endpoint = $1 AND model = $2 AND version = $3 AND is_judged = 1 AND start_ms < $4
      ORDER BY start_ms DESC LIMIT $5)",
                          {std::string_view(window.endpoint), std::string_view(window.model),
                           std::string_view(window.version), window.start_ms, std::int64_t{limit}},
                          window_of);
}

Result<std::vector<Window>> windows_due(sql::Reader& reader, std::string_view endpoint,
                                        std::int64_t label_time_ms) {
  return reader.query_all(R"(
      SELECT window_id, endpoint, model, version, start_ms, end_ms, row_count, is_judged, is_drifted,
             column_drift, label_count, is_degraded, metrics, closed_ms, measured_ms
      FROM monitor_windows WHERE endpoint = $1 AND next_measure_ms <= $2
      ORDER BY start_ms, window_id)",
                          {endpoint, label_time_ms}, window_of);
}

Result<bool> add_alert(sql::Txn& txn, const Alert& alert) {
  const std::string detail = json::dump(alert.detail);
  TRY(const auto added,
      txn.execute(R"(
      INSERT INTO monitor_alerts (kind, endpoint, window_id, version, start_ms, end_ms, time_ms, detail)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (window_id, kind) DO NOTHING)",
                  {std::string_view(alert.kind), std::string_view(alert.endpoint),
                   std::string_view(alert.window_id), std::string_view(alert.version),
                   alert.start_ms, alert.end_ms, alert.time_ms, std::string_view(detail)}));
  return added > 0;
}

Result<std::vector<Alert>> alerts(sql::Reader& reader, std::string_view endpoint,
                                  std::int64_t before, int limit) {
  const std::int64_t below = before == 0 ? kNoBound : before;
  if (endpoint.empty()) {
    return reader.query_all(R"(
        SELECT alert_id, kind, endpoint, window_id, version, start_ms, end_ms, time_ms, detail
        FROM monitor_alerts WHERE alert_id < $1 ORDER BY alert_id DESC LIMIT $2)",
                            {below, std::int64_t{limit}}, alert_of);
  }
  return reader.query_all(R"(
      SELECT alert_id, kind, endpoint, window_id, version, start_ms, end_ms, time_ms, detail
      FROM monitor_alerts WHERE endpoint = $1 AND alert_id < $2 ORDER BY alert_id DESC LIMIT $3)",
                          {endpoint, below, std::int64_t{limit}}, alert_of);
}

}  // namespace ciclo::monitor::store
