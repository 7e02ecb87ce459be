# The window of the monitor is no part of the model: changing it cuts the training rows anew and deploys,
# and trains, judges and registers nothing, even where the gate lets nothing but a better model pass.

$ awk 'BEGIN { print "at,a,b,y"; for (i = 0; i < 800; i++) { a = (i * 7919) % 1000 / 1000; b = (i * 1047) % 997 / 997; y = a + b > 1; if (i % 7 == 0) y = !y; d = int(i / 20); printf "2024-%02d-%02d,%g,%g,%d\n", 1 + int(d / 28), 1 + d % 28, a, b, y } }' > numbers.csv
--- 0

> ciclo.yaml
project: windows
data:
  numbers: {files: numbers.csv}
table: {from: numbers, time: at}
target: {column: y, task: binary}
split: {by: time, validation: 0.2, test: 0.2}
features: {columns: [a, b]}
train:
  learner: xgboost
  parameters: {rounds: 20, max_depth: 2}
gate:
  champion: [{metric: auc, mode: superior, margin: 0}]
deploy: {endpoint: windows}
monitor: {window: 1d}

$ ciclo run --server {{server}}
--- 0
...

GET /api/v1/endpoints/windows
--- 200
{"serving_version": "1", "monitor": {"window": "1d"}}

$ ciclo run --set monitor.window=7d --server {{server}} --json
--- 0
{"steps": [
    {"name": "ingest_numbers", "state": "cached"},
    {"name": "assemble", "state": "cached"},
    {"name": "split", "state": "cached"},
    {"name": "train", "state": "cached"},
    {"name": "evaluate", "state": "cached"},
    {"name": "gate", "state": "cached"},
    {"name": "register", "state": "cached"},
    {"name": "window", "state": "succeeded", "why": "window_ms changed from 86400000 to 604800000"},
    {"name": "deploy", "state": "succeeded"}
]}

GET /api/v1/endpoints/windows
--- 200
{"serving_version": "1", "monitor": {"window": "7d"}}

