# Of a project only the newest submission counts: the same one is joined, another one is cancelled. A run
# can be cancelled and retried, and it goes on after a restart of the server. A time-out is a failure that
# may pass, so it is tried again as often as the project says. The long training does not end by itself
# while the story looks.

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

$ ciclo run --detach
--- 1
2> {{any}}--detach needs --server URL{{any}}

$ ciclo run --detach --set train.parameters.rounds=100000 --set train.parameters.max_depth=12 --set train.parameters.learning_rate=0.001 --set train.parameters.num_parallel_tree=20 --server {{server}} --json
--- 0
{"pipeline_run_id": "{{long=}}", "joined": false, "superseded": []}

$ ciclo run --detach --set train.parameters.rounds=100000 --set train.parameters.max_depth=12 --set train.parameters.learning_rate=0.001 --set train.parameters.num_parallel_tree=20 --server {{server}}
--- 0
2> {{any}}the same run is under way already: following {{long}}{{any}}
{{long}}

GET /api/v1/pipeline-runs/{{long}}
--- 200 within 120 s
{"state": "running", "steps": [{"name": "ingest_numbers"}, {"name": "assemble"}, {"name": "split"}, {"name": "train", "state": "running"}, "..."]}

POST /api/v1/pipeline-runs/{{long}}/cancel
--- 200

GET /api/v1/pipeline-runs/{{long}}
--- 200 within 120 s
{"state": "cancelled"}

POST /api/v1/pipeline-runs/{{long}}/cancel
--- 409

POST /api/v1/pipeline-runs/{{long}}/retry
--- 200

! restart

GET /api/v1/pipeline-runs/{{long}}
--- 200 within 120 s
{"state": "running"}

$ ciclo run --server {{server}}
--- 0
2> {{any}}cancelled the run of another configuration: {{long}}{{any}}
numbers: succeeded, {{any}}
...

GET /api/v1/pipeline-runs/{{long}}
--- 200 within 120 s
{"state": "cancelled"}

$ ciclo run --set train.parameters.rounds=100000 --set train.parameters.max_depth=12 --set train.parameters.learning_rate=0.001 --set train.parameters.num_parallel_tree=20 --set 'pipeline={timeout: 1s, retries: 1}' --server {{server}} --json
--- 1
2> {{any}}step "train": the step ran longer than its time-out{{any}}
{"state": "failed", "pipeline_run_id": "{{failed=}}", "steps": [{"name": "ingest_numbers"}, {"name": "assemble"}, {"name": "split"},
  {"name": "train", "state": "failed", "attempts": 2}, {"name": "evaluate", "state": "skipped"}, {"name": "register"}, {"name": "deploy"}]}

$ ciclo run --set 'pipeline={retries: 1000}' --server {{server}}
--- 1
2> {{any}}pipeline.retries: must lie between 0 and 100, got 1000{{any}}
