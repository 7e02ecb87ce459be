# A model is shown whatever its name is, with quotes too.

POST /api/2.0/mlflow/registered-models/create

{"name": "o'brien"}
--- 200

POST /api/2.0/mlflow/model-versions/create

{"name": "o'brien", "source": "s3://models/1"}
--- 200

$ ciclo models show "o'brien" --server {{server}} --json
--- 0
{"model": {"name": "o'brien"}, "versions": [{"version": "1"}]}
