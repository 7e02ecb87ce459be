# A project through a server: the first run does everything, the second nothing, and a change only what
# depends on it; each step says why.

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

$ ciclo run --plan --server {{server}} --json
--- 0
{"steps": [{"name": "ingest_numbers", "cached": false, "skipped": false, "why": "never run"},
           {"name": "assemble", "cached": false, "why": "comes after step \"ingest_numbers\", which runs"}, "..."]}

$ ciclo run --server {{server}}
--- 0
2> {{any}}✓ ingest_numbers{{any}}
2> {{any}}✓ deploy{{any}}
numbers: succeeded, 0 of 8 steps cached, {{any}}
...
gate: passed 2 checks
serves at: {{server}}/v2/models/numbers/infer

$ ciclo run --server {{server}}
--- 0
2> {{any}}≡ ingest_numbers  cached     nothing that decides its result has changed{{any}}
2> {{any}}≡ assemble        cached     nothing that decides its result has changed{{any}}
2> {{any}}≡ split           cached     nothing that decides its result has changed{{any}}
2> {{any}}≡ train           cached     nothing that decides its result has changed{{any}}
2> {{any}}≡ evaluate        cached     nothing that decides its result has changed{{any}}
2> {{any}}≡ gate            cached     nothing that decides its result has changed{{any}}
2> {{any}}≡ register        cached     nothing that decides its result has changed{{any}}
2> {{any}}≡ deploy          cached     nothing that decides its result has changed{{any}}
numbers: succeeded, 8 of 8 steps cached, {{any}}
...

$ ciclo run --plan --set train.parameters.max_depth=3 --server {{server}}
--- 0
...
split {{any}} be taken from the cache {{any}}
train {{any}} run {{any}} parameters.max_depth changed from 2 to 3
...

$ ciclo run --set train.parameters.max_depth=3 --server {{server}} --json
--- 0
{"state": "succeeded", "steps": [
    {"name": "ingest_numbers", "state": "cached"},
    {"name": "assemble", "state": "cached"},
    {"name": "split", "state": "cached"},
    {"name": "train", "state": "succeeded", "why": "parameters.max_depth changed from 2 to 3"},
    {"name": "evaluate", "state": "succeeded", "why": "input model changed"},
    {"name": "gate", "state": "succeeded"},
    {"name": "register", "state": "succeeded"},
    {"name": "deploy", "state": "succeeded"}
]}

GET /api/v1/endpoints/numbers
--- 200
{"serving_version": "2", "state": "ready"}

$ ciclo runs list --limit 1 --server {{server}}
--- 0
...
{{/[0-9a-f]{32}/}}  {{any}}  numbers {{any}}  FINISHED  {{any}}_auc=0.{{any}}

$ ciclo status --server {{server}}
--- 0
...
{{any}} numbers {{any}} succeeded {{any}}
...
