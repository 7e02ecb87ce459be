# Experiments are created once, found by name, deleted and restored.

POST /api/2.0/mlflow/experiments/create

{"name": "stories", "tags": [{"key": "team", "value": "ground"}]}
--- 200
{"experiment_id": "{{experiment=}}"}

GET /api/2.0/mlflow/experiments/get-by-name?experiment_name=stories
--- 200
{"experiment": {"experiment_id": "{{experiment}}", "name": "stories", "lifecycle_stage": "active",
                "tags": [{"key": "team", "value": "ground"}]}}

# The name is taken.

POST /api/2.0/mlflow/experiments/create

{"name": "stories"}
--- 400
{"error_code": "RESOURCE_ALREADY_EXISTS", "message": "{{/.*stories.*/}}"}

POST /api/2.0/mlflow/experiments/delete

{"experiment_id": "{{experiment}}"}
--- 200

GET /api/2.0/mlflow/experiments/get?experiment_id={{experiment}}
--- 200
{"experiment": {"lifecycle_stage": "deleted"}}

# A deleted experiment takes no runs.

POST /api/2.0/mlflow/runs/create

{"experiment_id": "{{experiment}}", "start_time": 1700000000000}
--- 400
{"error_code": "INVALID_PARAMETER_VALUE"}

POST /api/2.0/mlflow/experiments/restore

{"experiment_id": "{{experiment}}"}
--- 200

GET /api/2.0/mlflow/experiments/get?experiment_id=98765
--- 404
{"error_code": "RESOURCE_DOES_NOT_EXIST"}
