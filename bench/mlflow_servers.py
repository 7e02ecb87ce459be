# SPDX-License-Identifier: Apache-2.0
"""The servers that mlflow_bench measures, and their databases."""

import http.client
import json
import os
import pathlib
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
MLFLOW = ROOT / ".tools" / "clients" / "newest" / "bin" / "python"


class SqliteFile:
    """A database in a file; `url` is what MLflow calls it, `ours` what we do."""

    name = "sqlite"

    def __init__(self, path):
        self.path, self.ours, self.mlflow = path, f"sqlite:{path}", f"sqlite:///{path}"

    def insert(self, table, columns, rows):
        marks = ", ".join("?" * len(columns))
        with sqlite3.connect(self.path, timeout=60) as file:
            file.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)

    def select(self, query):
        with sqlite3.connect(self.path, timeout=60) as file:
            return [tuple(map(str, row)) for row in file.execute(query)]


class PostgresDatabase:
    """A database of its own in the server at `url`."""

    name = "postgresql"

    def __init__(self, url, name):
        self.ours = url.rsplit("/", 1)[0] + "/" + name
        # The driver is named: which one SQLAlchemy takes otherwise depends on its version.
        self.mlflow = self.ours.replace("postgresql://", "postgresql+psycopg2://", 1)
        self.psql(url, f"CREATE DATABASE {name}")

    @staticmethod
    def psql(url, command, text=None):
        done = subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", url, "-c", command],
                              input=text, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"mlflow_bench: psql: {command}: {done.stderr}")
        return done.stdout

    def insert(self, table, columns, rows):
        text = "".join("\t".join(map(str, row)) + "\n" for row in rows)
        self.psql(self.ours, f"COPY {table} ({', '.join(columns)}) FROM STDIN", text)

    def select(self, query):
        lines = self.psql(self.ours, f"COPY ({query}) TO STDOUT").splitlines()
        return [tuple(line.split("\t")) for line in lines]


class Server:
    """A process group that answers at `url`, over `database`."""

    def __init__(self, command, url, database, environment=None):
        self.url, self.database = url, database
        begun = time.monotonic()
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            command,
            env={**os.environ, **(environment or {})},
            stdout=subprocess.DEVNULL,
            stderr=self.log,
            start_new_session=True,
        )
        while not self.is_healthy():
            if self.process.poll() is not None or time.monotonic() - begun > 300:
                self.log.seek(0)
                sys.exit(f"mlflow_bench: {' '.join(command)} did not come up: "
                         f"{self.log.read()[-2000:].decode(errors='replace')}")
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


def start_ours(program, folder, database):
    port = free_port()
    command = [program, "server", "--listen", f"127.0.0.1:{port}", "--root", str(folder / "ours"),
               "--database", database.ours, "--http-access-log", "false"]
    return Server(command, f"http://127.0.0.1:{port}", database)


def start_mlflow(folder, database, workers=None):
    """Without `workers` as it starts by itself: with four, and with its job runner."""
    port = free_port()
    command = [str(MLFLOW), "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
               "--backend-store-uri", database.mlflow,
               "--artifacts-destination", str(folder / "artifacts")]
    environment = {"MLFLOW_DISABLE_TELEMETRY": "true"}
    if workers:
        command += ["--workers", str(workers)]
        environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    return Server(command, f"http://127.0.0.1:{port}", database, environment)
