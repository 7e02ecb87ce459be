#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh PROGRAM [PYTEST ARGUMENT…]
#
# Runs the field's own clients, unmodified, against the program. Their packages are pinned with
# their hashes in requirements.txt and installed into .tools/venv, once for each content of that
# file.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
venv=$root/.tools/venv

fail() {
  printf 'tests/clients: %s\n' "$*" >&2
  exit 1
}

[ $# -ge 1 ] || fail "which program? usage: run.sh PROGRAM [PYTEST ARGUMENT…]"
program=$(realpath "$1")
shift
[ -x "$program" ] || fail "$program is not a program: build it with ./dev build"

python=$(command -v python3.11 || command -v python3) || fail "python3 is missing"
"$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null ||
  fail "Python 3.10 or newer with venv is needed: apt-get install python3-venv"

wanted=$(sha256sum "$here/requirements.txt" | cut -d' ' -f1)
if [ "$(cat "$venv/installed" 2>/dev/null)" != "$wanted" ]; then
  printf 'tests/clients: installing the clients into .tools/venv\n' >&2
  rm -rf "$venv"
  "$python" -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes \
    --only-binary :all: --requirement "$here/requirements.txt"
  printf '%s\n' "$wanted" >"$venv/installed"
fi

cd "$here"
exec "$venv/bin/python" -m pytest -p no:cacheprovider -q "--program=$program" "$here" "$@"
