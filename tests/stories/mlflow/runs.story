# A run keeps what was logged, also through a crash: what was answered 200 is there afterwards.

POST /api/2.0/mlflow/experiments/create

{"name": "runs"}
--- 200
{"experiment_id": "{{experiment=}}"}

POST /api/2.0/mlflow/runs/create

{"experiment_id": "{{experiment}}", "run_name": "first", "start_time": 1700000000000,
 "tags": [{"key": "kind", "value": "story"}]}
--- 200
{"run": {"info": {"run_id": "{{run=}}", "run_name": "first", "status": "RUNNING",
                  "experiment_id": "{{experiment}}", "lifecycle_stage": "active"}}}

POST /api/2.0/mlflow/runs/log-batch

{"run_id": "{{run}}",
 "params": [{"key": "eta", "value": "0.1"}],
 "tags": [{"key": "note", "value": "é"}],
 "metrics": [{"key": "auc", "value": 0.5, "timestamp": 1700000000001, "step": 0},
             {"key": "auc", "value": 0.75, "timestamp": 1700000000002, "step": 1},
             {"key": "loss", "value": "NaN", "timestamp": 1700000000002, "step": 1}]}
--- 200

! crash

GET /api/2.0/mlflow/runs/get?run_id={{run}}
--- 200
{"run": {"data": {"params": [{"key": "eta", "value": "0.1"}],
                  "metrics": [{"key": "auc", "value": 0.75, "step": 1},
                              {"key": "loss", "value": "NaN", "step": 1}]}}}

GET /api/2.0/mlflow/metrics/get-history?run_id={{run}}&metric_key=auc
--- 200
{"metrics": [{"value": 0.5, "step": 0}, {"value": 0.75, "step": 1}]}

# Params are immutable: the same value again is fine, another is not.

POST /api/2.0/mlflow/runs/log-parameter

{"run_id": "{{run}}", "key": "eta", "value": "0.1"}
--- 200

POST /api/2.0/mlflow/runs/log-parameter

{"run_id": "{{run}}", "key": "eta", "value": "0.2"}
--- 400
{"error_code": "INVALID_PARAMETER_VALUE", "message": "{{/.*0[.]1.*0[.]2.*/}}"}

POST /api/2.0/mlflow/runs/update

{"run_id": "{{run}}", "status": "FINISHED", "end_time": 1700000009000}
--- 200
{"run_info": {"status": "FINISHED", "end_time": 1700000009000}}
