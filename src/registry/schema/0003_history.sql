-- What happened to models and versions, for ever; alias_moves has what happened to aliases.
-- Append-only. `name` is the model's after the change. What is there already is taken to have
-- been made as its row says, with its stage set at its last update; what was deleted before is not
-- known.
CREATE TABLE model_changes (
  change IDENTITY,
  workspace TEXT NOT NULL,
  model_number BIGINT NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  version BIGINT,
  value TEXT NOT NULL,
  previous TEXT NOT NULL,
  source TEXT NOT NULL,
  run_id TEXT NOT NULL,
  time_ms BIGINT NOT NULL,
  caller TEXT NOT NULL
);
CREATE INDEX model_changes_by_model ON model_changes (model_number, change);
CREATE INDEX model_changes_by_name ON model_changes (workspace, name, model_number);
CREATE INDEX model_changes_by_time ON model_changes (workspace, time_ms);

INSERT INTO model_changes (workspace, model_number, name, kind, version, value, previous, source,
                           run_id, time_ms, caller)
SELECT workspace, model_number, name, 'model.created', CAST(NULL AS BIGINT), '', '', '', '',
       created_ms, ''
FROM registered_models ORDER BY model_number;

INSERT INTO model_changes (workspace, model_number, name, kind, version, value, previous, source,
                           run_id, time_ms, caller)
SELECT m.workspace, m.model_number, m.name, 'version.created', v.version, '', '', v.source,
       v.run_id, v.created_ms, v.user_id
FROM model_versions v JOIN registered_models m ON m.model_number = v.model_number
ORDER BY v.version_number;

INSERT INTO model_changes (workspace, model_number, name, kind, version, value, previous, source,
                           run_id, time_ms, caller)
SELECT m.workspace, m.model_number, m.name, 'stage.changed', v.version, v.stage, 'None', '', '',
       v.updated_ms, ''
FROM model_versions v JOIN registered_models m ON m.model_number = v.model_number
WHERE v.stage <> 'None' ORDER BY v.version_number;
