-- What was copied from where, object by object, so that a migration that was cut off goes on, and
-- one that is run again copies nothing twice.

CREATE TABLE imports (
  import IDENTITY,
  source TEXT NOT NULL UNIQUE,
  started_ms BIGINT NOT NULL,
  -- When everything was there and compared; NULL: not yet.
  finished_ms BIGINT
);

CREATE TABLE import_objects (
  import BIGINT NOT NULL,
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  PRIMARY KEY (import, kind, id)
) CLUSTERED;
