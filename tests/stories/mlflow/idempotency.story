# A call that got no answer is sent again with its key, and is done once, also over a crash.

POST /api/2.0/mlflow/runs/create
Idempotency-Key: run-1

{"experiment_id": "0", "run_name": "first"}
--- 200
{"run": {"info": {"run_id": "{{run=}}", "run_name": "first"}}}

! crash

POST /api/2.0/mlflow/runs/create
Idempotency-Key: run-1

{"experiment_id": "0", "run_name": "first"}
--- 200
< Idempotent-Replayed: true
{"run": {"info": {"run_id": "{{run}}", "run_name": "first"}}}

POST /api/2.0/mlflow/runs/search

{"experiment_ids": ["0"]}
--- 200
{"runs": [{"info": {"run_id": "{{run}}"}}]}

# A key belongs to one request.

POST /api/2.0/mlflow/runs/create
Idempotency-Key: run-1

{"experiment_id": "0", "run_name": "second"}
--- 400
{"error_code": "INVALID_PARAMETER_VALUE",
 "message": "Idempotency-Key \"run-1\" was used for POST /api/2.0/mlflow/runs/create with another body: a key belongs to one request, send a new one with each"}

# A call that failed is tried again under the same key.

POST /api/2.0/mlflow/model-versions/create
Idempotency-Key: version-1

{"name": "m", "source": "s3://models/m/1"}
--- 404
{"error_code": "RESOURCE_DOES_NOT_EXIST"}

POST /api/2.0/mlflow/registered-models/create

{"name": "m"}
--- 200

POST /api/2.0/mlflow/model-versions/create
Idempotency-Key: version-1

{"name": "m", "source": "s3://models/m/1"}
--- 200
{"model_version": {"version": "1"}}

POST /api/2.0/mlflow/model-versions/create
Idempotency-Key: version-1

{"name": "m", "source": "s3://models/m/1"}
--- 200
< Idempotent-Replayed: true
{"model_version": {"version": "1"}}

# Without the key it is another call.

POST /api/2.0/mlflow/model-versions/create

{"name": "m", "source": "s3://models/m/1"}
--- 200
{"model_version": {"version": "2"}}

POST /api/2.0/mlflow/runs/set-tag
Idempotency-Key: two words

{"run_id": "{{run}}", "key": "a", "value": "b"}
--- 400
{"error_code": "BAD_REQUEST",
 "message": "Idempotency-Key must be 1 to 255 visible ASCII characters, got \"two words\""}
