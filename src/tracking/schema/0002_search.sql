-- What a search looks for among the runs of an experiment: the latest value of a metric, a param or
-- a tag. Long texts are found by their beginning.

ALTER TABLE metric_series ADD COLUMN experiment_id BIGINT NOT NULL DEFAULT 0;
ALTER TABLE run_params ADD COLUMN experiment_id BIGINT NOT NULL DEFAULT 0;
ALTER TABLE run_tags ADD COLUMN experiment_id BIGINT NOT NULL DEFAULT 0;

UPDATE metric_series SET experiment_id =
  (SELECT r.experiment_id FROM runs r WHERE r.run_number = metric_series.run_number);
UPDATE run_params SET experiment_id =
  (SELECT r.experiment_id FROM runs r WHERE r.run_number = run_params.run_number);
UPDATE run_tags SET experiment_id =
  (SELECT r.experiment_id FROM runs r WHERE r.run_number = run_tags.run_number);

CREATE INDEX metric_series_by_value
  ON metric_series (experiment_id, key, is_nan, value, run_number);
CREATE INDEX run_params_by_value
  ON run_params (experiment_id, key, (SUBSTR(value, 1, 64)), run_number);
CREATE INDEX run_tags_by_value
  ON run_tags (experiment_id, key, (SUBSTR(value, 1, 64)), run_number);
