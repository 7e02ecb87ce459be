#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh PROGRAM DATA: the whole life of a model on real data.
#   PROGRAM   the ciclo binary
#   DATA      directory of the nycflights13 tables
# The server stays up at the end; its address is printed, and `kill PID` stops it.
set -euo pipefail

main() {
  program=$(realpath "$1")
  tables=$(realpath "$2")
  here=$(cd "$(dirname "$0")" && pwd)
  listen=${CICLO_LISTEN:-127.0.0.1:5000}
  root=${CICLO_DEMO_ROOT:-$here/.ciclo}
  export CICLO_SERVER=http://$listen

  mkdir -p "$here/data"
  [ -s "$here/data/flights.csv" ] || python3 -m zipfile -e "$tables/flights.csv.zip" "$here/data"
  cp -u "$tables/weather.csv" "$tables/planes.csv" "$here/data/"

  # A second demo begins anew, so that it shows the same.
  stop_last_server
  rm -rf "$root"
  mkdir -p "$root"

  say "1  The platform: one process, SQLite and local disk"
  "$program" server --listen "$listen" --root "$root" --http-access-log false \
    >"$root/server.out" 2>"$root/server.log" &
  server=$!
  echo "$server" >"$root/demo.pid"
  for _ in $(seq 1 200); do
    grep -q '^ready ' "$root/server.out" && break
    kill -0 "$server" 2>/dev/null ||
      fail "the server did not start: $(tail -n 3 "$root/server.log")"
    sleep 0.05
  done
  grep '^ready ' "$root/server.out" || fail "the server was not ready within 10 s"

  cd "$here"
  say "2  January to May: data, features, training, gate, deployment"
  "$program" run

  say "3  The same again: nothing has changed, nothing runs"
  "$program" run

  say "4  June to December as live traffic; labels come a day later; alarms retrain"
  # A second endpoint keeps serving the first model, to compare with.
  curl --silent --show-error --fail -X PUT -H 'Content-Type: application/json' \
    -d '{"model": "flights", "version": "1"}' \
    "$CICLO_SERVER/api/v1/endpoints/flights-frozen" >/dev/null
  # Moments are UTC; New York's last evening of the year lies in UTC's January and is left out.
  "$program" replay --to 2014-01-01 --beside flights-frozen | tee "$root/replay.txt"

  say "5  What happened"
  "$program" models show flights
  cat <<TEXT

In the table by month "flights-frozen" is the first model, left alone; "flights" is managed.

  web pages   $CICLO_SERVER/
  endpoint    $CICLO_SERVER/v2/models/flights/infer
  stop it     kill $server
TEXT
}

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
fail() { echo "demo: $*" >&2; exit 1; }

# Whether the process is a server of this program: its number may have gone to another since. A
# program that was built anew meanwhile shows as deleted.
is_our_server() {
  local running
  running=$(readlink "/proc/$1/exe" 2>/dev/null) || return 1
  [ "${running% (deleted)}" = "$program" ] || return 1
  tr '\0' '\n' <"/proc/$1/cmdline" 2>/dev/null | grep -qxF -- "$root"
}

# Asks the demo's last server to end, and waits for it as long as it may drain.
stop_last_server() {
  local pid
  pid=$(cat "$root/demo.pid" 2>/dev/null) || return 0
  [[ $pid =~ ^[0-9]+$ ]] && is_our_server "$pid" || return 0
  kill "$pid"
  for _ in $(seq 1 600); do
    is_our_server "$pid" || return 0
    sleep 0.1
  done
  fail "the server of the last demo, process $pid, has not ended in 60 s; end it with: kill -9 $pid"
}

# Sourced by its own test, the functions are only defined.
[[ ${BASH_SOURCE[0]} != "$0" ]] || main "$@"
