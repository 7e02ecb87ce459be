#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mlflow_bench.py PROGRAM: the tracking server beside MLflow's own, the same load in the same run.

MLflow's server is the one that tests/clients pins. On SQLite it runs with one worker and without
its job runner (its fastest setting there, where writers wait for one another), and a second time,
writes only, as it starts by itself; on PostgreSQL, which waits for its disk, with four workers and
without its job runner. Ours acknowledges a write when it is on disk (synchronous=FULL). wrk drives
both where requests are many; where they are long, one client asks and the median counts. The runs
to search are written into both databases directly. pgbench measures the bare inserts.

CICLO_BENCH_RUNS=10000,100000 chooses how many runs are searched, and
CICLO_BENCH_DATABASES=sqlite,postgresql where.
"""

import http.client
import json
import os
import pathlib
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from mlflow_servers import (MLFLOW, ROOT, PostgresDatabase, SqliteFile, start_mlflow, start_ours)

SECONDS = 6
POINTS = 100_000
FILE_BYTES = 100 << 20
RUNS = [int(count) for count in os.environ.get("CICLO_BENCH_RUNS", "10000,100000").split(",")]
API = "/api/2.0/mlflow/"


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
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", done)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s|m)", done)
    unit = {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}[p99[2]]
    return {
        "per_second": float(re.search(r"Requests/sec:\s+([\d.]+)", done)[1]),
        "p99_ms": float(p99[1]) * unit,
        "failed": int(failed[1]) if failed else 0,
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
    """1,000 points of 10 keys, as a Lua expression: new steps, logged now, as clients do."""
    parts = "".join(
        f'{{"key":"k{row % 10}","value":{row * 0.5},"timestamp":NOW,"step":STEP}},'
        for row in range(1000)
    )[:-1]
    text = f'{{"run_id":"{run}","metrics":[{parts}]}}'
    steps = f"string.gsub([=[{text}]=], 'STEP', function() step = step + 1; return step end)"
    return f"(string.gsub(({steps}), 'NOW', os.time() .. '000'))"


def write_load(server, folder):
    run = json.loads(server.call("POST", API + "runs/create", {"experiment_id": "0"}))
    run = run["run"]["info"]["run_id"]
    head = f'{{"run_id":"{run}","key":"m","value":0.5,"timestamp":'
    one = f"'{head}' .. os.time() .. '000,\"step\":' .. step .. '}}'"
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


def in_parts(rows, size=100_000):
    """Lists of at most so many rows: a million would take a gigabyte."""
    part = []
    for row in rows:
        part.append(row)
        if len(part) == size:
            yield part
            part = []
    yield part


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


def fill_mlflow(database, experiment, count):
    columns = ["run_uuid", "name", "source_type", "user_id", "status", "start_time", "end_time",
               "lifecycle_stage", "artifact_uri", "experiment_id"]
    for part in in_parts(rows_of(count), 10_000):
        database.insert("runs", columns, [
            (run, run[-6:], "LOCAL", "u", "FINISHED", start, start + 9, "active",
             f"mlflow-artifacts:/{run}", experiment) for run, start, _, _ in part])
        nan = "false" if database.name == "postgresql" else 0
        database.insert(
            "latest_metrics", ["key", "value", "timestamp", "step", "is_nan", "run_uuid"],
            [(key, value, start, 0, nan, run) for run, start, metrics, _ in part
             for key, value in metrics])
        database.insert("params", ["key", "value", "run_uuid"],
                        [(key, value, run) for run, _, _, params in part for key, value in params])


def fill_ours(database, experiment, count):
    columns = ["run_id", "experiment_id", "name", "user_id", "status", "start_ms", "end_ms",
               "lifecycle_stage", "artifact_uri"]
    for part in in_parts(rows_of(count), 10_000):
        database.insert("runs", columns, [
            (run, experiment, run[-6:], "u", "FINISHED", start, start + 9, "active",
             f"mlflow-artifacts:/{run}") for run, start, _, _ in part])
        numbers = dict(database.select(
            f"SELECT run_id, run_number FROM runs WHERE experiment_id = {experiment}"))
        database.insert(
            "metric_series",
            ["run_number", "key", "step", "timestamp_ms", "value", "is_nan", "experiment_id"],
            [(numbers[run], key, 0, start, value, 0, experiment) for run, start, metrics, _ in part
             for key, value in metrics])
        database.insert("run_params", ["run_number", "key", "value", "experiment_id"],
                        [(numbers[run], key, value, experiment) for run, _, _, params in part
                         for key, value in params])


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


def raw_artifact_load(folder):
    """MB/s of the same bytes written to a file, without and with waiting for the disk."""
    content, path = random.Random(1).randbytes(FILE_BYTES), folder / "raw.bin"
    result = {}
    for name, durable in (("page_cache_mb_s", False), ("durable_mb_s", True)):
        begin = time.monotonic()
        with open(path, "wb") as file:
            for at in range(0, FILE_BYTES, 1 << 20):
                file.write(content[at : at + (1 << 20)])
            file.flush()
            if durable:
                os.fsync(file.fileno())
        result[name] = FILE_BYTES / (time.monotonic() - begin) / 1e6
        path.unlink()
    return result


# --- PostgreSQL alone

BARE_TABLES = """
CREATE TABLE bare_runs (run BIGSERIAL PRIMARY KEY, name TEXT, start_ms BIGINT);
CREATE TABLE bare_points (run BIGINT, key TEXT, step BIGINT, timestamp_ms BIGINT,
                          value DOUBLE PRECISION, is_nan BOOLEAN);
CREATE INDEX ON bare_points (run, key, step);
"""
BARE = {
    "create_run_8": (8, "INSERT INTO bare_runs (name, start_ms) VALUES ('run', 1);"),
    "log_metric_64": (64, "INSERT INTO bare_points VALUES (1, 'm', 0, 1700000000000, 0.5, false);"),
    "log_batch_1000_8": (8, "INSERT INTO bare_points VALUES " + ", ".join(
        f"({row % 10}, 'k{row % 10}', {row}, {1_700_000_000_000 + row}, {row * 0.5}, false)"
        for row in range(1000)) + ";"),
}


def bare_postgres(folder, url):
    """Transactions per second of the bare inserts, by PostgreSQL's own pgbench."""
    PostgresDatabase.psql(url, BARE_TABLES)
    programs = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/pgbench"))
    pgbench = shutil.which("pgbench") or (str(programs[-1]) if programs else None)
    if pgbench is None:
        sys.exit("mlflow_bench: pgbench is missing: apt-get install postgresql")
    result = {}
    for load, (clients, statement) in BARE.items():
        script = folder / "bare.sql"
        script.write_text(statement)
        done = subprocess.run(
            [pgbench, "-n", "-f", str(script), "-c", str(clients), "-j", "2", "-T", str(SECONDS),
             "-d", url], capture_output=True, text=True)
        found = re.search(r"tps = ([\d.]+) \(without", done.stdout)
        if not found:
            sys.exit(f"mlflow_bench: pgbench: {done.stdout}{done.stderr}")
        result[load] = {"per_second": float(found[1])}
    return result


# --- All of it


def writes(server, folder):
    time.sleep(1)
    return {"start_ms": server.start_ms, "idle_mib": server.resident_mib(),
            **write_load(server, folder)}


def measure(server, fill, folder, repetitions):
    result = writes(server, folder)
    for count in RUNS:
        result[f"search_{count}"] = search_load(
            server, fill, count, repetitions if count <= 10_000 else max(1, repetitions // 3)
        )
    result.update(history_load(server, repetitions))
    result["artifact"] = artifact_load(server)
    return result


def measure_ours(server, folder):
    result = measure(server, fill_ours, folder, 15)
    for load in (load for load in result.values() if isinstance(load, dict)):
        if load.get("failed"):
            sys.exit(f"mlflow_bench: our server answered errors: {json.dumps(result)}")
    return result


def with_server(server, work):
    try:
        return work(server)
    finally:
        server.stop()


def on_sqlite(program, folder):
    ours, theirs = SqliteFile(folder / "ours" / "ciclo.db"), SqliteFile(folder / "mlflow.db")
    result = {"ours": with_server(start_ours(program, folder, ours),
                                  lambda server: measure_ours(server, folder))}
    result["raw"] = raw_artifact_load(folder)
    result["mlflow"] = with_server(start_mlflow(folder, theirs, 1),
                                   lambda server: measure(server, fill_mlflow, folder, 3))
    default = SqliteFile(folder / "default.db")
    result["mlflow_default"] = with_server(start_mlflow(folder, default),
                                           lambda server: writes(server, folder))
    return result


def on_postgres(program, folder, url):
    ours, theirs = (PostgresDatabase(url, name) for name in ("ours", "mlflow"))
    result = {"bare": bare_postgres(folder, url)}
    result["ours"] = with_server(start_ours(program, folder, ours),
                                 lambda server: measure_ours(server, folder))
    result["mlflow"] = with_server(start_mlflow(folder, theirs, 4),
                                   lambda server: measure(server, fill_mlflow, folder, 3))
    return result


def in_postgres(program):
    """This program once more, with a PostgreSQL that waits for its disk."""
    tool = ROOT / "tests" / "tools" / "postgres.py"
    done = subprocess.run([sys.executable, str(tool), "run", "--durable", "--", sys.executable,
                           str(pathlib.Path(__file__)), program, "--in-postgres"],
                          stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit("mlflow_bench: the part on PostgreSQL failed")
    return json.loads(done.stdout)


def main() -> int:
    if not MLFLOW.exists():
        sys.exit("mlflow_bench: MLflow is not installed; tests/clients/run.sh PROGRAM installs it")
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if sys.argv[2:] == ["--in-postgres"]:
            result = on_postgres(program, folder, os.environ["CICLO_TEST_POSTGRES_URL"])
        else:
            chosen = os.environ.get("CICLO_BENCH_DATABASES", "sqlite,postgresql").split(",")
            result = {}
            if "sqlite" in chosen:
                result["sqlite"] = on_sqlite(program, folder)
            if "postgresql" in chosen:
                result["postgresql"] = in_postgres(program)
    print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
