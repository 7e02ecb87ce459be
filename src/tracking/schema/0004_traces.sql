-- Traces: what one request to an application did, span by span, and what was said about it.

CREATE TABLE traces (
  trace_number IDENTITY,
  trace_id TEXT NOT NULL UNIQUE,
  experiment_id BIGINT NOT NULL,
  client_request_id TEXT,
  state TEXT NOT NULL,
  request_ms BIGINT NOT NULL,
  duration_ms BIGINT,
  request_preview TEXT,
  response_preview TEXT
);
CREATE INDEX traces_by_time ON traces (experiment_id, request_ms DESC, trace_id);

CREATE TABLE trace_tags (
  trace_number BIGINT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  experiment_id BIGINT NOT NULL,
  PRIMARY KEY (trace_number, key)
) CLUSTERED;
CREATE INDEX trace_tags_by_value
  ON trace_tags (experiment_id, key, (SUBSTR(value, 1, 64)), trace_number);

CREATE TABLE trace_metadata (
  trace_number BIGINT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  experiment_id BIGINT NOT NULL,
  PRIMARY KEY (trace_number, key)
) CLUSTERED;
CREATE INDEX trace_metadata_by_value
  ON trace_metadata (experiment_id, key, (SUBSTR(value, 1, 64)), trace_number);

-- `content` is the span as JSON, whole; the other columns and span_attributes repeat of it what a
-- search looks for. The rows are large, so they do not stand in the order of a key.
CREATE TABLE spans (
  span_number IDENTITY,
  trace_number BIGINT NOT NULL,
  span_id TEXT NOT NULL,
  experiment_id BIGINT NOT NULL,
  parent_span_id TEXT,
  name TEXT NOT NULL,
  type TEXT NOT NULL,
  status TEXT NOT NULL,
  start_ns BIGINT NOT NULL,
  end_ns BIGINT,
  content TEXT NOT NULL,
  UNIQUE (trace_number, span_id)
);
CREATE INDEX spans_by_name ON spans (experiment_id, (SUBSTR(name, 1, 64)), trace_number);
CREATE INDEX spans_by_type ON spans (experiment_id, (SUBSTR(type, 1, 64)), trace_number);
CREATE INDEX spans_by_status ON spans (experiment_id, status, trace_number);

CREATE TABLE span_attributes (
  span_number BIGINT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  trace_number BIGINT NOT NULL,
  experiment_id BIGINT NOT NULL,
  PRIMARY KEY (span_number, key)
);
CREATE INDEX span_attributes_by_value
  ON span_attributes (experiment_id, key, (SUBSTR(value, 1, 64)), trace_number);
CREATE INDEX span_attributes_by_trace ON span_attributes (trace_number);

-- Feedback, expectations and references to issues. `value`, `error` and `metadata` are JSON;
-- `number` is the value where it is one. A session's assessment speaks for all traces of it.
CREATE TABLE trace_assessments (
  assessment_id TEXT NOT NULL UNIQUE,
  trace_number BIGINT NOT NULL,
  experiment_id BIGINT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  number DOUBLE PRECISION,
  error TEXT,
  source_type TEXT NOT NULL,
  source_id TEXT NOT NULL,
  run_id TEXT NOT NULL,
  span_id TEXT,
  rationale TEXT,
  metadata TEXT NOT NULL,
  session TEXT,
  overrides TEXT,
  is_valid BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  updated_ms BIGINT NOT NULL
);
CREATE INDEX trace_assessments_by_trace ON trace_assessments (trace_number, created_ms);
CREATE INDEX trace_assessments_by_name ON trace_assessments (experiment_id, kind, name);
CREATE INDEX trace_assessments_by_session ON trace_assessments (session, kind, name);

CREATE TABLE trace_runs (
  trace_number BIGINT NOT NULL,
  run_id TEXT NOT NULL,
  PRIMARY KEY (trace_number, run_id)
) CLUSTERED;
CREATE INDEX trace_runs_by_run ON trace_runs (run_id, trace_number);

-- Versions of prompts that a trace used, as "name/version".
CREATE TABLE trace_prompts (
  trace_number BIGINT NOT NULL,
  prompt TEXT NOT NULL,
  PRIMARY KEY (trace_number, prompt)
) CLUSTERED;
CREATE INDEX trace_prompts_by_prompt ON trace_prompts (prompt, trace_number);
