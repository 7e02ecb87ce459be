-- What a server captured and handed over to the others of its database: whole lines of one of its
-- files, from one byte to another. The last segment of a file is replaced by a longer one while it
-- is short.
CREATE TABLE capture_segments (
  segment_id IDENTITY,
  server TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  kind TEXT NOT NULL,
  day TEXT NOT NULL,
  number BIGINT NOT NULL,
  from_byte BIGINT NOT NULL,
  to_byte BIGINT NOT NULL,
  hash TEXT NOT NULL,
  UNIQUE (server, endpoint, kind, day, number, from_byte)
);
