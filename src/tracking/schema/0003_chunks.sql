-- Most points of a long metric stand in chunks: up to 1,024 of one series, packed as point_codec.h
-- has it. The chunks of a series do not overlap in the order of histories; each is found by its
-- last point. The newest points, and those that came late, are rows of metric_points until they are
-- folded into chunks. Rows that stand there already are folded when their series is written to.
CREATE TABLE metric_chunks (
  chunk IDENTITY,
  series BIGINT NOT NULL,
  last_timestamp_ms BIGINT NOT NULL,
  last_step BIGINT NOT NULL,
  last_value DOUBLE PRECISION NOT NULL,
  last_is_nan BIGINT NOT NULL,
  points BIGINT NOT NULL,
  step_min BIGINT NOT NULL,
  step_max BIGINT NOT NULL,
  is_step_sorted BIGINT NOT NULL,
  data BYTES NOT NULL,
  UNIQUE (series, last_timestamp_ms, last_step, last_value, last_is_nan)
);

-- About how many rows came since the last fold, and from which time the next one begins.
ALTER TABLE metric_series ADD COLUMN unfolded BIGINT NOT NULL DEFAULT 0;
ALTER TABLE metric_series ADD COLUMN fold_from_ms BIGINT NOT NULL DEFAULT 0;
