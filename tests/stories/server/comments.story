# Comments of experiments, runs, models and versions keep what was said before.

POST /api/2.0/mlflow/runs/create

{"experiment_id": "0", "run_name": "first"}
--- 200
{"run": {"info": {"run_id": "{{run=}}"}}}

POST /api/v1/runs/{{run}}/comments

{"text": "The loss *jumps* at step 3."}
--- 200
{"comment_id": "{{comment=}}", "kind": "run", "author": "anonymous",
 "text": "The loss *jumps* at step 3.", "edits": 0, "edited_ms": "{{none}}"}

PATCH /api/v1/comments/{{comment}}

{"text": "The loss *jumps* at step 4."}
--- 200
{"text": "The loss *jumps* at step 4.", "edits": 1}

GET /api/v1/comments/{{comment}}
--- 200
{"text": "The loss *jumps* at step 4.", "history": [{"text": "The loss *jumps* at step 3."}]}

GET /api/v1/runs/{{run}}/comments
--- 200
{"items": [{"comment_id": "{{comment}}", "text": "The loss *jumps* at step 4."}]}

DELETE /api/v1/comments/{{comment}}
--- 200
{"text": "", "edits": 1}

GET /api/v1/comments/{{comment}}
--- 200
{"text": "", "history": [{"text": "The loss *jumps* at step 3."}, {"text": "The loss *jumps* at step 4."}]}

PATCH /api/v1/comments/{{comment}}

{"text": "again"}
--- 409
{"error": {"code": "failed_precondition"}}

# A comment stays with its model when that gets another name.

POST /api/2.0/mlflow/registered-models/create

{"name": "delay"}
--- 200

POST /api/2.0/mlflow/model-versions/create

{"name": "delay", "source": "s3://models/delay/1"}
--- 200

$ ciclo comments add models/delay/1 "good on Sundays" --server {{server}} --json
--- 0
{"comment_id": "{{said=}}", "kind": "version", "text": "good on Sundays"}

POST /api/2.0/mlflow/registered-models/rename

{"name": "delay", "new_name": "lateness"}
--- 200

$ ciclo comments list models/lateness/1 --server {{server}}
--- 0
{{said}}  anonymous, {{any}}
  good on Sundays

$ printf 'good on\nMondays' | ciclo comments edit {{said}} - --server {{server}}
--- 0
{{said}}  anonymous, {{any}}, edited
  good on
  Mondays

$ ciclo comments show {{said}} --server {{server}} --json
--- 0
{"text": "good on\nMondays", "history": [{"text": "good on Sundays"}]}

$ ciclo comments delete {{said}} --server {{server}}
--- 0
{{said}}  anonymous, {{any}}, deleted

GET /api/v1/models/lateness/versions/1/comments
--- 200
{"items": [{"comment_id": "{{said}}", "text": ""}]}

GET /api/v1/models/lateness/comments
--- 200
{"items": []}

GET /api/v1/events?kind=comment.edited
--- 200
{"items": [{"subject": "{{comment}}"}, {"subject": "{{said}}"}]}

# A call that is sent again says it once.

POST /api/v1/experiments/0/comments
Idempotency-Key: said

{"text": "the default"}
--- 200
{"comment_id": "{{kept=}}", "kind": "experiment"}

POST /api/v1/experiments/0/comments
Idempotency-Key: said

{"text": "the default"}
--- 200
< Idempotent-Replayed: true
{"comment_id": "{{kept}}"}

GET /api/v1/experiments/0/comments
--- 200
{"items": [{"comment_id": "{{kept}}"}]}

POST /api/v1/runs/none/comments

{"text": "x"}
--- 404
{"error": {"code": "not_found", "message": "no run with id \"none\" exists"}}

POST /api/v1/runs/{{run}}/comments

{"text": "  "}
--- 400
{"error": {"code": "invalid_argument", "message": "the comment's text is empty: say something"}}

$ ciclo comments add lateness "x" --server {{server}}
--- 1
2> ciclo: a comment is about runs/ID, experiments/ID, models/NAME or models/NAME/VERSION, not "lateness"
