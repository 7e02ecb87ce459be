# Traces are recorded, found, assessed and deleted.

POST /api/2.0/mlflow/experiments/create

{"name": "traced"}
--- 200
{"experiment_id": "{{experiment=}}"}

POST /api/3.0/mlflow/traces

{"trace": {"trace_info": {
  "trace_id": "tr-00000000000000000000000000000001",
  "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "{{experiment}}"}},
  "request_time": "2025-01-02T03:04:05.678Z", "execution_duration": "1.5s", "state": "OK",
  "request_preview": "in", "trace_metadata": {"mlflow.trace.session": "s1"},
  "tags": {"mlflow.traceName": "predict"}}}}
--- 200
{"trace": {"trace_info": {"trace_id": "tr-00000000000000000000000000000001", "state": "OK",
  "request_time": "2025-01-02T03:04:05.678Z", "execution_duration": "1.500s",
  "tags": {"mlflow.traceName": "predict",
    "mlflow.artifactLocation": "mlflow-artifacts:/{{experiment}}/traces/tr-00000000000000000000000000000001/artifacts"}}}}

GET /api/3.0/mlflow/traces/tr-00000000000000000000000000000001
--- 200
{"trace": {"trace_info": {"trace_metadata": {"mlflow.trace.session": "s1", "mlflow.trace.infoFinalized": "true"}}}}

POST /api/3.0/mlflow/traces/batchGetInfos

{"trace_ids": ["tr-00000000000000000000000000000001", "tr-none"]}
--- 200
{"trace_infos": [{"request_preview": "in"}]}

# What was said about it, and a search for that.

POST /api/3.0/mlflow/traces/tr-00000000000000000000000000000001/assessments

{"assessment": {"assessment_name": "right", "source": {"source_type": "HUMAN", "source_id": "me"},
                "feedback": {"value": true}}}
--- 200
{"assessment": {"assessment_id": "{{assessment=}}", "valid": true, "feedback": {"value": true}}}

PATCH /api/3.0/mlflow/traces/tr-00000000000000000000000000000001/assessments/{{assessment}}

{"assessment": {"feedback": {"value": "yes"}, "rationale": "looked at it"}, "update_mask": "feedback,rationale"}
--- 200
{"assessment": {"feedback": {"value": "yes"}, "rationale": "looked at it"}}

GET /api/3.0/mlflow/traces/tr-00000000000000000000000000000001/assessments/{{assessment}}
--- 200
{"assessment": {"assessment_name": "right", "source": {"source_id": "me"}}}

POST /api/3.0/mlflow/traces/search

{"locations": [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "{{experiment}}"}}],
 "filter": "feedback.right = 'yes' AND name = 'predict' AND execution_time_ms >= 1500"}
--- 200
{"traces": [{"trace_id": "tr-00000000000000000000000000000001", "assessments": [{"assessment_name": "right"}]}]}

POST /api/3.0/mlflow/traces/search

{"locations": [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "{{experiment}}"}}],
 "filter": "flavour = 'sweet'"}
--- 400
{"error_code": "INVALID_PARAMETER_VALUE", "message": "{{/.*flavour.*/}}"}

POST /api/3.0/mlflow/traces/calculate-filter-correlation

{"experiment_ids": ["{{experiment}}"], "filter_string1": "status = 'OK'", "filter_string2": "status = 'ERROR'"}
--- 200
{"npmi": "NaN", "filter1_count": 1, "filter2_count": 0, "joint_count": 0, "total_count": 1}

DELETE /api/3.0/mlflow/traces/tr-00000000000000000000000000000001/assessments/{{assessment}}
--- 200

PATCH /api/3.0/mlflow/traces/tr-00000000000000000000000000000001/tags

{"key": "team", "value": "red"}
--- 200

PATCH /api/3.0/mlflow/traces/tr-00000000000000000000000000000001/tags

{"key": "mlflow.trace.spansLocation", "value": "elsewhere"}
--- 400
{"error_code": "INVALID_PARAMETER_VALUE"}

DELETE /api/3.0/mlflow/traces/tr-00000000000000000000000000000001/tags

{"key": "team"}
--- 200

DELETE /api/3.0/mlflow/traces/tr-00000000000000000000000000000001/tags

{"key": "team"}
--- 404
{"error_code": "RESOURCE_DOES_NOT_EXIST"}

# A run has the traces linked to it.

POST /api/2.0/mlflow/runs/create

{"experiment_id": "{{experiment}}"}
--- 200
{"run": {"info": {"run_id": "{{run=}}"}}}

POST /api/2.0/mlflow/traces/link-to-run

{"trace_ids": ["tr-00000000000000000000000000000001"], "run_id": "{{run}}"}
--- 200

POST /api/2.0/mlflow/traces/link-prompts

{"trace_id": "tr-00000000000000000000000000000001", "prompt_versions": [{"name": "greet", "version": "2"}]}
--- 200

GET /api/2.0/mlflow/traces?experiment_ids={{experiment}}&filter=run_id='{{run}}'%20AND%20prompt='greet/2'
--- 200
{"traces": [{"request_id": "tr-00000000000000000000000000000001", "status": "OK", "execution_time_ms": 1500}]}

# In two steps, as clients before MLflow 3 do.

POST /api/2.0/mlflow/traces

{"experiment_id": "{{experiment}}", "timestamp_ms": 1700000000000, "tags": [{"key": "a", "value": "1"}]}
--- 200
{"trace_info": {"request_id": "{{old=}}", "status": "IN_PROGRESS"}}

PATCH /api/2.0/mlflow/traces/{{old}}

{"timestamp_ms": 1700000000250, "status": "ERROR", "request_metadata": [{"key": "m", "value": "2"}]}
--- 200
{"trace_info": {"status": "ERROR", "execution_time_ms": 250, "request_metadata": [{"key": "m", "value": "2"}]}}

GET /api/2.0/mlflow/traces/{{old}}/info
--- 200
{"trace_info": {"request_id": "{{old}}", "timestamp_ms": 1700000000000}}

PATCH /api/2.0/mlflow/traces/{{old}}/tags

{"key": "b", "value": "2"}
--- 200

DELETE /api/2.0/mlflow/traces/{{old}}/tags

{"key": "b"}
--- 200

POST /api/3.0/mlflow/traces/delete-traces

{"experiment_id": "{{experiment}}", "request_ids": ["{{old}}"]}
--- 200
{"traces_deleted": 1}

POST /api/2.0/mlflow/traces/delete-traces

{"experiment_id": "{{experiment}}", "max_timestamp_millis": 2000000000000, "max_traces": 10}
--- 200
{"traces_deleted": 1}

GET /api/3.0/mlflow/traces/tr-00000000000000000000000000000001
--- 404
{"error_code": "RESOURCE_DOES_NOT_EXIST"}

# OpenTelemetry's spans make a trace.

POST /v1/traces
x-mlflow-experiment-id: {{experiment}}
Content-Type: application/json

{"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
  "scopeSpans": [{"spans": [
    {"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "checkout",
     "startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000001500000000",
     "attributes": [{"key": "items", "value": {"intValue": "3"}}], "status": {"code": 2, "message": "no stock"}},
    {"traceId": "none", "spanId": "none", "name": "broken"}]}]}]}
--- 200
{"partialSuccess": {"rejectedSpans": "1", "errorMessage": "{{/.*broken.*trace_id.*/}}"}}

GET /api/3.0/mlflow/traces/get?trace_id=tr-5b8efff798038103d269b633813fc60c
--- 200
{"trace": {"trace_info": {"state": "ERROR", "execution_duration": "1.500s", "tags": {"service.name": "shop"}},
  "spans": [{"name": "checkout", "trace_id": "W47/95gDgQPSabYzgT/GDA==",
             "status": {"code": "STATUS_CODE_ERROR", "message": "no stock"},
             "attributes": [{"key": "items", "value": {"int_value": 3}}, "..."]}]}}

GET /api/3.0/mlflow/traces/batchGet?trace_ids=tr-5b8efff798038103d269b633813fc60c&trace_ids=tr-none
--- 200
{"traces": [{"spans": [{"name": "checkout"}]}]}

GET /ajax-api/3.0/mlflow/get-trace-artifact?request_id=tr-5b8efff798038103d269b633813fc60c
--- 200
{"spans": [{"name": "checkout", "attributes": {"items": "3"}}]}

POST /api/3.0/mlflow/traces/search

{"locations": [{"mlflow_experiment": {"experiment_id": "{{experiment}}"}}],
 "filter": "span.name = 'checkout' AND span.attributes.items = '3' AND span.status = 'ERROR'"}
--- 200
{"traces": [{"trace_id": "tr-5b8efff798038103d269b633813fc60c"}]}

# What says no experiment, or none that is there, is refused.

POST /v1/traces
Content-Type: application/json

{"resourceSpans": []}
--- 400
{"error_code": "INVALID_PARAMETER_VALUE", "code": 3, "message": "{{/.*x-mlflow-experiment-id.*/}}"}

POST /v1/traces
x-mlflow-experiment-id: 98765
Content-Type: application/json

{"resourceSpans": [{"scopeSpans": [{"spans": [
  {"traceId": "5b8efff798038103d269b633813fc60d", "spanId": "eee19b7ec3c1b174", "name": "x"}]}]}]}
--- 404
{"error_code": "RESOURCE_DOES_NOT_EXIST", "code": 5}

GET /version
--- 200
3.17.2
