# A step is cached only while what it made is there: going back to an earlier configuration deploys it
# again, what somebody deleted is made again, and what somebody promoted stays.

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

$ ciclo run --set train.parameters.max_depth=3 --server {{server}}
--- 0
...

GET /api/v1/endpoints/numbers
--- 200
{"serving_version": "2"}

$ ciclo run --server {{server}} --json
--- 0
{"steps": [
    {"name": "ingest_numbers", "state": "cached"},
    {"name": "assemble", "state": "cached"},
    {"name": "split", "state": "cached"},
    {"name": "train", "state": "cached"},
    {"name": "evaluate", "state": "cached"},
    {"name": "register", "state": "cached"},
    {"name": "deploy", "state": "succeeded", "why": "version 2 is champion instead"}
]}

GET /api/v1/endpoints/numbers
--- 200
{"serving_version": "1"}

$ ciclo run --set train.parameters.max_depth=3 --server {{server}} --json
--- 0
{"steps": [
    {"name": "ingest_numbers", "state": "cached"},
    {"name": "assemble", "state": "cached"},
    {"name": "split", "state": "cached"},
    {"name": "train", "state": "cached"},
    {"name": "evaluate", "state": "cached"},
    {"name": "register", "state": "cached"},
    {"name": "deploy", "state": "succeeded", "why": "version 1 is champion instead"}
]}

GET /api/v1/endpoints/numbers
--- 200
{"serving_version": "2"}

$ ciclo models promote numbers 1 --server {{server}}
--- 0
...

$ ciclo run --set train.parameters.max_depth=3 --server {{server}}
--- 0
2> {{any}}≡ deploy          cached     nothing that decides its result has changed; version 1 took over since and stays{{any}}
...

GET /api/v1/endpoints/numbers
--- 200 within 120 s
{"serving_version": "1"}

DELETE /api/v1/endpoints/numbers
--- 200

$ ciclo run --set train.parameters.max_depth=3 --server {{server}}
--- 0
2> {{any}}endpoint "numbers" is gone{{any}}
...

GET /api/v1/endpoints/numbers
--- 200
{"serving_version": "1"}

DELETE /api/2.0/mlflow/registered-models/alias
Content-Type: application/json

{"name": "numbers", "alias": "champion"}
--- 200

$ ciclo run --set train.parameters.max_depth=3 --server {{server}}
--- 0
2> {{any}}no version is champion any more{{any}}
...

GET /api/v1/endpoints/numbers
--- 200
{"serving_version": "2"}

DELETE /api/2.0/mlflow/registered-models/delete
Content-Type: application/json

{"name": "numbers"}
--- 200

$ ciclo run --set train.parameters.max_depth=3 --server {{server}} --json
--- 0
{"state": "succeeded", "steps": [
    {"name": "ingest_numbers", "state": "cached"},
    {"name": "assemble", "state": "cached"},
    {"name": "split", "state": "cached"},
    {"name": "train", "state": "cached"},
    {"name": "evaluate", "state": "cached"},
    {"name": "register", "state": "succeeded", "why": "the registry does not hold its version any more"},
    {"name": "deploy", "state": "succeeded"}
]}

GET /api/v1/endpoints/numbers
--- 200
{"state": "ready", "model": "numbers"}
