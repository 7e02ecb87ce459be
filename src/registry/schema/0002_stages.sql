-- The stage of a version, as clients that do not know aliases set it.

ALTER TABLE model_versions ADD COLUMN stage TEXT NOT NULL DEFAULT 'None';
CREATE INDEX model_versions_by_stage ON model_versions (model_number, stage, version);
