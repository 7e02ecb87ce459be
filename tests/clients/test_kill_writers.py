# SPDX-License-Identifier: Apache-2.0
"""kill_writers.py on SQLite, and on a PostgreSQL of its own that crashes too.

For 20 seconds; for CICLO_FAULTS_SECONDS where it is set, as by ./dev faults, and then with the
longer times between two kills that the script has by itself.
"""

import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
POSTGRES = HERE.parent / "tools" / "postgres.py"
SHORT = ["--seconds", "20", "--kill-every", "4", "--restart-database-every", "7"]


def duration():
    seconds = os.environ.get("CICLO_FAULTS_SECONDS")
    return ["--seconds", seconds] if seconds else SHORT


def write_and_kill(command, program, *options):
    done = subprocess.run([*command, sys.executable, HERE / "kill_writers.py", "--program", program,
                           *duration(), *options], stdout=subprocess.PIPE, text=True)
    print(done.stdout)
    outcome = json.loads(done.stdout)
    assert (outcome["lost"], outcome["doubled"], outcome["refused"]) == ([], [], [])
    assert done.returncode == 0
    assert outcome["server_kills"] >= 2
    # Calls were cut off, and some of them had been done: else nothing was put to the test.
    assert outcome["sent_again"] > 0
    return outcome


def test_nothing_is_lost_or_doubled_on_sqlite(program, monkeypatch):
    monkeypatch.delenv("CICLO_TEST_POSTGRES_URL", raising=False)
    outcome = write_and_kill([], program, "--replays-min", "1")
    assert outcome["database"] == "sqlite"
    assert outcome["replayed"] > 0


def test_nothing_is_lost_or_doubled_on_a_postgresql_that_is_restarted(program):
    outcome = write_and_kill([sys.executable, POSTGRES, "run", "--durable", "--"], program)
    assert outcome["database"] == "postgresql"
    assert outcome["database_restarts"] >= 1
