# Classes that are round numbers have one spelling, from the table's statistics to the trained model.

$ awk 'BEGIN { print "a,b,y"; for (i = 0; i < 400; i++) { a = (i * 7919) % 1000 / 1000; b = (i * 1047) % 997 / 997; y = a + b > 1; if (i % 7 == 0) y = !y; printf "%g,%g,%d\n", a, b, y * 100000 } }' > round.csv
--- 0

$ ciclo init round.csv --target y
--- 0
...

$ grep -c 'positive: "100000"' ciclo.yaml
--- 0
1

$ ciclo run --set train.parameters.rounds=10 --set tune.trials=1 --server {{server}}
--- 0
...
