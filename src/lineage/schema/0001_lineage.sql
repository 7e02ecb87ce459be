CREATE TABLE artifacts (
  id TEXT PRIMARY KEY,
  workspace TEXT NOT NULL,
  type TEXT NOT NULL,
  hash TEXT NOT NULL,
  size BIGINT NOT NULL,
  files_count BIGINT NOT NULL,
  properties TEXT NOT NULL,
  created_ms BIGINT NOT NULL
);

CREATE INDEX artifacts_by_workspace ON artifacts (workspace, id);
CREATE INDEX artifacts_by_type ON artifacts (workspace, type, id);

CREATE TABLE artifact_files (
  artifact_id TEXT NOT NULL REFERENCES artifacts (id),
  path TEXT NOT NULL,
  hash TEXT NOT NULL,
  size BIGINT NOT NULL,
  PRIMARY KEY (artifact_id, path)
);

CREATE INDEX artifact_files_by_hash ON artifact_files (hash);

CREATE TABLE executions (
  id TEXT PRIMARY KEY,
  workspace TEXT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  state TEXT NOT NULL,
  properties TEXT NOT NULL,
  started_ms BIGINT NOT NULL,
  ended_ms BIGINT NOT NULL
);

CREATE INDEX executions_by_workspace ON executions (workspace, id);

-- An edge: the execution used (input) or made (output) the artifact at that port.
CREATE TABLE execution_artifacts (
  execution_id TEXT NOT NULL REFERENCES executions (id),
  direction TEXT NOT NULL,
  port TEXT NOT NULL,
  artifact_id TEXT NOT NULL REFERENCES artifacts (id),
  PRIMARY KEY (execution_id, direction, port)
);

CREATE INDEX execution_artifacts_by_artifact ON execution_artifacts
  (artifact_id, direction, execution_id);
