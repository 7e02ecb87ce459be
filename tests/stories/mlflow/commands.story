# Experiments and runs by commands: made, listed, filtered, compared, exported, deleted, restored.

$ ciclo experiments create flights --tag team=a --server {{server}}
--- 0
experiment flights has the id {{flights=\d+}}

$ ciclo experiments create flights --server {{server}}
--- 1
2> ciclo: experiment name "flights" is taken by experiment {{flights}}

$ ciclo experiments create x --tag =1 --server {{server}}
--- 1
2> ciclo: --tag "=1" must be KEY=VALUE

POST /api/2.0/mlflow/runs/create

{"experiment_id": "{{flights}}", "run_name": "base", "start_time": 1700000000000, "tags": [{"key": "note", "value": "a, \"b\""}]}
--- 200
{"run": {"info": {"run_id": "{{base=}}"}}}

POST /api/2.0/mlflow/runs/create

{"experiment_id": "{{flights}}", "run_name": "wide", "start_time": 1700000060000}
--- 200
{"run": {"info": {"run_id": "{{wide=}}"}}}

POST /api/2.0/mlflow/runs/log-batch

{"run_id": "{{base}}", "params": [{"key": "depth", "value": "6"}, {"key": "rate", "value": "0.1"}],
 "metrics": [{"key": "loss", "value": 1.5, "timestamp": 1700000000000, "step": 0},
             {"key": "loss", "value": 0.5, "timestamp": 1700000001500, "step": 1},
             {"key": "auc", "value": 0.75, "timestamp": 1700000001000, "step": 0}]}
--- 200

POST /api/2.0/mlflow/runs/log-batch

{"run_id": "{{wide}}", "params": [{"key": "depth", "value": "8"}, {"key": "rate", "value": "0.1"}, {"key": "Depth", "value": ""}],
 "metrics": [{"key": "loss", "value": 1, "timestamp": 1700000000000, "step": 0},
             {"key": "loss", "value": 0.25, "timestamp": 1700000001000, "step": 1},
             {"key": "auc", "value": 0.5, "timestamp": 1700000001000, "step": 0},
             {"key": "gap", "value": "NaN", "timestamp": 1700000001000, "step": 0}]}
--- 200

POST /api/2.0/mlflow/runs/update

{"run_id": "{{wide}}", "status": "FINISHED", "end_time": 1700000072500}
--- 200

$ ciclo runs list --experiment flights --server {{server}}
--- 0
run {{any}} name  experiment  status    started {{any}} took    metrics
{{/─+/}}  ────  ──────────  ────────  {{/─+/}}  ──────  {{/─+/}}
{{wide}}  wide  flights     FINISHED  {{any}}  12.5 s  auc=0.5 gap=NaN loss=0.25
{{base}}  base  flights     RUNNING   {{any}}  -       auc=0.75 loss=0.5

$ ciclo runs list --experiment flights --filter "metrics.auc > 0.6" --json --server {{server}}
--- 0
{"runs": [{"info": {"run_id": "{{base}}"}}]}

$ ciclo runs list --experiment {{flights}} --order-by "metrics.auc DESC" --limit 1 --json --server {{server}}
--- 0
{"runs": [{"info": {"run_id": "{{base}}"}}]}

$ ciclo runs list --filter "metrics.auc >" --server {{server}}
--- 1
2> ciclo: {{any}}metrics.auc{{any}}

$ ciclo runs list --experiment fligths --server {{server}}
--- 1
2> ciclo: there is no experiment of the name or id "fligths"; `ciclo experiments list` shows all

$ ciclo runs show base --server {{server}}
--- 0
{{base}}  base  RUNNING  started {{any}}, took -

params  value
──────  ─────
depth       6
rate      0.1

metrics  value
───────  ─────
auc       0.75
loss       0.5

tags  value
────  ──────
note  a, "b"


$ ciclo runs show nothing --server {{server}}
--- 1
2> ciclo: there is no run of the id or name "nothing"; `ciclo runs list` shows the newest

$ ciclo runs compare base {{wide}} --server {{server}}
--- 0
   run     base                              wide
─  ──────  {{/─+  ─+/}}
   id      {{base}}  {{wide}}
   status  RUNNING                           FINISHED

   param  base  wide
─  ─────  ────  ────
≠  Depth     -
≠  depth     6     8
   rate    0.1   0.1

   metric  base    wide
─  ──────  ──────  ──────
≠  auc     0.75 ↑  0.5
≠  gap     -       NaN
≠  loss    0.5     0.25 ↓

$ ciclo runs compare base wide --metric loss --plot --server {{server}}
--- 0
...
loss by step
 1.5 ┤●{{any}}
...
0.25 ┤{{any}}○
...
● base
○ wide

$ ciclo runs compare base wide --metric loss --html report.html --json --server {{server}} && python3 -c 'import xml.dom.minidom as m; t = open("report.html").read(); svg = t[t.index("<svg"):t.index("</svg>") + 6]; print(len(m.parseString(svg).getElementsByTagName("polyline")), "curves", "src=" in t or "href=" in t or "<script" in t)'
--- 0
...
  "metrics": [
...
2 curves False

$ ciclo runs compare base wide --metric los --server {{server}}
--- 1
2> ciclo: none of the runs has a metric "los"; did you mean "loss"?

$ ciclo runs compare base base --server {{server}}
--- 1
2> ciclo: run "base" is named twice

$ ciclo runs compare base --server {{server}}
--- 1
2> ciclo: name 2 to 20 runs to compare, got 1

$ ciclo runs compare base wide --plot --server {{server}}
--- 1
2> ciclo: --plot draws the history of a metric: name it with --metric

$ ciclo runs export --experiment flights --order-by "start_time ASC" --out runs.csv --server {{server}} && python3 -c 'import csv; rows = list(csv.DictReader(open("runs.csv", newline=""))); [print(r["run_name"], r["experiment"], r["status"], r["start_time"], r["end_time"] or "-", r["params.depth"], r["metrics.loss"], r["metrics.gap"] or "-", r["tags.note"] or "-") for r in rows]'
--- 0
runs.csv: 2 runs
base flights RUNNING 2023-11-14T22:13:20Z - 6 0.5 - a, "b"
wide flights FINISHED 2023-11-14T22:14:20Z 2023-11-14T22:14:32.500Z 8 0.25 NaN -

$ ciclo runs export --experiment flights --order-by "start_time ASC" --out - --format jsonl --server {{server}} | head -1
--- 0
{"run_id":"{{base}}","run_name":"base","experiment_id":"{{flights}}","experiment":"flights","status":"RUNNING","lifecycle_stage":"active","start_time":"2023-11-14T22:13:20Z","params.depth":"6","params.rate":"0.1","metrics.auc":0.75,"metrics.loss":0.5,"end_time":"{{none}}","params.Depth":"{{none}}","tags.note":"a, \"b\""}

$ ciclo runs export --experiment flights --filter "metrics.auc < 0.6" --histories --out - --server {{server}}
--- 0
run_id,run_name,metric,step,timestamp,value
{{wide}},wide,auc,0,2023-11-14T22:13:21Z,0.5
{{wide}},wide,gap,0,2023-11-14T22:13:21Z,NaN
{{wide}},wide,loss,0,2023-11-14T22:13:20Z,1.0
{{wide}},wide,loss,1,2023-11-14T22:13:21Z,0.25

$ ciclo runs export --experiment flights --out runs.parquet --json --server {{server}} && ciclo data add runs runs.parquet --server {{server}} && ciclo data show runs --server {{server}} && ! ls | grep partial
--- 0
...
  "runs": 2
...
runs version 1: 2 rows, {{any}}
...
{{/start_time +timestamp .*/}}
...
{{/params.Depth +text .*/}}
{{/params.depth_1 +text .*/}}
...
{{/metrics.loss +number +0 +2 .*/}}
...

$ ciclo runs export --out runs.txt --server {{server}}
--- 1
2> ciclo: the name "runs.txt" tells no format: end it with .csv, .jsonl or .parquet, or give --format

$ ciclo runs export --out nowhere/runs.csv --server {{server}}
--- 1
2> ciclo: there is no directory {{any}}/nowhere to write runs.csv into

$ ciclo runs export --out - --format parquet --server {{server}}
--- 1
2> ciclo: Parquet cannot be written to standard output: name a file with --out

$ ciclo runs delete base --server {{server}} && ciclo runs list --deleted --json --server {{server}} && ciclo runs restore base --server {{server}}
--- 0
run {{base}} is deleted; `ciclo runs restore` brings it back
...
{{/ *"run_id": "/}}{{base}}",
...
run {{base}} is restored

$ ciclo experiments rename flights trips --server {{server}} && ciclo experiments delete trips --server {{server}} && ciclo experiments list --server {{server}} && ciclo experiments list --deleted --server {{server}} && ciclo experiments restore trips --server {{server}}
--- 0
experiment flights ({{flights}}) is now called trips
experiment trips ({{flights}}) is deleted with its runs; `ciclo experiments restore` brings it back
id  experiment  state   created  updated
{{/─.*/}}
{{/ ?0  Default     active .*/}}
id  experiment  state    created {{any}} updated
{{/─.*/}}
{{/ ?/}}{{flights}}  trips       deleted  {{any}}
experiment trips ({{flights}}) is restored

$ ciclo experiments show trips --server {{server}}
--- 0
...
tag   value
────  ─────
team  a
...
newest runs  {{any}}
...
{{wide}}  wide  FINISHED  {{any}}
{{base}}  base  RUNNING   {{any}}

POST /api/2.0/mlflow/registered-models/create

{"name": "trips-a"}
--- 200

POST /api/2.0/mlflow/registered-models/create

{"name": "trips-b"}
--- 200

$ ciclo models list --filter "name LIKE 'trips%'" --order-by "name DESC" --limit 1 --json --server {{server}}
--- 0
{"registered_models": [{"name": "trips-b"}]}

$ ciclo models list --filter "name = 'none'" --json --server {{server}}
--- 0
{"registered_models": []}
