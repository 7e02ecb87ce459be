CREATE TABLE datasets (
  workspace TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  latest BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  updated_ms BIGINT NOT NULL,
  PRIMARY KEY (workspace, name)
);

CREATE TABLE dataset_versions (
  workspace TEXT NOT NULL,
  name TEXT NOT NULL,
  number BIGINT NOT NULL,
  hash TEXT NOT NULL,
  rows_count BIGINT NOT NULL,
  bytes_count BIGINT NOT NULL,
  files TEXT NOT NULL,
  table_schema TEXT NOT NULL,
  statistics TEXT NOT NULL,
  source TEXT NOT NULL,
  artifact_id TEXT NOT NULL,
  created_by TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  PRIMARY KEY (workspace, name, number)
);

CREATE UNIQUE INDEX dataset_versions_by_hash ON dataset_versions (workspace, name, hash);
