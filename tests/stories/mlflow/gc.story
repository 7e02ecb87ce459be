# What is deleted and needed by nobody is removed for good; what a registered version needs stays.
# The bytes go once they are older than the grace period.

POST /api/2.0/mlflow/experiments/create

{"name": "trash"}
--- 200
{"experiment_id": "{{experiment=}}"}

POST /api/2.0/mlflow/runs/create

{"experiment_id": "{{experiment}}", "run_name": "useless"}
--- 200
{"run": {"info": {"run_id": "{{useless=}}"}}}

POST /api/2.0/mlflow/runs/create

{"experiment_id": "{{experiment}}", "run_name": "needed"}
--- 200
{"run": {"info": {"run_id": "{{needed=}}"}}}

PUT /api/2.0/mlflow-artifacts/artifacts/{{experiment}}/{{useless}}/artifacts/notes.txt

eleven byte
--- 200

PUT /api/2.0/mlflow-artifacts/artifacts/{{experiment}}/{{needed}}/artifacts/model/MLmodel

flavors: {}
--- 200

POST /api/2.0/mlflow/registered-models/create

{"name": "churn"}
--- 200

POST /api/2.0/mlflow/model-versions/create

{"name": "churn", "source": "mlflow-artifacts:/{{experiment}}/{{needed}}/artifacts/model", "run_id": "{{needed}}"}
--- 200

POST /api/2.0/mlflow/runs/delete

{"run_id": "{{useless}}"}
--- 200

POST /api/2.0/mlflow/runs/delete

{"run_id": "{{needed}}"}
--- 200

$ ciclo gc --older-than 30d --server {{server}} --json
--- 0
{"dry_run": false, "runs": 0, "kept_count": 2, "blobs": {"count": 0, "bytes": 0}}

$ ciclo gc --dry-run --server {{server}} --json
--- 0
{"dry_run": true, "runs": 1, "logged_models": 0, "experiments": 0, "kept_count": 1,
 "removed": [{"kind": "run", "id": "{{useless}}", "name": "useless", "artifact_bytes": 11}],
 "kept": [{"kind": "run", "id": "{{needed}}",
           "reason": "version 1 of model \"churn\" was made by it"}],
 "waiting": {"count": 1, "bytes": 11}}

$ find root/blobs -type f -exec touch -d '7 days ago' {} +
--- 0

$ ciclo gc --dry-run --server {{server}} --json
--- 0
{"dry_run": true, "runs": 1, "blobs": {"count": 1, "bytes": 11}, "waiting": {"count": 0, "bytes": 0}}

GET /api/2.0/mlflow/runs/get?run_id={{useless}}
--- 200
{"run": {"info": {"lifecycle_stage": "deleted"}}}

$ ciclo gc --server {{server}}
--- 0
removed  id{{any}}
{{/[─ ]+/}}
run      {{useless}}  useless {{any}}

kept  id{{any}}
{{/[─ ]+/}}
run   {{needed}}  needed  version 1 of model "churn" was made by it

removed
{{/[─ ]+/}}
{{/runs +1/}}
{{/logged models +0/}}
{{/experiments +0/}}
{{/stored values that nothing names +1 \(11 B\)/}}
{{/left by writers that died +0 \(0 B\)/}}

GET /api/2.0/mlflow/runs/get?run_id={{useless}}
--- 404
{"error_code": "RESOURCE_DOES_NOT_EXIST"}

GET /api/2.0/mlflow-artifacts/artifacts/{{experiment}}/{{useless}}/artifacts/notes.txt
--- 404

GET /api/2.0/mlflow-artifacts/artifacts/{{experiment}}/{{needed}}/artifacts/model/MLmodel
--- 200
flavors: {}

GET /api/v1/events?kind=run.removed
--- 200
{"items": [{"subject": "{{useless}}", "data": {"name": "useless", "experiment_id": "{{experiment}}"}}]}

GET /api/v1/events?kind=retention.collected
--- 200
{"items": [{"data": {"runs": 0}}, {"data": {"runs": 1, "kept": 1, "blobs": {"count": 1, "bytes": 11}}}]}

DELETE /api/2.0/mlflow/model-versions/delete

{"name": "churn", "version": "1"}
--- 200

$ ciclo gc --run {{needed}} --server {{server}} --json
--- 0
{"runs": 1, "kept_count": 0, "blobs": {"count": 1, "bytes": 11}}

$ ciclo gc --run {{needed}} --server {{server}}
--- 1
2> ciclo: there is no run "{{needed}}"

POST /api/2.0/mlflow/experiments/delete

{"experiment_id": "{{experiment}}"}
--- 200

$ ciclo gc --experiment {{experiment}} --server {{server}} --json
--- 0
{"runs": 0, "experiments": 1}

POST /api/2.0/mlflow/experiments/create

{"name": "trash"}
--- 200

$ ciclo gc --experiment 0 --server {{server}}
--- 1
2> ciclo: experiment "0" is not deleted; delete it first, then collect

$ ciclo gc --older-than soon --server {{server}}
--- 1
2> ciclo: --older-than: expected a duration such as 90s, 15m, 12h, 7d or 2w, got "soon"

$ ciclo gc --grace 1s --server {{server}}
--- 1
2> ciclo: grace_ms must be at least 120000, so that no upload under way loses its bytes, got 1000

POST /api/v1/gc

{"dryrun": true}
--- 400
{"error": {"code": "invalid_argument"}}

GET /api/v1/gc/none
--- 404
{"error": {"code": "not_found"}}

GET /api/v1/gc
--- 200
{"items": [{"state": "failed", "caller": "{{any}}", "started_ms": "{{any}}"}, "..."]}
