#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh [--client SERIES] PROGRAM [PYTEST ARGUMENT…]
#
# Runs the field's own clients, unmodified, against the program: all tests with the newest of them,
# or those of test_versions.py with an older mlflow (--client 2.22, 3.6). Packages are pinned with
# their hashes in requirements.txt (requirements-SERIES.txt) and installed into .tools/clients/,
# once for each content of that file. A requirements file is what `uv pip compile
# --generate-hashes --no-annotate --no-header --only-binary :all: -p 3.11` makes of the .in file
# beside it. An older client is mlflow-skinny, the same client code without the server's packages,
# and scikit-learn to log models of: it installs in half a minute. Its tests find the newest one as
# CICLO_NEWEST_PYTHON, to read what it wrote.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

fail() {
  printf 'tests/clients: %s\n' "$*" >&2
  exit 1
}

series=newest tests=$here
if [ "${1:-}" = --client ]; then
  series=${2:-} tests=$here/test_versions.py
  [ -f "$here/requirements-$series.txt" ] || fail "there is no client $series: the older ones are $(
    cd "$here" && printf '%s ' requirements-*.in | sed 's/requirements-//g; s/\.in//g')"
  shift 2
fi
[ $# -ge 1 ] || fail "which program? usage: run.sh [--client SERIES] PROGRAM [PYTEST ARGUMENT…]"
program=$(realpath "$1")
shift
[ -x "$program" ] || fail "$program is not a program: build it with ./dev build"

python=$(command -v python3.11 || command -v python3) || fail "python3 is missing"
"$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
  fail "Python 3.11 or newer with venv is needed: apt-get install python3-venv"

# Two runs at once install one after the other, and the second finds it done.
install() {
  local series=$1 venv=$2 requirements=$here/requirements.txt wanted
  [ "$series" = newest ] || requirements=$here/requirements-$series.txt
  wanted=$(sha256sum "$requirements" | cut -d' ' -f1)
  exec 9>"$venv.lock"
  flock 9
  if [ "$(cat "$venv/installed" 2>/dev/null)" != "$wanted" ]; then
    printf 'tests/clients: installing the client (%s) into .tools/clients\n' "$series" >&2
    rm -rf "$venv"
    "$python" -m venv "$venv"
    # What is imported is compiled then: most of what is installed never is.
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes \
      --only-binary :all: --no-compile --requirement "$requirements"
    printf '%s\n' "$wanted" >"$venv/installed"
  fi
  exec 9>&-
}

mkdir -p "$root/.tools/clients"
venv=$root/.tools/clients/$series
install "$series" "$venv"
[ "$series" = newest ] || install newest "$root/.tools/clients/newest"
export CICLO_NEWEST_PYTHON=$root/.tools/clients/newest/bin/python

cd "$here"
exec "$venv/bin/python" -m pytest -p no:cacheprovider -q --disable-warnings \
  "--program=$program" "$tests" "$@"
