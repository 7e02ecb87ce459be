#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""migrate_bench.py PROGRAM: how fast `ciclo migrate mlflow` copies and compares an MLflow database
with artifacts, and how much memory it needs, with histories of 500 points and of ten times as many.

Beside it, on the same disk: the same rows read from that database and inserted into an empty table
of the same kind, a transaction for each 100 runs as the program has it, and `cp -r` of the same
files. CICLO_BENCH_MIGRATE_RUNS is the number of runs, 2,000 by default.
"""

import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import time

RUNS = int(os.environ.get("CICLO_BENCH_MIGRATE_RUNS", "2000"))
KEYS = 5  # metrics of a run
PARAMS = 10
FILES = (4 << 10, 64 << 10)  # bytes of the files of a run

# The tables of MLflow 3.17 that are read, with its keys.
TABLES = """
CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY);
INSERT INTO alembic_version VALUES ('dc11669786a5');
CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY, name VARCHAR(256),
  artifact_location VARCHAR(256), lifecycle_stage VARCHAR(32), creation_time BIGINT,
  last_update_time BIGINT, workspace VARCHAR(63) DEFAULT 'default' NOT NULL);
CREATE TABLE experiment_tags (key VARCHAR(250), value VARCHAR(5000), experiment_id INTEGER,
  PRIMARY KEY (key, experiment_id));
CREATE TABLE runs (run_uuid VARCHAR(32) PRIMARY KEY, name VARCHAR(250), source_type VARCHAR(20),
  source_name VARCHAR(500), entry_point_name VARCHAR(50), user_id VARCHAR(256), status VARCHAR(9),
  start_time BIGINT, end_time BIGINT, source_version VARCHAR(50), lifecycle_stage VARCHAR(20),
  artifact_uri VARCHAR(200), experiment_id INTEGER, deleted_time BIGINT);
CREATE TABLE params (key VARCHAR(250), value VARCHAR(8000), run_uuid VARCHAR(32),
  PRIMARY KEY (key, run_uuid));
CREATE INDEX index_params_run_uuid ON params (run_uuid);
CREATE TABLE tags (key VARCHAR(250), value VARCHAR(8000), run_uuid VARCHAR(32),
  PRIMARY KEY (key, run_uuid));
CREATE INDEX index_tags_run_uuid ON tags (run_uuid);
CREATE TABLE metrics (key VARCHAR(250), value FLOAT NOT NULL, timestamp BIGINT NOT NULL,
  run_uuid VARCHAR(32) NOT NULL, step BIGINT DEFAULT 0 NOT NULL, is_nan BOOLEAN NOT NULL,
  PRIMARY KEY (key, timestamp, step, run_uuid, value, is_nan));
CREATE INDEX index_metrics_run_uuid ON metrics (run_uuid);
CREATE TABLE datasets (dataset_uuid VARCHAR(36), experiment_id INTEGER, name VARCHAR(500),
  digest VARCHAR(36), dataset_source_type VARCHAR(36), dataset_source TEXT, dataset_schema TEXT,
  dataset_profile TEXT);
CREATE TABLE inputs (input_uuid VARCHAR(36), source_type VARCHAR(36), source_id VARCHAR(36),
  destination_type VARCHAR(36), destination_id VARCHAR(36), step BIGINT DEFAULT 0 NOT NULL,
  PRIMARY KEY (source_type, source_id, destination_type, destination_id));
CREATE TABLE input_tags (input_uuid VARCHAR(36), name VARCHAR(255), value VARCHAR(500));
CREATE TABLE logged_models (model_id VARCHAR(50), experiment_id INTEGER, name VARCHAR(500),
  artifact_location VARCHAR(1000), creation_timestamp_ms BIGINT, last_updated_timestamp_ms BIGINT,
  status INTEGER, lifecycle_stage VARCHAR(32), model_type VARCHAR(500), source_run_id VARCHAR(32),
  status_message VARCHAR(1000));
CREATE TABLE logged_model_params (model_id VARCHAR(50), experiment_id INTEGER,
  param_key VARCHAR(255), param_value TEXT);
CREATE TABLE logged_model_tags (model_id VARCHAR(50), experiment_id INTEGER, tag_key VARCHAR(255),
  tag_value TEXT);
CREATE TABLE logged_model_metrics (model_id VARCHAR(50), metric_name VARCHAR(500),
  metric_timestamp_ms BIGINT, metric_step BIGINT, metric_value FLOAT, experiment_id INTEGER,
  run_id VARCHAR(32), dataset_name VARCHAR(500), dataset_digest VARCHAR(36));
CREATE TABLE registered_models (name VARCHAR(256), creation_time BIGINT, last_updated_time BIGINT,
  description VARCHAR(5000), workspace VARCHAR(63) DEFAULT 'default' NOT NULL);
CREATE TABLE registered_model_tags (key VARCHAR(250), value VARCHAR(5000), name VARCHAR(256),
  workspace VARCHAR(63) DEFAULT 'default' NOT NULL);
CREATE TABLE registered_model_aliases (alias VARCHAR(256), version INTEGER, name VARCHAR(256),
  workspace VARCHAR(63) DEFAULT 'default' NOT NULL);
CREATE TABLE model_versions (name VARCHAR(256), version INTEGER, creation_time BIGINT,
  last_updated_time BIGINT, description VARCHAR(5000), user_id VARCHAR(256),
  current_stage VARCHAR(20), source VARCHAR(500), run_id VARCHAR(32), run_link VARCHAR(500),
  storage_location VARCHAR(500), workspace VARCHAR(63) DEFAULT 'default' NOT NULL);
CREATE TABLE model_version_tags (key VARCHAR(250), value VARCHAR(5000), name VARCHAR(256),
  version INTEGER, workspace VARCHAR(63) DEFAULT 'default' NOT NULL);
"""
METRICS = "key, value, timestamp, run_uuid, step, is_nan"


def main() -> int:
    program = pathlib.Path(sys.argv[1]).resolve()
    results = []
    for points in (500, 5000):
        with tempfile.TemporaryDirectory() as name:
            results.append(measure(program, pathlib.Path(name), points))
    print(json.dumps({"runs": RUNS, "results": results}))
    return 0


def measure(program, folder, points):
    source, artifacts = folder / "mlflow.db", folder / "artifacts"
    rows = make_source(source, points)
    file_bytes = make_files(artifacts)
    os.sync()
    command = [program, "migrate", "mlflow", "--from", f"sqlite:///{source}", "--artifacts",
               artifacts, "--root", folder / "root", "--json"]
    seconds, peak_mib = timed(command)
    bare_seconds, bare_mib = timed([sys.executable, __file__, "--copy", source, folder / "bare.db"])
    os.sync()
    copy_seconds, _ = timed(["sh", "-c", 'cp -r "$1" "$2" && sync', "-", artifacts, folder / "cp"])
    return {
        "points_per_run": points,
        "rows": rows,
        "file_bytes": file_bytes,
        "files": RUNS * len(FILES),
        "migrate": {"seconds": round(seconds, 2), "rows_per_second": round(rows / seconds),
                    "mb_per_second": round((file_bytes + source.stat().st_size) / seconds / 1e6, 1),
                    "peak_mib": round(peak_mib, 1)},
        "bare": {"insert_seconds": round(bare_seconds, 2), "cp_seconds": round(copy_seconds, 2),
                 "rows_per_second": round(rows / (bare_seconds + copy_seconds)),
                 "peak_mib": round(bare_mib, 1)},
    }  # fmt: skip


def timed(command):
    """Seconds and the greatest resident memory, in MiB, of a command that must succeed."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"migrate_bench: {command[0]} ended with status {status}")
    return time.monotonic() - began, used.ru_maxrss / 1024


def run_id(number):
    return f"{number:032x}"


def make_source(path, points):
    database = sqlite3.connect(path)
    database.execute("PRAGMA synchronous = OFF")
    database.executescript(TABLES)
    database.execute("INSERT INTO experiments VALUES (0, 'Default', 'mlflow-artifacts:/0', "
                     "'active', 1, 1, 'default')")
    rows = 1
    for number in range(RUNS):
        run = run_id(number)
        database.execute(
            "INSERT INTO runs (run_uuid, name, user_id, status, start_time, lifecycle_stage, "
            "artifact_uri, experiment_id) VALUES (?, ?, 'ann', 'FINISHED', ?, 'active', ?, 0)",
            (run, f"run {number}", number, f"mlflow-artifacts:/0/{run}/artifacts"))
        database.executemany("INSERT INTO params VALUES (?, ?, ?)",
                             [(f"p{i}", str(i * number), run) for i in range(PARAMS)])
        database.executemany(
            "INSERT INTO metrics VALUES (?, ?, ?, ?, ?, 0)",
            [(f"m{i % KEYS}", 1 / (1 + i + number), 1_700_000_000_000 + 100 * i, run, i // KEYS)
             for i in range(points)])
        rows += 1 + PARAMS + points
    database.commit()
    database.close()
    return rows


def make_files(artifacts):
    written = 0
    for number in range(RUNS):
        folder = artifacts / "0" / run_id(number) / "artifacts"
        folder.mkdir(parents=True)
        for place, size in enumerate(FILES):
            (folder / f"file{place}").write_bytes(os.urandom(size))
            written += size
    return written


def copy(source, target):
    """The rows of runs, params and metrics, run by run, into tables of the same kind."""
    database = sqlite3.connect(target, isolation_level=None)
    database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;" + TABLES)
    reader = sqlite3.connect(source)
    runs = [row[0] for row in reader.execute("SELECT run_uuid FROM runs ORDER BY run_uuid")]
    for start in range(0, len(runs), 100):
        database.execute("BEGIN")
        for run in runs[start : start + 100]:
            for table, columns in (("runs", "*"), ("params", "*"), ("metrics", METRICS)):
                found = reader.execute(f"SELECT {columns} FROM {table} WHERE run_uuid = ?", (run,))
                places = ", ".join("?" * len(found.description))
                database.executemany(f"INSERT INTO {table} VALUES ({places})", found)
        database.execute("COMMIT")


if __name__ == "__main__":
    if sys.argv[1] == "--copy":
        sys.exit(copy(sys.argv[2], sys.argv[3]))
    sys.exit(main())
