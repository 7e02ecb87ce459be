CREATE TABLE pipeline_runs (
  pipeline_run_id TEXT PRIMARY KEY,
  workspace TEXT NOT NULL,
  pipeline TEXT NOT NULL,
  state TEXT NOT NULL,
  spec TEXT NOT NULL,
  cause TEXT NOT NULL,
  error TEXT NOT NULL,
  cancel_requested BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  started_ms BIGINT,
  ended_ms BIGINT,
  revision BIGINT NOT NULL
);

CREATE INDEX pipeline_runs_by_pipeline ON pipeline_runs (workspace, pipeline, pipeline_run_id);
CREATE INDEX pipeline_runs_by_workspace ON pipeline_runs (workspace, pipeline_run_id);
CREATE INDEX pipeline_runs_active ON pipeline_runs (pipeline_run_id)
  WHERE state IN ('pending', 'running');

CREATE TABLE pipeline_steps (
  pipeline_run_id TEXT NOT NULL REFERENCES pipeline_runs (pipeline_run_id),
  position BIGINT NOT NULL,
  state TEXT NOT NULL,
  attempts BIGINT NOT NULL,
  failures BIGINT NOT NULL,
  interruptions BIGINT NOT NULL,
  execution_id TEXT NOT NULL,
  not_before_ms BIGINT NOT NULL,
  cache_key TEXT NOT NULL,
  key_parts TEXT NOT NULL,
  why TEXT NOT NULL,
  error_code TEXT NOT NULL,
  error TEXT NOT NULL,
  started_ms BIGINT,
  ended_ms BIGINT,
  outputs TEXT NOT NULL,
  PRIMARY KEY (pipeline_run_id, position)
);

CREATE TABLE pipeline_executions (
  execution_id TEXT PRIMARY KEY,
  pipeline_run_id TEXT NOT NULL REFERENCES pipeline_runs (pipeline_run_id),
  step TEXT NOT NULL,
  attempt BIGINT NOT NULL,
  state TEXT NOT NULL,
  error_code TEXT NOT NULL,
  error TEXT NOT NULL,
  started_ms BIGINT NOT NULL,
  ended_ms BIGINT,
  user_cpu_ms BIGINT,
  system_cpu_ms BIGINT,
  rss_bytes_max BIGINT,
  log BYTES,
  log_blob TEXT NOT NULL,
  log_bytes BIGINT NOT NULL
);

CREATE INDEX pipeline_executions_by_run ON pipeline_executions (pipeline_run_id, execution_id);

CREATE TABLE pipeline_cache (
  workspace TEXT NOT NULL,
  cache_key TEXT NOT NULL,
  pipeline TEXT NOT NULL,
  step TEXT NOT NULL,
  execution_id TEXT NOT NULL,
  key_parts TEXT NOT NULL,
  outputs TEXT NOT NULL,
  used_ms BIGINT NOT NULL,
  PRIMARY KEY (workspace, cache_key)
);

CREATE INDEX pipeline_cache_by_step ON pipeline_cache (workspace, pipeline, step, used_ms);

CREATE TABLE pipeline_engine (
  id BIGINT PRIMARY KEY,
  engine BIGINT NOT NULL,
  opened_ms BIGINT NOT NULL
);

CREATE TABLE triggers (
  workspace TEXT NOT NULL,
  name TEXT NOT NULL,
  spec TEXT NOT NULL,
  runs BIGINT NOT NULL,
  passed BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  last_run_ms BIGINT,
  last_pipeline_run_id TEXT NOT NULL,
  last_error TEXT NOT NULL,
  PRIMARY KEY (workspace, name)
);
