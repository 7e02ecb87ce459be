# SPDX-License-Identifier: Apache-2.0
"""Drops a schema of the test's PostgreSQL in which servers have worked, killed ones among them."""

import subprocess
import time

PATIENCE_S = 120


def ask(url, statement):
    """The answer of psql, one value; CalledProcessError with its words when it fails."""
    return subprocess.run(["psql", "-qXAt", "-v", "ON_ERROR_STOP=1", "-c", statement, url],
                          check=True, capture_output=True, text=True).stdout.strip()


def drop_schema(url, name):
    """Waits until none of its tables is in use: what a killed server had begun runs on for a
    moment, and could end in a deadlock with this."""
    in_use = ("SELECT COUNT(*) FROM pg_locks JOIN pg_class ON pg_class.oid = pg_locks.relation"
              f" WHERE pg_class.relnamespace = '{name}'::regnamespace")
    end = time.monotonic() + PATIENCE_S
    while ask(url, in_use) != "0" and time.monotonic() < end:
        time.sleep(0.05)
    ask(url, f"DROP SCHEMA {name} CASCADE")
