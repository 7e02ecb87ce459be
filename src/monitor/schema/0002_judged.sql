-- The verdicts of a version, newest first: whether a drift persists. Most windows may have none.

CREATE INDEX monitor_windows_by_verdict
  ON monitor_windows (endpoint, model, version, start_ms) WHERE is_judged = 1;
