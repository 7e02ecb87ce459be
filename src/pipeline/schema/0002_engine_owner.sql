-- Whose the engine is that writes, and that it lives: one whose beat stands still may be followed
-- by another. No owner: it has ended, or is of a version that knew none.
ALTER TABLE pipeline_engine ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE pipeline_engine ADD COLUMN beat BIGINT NOT NULL DEFAULT 0;
