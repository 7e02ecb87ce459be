# The registry knows its past: what stood when, and who did what; also of what was deleted since.

POST /api/2.0/mlflow/registered-models/create

{"name": "delay"}
--- 200

POST /api/2.0/mlflow/model-versions/create

{"name": "delay", "source": "s3://models/delay/1"}
--- 200

POST /api/2.0/mlflow/registered-models/alias

{"name": "delay", "alias": "champion", "version": "1"}
--- 200

# What follows falls into a later millisecond.

$ date -u +%Y-%m-%dT%H:%M:%S.%3NZ && sleep 0.05
--- 0
{{first=}}

POST /api/2.0/mlflow/model-versions/create

{"name": "delay", "source": "s3://models/delay/2"}
--- 200

POST /api/2.0/mlflow/registered-models/alias

{"name": "delay", "alias": "champion", "version": "2"}
--- 200

# Of one millisecond, moves of aliases count as the last changes.

$ sleep 0.05
--- 0

POST /api/2.0/mlflow/model-versions/transition-stage

{"name": "delay", "version": "2", "stage": "Production", "archive_existing_versions": false}
--- 200

$ date -u +%Y-%m-%dT%H:%M:%S.%3NZ && sleep 0.05
--- 0
{{second=}}

DELETE /api/2.0/mlflow/registered-models/delete

{"name": "delay"}
--- 200

GET /api/v1/models/delay?as_of={{first}}
--- 200
{"name": "delay", "versions": [{"version": 1, "source": "s3://models/delay/1", "stage": "None"}],
 "aliases": {"champion": 1}, "deployments": []}

GET /api/v1/models/delay?as_of={{second}}
--- 200
{"versions": [{"version": 1}, {"version": 2, "stage": "Production"}], "aliases": {"champion": 2}}

GET /api/v1/models/delay
--- 404
{"error": {"code": "not_found"}}

GET /api/v1/models
--- 200
{"items": []}

GET /api/v1/models?as_of=2013-07-01
--- 200
{"as_of_ms": 1372636800000, "items": []}

GET /api/v1/models?as_of=yesterday
--- 400
{"error": {"message": "as_of must be a time such as 2013-07-01 or 2013-07-01T12:00:00Z, got \"yesterday\""}}

$ ciclo models list --as-of {{first}} --server {{server}} --json
--- 0
{"items": [{"name": "delay", "aliases": {"champion": 1}}]}

$ ciclo models show delay --as-of 2013-07-01 --server {{server}}
--- 1
2> ciclo: at 2013-07-01T00:00:00Z there was no model named "delay"

$ ciclo models history delay --server {{server}} --json
--- 0
{"items": [{"kind": "{{/alias.moved|model.deleted/}}"}, {"kind": "{{/alias.moved|model.deleted/}}"},
           {"kind": "stage.changed", "version": 2, "value": "Production", "previous": "None"},
           {"kind": "alias.moved", "alias": "champion", "version": 2, "previous": "1"},
           {"kind": "version.created", "version": 2, "source": "s3://models/delay/2"},
           {"kind": "alias.moved", "alias": "champion", "version": 1},
           {"kind": "version.created", "version": 1, "caller": "{{any}}"},
           {"kind": "model.created"}]}

$ ciclo models history none --server {{server}}
--- 1
2> ciclo: there was never a model named "none"
