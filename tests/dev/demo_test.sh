#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Which process the demo ends before it begins anew: the last demo's server, and no other that has
# got its number meanwhile.

set -uo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=/dev/null
source examples/flights/run.sh
set +e

folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
failures=0

expect() {
  if [[ $2 != "$3" ]]; then
    printf 'FAILED %s\n  expected: %s\n  found:    %s\n' "$1" "$2" "$3"
    failures=$((failures + 1))
  fi
}

# A child that nobody has waited for yet has no program any more.
state() { [[ -e /proc/$1/exe ]] && echo runs || echo ended; }

# Stands in for the server: it names the root among its arguments, and ends at SIGTERM.
program=$folder/ciclo root=$folder/root
cp "$(realpath "$(command -v tail)")" "$program"
mkdir "$root"

# Until the program has begun, the child is this shell.
start() {
  "$@" >/dev/null 2>&1 &
  while [[ /proc/$!/exe -ef /proc/$$/exe ]]; do sleep 0.01; done
}

start sleep 1000
stranger=$!
echo "$stranger" >"$root/demo.pid"
stop_last_server
expect 'another program with the number is left alone' runs "$(state "$stranger")"
kill "$stranger"

start "$program" -f /dev/null "$folder/other"
other=$!
echo "$other" >"$root/demo.pid"
stop_last_server
expect 'a server on another root is left alone' runs "$(state "$other")"
kill "$other"

start "$program" -f /dev/null "$root"
server=$!
echo "$server" >"$root/demo.pid"
cp "$program" "$folder/new" && mv "$folder/new" "$program"
stop_last_server
expect 'the last server ends, also when the program was built anew' ended "$(state "$server")"
kill "$server" 2>/dev/null

for content in '' 'nonsense' '999999999' '-1'; do
  echo "$content" >"$root/demo.pid"
  stop_last_server
  expect "a file that says '$content' does no harm" 0 $?
done
rm "$root/demo.pid"
stop_last_server
expect 'no file, no server' 0 $?

[[ $failures -eq 0 ]] && echo 'demo: all as expected'
exit "$failures"
