#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""server_bench.py PROGRAM: what a server costs before it does anything, and what logging costs.

- cold start: from fork to the first 200 of GET /health, on an empty root and on one that exists
- idle memory: resident set a second after start, with the web pages inside and no model loaded
- logging: metrics a second through POST log-batch (1,000 a request, one client), beside the same
  rows written by bare SQLite in C (sql_bench --log-batch) into the same tables of a database that
  the server has made: same indexes, 1,000 rows a transaction, WAL and synchronous=FULL
"""

import http.client
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

STARTS = 7
BATCHES = 60
ROWS = 1000
KEYS = 10


class Server:
    def __init__(self, program: str, root: pathlib.Path):
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [program, "server", "--listen", "127.0.0.1:0", "--root", str(root),
             "--http-access-log", "false"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.address = self.process.stdout.readline().split("//")[1].strip()
        self.connection = http.client.HTTPConnection(self.address)
        assert self.call("GET", "/health")[0] == 200
        self.ready_ms = (time.monotonic() - self.started) * 1000

    def call(self, method: str, path: str, body=None):
        text = None if body is None else json.dumps(body)
        self.connection.request(method, path, text, {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def check_pages(self) -> None:
        """Without them the idle memory would be that of another program."""
        status, page = self.call("GET", "/")
        if status != 200 or b"<html" not in page.lower():
            sys.exit("server_bench: the program holds no web pages; ./dev build release makes them")

    def resident_mib(self) -> float:
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("no VmRSS")

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(timeout=30) == 0


def starts(program: str, folder: pathlib.Path) -> dict:
    fresh, again, resident = [], [], []
    for number in range(STARTS):
        root = folder / f"start-{number}"
        for times in (fresh, again):
            server = Server(program, root)
            times.append(server.ready_ms)
            if times is fresh and number == 0:
                server.check_pages()
            if times is again:
                time.sleep(1)
                resident.append(server.resident_mib())
            server.stop()
    return {"cold_start_ms": statistics.median(again), "first_start_ms": statistics.median(fresh),
            "idle_mib": statistics.median(resident)}


def batch(number: int) -> list:
    return [{"key": f"m{row % KEYS}", "value": row * 0.5, "timestamp": 1_700_000_000_000 + row,
             "step": number * ROWS + row} for row in range(ROWS)]


def logging(program: str, folder: pathlib.Path) -> float:
    server = Server(program, folder / "logging")
    _, answer = server.call("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0"})
    run = json.loads(answer)["run"]["info"]["run_id"]
    bodies = [{"run_id": run, "metrics": batch(number)} for number in range(BATCHES)]
    begin = time.monotonic()
    for body in bodies:
        status, text = server.call("POST", "/api/2.0/mlflow/runs/log-batch", body)
        assert status == 200, text
    seconds = time.monotonic() - begin
    server.stop()
    return BATCHES * ROWS / seconds


def bare_sqlite(program: str, folder: pathlib.Path) -> float:
    root = folder / "bare"
    Server(program, root).stop()
    bench = pathlib.Path(program).parent / "bin" / "sql_bench"
    done = subprocess.run([bench, "--log-batch", root / "ciclo.db", str(BATCHES), str(ROWS),
                           str(KEYS)], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)["rows_per_second"]


def main() -> int:
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        result = starts(program, folder)
        logged, raw = [], []
        for repetition in range(3):
            place = folder / f"repetition-{repetition}"
            place.mkdir()
            raw.append(bare_sqlite(program, place))
            logged.append(logging(program, place))
        result["log_batch_rows_per_s"] = statistics.median(logged)
        result["bare_sqlite_rows_per_s"] = statistics.median(raw)
        result["ratio"] = result["log_batch_rows_per_s"] / result["bare_sqlite_rows_per_s"]
    print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
