# What a model version came from, and what came from its data.

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
deploy: {endpoint: numbers}

$ ciclo run --server {{server}}
--- 0
...

$ ciclo lineage numbers/champion --server {{server}} --json
--- 0
{"artifact": {"artifact_id": "{{model=}}", "type": "model"},
 "upstream": {"truncated": false, "model_versions": [{"artifact_id": "{{model}}", "model": "numbers", "version": 1}],
              "artifacts": [{"artifact_id": "{{model}}"}, "..."]},
 "downstream": {"artifacts": [{"artifact_id": "{{model}}"}, {"type": "report", "artifact_id": "{{report=}}"}]}}

$ ciclo lineage numbers/1 --server {{server}}
--- 0
came from
...
{{any}} model {{any}} train {{any}} numbers/1 {{any}}
...
{{any}} dataset {{any}} ingest_numbers {{any}}
...
led to
...
{{report}} {{any}} evaluate {{any}}
...

GET /api/v1/lineage/artifacts/{{report}}?depth=1
--- 200
{"artifact": {"type": "report"}, "upstream": {"truncated": true}, "downstream": {"artifacts": [{"artifact_id": "{{report}}"}]}}

GET /api/v1/lineage/artifacts/{{report}}?depth=0
--- 400

$ ciclo lineage nothing --server {{server}}
--- 1
2> {{any}}nothing{{any}}

$ ciclo lineage numbers/7 --server {{server}}
--- 1
2> {{any}}7{{any}}
