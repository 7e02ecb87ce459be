# SPDX-License-Identifier: Apache-2.0
"""Pages that watch a pipeline run occupy no thread of the server."""

import json
import socket
import subprocess
import urllib.parse
import urllib.request

import numpy
import requests

PROJECT = """
project: watched
data:
  numbers: {files: numbers.csv}
target: {column: y, task: binary}
train:
  learner: xgboost
  parameters: {rounds: 100000, max_depth: 6}
deploy: {endpoint: watched}
"""


def watch(server, run):
    address = urllib.parse.urlsplit(server.url)
    page = socket.create_connection((address.hostname, address.port), timeout=300)
    page.sendall(f"GET /api/v1/pipeline-runs/{run}/events HTTP/1.1\r\nHost: x\r\n"
                 "Connection: close\r\n\r\n".encode())
    return page.makefile("rb")


def states(stream):
    for line in stream:
        if line.startswith(b"data: "):
            yield json.loads(line[len("data: "):])["state"]


def test_forty_pages_watch_a_run_and_the_server_answers(start_server, program, tmp_path):
    random = numpy.random.default_rng(1)
    table = random.normal(size=(20_000, 6))
    target = (table[:, 0] + random.normal(size=len(table)) > 0).astype(int)
    project = tmp_path / "project"
    project.mkdir()
    numpy.savetxt(project / "numbers.csv", numpy.column_stack([table, target]), delimiter=",",
                  header="a,b,c,d,e,f,y", comments="", fmt=["%.6f"] * 6 + ["%d"])
    (project / "ciclo.yaml").write_text(PROJECT)

    server = start_server()
    run = subprocess.run([program, "run", "--detach", "--project", project, "--server", server.url],
                         check=True, capture_output=True, text=True).stdout.strip()
    pages = [states(watch(server, run)) for _ in range(40)]
    first = [next(page) for page in pages]
    assert set(first) <= {"pending", "running"}
    # More pages than workers, and a call that needs a worker is answered while they watch. The
    # training goes on until it is told to end.
    with urllib.request.urlopen(server.url + "/api/v1/status", timeout=120) as answer:
        assert answer.status == 200
    at = f"{server.url}/api/v1/pipeline-runs/{run}"
    with urllib.request.urlopen(at, timeout=120) as answer:
        assert json.load(answer)["state"] in ("pending", "running")
    assert requests.post(at + "/cancel", timeout=120).status_code == 200
    # Every page sees the end, and its stream ends there.
    assert {list(page)[-1] for page in pages} == {"cancelled"}


def test_the_metrics_of_a_run_stream_until_it_ends(url):
    def post(call, body):
        answer = requests.post(f"{url}/api/2.0/mlflow/runs/{call}", json=body, timeout=120)
        assert answer.status_code == 200, answer.text
        return answer.json()

    run = post("create", {"experiment_id": "0"})["run"]["info"]["run_id"]
    at = f"{url}/api/v1/runs/{run}/metrics/events"
    with requests.get(at, stream=True, timeout=120) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        lines = answer.iter_lines(decode_unicode=True)
        states = (json.loads(line[len("data: "):]) for line in lines if line.startswith("data: "))
        assert next(states) == {"run_id": run, "status": "RUNNING", "metrics": []}
        for step, value in enumerate([0.5, "NaN"]):
            post("log-metric", {"run_id": run, "key": "loss", "value": value, "timestamp": 7,
                                "step": step})
            assert next(states)["metrics"] == [
                {"key": "loss", "value": value, "step": step, "timestamp_ms": 7}]
        post("update", {"run_id": run, "status": "FINISHED"})
        assert next(states)["status"] == "FINISHED"
        assert next(states, None) is None
    assert requests.get(f"{url}/api/v1/runs/none/metrics/events", timeout=30).status_code == 404
