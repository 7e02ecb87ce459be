-- Experiments and runs. Large tables name a run by its number, which is shorter than its id.

CREATE TABLE experiments (
  experiment_id IDENTITY,
  workspace TEXT NOT NULL,
  name TEXT NOT NULL,
  artifact_location TEXT NOT NULL,
  lifecycle_stage TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  updated_ms BIGINT NOT NULL,
  deleted_ms BIGINT,
  UNIQUE (workspace, name)
);

INSERT INTO experiments (experiment_id, workspace, name, artifact_location, lifecycle_stage,
                         created_ms, updated_ms)
VALUES (0, 'default', 'Default', 'mlflow-artifacts:/0', 'active', 0, 0);

CREATE TABLE experiment_tags (
  experiment_id BIGINT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (experiment_id, key)
) CLUSTERED;

CREATE TABLE runs (
  run_number IDENTITY,
  run_id TEXT NOT NULL UNIQUE,
  experiment_id BIGINT NOT NULL,
  name TEXT NOT NULL,
  user_id TEXT NOT NULL,
  status TEXT NOT NULL,
  start_ms BIGINT NOT NULL,
  end_ms BIGINT,
  lifecycle_stage TEXT NOT NULL,
  deleted_ms BIGINT,
  artifact_uri TEXT NOT NULL
);
CREATE INDEX runs_by_start ON runs (experiment_id, start_ms DESC, run_id);

CREATE TABLE run_params (
  run_number BIGINT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (run_number, key)
) CLUSTERED;

CREATE TABLE run_tags (
  run_number BIGINT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (run_number, key)
) CLUSTERED;

-- One row for each key of a run, with its latest point; the points are clustered by series. NaN is
-- the value 0 with is_nan 1.
CREATE TABLE metric_series (
  series IDENTITY,
  run_number BIGINT NOT NULL,
  key TEXT NOT NULL,
  step BIGINT NOT NULL,
  timestamp_ms BIGINT NOT NULL,
  value DOUBLE PRECISION NOT NULL,
  is_nan BIGINT NOT NULL,
  UNIQUE (run_number, key)
);

CREATE TABLE metric_points (
  series BIGINT NOT NULL,
  timestamp_ms BIGINT NOT NULL,
  step BIGINT NOT NULL,
  value DOUBLE PRECISION NOT NULL,
  is_nan BIGINT NOT NULL,
  PRIMARY KEY (series, timestamp_ms, step, value, is_nan)
) CLUSTERED;

-- Data sets as clients describe them; not the data sets of the module `data`.
CREATE TABLE logged_datasets (
  logged_dataset IDENTITY,
  experiment_id BIGINT NOT NULL,
  name TEXT NOT NULL,
  digest TEXT NOT NULL,
  source_type TEXT NOT NULL,
  source TEXT NOT NULL,
  schema_text TEXT,
  profile TEXT,
  UNIQUE (experiment_id, name, digest)
);

CREATE TABLE run_datasets (
  run_number BIGINT NOT NULL,
  logged_dataset BIGINT NOT NULL,
  PRIMARY KEY (run_number, logged_dataset)
) CLUSTERED;

CREATE TABLE run_dataset_tags (
  run_number BIGINT NOT NULL,
  logged_dataset BIGINT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (run_number, logged_dataset, key)
) CLUSTERED;

-- Models that a run read ('input') or made ('output').
CREATE TABLE run_models (
  run_number BIGINT NOT NULL,
  direction TEXT NOT NULL,
  model_id TEXT NOT NULL,
  step BIGINT NOT NULL,
  PRIMARY KEY (run_number, direction, model_id)
) CLUSTERED;

CREATE TABLE logged_models (
  model_number IDENTITY,
  model_id TEXT NOT NULL UNIQUE,
  experiment_id BIGINT NOT NULL,
  name TEXT NOT NULL,
  model_type TEXT NOT NULL,
  source_run_id TEXT NOT NULL,
  artifact_location TEXT NOT NULL,
  status TEXT NOT NULL,
  status_message TEXT NOT NULL,
  lifecycle_stage TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  updated_ms BIGINT NOT NULL
);
CREATE INDEX logged_models_by_creation ON logged_models (experiment_id, created_ms DESC, model_id);

CREATE TABLE logged_model_params (
  model_number BIGINT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (model_number, key)
) CLUSTERED;

CREATE TABLE logged_model_tags (
  model_number BIGINT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (model_number, key)
) CLUSTERED;

-- The latest point of each key, run and data set.
CREATE TABLE logged_model_metrics (
  model_number BIGINT NOT NULL,
  key TEXT NOT NULL,
  run_id TEXT NOT NULL,
  dataset_name TEXT NOT NULL,
  dataset_digest TEXT NOT NULL,
  step BIGINT NOT NULL,
  timestamp_ms BIGINT NOT NULL,
  value DOUBLE PRECISION NOT NULL,
  is_nan BIGINT NOT NULL,
  PRIMARY KEY (model_number, key, run_id, dataset_name, dataset_digest)
) CLUSTERED;

-- For search: of several runs and data sets, the newest point.
CREATE VIEW logged_model_latest AS
SELECT m.model_number, m.key, m.value, m.is_nan FROM logged_model_metrics m
WHERE NOT EXISTS (
  SELECT 1 FROM logged_model_metrics n
  WHERE n.model_number = m.model_number AND n.key = m.key
    AND (n.timestamp_ms, n.step, n.run_id, n.dataset_name, n.dataset_digest)
      > (m.timestamp_ms, m.step, m.run_id, m.dataset_name, m.dataset_digest));

-- The tree of artifact names. Each file and each directory is one row below its parent directory;
-- the root's entries have the directory ''.
CREATE TABLE artifact_entries (
  workspace TEXT NOT NULL,
  directory TEXT NOT NULL,
  name TEXT NOT NULL,
  is_directory BIGINT NOT NULL,
  hash TEXT NOT NULL,
  size BIGINT NOT NULL,
  modified_ms BIGINT NOT NULL,
  PRIMARY KEY (workspace, directory, name)
) CLUSTERED;
