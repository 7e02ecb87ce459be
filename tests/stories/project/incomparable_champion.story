# The champion needs a column that the project dropped: the gate refuses with the reason, and lets it be
# replaced when the project says so.

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

$ ciclo run --set 'table={from: numbers, drop: [b]}' --server {{server}}
--- 1
2> {{any}}champion version 1 cannot be compared on these rows: {{any}}b{{any}}
2> {{any}}gate.incomparable_champion: replace lets it be replaced{{any}}
...

GET /api/v1/endpoints/numbers
--- 200
{"serving_version": "1"}

$ ciclo run --set 'table={from: numbers, drop: [b]}' --set gate.incomparable_champion=replace --server {{server}}
--- 0
...

GET /api/v1/endpoints/numbers
--- 200
{"serving_version": "2"}

$ ciclo run --set gate.incomparable_champion=never --server {{server}}
--- 1
2> {{any}}gate.incomparable_champion: expected one of refuse, replace, got "never"
