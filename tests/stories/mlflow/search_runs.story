# Runs are found by metrics, params and tags, ordered, and paged.

POST /api/2.0/mlflow/experiments/create

{"name": "search"}
--- 200
{"experiment_id": "{{experiment=}}"}

POST /api/2.0/mlflow/runs/create

{"experiment_id": "{{experiment}}", "run_name": "good", "start_time": 1700000000000}
--- 200
{"run": {"info": {"run_id": "{{good=}}"}}}

POST /api/2.0/mlflow/runs/create

{"experiment_id": "{{experiment}}", "run_name": "bad", "start_time": 1700000001000}
--- 200
{"run": {"info": {"run_id": "{{bad=}}"}}}

POST /api/2.0/mlflow/runs/log-batch

{"run_id": "{{good}}", "params": [{"key": "depth", "value": "6"}],
 "metrics": [{"key": "auc", "value": 0.9, "timestamp": 1, "step": 0}]}
--- 200

POST /api/2.0/mlflow/runs/log-batch

{"run_id": "{{bad}}", "params": [{"key": "depth", "value": "2"}],
 "metrics": [{"key": "auc", "value": 0.6, "timestamp": 1, "step": 0}]}
--- 200

POST /api/2.0/mlflow/runs/search

{"experiment_ids": ["{{experiment}}"], "filter": "metrics.auc > 0.8 AND params.depth = '6'"}
--- 200
{"runs": [{"info": {"run_id": "{{good}}"}}]}

POST /api/2.0/mlflow/runs/search

{"experiment_ids": ["{{experiment}}"], "order_by": ["metrics.auc ASC"], "max_results": 1}
--- 200
{"runs": [{"info": {"run_id": "{{bad}}"}}], "next_page_token": "{{token=}}"}

POST /api/2.0/mlflow/runs/search

{"experiment_ids": ["{{experiment}}"], "order_by": ["metrics.auc ASC"], "max_results": 1,
 "page_token": "{{token}}"}
--- 200
{"runs": [{"info": {"run_id": "{{good}}"}}]}

POST /api/2.0/mlflow/runs/search

{"experiment_ids": ["{{experiment}}"], "filter": "metrics.auc > 0.8 OR params.depth = '2'"}
--- 400
{"error_code": "INVALID_PARAMETER_VALUE"}
