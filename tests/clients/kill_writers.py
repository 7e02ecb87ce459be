#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clients write while the server is killed again and again: nothing acknowledged may be lost, and
nothing may be there twice.

kill_writers.py --program PATH [--seconds 600] [--kill-every 20] [--clients 64] [--seed N]
                [--restart-database-every 45] [--replays-min 0]

Each client creates runs, logs metrics, batches, tags, params and models to them, and creates model
versions and experiments, one call after the other. A call that gets no answer, or 503, is sent
again with its Idempotency-Key, except some, which are given up: those may be there once or not at
all. A sixteenth of the clients are MLflow's own, which a plug-in of theirs gives keys.

With CICLO_TEST_POSTGRES_URL the server works on that PostgreSQL, which is restarted too, by
CICLO_TEST_POSTGRES_RESTART with the mode "immediate": what is not on disk is gone.

test_kill_writers.py runs it; ./dev faults for as long as one likes.

Prints what it did as JSON, and ends with 1 when something was lost, doubled or refused.
"""

import argparse
import collections
import http.client
import json
import math
import os
import pathlib
import random
import shlex
import subprocess
import sys
import tempfile
import threading
import time
import uuid

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "tools"))

from held_port import HeldPort  # noqa: E402

REPLAYS_WITHIN_S = 300  # beyond --seconds
ANSWERS_WITHIN_S = 300
WRITES_OF_RUN = 120
GIVEN_UP = 0.1  # of the calls that got no answer
NO_ANSWER = (ConnectionError, http.client.HTTPException, TimeoutError, OSError)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--kill-every", type=float, default=20)
    parser.add_argument("--kills-min", type=int, default=2)
    parser.add_argument("--replays-min", type=int, default=0)
    parser.add_argument("--restart-database-every", type=float, default=45)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="ciclo-kill.") as folder:
        outcome = run(arguments, pathlib.Path(folder))
    print(json.dumps(outcome, indent=2))
    return 1 if outcome["lost"] or outcome["doubled"] or outcome["refused"] else 0


def run(arguments, folder):
    journal = Journal()
    server = Server(arguments.program, folder)
    server.start()
    began = time.monotonic()
    try:
        writers = start_writers(arguments, server.port, journal)
        disturb(arguments, server, began, writers, journal)
        journal.stop.set()
        for writer in writers:
            writer.join()
        wrote = time.monotonic() - began
        server.kill()
        server.start()
        lost, doubled = compare(journal, Connection(server.port))
    except Exception:
        sys.stderr.write(server.log.read_text(errors="replace")[-4000:])
        raise
    finally:
        server.kill()
    return {
        "database": "postgresql" if database_url() else "sqlite",
        "seed": arguments.seed,
        "seconds": round(wrote, 1),
        "acknowledged": sum(journal.acknowledged.values()),
        "acknowledged_per_second": round(sum(journal.acknowledged.values()) / wrote),
        "acknowledged_by_kind": dict(sorted(journal.acknowledged.items())),
        "given_up": sum(len(tokens) for tokens in journal.unknown.values()),
        "sent_again": journal.sent_again,
        "replayed": journal.replayed,
        "answers_of_503": journal.unavailable,
        "server_kills": server.kills - 1,
        "server_starts_ms": spread(server.starts_ms),
        "database_restarts": len(server.database_restarts_ms),
        "database_restarts_ms": spread(server.database_restarts_ms),
        "longest_call_ms": round(journal.longest_s * 1000),
        "lost": lost,
        "doubled": doubled,
        "refused": journal.refused[:20],
    }


def spread(times_ms):
    ordered = sorted(times_ms)
    if not ordered:
        return None
    return {"least": ordered[0], "median": ordered[len(ordered) // 2], "most": ordered[-1]}


def disturb(arguments, server, began, writers, journal):
    """Kills the server, and restarts the database, until the time is over.

    And until there were enough of these: on a slow machine that takes longer. Whether a kill falls
    between a commit and its answer, so that the call is replayed, is chance: then there is another.
    """
    end = began + arguments.seconds
    next_kill = began + arguments.kill_every
    next_restart = began + arguments.restart_database_every if database_url() else math.inf

    def is_enough():
        now = time.monotonic()
        restarted = not database_url() or server.database_restarts_ms
        replayed = journal.replayed >= arguments.replays_min or now >= end + REPLAYS_WITHIN_S
        return now >= end and server.kills >= arguments.kills_min and restarted and replayed

    while not is_enough():
        time.sleep(max(0, min(next_kill, next_restart) - time.monotonic()))
        if not all(writer.is_alive() for writer in writers):
            return
        if next_restart <= next_kill:
            server.restart_database()
            next_restart = time.monotonic() + arguments.restart_database_every
        else:
            server.kill()
            server.start()
            next_kill = time.monotonic() + arguments.kill_every


def database_url():
    return os.environ.get("CICLO_TEST_POSTGRES_URL", "")


# --------------------------------------------------------------------------------------------------
# the server


class Server:
    """The program on one root and one port, killed and started again."""

    def __init__(self, program, folder):
        # Held also while the server is down, and clients ask for it by the thousand.
        self.held = HeldPort()
        self.port = self.held.number
        self.command = [program, "server", "--listen", f"127.0.0.1:{self.port}",
                        "--root", str(folder / "root"), "--http-access-log", "false"]
        if database_url():
            self.command += ["--database", database_url()]
        self.log = folder / "server.log"
        self.process = None
        self.kills = 0
        self.starts_ms = []
        self.database_restarts_ms = []

    def start(self):
        began = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=log)
        if not self.process.stdout.readline().startswith(b"ready "):
            raise AssertionError(f"the server ended with {self.process.wait()}")
        self.starts_ms.append(round((time.monotonic() - began) * 1000))

    def kill(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the server had ended by itself, with {self.process.returncode}")
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.kills += 1

    def restart_database(self):
        began = time.monotonic()
        command = shlex.split(os.environ["CICLO_TEST_POSTGRES_RESTART"]) + ["--mode", "immediate"]
        subprocess.run(command, check=True)
        self.database_restarts_ms.append(round((time.monotonic() - began) * 1000))


# --------------------------------------------------------------------------------------------------
# what was written


class Journal:
    """What was acknowledged, and what nobody knows about, by kind, as tokens that the server must
    hold once."""

    def __init__(self):
        self.lock = threading.Lock()
        self.stop = threading.Event()
        self.known = collections.defaultdict(set)
        self.unknown = collections.defaultdict(set)
        self.acknowledged = collections.Counter()
        self.runs = []
        self.refused = []
        self.sent_again = 0
        self.replayed = 0
        self.unavailable = 0
        self.longest_s = 0.0

    def acknowledge(self, kind, tokens):
        with self.lock:
            self.acknowledged[kind] += 1
            for token_kind, token in tokens:
                self.known[token_kind].add(token)

    def leave_open(self, tokens):
        with self.lock:
            for token_kind, token in tokens:
                self.unknown[token_kind].add(token)

    def refuse(self, text):
        with self.lock:
            self.refused.append(text)


def compare(journal, connection):
    """What is missing of what was acknowledged, and what is there more than once."""
    found = {kind: collections.Counter() for kind in
             ("run", "point", "tag", "param", "model", "version", "experiment")}
    for item in pages(connection, "experiments/search", {}, "experiments"):
        found["experiment"][item["name"]] += 1
    for item in pages(connection, "model-versions/search", None, "model_versions"):
        found["version"][item["source"]] += 1
    for item in pages(connection, "runs/search", {"experiment_ids": ["0"]}, "runs"):
        count_run(connection, item, found)
    lost, doubled = [], []
    for kind, counted in found.items():
        lost += [[kind, token] for token in journal.known[kind] if counted[token] == 0]
        doubled += [[kind, token, count] for token, count in counted.items() if count > 1]
    return lost, doubled


def count_run(connection, item, found):
    run_id = item["info"]["run_id"]
    found["run"][item["info"]["run_name"]] += 1
    for tag in item["data"].get("tags", []):
        if tag["key"] == "mlflow.log-model.history":
            for model in json.loads(tag["value"]):
                found["model"][(run_id, model["artifact_path"])] += 1
        else:
            found["tag"][(run_id, tag["key"])] += 1
    for param in item["data"].get("params", []):
        found["param"][(run_id, param["key"])] += 1
    for metric in item["data"].get("metrics", []):
        path = f"metrics/get-history?run_id={run_id}&metric_key={metric['key']}"
        for point in connection.get(path).get("metrics", []):
            found["point"][(run_id, int(point["step"]))] += 1


def pages(connection, path, body, member):
    token = ""
    while True:
        if body is None:
            answer = connection.get(f"{path}?max_results=1000&page_token={token}")
        else:
            answer = connection.post(path, {**body, "max_results": 1000, "page_token": token})
        yield from answer.get(member, [])
        token = answer.get("next_page_token", "")
        if not token:
            return


# --------------------------------------------------------------------------------------------------
# the clients


class Connection:
    """One connection to the server, opened again where it broke."""

    def __init__(self, port):
        self.port = port
        self.socket = None

    def send(self, method, path, body, headers):
        if self.socket is None:
            self.socket = http.client.HTTPConnection("127.0.0.1", self.port,
                                                     timeout=ANSWERS_WITHIN_S)
        try:
            self.socket.request(method, "/api/2.0/mlflow/" + path, body,
                                {"Content-Type": "application/json", **headers})
            answer = self.socket.getresponse()
            return answer.status, answer.headers, answer.read()
        except NO_ANSWER:
            self.socket.close()
            self.socket = None
            raise

    def get(self, path):
        return self.ask("GET", path, None)

    def post(self, path, body):
        return self.ask("POST", path, json.dumps(body))

    def ask(self, method, path, body):
        status, _, text = self.send(method, path, body, {})
        if status != 200:
            raise AssertionError(f"{method} {path}: {status} {text[:500]!r}")
        return json.loads(text)


class GivenUp(Exception):
    pass


class Writer(threading.Thread):
    """One client. `call` is how it sends; the rest is what it writes."""

    def __init__(self, number, seed, journal):
        super().__init__(name=f"writer-{number}", daemon=True)
        self.number = number
        self.random = random.Random(f"{seed} {number}")
        self.journal = journal
        self.count = 0

    def run(self):
        try:
            model = f"model-{self.number}"
            self.write("registered-models/create", {"name": model}, [])
            while not self.journal.stop.is_set():
                run_id = self.new_run()
                for _ in range(WRITES_OF_RUN if run_id else 0):
                    if self.journal.stop.is_set():
                        return
                    self.write_something(run_id, model)
        except Exception as failure:  # a thread's exception would go unseen
            self.journal.refuse(f"{self.name}: {failure!r}")

    def next_name(self):
        self.count += 1
        return f"c{self.number}-{self.count}"

    def new_run(self):
        name = self.next_name()
        answer = self.write("runs/create", {"experiment_id": "0", "run_name": name},
                            [("run", name)])
        return answer and answer["run"]["info"]["run_id"]

    def write_something(self, run_id, model):
        kind = self.random.choices(
            ["metric", "batch", "tag", "param", "model", "version", "experiment"],
            [40, 20, 12, 12, 8, 6, 2])[0]
        getattr(self, "write_" + kind)(run_id, model)

    def write_metric(self, run_id, _):
        self.count += 1
        self.write("runs/log-metric",
                   {"run_id": run_id, "key": "loss", "value": self.count / 8, "step": self.count,
                    "timestamp": 1_700_000_000_000 + self.count}, [("point", (run_id, self.count))])

    def write_batch(self, run_id, _):
        metrics, tokens = [], []
        for _ in range(5):
            self.count += 1
            metrics.append({"key": "loss", "value": self.count / 8, "step": self.count,
                            "timestamp": 1_700_000_000_000 + self.count})
            tokens.append(("point", (run_id, self.count)))
        name = self.next_name()
        tokens += [("tag", (run_id, name)), ("param", (run_id, name))]
        self.write("runs/log-batch",
                   {"run_id": run_id, "metrics": metrics, "params": [{"key": name, "value": "1"}],
                    "tags": [{"key": name, "value": "1"}]}, tokens)

    def write_tag(self, run_id, _):
        name = self.next_name()
        self.write("runs/set-tag", {"run_id": run_id, "key": name, "value": "1"},
                   [("tag", (run_id, name))])

    def write_param(self, run_id, _):
        name = self.next_name()
        self.write("runs/log-parameter", {"run_id": run_id, "key": name, "value": "1"},
                   [("param", (run_id, name))])

    def write_model(self, run_id, _):
        """Appends to a list: twice, and it is there twice."""
        name = self.next_name()
        model = {"artifact_path": name, "flavors": {}, "run_id": run_id, "utc_time_created": "t"}
        self.write("runs/log-model", {"run_id": run_id, "model_json": json.dumps(model)},
                   [("model", (run_id, name))])

    def write_version(self, _, model):
        source = "s3://models/" + self.next_name()
        self.write("model-versions/create", {"name": model, "source": source},
                   [("version", source)])

    def write_experiment(self, *_):
        name = self.next_name()
        self.write("experiments/create", {"name": name}, [("experiment", name)])

    def write(self, path, body, tokens):
        """The answer; None when the call was given up or refused, and nobody knows."""
        began = time.monotonic()
        try:
            answer = self.call(path, body)
        except GivenUp:
            self.journal.leave_open(tokens)
            return None
        self.journal.longest_s = max(self.journal.longest_s, time.monotonic() - began)
        self.journal.acknowledge(path, tokens)
        return answer


class PlainWriter(Writer):
    """Plain HTTP over a connection that is kept."""

    def __init__(self, number, seed, journal, port):
        super().__init__(number, seed, journal)
        self.connection = Connection(port)

    def call(self, path, body):
        key = str(uuid.uuid4())
        text = json.dumps(body)
        end = time.monotonic() + ANSWERS_WITHIN_S
        while True:
            try:
                status, headers, answer = self.connection.send("POST", path, text,
                                                               {"Idempotency-Key": key})
            except NO_ANSWER:
                if tokens_may_be_open(path) and self.random.random() < GIVEN_UP:
                    raise GivenUp from None
                status = None
            if status == 200:
                if headers.get("Idempotent-Replayed") == "true":
                    self.journal.replayed += 1
                return json.loads(answer)
            if status == 503:
                self.journal.unavailable += 1
                if headers.get("Retry-After") is None:
                    raise AssertionError(f"503 without Retry-After: {answer[:500]!r}")
            elif status is not None:
                raise AssertionError(f"{path}: {status} {answer[:500]!r}")
            if time.monotonic() > end:
                raise AssertionError(f"{path}: no answer within {ANSWERS_WITHIN_S} s")
            self.journal.sent_again += 1
            time.sleep(self.random.uniform(0.02, 0.2))


def tokens_may_be_open(path):
    return path != "registered-models/create"


class MlflowWriter(Writer):
    """MLflow's client, which repeats calls by itself, with the headers of the first attempt."""

    def __init__(self, number, seed, journal, client):
        super().__init__(number, seed, journal)
        self.client = client

    def call(self, path, body):
        return getattr(self, path.replace("/", "_").replace("-", "_"))(body)

    def registered_models_create(self, body):
        self.client.create_registered_model(body["name"])

    def runs_create(self, body):
        run = self.client.create_run(body["experiment_id"], run_name=body["run_name"])
        return {"run": {"info": {"run_id": run.info.run_id}}}

    def runs_log_metric(self, body):
        self.client.log_metric(body["run_id"], body["key"], body["value"], body["timestamp"],
                               body["step"])

    def runs_log_batch(self, body):
        from mlflow.entities import Metric, Param, RunTag

        self.client.log_batch(
            body["run_id"],
            [Metric(m["key"], m["value"], m["timestamp"], m["step"]) for m in body["metrics"]],
            [Param(**param) for param in body["params"]], [RunTag(**tag) for tag in body["tags"]])

    def runs_set_tag(self, body):
        self.client.set_tag(body["run_id"], body["key"], body["value"])

    def runs_log_parameter(self, body):
        self.client.log_param(body["run_id"], body["key"], body["value"])

    # The client has no public call for it.
    def write_model(self, run_id, model):
        self.write_metric(run_id, model)

    def model_versions_create(self, body):
        self.client.create_model_version(body["name"], body["source"])

    def experiments_create(self, body):
        self.client.create_experiment(body["name"])


def start_writers(arguments, port, journal):
    ours = arguments.clients // 16
    writers = []
    if ours:
        client = mlflow_client(port)
        writers = [MlflowWriter(number, arguments.seed, journal, client) for number in range(ours)]
    writers += [PlainWriter(number, arguments.seed, journal, port)
                for number in range(ours, arguments.clients)]
    for writer in writers:
        writer.start()
    return writers


def mlflow_client(port):
    """A client that repeats calls, and gives each a key by MLflow's plug-in for headers."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "8"
    os.environ["MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR"] = "1"
    os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(ANSWERS_WITHIN_S)
    os.environ["GIT_PYTHON_REFRESH"] = "quiet"
    import logging

    import mlflow
    from mlflow.tracking.request_header import registry
    from mlflow.tracking.request_header.abstract_request_header_provider import (
        RequestHeaderProvider,
    )

    class KeyOfCall(RequestHeaderProvider):
        def in_context(self):
            return True

        def request_headers(self):
            return {"Idempotency-Key": str(uuid.uuid4())}

    logging.getLogger("urllib3").setLevel(logging.ERROR)
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    registry._request_header_provider_registry.register(KeyOfCall)
    return mlflow.MlflowClient(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port}")


if __name__ == "__main__":
    sys.exit(main())
