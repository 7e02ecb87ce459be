#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What ./dev setup decides to install, on distributions that are only lists of names.

set -uo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=/dev/null
source ./dev
set +e

failures=0

expect() {
  local what=$1 expected=$2 found=$3
  if [[ $expected != "$found" ]]; then
    printf 'FAILED %s\n  expected: %s\n  found:    %s\n' "$what" "${expected//$'\n'/, }" \
      "${found//$'\n'/, }"
    failures=$((failures + 1))
  fi
}

all_names() { sed -n "s/^$1 //p" third_party/apt.txt; }

# The ports of the functions under test.
INSTALLED='' KNOWN=''
installed_packages() { printf '%s\n' $INSTALLED; }
is_available() { grep -qxF "$1" <<<"$KNOWN"; }

INSTALLED=''
expect 'an empty machine misses all of the group' \
  "$(all_names bench | sort -u)" "$(missing_packages bench)"
expect 'two groups are joined, each package once' \
  "$({ all_names bench && all_names test; } | sort -u)" "$(missing_packages bench test)"

INSTALLED=$(all_names build | sed 's/|.*//')
expect 'nothing is missing where the first alternatives are installed' \
  '' "$(missing_packages build)"

INSTALLED=$(all_names build | sed 's/.*|//')
expect 'nothing is missing where the last alternatives are installed' \
  '' "$(missing_packages build)"

INSTALLED=$(all_names build | sed 's/|.*//' | grep -v '^mold$')
expect 'one missing package is named alone' 'mold' "$(missing_packages build)"

# g++ must not be read as an expression, nor found inside g++-12.
INSTALLED=$(all_names build | sed 's/|.*//;s/^g++$/g++-12/')
expect 'names are compared whole' 'g++' "$(missing_packages build)"

KNOWN=$'libboost1.83-dev\nnginx'
expect 'the alternative that the distribution knows is chosen' \
  'libboost1.83-dev' "$(available_alternative 'libboost1.81-dev|libboost1.83-dev')"
message=$( (available_alternative 'none|nothing') 2>&1)
expect 'a package that no list knows is named in one sentence' \
  'dev: this distribution has no package none or nothing' "${message%%;*}"

INSTALLED=$(all_names build | sed 's/|.*//')
apt-get() { echo 'apt-get was called'; }
expect 'nothing is installed, and no network asked, when nothing is missing' \
  '' "$(install_packages build 2>&1)"

[[ $failures -eq 0 ]] && echo 'setup: all as expected'
exit "$failures"
