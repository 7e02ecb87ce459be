CREATE TABLE events (
  id IDENTITY,
  time_ms BIGINT NOT NULL,
  workspace TEXT NOT NULL,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  body TEXT NOT NULL
);

CREATE INDEX events_by_kind ON events (kind, id);

CREATE TABLE event_cursors (
  consumer TEXT PRIMARY KEY,
  event_id BIGINT NOT NULL
);
