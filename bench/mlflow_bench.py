#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mlflow_bench.py PROGRAM: the tracking server beside MLflow's own, the same load in the same run.

MLflow's server is the one that tests/clients pins, on SQLite, with one worker and without its job
runner (its fastest setting there, where writers wait for one another); ours acknowledges a write
when it is on disk (synchronous=FULL). wrk drives both where requests are many; where they are long,
one client asks and the median counts. The runs to search are written into both databases directly.

CICLO_BENCH_RUNS=10000,100000 chooses how many runs are searched.
"""

import http.client
import json
import os
import pathlib
import random
import re
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
VENV = ROOT / ".tools" / "venv" / "bin" / "python"
SECONDS = 6
POINTS = 100_000
FILE_BYTES = 100 << 20
RUNS = [int(count) for count in os.environ.get("CICLO_BENCH_RUNS", "10000,100000").split(",")]
API = "/api/2.0/mlflow/"


class Server:
    """A process group that answers at `url`; `database` is its SQLite file."""

    def __init__(self, command, url, database, environment=None):
        self.url, self.database = url, database
        begun = time.monotonic()
        self.process = subprocess.Popen(
            command,
            env={**os.environ, **(environment or {})},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        while not self.is_healthy():
            if self.process.poll() is not None or time.monotonic() - begun > 300:
                sys.exit(f"mlflow_bench: {command[0]} did not come up")
            time.sleep(0.005)
        self.start_ms = (time.monotonic() - begun) * 1000

    def is_healthy(self):
        try:
            connection = http.client.HTTPConnection(self.url.split("//")[1], timeout=5)
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except OSError:
            return False

    def call(self, method, path, body=None, query=None):
        connection = http.client.HTTPConnection(self.url.split("//")[1], timeout=600)
        target = path + ("?" + urllib.parse.urlencode(query) if query else "")
        connection.request(
            method,
            target,
            None if body is None else json.dumps(body),
            {"Content-Type": "application/json"},
        )
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            sys.exit(f"mlflow_bench: {method} {path} answered {answer.status}: {text[:300]!r}")
        return text

    def resident_mib(self):
        group, kib = os.getpgid(self.process.pid), 0
        for status in pathlib.Path("/proc").glob("[0-9]*/status"):
            try:
                if os.getpgid(int(status.parent.name)) == group:
                    kib += int(re.search(r"VmRSS:\s+(\d+)", status.read_text())[1])
            except (OSError, TypeError):
                continue
        return kib / 1024

    def stop(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_ours(program, folder):
    port = free_port()
    return Server(
        [
            program,
            "server",
            "--listen",
            f"127.0.0.1:{port}",
            "--root",
            str(folder / "ours"),
            "--http-access-log",
            "false",
        ],
        f"http://127.0.0.1:{port}",
        folder / "ours" / "ciclo.db",
    )


def start_theirs(folder):
    port = free_port()
    return Server(
        [
            str(VENV),
            "-m",
            "mlflow",
            "server",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--workers",
            "1",
            "--backend-store-uri",
            f"sqlite:///{folder}/mlflow.db",
            "--artifacts-destination",
            str(folder / "artifacts"),
        ],
        f"http://127.0.0.1:{port}",
        folder / "mlflow.db",
        {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"},
    )


# --- Many requests


def wrk(server, folder, clients, path, lua):
    script = folder / "load.lua"
    script.write_text(lua)
    done = subprocess.run(
        [
            "wrk",
            "-t2",
            f"-c{clients}",
            f"-d{SECONDS}s",
            "--timeout",
            "60s",
            "--latency",
            "-s",
            str(script),
            server.url + path,
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    if "Non-2xx" in done:
        sys.exit(f"mlflow_bench: {path} answered errors: {done}")
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s|m)", done)
    unit = {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}[p99[2]]
    return {
        "per_second": float(re.search(r"Requests/sec:\s+([\d.]+)", done)[1]),
        "p99_ms": float(p99[1]) * unit,
    }


# Threads of wrk do not know one another: each counts from a start of its own.
LUA = """
local thread = 0
function setup(t) t:set("first", thread * 100000000); thread = thread + 1 end
function init() step = first end
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
function request()
  step = step + %(steps)d
  return wrk.format(nil, nil, nil, %(body)s)
end
"""


def body_of_batch(run):
    """1,000 points of 10 keys, as a Lua expression; only the steps change."""
    parts = "".join(
        f'{{"key":"k{row % 10}","value":{row * 0.5},"timestamp":{1_700_000_000_000 + row},'
        f'"step":STEP}},'
        for row in range(1000)
    )[:-1]
    text = f'{{"run_id":"{run}","metrics":[{parts}]}}'
    return f"(string.gsub([=[{text}]=], 'STEP', function() step = step + 1; return step end))"


def write_load(server, folder):
    run = json.loads(server.call("POST", API + "runs/create", {"experiment_id": "0"}))
    run = run["run"]["info"]["run_id"]
    head = f'{{"run_id":"{run}","key":"m","value":0.5,"timestamp":1700000000000,"step":'
    one = f"'{head}' .. step .. '}}'"
    return {
        "create_run_8": wrk(
            server,
            folder,
            8,
            API + "runs/create",
            LUA % {"steps": 1, "body": """'{"experiment_id":"0","start_time":1}'"""},
        ),
        "log_metric_64": wrk(
            server, folder, 64, API + "runs/log-metric", LUA % {"steps": 1, "body": one}
        ),
        "log_batch_1000_8": wrk(
            server,
            folder,
            8,
            API + "runs/log-batch",
            LUA % {"steps": 0, "body": body_of_batch(run)},
        ),
    }


# --- Long requests


def median_ms(repetitions, call):
    times = []
    for _ in range(repetitions):
        begin = time.monotonic()
        call()
        times.append((time.monotonic() - begin) * 1000)
    return statistics.median(times)


def rows_of(count):
    """(name, start, metrics, params) of runs: 5 metrics, 5 params."""
    chance = random.Random(7)
    for number in range(count):
        yield (
            f"{count:012x}{number:020x}",
            1_700_000_000_000 + number,
            [(f"m{key}", chance.random()) for key in range(5)],
            [(f"p{key}", str(chance.randrange(10))) for key in range(5)],
        )


def fill_theirs(database, experiment, count):
    with sqlite3.connect(database, timeout=60) as file:
        for run, start, metrics, params in rows_of(count):
            file.execute(
                "INSERT INTO runs (run_uuid, name, source_type, user_id, status, start_time, "
                "end_time, lifecycle_stage, artifact_uri, experiment_id) "
                "VALUES (?, ?, 'LOCAL', 'u', 'FINISHED', ?, ?, "
                "'active', ?, ?)",
                (run, run[-6:], start, start + 9, f"mlflow-artifacts:/{run}", experiment),
            )
            file.executemany(
                "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid) "
                "VALUES (?, ?, ?, 0, 0, ?)",
                [(key, value, start, run) for key, value in metrics],
            )
            file.executemany(
                "INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)",
                [(key, value, run) for key, value in params],
            )


def fill_ours(database, experiment, count):
    with sqlite3.connect(database, timeout=60) as file:
        for run, start, metrics, params in rows_of(count):
            number = file.execute(
                "INSERT INTO runs (run_id, experiment_id, name, user_id, status, start_ms, end_ms, "
                "lifecycle_stage, "
                "artifact_uri) VALUES (?, ?, ?, 'u', 'FINISHED', ?, ?, 'active', ?)",
                (run, experiment, run[-6:], start, start + 9, f"mlflow-artifacts:/{run}"),
            ).lastrowid
            file.executemany(
                "INSERT INTO metric_series (run_number, key, step, timestamp_ms, value, is_nan, "
                "experiment_id) VALUES (?, ?, 0, ?, ?, 0, ?)",
                [(number, key, start, value, experiment) for key, value in metrics],
            )
            file.executemany(
                "INSERT INTO run_params (run_number, key, value, experiment_id) "
                "VALUES (?, ?, ?, ?)",
                [(number, key, value, experiment) for key, value in params],
            )


def search_load(server, fill, count, repetitions):
    answer = json.loads(
        server.call("POST", API + "experiments/create", {"name": f"searched-{count}"})
    )
    experiment = int(answer["experiment_id"])
    fill(server.database, experiment, count)
    asked = {"experiment_ids": [str(experiment)], "max_results": 100}
    filtered = {
        **asked,
        "filter": "metrics.m1 > 0.5 AND params.p2 = '3'",
        "order_by": ["metrics.m0 DESC"],
    }
    found = json.loads(server.call("POST", API + "runs/search", filtered))["runs"]
    values = [
        metric["value"]
        for run in found
        for metric in run["data"]["metrics"]
        if metric["key"] == "m0"
    ]
    assert len(values) == 100 and values == sorted(values, reverse=True)
    first = json.loads(server.call("POST", API + "runs/search", asked))["runs"][0]["info"]["run_id"]
    return {
        "filtered_ms": median_ms(
            repetitions, lambda: server.call("POST", API + "runs/search", filtered)
        ),
        "first_page_ms": median_ms(
            repetitions, lambda: server.call("POST", API + "runs/search", asked)
        ),
        "get_run_ms": median_ms(
            repetitions * 5, lambda: server.call("GET", API + "runs/get", query={"run_id": first})
        ),
        "first_values": [round(value, 6) for value in values[:3]],
    }


def history_load(server, repetitions):
    run = json.loads(server.call("POST", API + "runs/create", {"experiment_id": "0"}))["run"][
        "info"
    ]["run_id"]
    for begin in range(0, POINTS, 1000):
        server.call(
            "POST",
            API + "runs/log-batch",
            {
                "run_id": run,
                "metrics": [
                    {
                        "key": "loss",
                        "value": 1 / (1 + step),
                        "timestamp": 1_700_000_000_000 + step,
                        "step": step,
                    }
                    for step in range(begin, begin + 1000)
                ],
            },
        )
    whole = {"run_id": run, "metric_key": "loss"}
    assert (
        len(json.loads(server.call("GET", API + "metrics/get-history", query=whole))["metrics"])
        == POINTS
    )
    sampled = {"run_ids": run, "metric_key": "loss", "max_results": 320}
    path = "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval"
    return {
        "history_ms": median_ms(
            repetitions, lambda: server.call("GET", API + "metrics/get-history", query=whole)
        ),
        "sampled_ms": median_ms(repetitions, lambda: server.call("GET", path, query=sampled)),
    }


def artifact_load(server):
    """MB/s of one file up and down, and the resident memory after it."""
    connection = http.client.HTTPConnection(server.url.split("//")[1], timeout=600)
    path = "/api/2.0/mlflow-artifacts/artifacts/bench/file.bin"
    content = random.Random(1).randbytes(FILE_BYTES)
    begin = time.monotonic()
    connection.request("PUT", path, content)
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200
    up = time.monotonic() - begin
    begin = time.monotonic()
    connection.request("GET", path)
    answer = connection.getresponse()
    size, buffer = 0, bytearray(1 << 20)
    while got := answer.readinto(buffer):
        size += got
    assert size == FILE_BYTES
    return {
        "up_mb_s": FILE_BYTES / up / 1e6,
        "down_mb_s": FILE_BYTES / (time.monotonic() - begin) / 1e6,
        "resident_mib_after": server.resident_mib(),
    }


def measure(server, fill, folder, repetitions):
    time.sleep(1)
    result = {"start_ms": server.start_ms, "idle_mib": server.resident_mib()}
    result.update(write_load(server, folder))
    for count in RUNS:
        result[f"search_{count}"] = search_load(
            server, fill, count, repetitions if count <= 10_000 else max(1, repetitions // 3)
        )
    result.update(history_load(server, repetitions))
    result["artifact"] = artifact_load(server)
    return result


def main() -> int:
    if not VENV.exists():
        sys.exit("mlflow_bench: MLflow is not installed; tests/clients/run.sh PROGRAM installs it")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        ours, theirs = start_ours(sys.argv[1], folder), None
        try:
            result = {"ours": measure(ours, fill_ours, folder, 15)}
            ours.stop()
            theirs = start_theirs(folder)
            result["mlflow"] = measure(theirs, fill_theirs, folder, 3)
        finally:
            for server in (ours, theirs):
                if server is not None and server.process.poll() is None:
                    server.stop()
    print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
