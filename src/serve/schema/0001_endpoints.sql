-- Endpoints, and what served through them.
CREATE TABLE endpoints (
  name TEXT NOT NULL PRIMARY KEY,
  workspace TEXT NOT NULL,
  model TEXT NOT NULL,
  alias TEXT NOT NULL,
  version TEXT NOT NULL,
  capture BIGINT NOT NULL,
  monitor TEXT NOT NULL,
  state TEXT NOT NULL,
  serving_model TEXT NOT NULL,
  serving_version TEXT NOT NULL,
  message TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  updated_ms BIGINT NOT NULL
);

CREATE TABLE endpoint_deployments (
  deployment_id IDENTITY,
  endpoint TEXT NOT NULL,
  model TEXT NOT NULL,
  version TEXT NOT NULL,
  previous TEXT NOT NULL,
  time_ms BIGINT NOT NULL
);
CREATE INDEX endpoint_deployments_by_endpoint ON endpoint_deployments (endpoint, deployment_id);
