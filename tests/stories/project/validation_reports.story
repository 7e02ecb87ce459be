# The validation report below a run of training is that of its own pipeline run, also when the same table
# was validated against another schema before, and when the report comes from the cache.

$ awk 'BEGIN { print "a,b,y"; for (i = 0; i < 400; i++) { a = (i * 7919) % 1000 / 1000; b = (i * 1047) % 997 / 997; y = a + b > 1; if (i % 7 == 0) y = !y; print a "," b "," y } }' > numbers.csv
--- 0

> narrow.yaml
columns:
  - {name: a, type: number}
  - {name: y, type: integer}

> whole.yaml
columns:
  - {name: a, type: number}
  - {name: b, type: number}
  - {name: y, type: integer}

> ciclo.yaml
project: numbers
data:
  numbers: {files: numbers.csv, schema: narrow.yaml}
target: {column: y, task: binary}
train:
  learner: xgboost
  parameters: {rounds: 20, max_depth: 2}
deploy: {endpoint: numbers}

$ ciclo run --server {{server}}
--- 0
...

$ sed -i s/narrow.yaml/whole.yaml/ ciclo.yaml && ciclo run --set train.parameters.max_depth=3 --server {{server}}
--- 0
...

$ ciclo run --set data.numbers.schema=narrow.yaml --set train.parameters.max_depth=4 --server {{server}}
--- 0
...

$ ciclo run --set data.numbers.schema=absent.yaml --server {{server}}
--- 1
2> ciclo: data.numbers.schema: cannot open ./absent.yaml: No such file or directory

GET /api/2.0/mlflow/model-versions/get?name=numbers&version=1
--- 200
{"model_version": {"source": "mlflow-artifacts:/{{first=.+}}/model"}}

GET /api/2.0/mlflow-artifacts/artifacts/{{first}}/evaluation/validation_numbers.json
--- 200
{"findings": [{"column": "b"}]}

GET /api/2.0/mlflow/model-versions/get?name=numbers&version=2
--- 200
{"model_version": {"source": "mlflow-artifacts:/{{second=.+}}/model"}}

GET /api/2.0/mlflow-artifacts/artifacts/{{second}}/evaluation/validation_numbers.json
--- 200
{"findings": []}

GET /api/2.0/mlflow/model-versions/get?name=numbers&version=3
--- 200
{"model_version": {"source": "mlflow-artifacts:/{{third=.+}}/model"}}

GET /api/2.0/mlflow-artifacts/artifacts/{{third}}/evaluation/validation_numbers.json
--- 200
{"findings": [{"column": "b"}]}
