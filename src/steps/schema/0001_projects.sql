-- The projects that were run on this platform, as they were submitted last.
CREATE TABLE projects (
  workspace TEXT NOT NULL,
  name TEXT NOT NULL,
  submission TEXT NOT NULL,        -- JSON: document, files, schemas
  retrained_until_ms BIGINT NOT NULL, -- event time up to which the last retraining learned
  created_ms BIGINT NOT NULL,
  updated_ms BIGINT NOT NULL,
  PRIMARY KEY (workspace, name)
);
