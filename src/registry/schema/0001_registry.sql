-- Registered models, versions, aliases, and the history of every alias.

CREATE TABLE registered_models (
  model_number IDENTITY,
  workspace TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  last_version BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  updated_ms BIGINT NOT NULL,
  UNIQUE (workspace, name)
);

CREATE TABLE registered_model_tags (
  model_number BIGINT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (model_number, key)
) CLUSTERED;

CREATE TABLE model_versions (
  version_number IDENTITY,
  model_number BIGINT NOT NULL,
  version BIGINT NOT NULL,
  description TEXT NOT NULL,
  user_id TEXT NOT NULL,
  source TEXT NOT NULL,
  storage_uri TEXT NOT NULL,
  run_id TEXT NOT NULL,
  run_link TEXT NOT NULL,
  model_id TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  updated_ms BIGINT NOT NULL,
  UNIQUE (model_number, version)
);
CREATE INDEX model_versions_by_run ON model_versions (run_id);

CREATE TABLE model_version_tags (
  version_number BIGINT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (version_number, key)
) CLUSTERED;

CREATE TABLE model_aliases (
  model_number BIGINT NOT NULL,
  alias TEXT NOT NULL,
  version BIGINT NOT NULL,
  PRIMARY KEY (model_number, alias)
) CLUSTERED;

-- Append-only. Keeps the model's name of the time; NULL: not set.
CREATE TABLE alias_moves (
  move IDENTITY,
  model_number BIGINT NOT NULL,
  name TEXT NOT NULL,
  alias TEXT NOT NULL,
  version BIGINT,
  previous BIGINT,
  time_ms BIGINT NOT NULL,
  caller TEXT NOT NULL,
  reason TEXT NOT NULL
);
CREATE INDEX alias_moves_by_model ON alias_moves (model_number, alias, move);
