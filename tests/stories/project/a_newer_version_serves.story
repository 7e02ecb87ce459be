# Another version became champion after the project was run, as a retraining does it: the unchanged project
# neither judges nor deploys its own model again. A changed one is judged against the new champion.

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
  champion:
    - {metric: auc, margin: 0.5}
deploy: {endpoint: numbers}

$ ciclo run --server {{server}}
--- 0
...

POST /api/2.0/mlflow/model-versions/create
Content-Type: application/json

{"name": "numbers", "source": "models:/numbers/1"}
--- 200
{"model_version": {"version": "2"}}

$ ciclo models promote numbers 2 --server {{server}}
--- 0
...

GET /api/v1/endpoints/numbers
--- 200 within 120 s
{"serving_version": "2"}

$ ciclo run --server {{server}}
--- 0
2> {{any}}≡ gate            cached     nothing that decides its result has changed{{any}}
2> {{any}}≡ deploy          cached     nothing that decides its result has changed; version 2 took over since and stays{{any}}
numbers: succeeded, 8 of 8 steps cached, {{any}}
...

GET /api/v1/endpoints/numbers
--- 200
{"serving_version": "2"}

$ ciclo run --set train.parameters.max_depth=3 --server {{server}}
--- 0
...
gate: passed 2 checks
...

GET /api/v1/endpoints/numbers
--- 200
{"serving_version": "3"}
