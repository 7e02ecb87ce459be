-- What was found in the traffic of endpoints.

-- Up to where an endpoint's windows are closed.
CREATE TABLE monitor_cursors (
  endpoint TEXT NOT NULL PRIMARY KEY,
  closed_until_ms BIGINT NOT NULL
);

CREATE TABLE monitor_windows (
  window_id TEXT NOT NULL PRIMARY KEY,
  endpoint TEXT NOT NULL,
  model TEXT NOT NULL,
  version TEXT NOT NULL,
  start_ms BIGINT NOT NULL,
  end_ms BIGINT NOT NULL,
  row_count BIGINT NOT NULL,
  is_judged BIGINT NOT NULL,
  is_drifted BIGINT NOT NULL,
  column_drift TEXT NOT NULL,
  label_count BIGINT NOT NULL,
  is_degraded BIGINT NOT NULL,
  metrics TEXT NOT NULL,
  closed_ms BIGINT NOT NULL,
  measured_ms BIGINT NOT NULL,
  -- The label time from which it is measured (again).
  next_measure_ms BIGINT NOT NULL
);
CREATE INDEX monitor_windows_by_start ON monitor_windows (endpoint, start_ms);
CREATE INDEX monitor_windows_by_next ON monitor_windows (endpoint, next_measure_ms);

-- One of a kind for each window: what keeps an alarm from being raised twice.
CREATE TABLE monitor_alerts (
  alert_id IDENTITY,
  kind TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  window_id TEXT NOT NULL,
  version TEXT NOT NULL,
  start_ms BIGINT NOT NULL,
  end_ms BIGINT NOT NULL,
  time_ms BIGINT NOT NULL,
  detail TEXT NOT NULL,
  UNIQUE (window_id, kind)
);
CREATE INDEX monitor_alerts_by_endpoint ON monitor_alerts (endpoint, alert_id);
