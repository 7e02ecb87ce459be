# Bad input: one clear sentence each, an exit code that is not 0, and nothing half-written.

$ ciclo init missing.csv --target y --dir out
--- 1
2> {{any}}missing.csv{{any}}

$ test ! -e out
--- 0

> good.csv
a,b,y
1,x,0
2,y,1
3,x,0
4,y,1
5,x,0

$ ciclo init good.csv --target z --dir out
--- 1
2> {{any}}z{{any}}

> ragged.csv
a,b,y
1,2,0
1,2,3,4
2,3,1

$ ciclo init ragged.csv --target y --dir out
--- 1
2> {{any}}ragged.csv{{any}}

> empty.csv
a,b,y

$ ciclo init empty.csv --target y --dir out
--- 1
2> {{any}}empty.csv{{any}}

> constant.csv
a,y
1,1
2,1
3,1

$ ciclo init constant.csv --target y --dir out
--- 1
2> {{any}}y{{any}}

> null_target.csv
a,y
1,
2,
3,

$ ciclo init null_target.csv --target y --dir out
--- 1
2> {{any}}y{{any}}

$ test ! -e out
--- 0

$ ciclo run
--- 1
2> {{any}}ciclo init{{any}}

> ciclo.yaml
project: [unclosed

$ ciclo run
--- 1
2> {{any}}ciclo.yaml:{{any}}

> ciclo.yaml
project: bad
data: {good: {files: nowhere.csv}}
target: y

$ ciclo run
--- 1
2> {{any}}nowhere.csv{{any}}

> ciclo.yaml
project: bad
data: {good: {files: good.csv}}
target: {column: y, task: binary}
trian: {learner: xgboost}

$ ciclo run
--- 1
2> {{any}}did you mean "train"?{{any}}

$ ciclo predict nobody good.csv
--- 1
2> {{any}}nobody{{any}}

$ ciclo fly
--- 2

$ ciclo runs list --json --server http://127.0.0.1:1
--- 1
2> {{any}}127.0.0.1{{any}}
