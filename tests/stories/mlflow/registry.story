# Versions are numbered from 1; an alias names one and moves.

POST /api/2.0/mlflow/registered-models/create

{"name": "delay", "description": "late or not"}
--- 200
{"registered_model": {"name": "delay", "description": "late or not"}}

POST /api/2.0/mlflow/registered-models/create

{"name": "delay"}
--- 400
{"error_code": "RESOURCE_ALREADY_EXISTS"}

POST /api/2.0/mlflow/model-versions/create

{"name": "delay", "source": "s3://models/delay/1"}
--- 200
{"model_version": {"name": "delay", "version": "1", "status": "READY"}}

POST /api/2.0/mlflow/model-versions/create

{"name": "delay", "source": "s3://models/delay/2"}
--- 200
{"model_version": {"version": "2"}}

POST /api/2.0/mlflow/registered-models/alias

{"name": "delay", "alias": "champion", "version": "1"}
--- 200

POST /api/2.0/mlflow/registered-models/alias

{"name": "delay", "alias": "champion", "version": "2"}
--- 200

GET /api/2.0/mlflow/registered-models/alias?name=delay&alias=champion
--- 200
{"model_version": {"version": "2", "source": "s3://models/delay/2"}}

GET /api/v1/models/delay/aliases/history
--- 200
{"items": [{"alias": "champion", "version": 2, "previous": 1},
           {"alias": "champion", "version": 1}]}

GET /api/2.0/mlflow/registered-models/alias?name=delay&alias=none
--- 400
{"error_code": "INVALID_PARAMETER_VALUE"}

GET /api/2.0/mlflow/model-versions/get?name=delay&version=9
--- 404
{"error_code": "RESOURCE_DOES_NOT_EXIST"}
