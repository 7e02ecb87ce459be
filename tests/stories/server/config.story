# The configuration: which source wins, what is secret, what is wrong, and that commands without a server heed it.

> file.yaml
http:
  workers: 3
  loops: 4
  queue_max: 5

$ env CICLO_HTTP_LOOPS=6 CICLO_HTTP_WORKERS=7 ciclo config show --config file.yaml --http-workers 8 --json | python3 -c 'import json,sys; print("\n".join("{key} {value} {from}".format(**e) for e in json.load(sys.stdin) if e["from"] != "default" or e["key"] == "http.body_rate_min"))'
--- 0
http.loops 6 CICLO_HTTP_LOOPS
http.workers 8 --http-workers
http.queue_max 5 file.yaml:4:14
http.body_rate_min 1024 default

$ ciclo config show --database postgresql://u:hunter2@h/d
--- 0
...
database {{any}} *** {{any}} --database {{any}}
...

$ ciclo config show --database postgresql://u:hunter2@h/d --json | grep -c hunter2
--- 1
0

> unknown.yaml
http:
  worker: 3

$ ciclo config show --config unknown.yaml
--- 1
2> ciclo: unknown.yaml:2:11: unknown key "http.worker"; did you mean http.workers?

$ ciclo server --config unknown.yaml --root other
--- 1
2> ciclo: unknown.yaml:2:11: unknown key "http.worker"; did you mean http.workers?

$ ciclo config show --config none.yaml
--- 1
2> {{any}}none.yaml{{any}}

> kind.yaml
http: {workers: many}

$ ciclo config show --config kind.yaml
--- 1
2> ciclo: kind.yaml:1:17: http.workers must be an integer, got "many"

$ ciclo server --root other --http-workers 0
--- 1
2> ciclo: http.workers must lie between 1 and 1024, got 0

$ ciclo server --root other --http-header-bytes-max 10
--- 1
2> ciclo: http.header_bytes_max must lie between 1024 and 1048576, got 10

$ ciclo server --root other --http-body-bytes-max 1000000000 --http-buffered-bytes-max 2000000
--- 1
2> ciclo: http.body_bytes_max (1000000000) must not exceed http.buffered_bytes_max (2000000)

$ ciclo server --root other --table-threads 0
--- 1
2> ciclo: table.threads must lie between 1 and 256, got 0

$ ciclo server --root other --webhooks-attempts-max 0
--- 1
2> ciclo: webhooks.attempts_max must lie between 1 and 100, got 0

$ ciclo server --root other --webhooks-secret-key swordfish
--- 1
2> ciclo: webhooks.secret_key: a key must be 64 hexadecimal digits (32 bytes), got 9 characters

$ ciclo server --root other --log-level loud
--- 1
2> ciclo: log.level must be debug, info, warn or error, got "loud"

# A command that runs its own platform reads the same keys, from the environment and from a file.

$ mkdir mine
--- 0

$ env CICLO_PIPELINE_PARALLEL_MAX=99 ciclo runs list --root mine
--- 1
2> ciclo: pipeline.parallel_max must lie between 1 and 64, got 99

> database.yaml
database: sqlite:elsewhere/kept.db
root: from_file

$ mkdir from_file && ciclo runs list --config database.yaml && test -e elsewhere/kept.db && test -e from_file/lock && test ! -e .ciclo
--- 0

$ env CICLO_DATABASE=sqlite:env.db ciclo runs list --root mine && test -e env.db && test ! -e mine/ciclo.db
--- 0

$ env CICLO_CLIENT_ATTEMPTS_MAX=0 ciclo runs list --server http://127.0.0.1:1
--- 1
2> ciclo: client.attempts_max must lie between 1 and 20, got 0

$ ciclo server --retention-deleted soon --root other
--- 1
2> ciclo: retention.deleted: expected a duration such as 90s, 15m, 12h, 7d or 2w, got "soon"

$ ciclo server --retention-grace 1m --root other
--- 1
2> ciclo: retention.grace must be at least 2m, got "1m"
