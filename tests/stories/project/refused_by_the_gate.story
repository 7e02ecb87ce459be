# A gate that refuses: the run says so with an exit code that is not 0, registers and deploys nothing,
# and prints exactly one JSON document.

$ awk 'BEGIN { print "a,b,y"; for (i = 0; i < 400; i++) { a = (i * 7919) % 1000 / 1000; b = (i * 1047) % 997 / 997; y = a + b > 1; if (i % 7 == 0) y = !y; print a "," b "," y } }' > numbers.csv
--- 0

> ciclo.yaml
project: numbers
data:
  numbers: {files: numbers.csv}
target: {column: y, task: binary}
train:
  learner: xgboost
  parameters: {rounds: 20, max_depth: 2}
gate:
  thresholds:
    - {metric: auc, min: 0.6}
deploy: {endpoint: numbers}

$ ciclo run --set 'gate={thresholds: [{metric: auc, min: 0.9999}]}' --server {{server}} --json
--- 1
2> {{any}}ciclo: the gate refused the model: refused: auc of {{any}} is below 0.9999{{any}}
{"state": "succeeded", "steps": [
    {"name": "ingest_numbers", "state": "succeeded"},
    {"name": "assemble", "state": "succeeded"},
    {"name": "split", "state": "succeeded"},
    {"name": "train", "state": "succeeded"},
    {"name": "evaluate", "state": "succeeded"},
    {"name": "gate", "state": "succeeded"},
    {"name": "register", "state": "skipped"},
    {"name": "deploy", "state": "skipped"}
]}

$ ciclo run --plan --set 'gate={thresholds: [{metric: auc, min: 0.9999}]}' --server {{server}}
--- 0
...
register {{any}} be skipped {{any}} decision.passed is false, not true
deploy {{any}} be skipped {{any}}

GET /api/v1/endpoints/numbers
--- 404

$ ciclo run --set train.learner=nothing --server {{server}} --json
--- 1
2> {{any}}nothing{{any}}
{"error": {"code": "invalid_argument"}}

> schema.yaml
columns:
  - {name: a, type: number, max: 0.5}

$ ciclo data add numbers numbers.csv --server {{server}}
--- 0
...

$ ciclo data validate numbers --schema schema.yaml --server {{server}} --json
--- 1
2> {{any}}ciclo: data set "numbers" breaks its schema{{any}}
{"passed": false}
