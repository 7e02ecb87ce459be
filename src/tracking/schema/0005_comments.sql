-- What people say about experiments, runs, models and their versions, and what they said before.
-- `object` is what stays the same when names change: the id of an experiment or run, the number of
-- a model or version. A deleted comment keeps its row.

CREATE TABLE comments (
  comment_id TEXT PRIMARY KEY,
  workspace TEXT NOT NULL,
  kind TEXT NOT NULL,
  object TEXT NOT NULL,
  author TEXT NOT NULL,
  text TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  edits BIGINT NOT NULL,
  edited_ms BIGINT,
  deleted_ms BIGINT
);
CREATE INDEX comments_of_object ON comments (workspace, kind, object, comment_id);

-- The texts that an edit or the deletion replaced, from 1 on.
CREATE TABLE comment_texts (
  comment_id TEXT NOT NULL,
  number BIGINT NOT NULL,
  text TEXT NOT NULL,
  until_ms BIGINT NOT NULL,
  PRIMARY KEY (comment_id, number)
) CLUSTERED;
