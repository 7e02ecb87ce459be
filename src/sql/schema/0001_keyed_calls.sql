-- Calls that their client may send again under the same key: what each asked, and what its
-- transaction returned. `part` counts the recorded transactions of one call from 0.
CREATE TABLE keyed_calls (
  workspace TEXT NOT NULL,
  caller TEXT NOT NULL,
  call_key TEXT NOT NULL,
  part BIGINT NOT NULL,
  request TEXT NOT NULL,
  body_hash TEXT NOT NULL,
  value TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  PRIMARY KEY (workspace, caller, call_key, part)
) CLUSTERED;
CREATE INDEX keyed_calls_by_age ON keyed_calls (created_ms);
