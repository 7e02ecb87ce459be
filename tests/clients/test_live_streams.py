# SPDX-License-Identifier: Apache-2.0
"""Pages that watch a pipeline run occupy no thread of the server."""

import json
import socket
import subprocess
import urllib.parse
import urllib.request

import numpy

PROJECT = """
project: watched
data:
  numbers: {files: numbers.csv}
target: {column: y, task: binary}
train:
  learner: xgboost
  parameters: {rounds: 2000, max_depth: 6}
deploy: {endpoint: watched}
"""


def watch(server, run):
    address = urllib.parse.urlsplit(server.url)
    page = socket.create_connection((address.hostname, address.port), timeout=60)
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
    # More pages than workers, and a call that needs a worker is answered while they watch.
    with urllib.request.urlopen(server.url + "/api/v1/status", timeout=10) as answer:
        assert answer.status == 200
    with urllib.request.urlopen(server.url + f"/api/v1/pipeline-runs/{run}", timeout=10) as answer:
        assert json.load(answer)["state"] in ("pending", "running")
    # Every page sees the end, and its stream ends there.
    assert {list(page)[-1] for page in pages} == {"succeeded"}
