# Bad input: one clear sentence each, an exit code that is not 0, and nothing half-written.

$ ciclo init missing.csv --target y --dir out 2>&1
--- 1
ciclo: there is no file missing.csv

> good.csv
a,b,y
1,x,0
2,y,1
3,x,0
4,y,1
5,x,0

$ ciclo init good.csv --target outcome --dir out 2>&1
--- 1
ciclo: there is no column "outcome" to predict; there are a, b, y

> ragged.csv
a,b,y
1,2,0
1,2,3,4
2,3,1

$ ciclo init ragged.csv --target y --dir out 2>&1
--- 1
ciclo: ragged.csv, line 3: expected 3 fields, got 4

> header_only.csv
a,b,y

$ ciclo init header_only.csv --target y --dir out 2>&1
--- 1
ciclo: header_only.csv has a header but no rows

$ : > nothing.csv
--- 0

$ ciclo init nothing.csv --target y --dir out 2>&1
--- 1
ciclo: nothing.csv is empty

> constant.csv
a,y
1,1
2,1
3,1

$ ciclo init constant.csv --target y --dir out 2>&1
--- 1
ciclo: target "y" is "1" in every row; nothing can be learned from it

> one_class.csv
a,y
1,sold
2,sold
3,
4,sold

$ ciclo init one_class.csv --target y --dir out 2>&1
--- 1
ciclo: target "y" is "sold" in every row; nothing can be learned from it

> null_target.csv
a,y
1,
2,
3,

$ ciclo init null_target.csv --target y --dir out 2>&1
--- 1
ciclo: target "y" is null in every row

> infinite.csv
a,y
1,1
2,inf
3,1
4,inf

$ ciclo init infinite.csv --target y --dir out 2>&1
--- 1
ciclo: target "y" is infinite in 2 rows; expected finite numbers, or no value where it is not known

> rare.csv
a,y
1,no
2,no
3,no
4,no
5,yes

$ ciclo init rare.csv --target y --dir out 2>&1
--- 1
ciclo: target "y" has too few rows to train, validate and test a model: a random split fails, as the rows for train would have one value of the target only

$ ls -a | grep -x -e out -e .ciclo -e ciclo.yaml -e schemas
--- 1

$ ciclo run 2>&1
--- 1
ciclo: there is no ./ciclo.yaml; `ciclo init FILE --target COLUMN` writes one from a table

$ ciclo predict nobody good.csv 2>&1
--- 1
ciclo: nothing was run here yet: there is no ./.ciclo; `ciclo run` makes it, or name a platform with --server

> ciclo.yaml
project: [unclosed

$ ciclo run 2>&1
--- 1
ciclo: ciclo.yaml:2:1: not valid YAML: end of sequence flow not found

> ciclo.yaml
project: bad
data: {good: {files: nowhere.csv}}
target: y

$ ciclo run 2>&1
--- 1
ciclo: data.good: there is no file nowhere.csv

> ciclo.yaml
project: bad
data: {good: {files: good.csv}}
target: {column: y, task: binary}
trian: {learner: xgboost}

$ ciclo run 2>&1
--- 1
ciclo: ciclo.yaml:4:8: unknown key "trian"; did you mean "train"?

$ test ! -e .ciclo
--- 0

$ ciclo fly
--- 2

$ ciclo runs list --json --server http://127.0.0.1:1
--- 1
2> {{any}}127.0.0.1{{any}}
