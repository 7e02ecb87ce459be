# Commands that show what there is make nothing where nothing was run, and say so.

$ for command in "lineage churn/1" "runs list" "runs show x" "models list" "models show churn" "data list" "data show churn" "data log churn" "data validate churn" "endpoints list" status; do ciclo $command 2>&1; echo "exit $?"; done | sort | uniq -c | sed 's/^ *//'
--- 0
11 ciclo: nothing was run here yet: there is no ./.ciclo; `ciclo run` makes it, or name a platform with --server
11 exit 1

$ ciclo models promote churn 1
--- 1
2> ciclo: nothing was run here yet: there is no ./.ciclo; `ciclo run` makes it, or name a platform with --server

$ ls -A
--- 0

> t.csv
a
1

$ ciclo data add t t.csv
--- 0
t version 1: 1 rows, {{any}}

$ ciclo data list
--- 0
...
t  {{any}}
