# kill -9 while a model is trained: the pipeline goes on, and the run of the attempt that was cut off does
# not show as running for ever. What is cancelled ends as killed, too. Small steps of many trees are a training
# that does not end by itself while the story looks.

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

$ ciclo run --detach --set train.parameters.rounds=100000 --set train.parameters.max_depth=12 --set train.parameters.learning_rate=0.001 --set train.parameters.num_parallel_tree=20 --server {{server}}
--- 0
{{run=}}

GET /api/2.0/mlflow/experiments/get-by-name?experiment_name=numbers
--- 200 within 120 s
{"experiment": {"experiment_id": "{{experiment=}}"}}

POST /api/2.0/mlflow/runs/search
Content-Type: application/json

{"experiment_ids": ["{{experiment}}"]}
--- 200 within 120 s
{"runs": [{"info": {"status": "RUNNING", "run_id": "{{first=}}"}}]}

! crash

GET /api/2.0/mlflow/runs/get?run_id={{first}}
--- 200 within 120 s
{"run": {"info": {"status": "KILLED"}}}

POST /api/2.0/mlflow/runs/search
Content-Type: application/json

{"experiment_ids": ["{{experiment}}"]}
--- 200 within 120 s
{"runs": [{"info": {"status": "RUNNING", "run_id": "{{second=}}"}}, {"info": {"run_id": "{{first}}"}}]}

POST /api/v1/pipeline-runs/{{run}}/cancel
--- 200

GET /api/v1/pipeline-runs/{{run}}
--- 200 within 120 s
{"state": "cancelled"}

GET /api/2.0/mlflow/runs/get?run_id={{second}}
--- 200 within 120 s
{"run": {"info": {"status": "KILLED"}}}
