-- Who deployed; unknown of what was deployed before. The deployments of a model are found by it.
ALTER TABLE endpoint_deployments ADD COLUMN caller TEXT NOT NULL DEFAULT '';
CREATE INDEX endpoint_deployments_by_model ON endpoint_deployments (model, deployment_id);
