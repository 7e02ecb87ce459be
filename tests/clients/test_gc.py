# SPDX-License-Identifier: Apache-2.0
"""Collections: kill -9 in the middle, and the guide's promises, with MLflow's client beside."""

import json
import os
import pathlib
import re
import subprocess
import time
import urllib.error
import urllib.request

from mlflow import MlflowClient

RUNS = 400
GUIDE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "guide" / "retention.md"


def call(server, method, path, body=None):
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(server.url + path, data, method=method,
                                     headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def status_of(server, path):
    try:
        with urllib.request.urlopen(server.url + path, timeout=120) as answer:
            answer.read()
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def file_of(run, name):
    return f"/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/{name}"


def make_run(server, number):
    run = call(server, "POST", "/api/2.0/mlflow/runs/create",
               {"experiment_id": "0", "run_name": f"run {number}"})["run"]["info"]["run_id"]
    call(server, "PUT", file_of(run, "own"), f"bytes of {number}".encode())
    call(server, "PUT", file_of(run, "shared"), f"shared by ten, {number // 10}".encode())
    return run


def stored(root):
    return [path for path in (root / "blobs" / "objects").rglob("*") if path.is_file()]


def make_old(root):
    last_week = time.time() - 7 * 86_400
    for path in stored(root):
        os.utime(path, (last_week, last_week))


def collect(server, **request):
    started = call(server, "POST", "/api/v1/gc", request)
    while started["state"] == "running":
        time.sleep(0.02)
        started = call(server, "GET", f"/api/v1/gc/{started['collection_id']}")
    assert started["state"] == "succeeded", started
    return started["report"]


def make_deleted_runs(server, client, count):
    runs = [make_run(server, number) for number in range(count)]
    for run in runs:
        client.delete_run(run)
    return runs


def kill_while_collecting(server):
    """Kills the server once the collection says that it has removed something."""
    path = f"/api/v1/gc/{call(server, 'POST', '/api/v1/gc', {})['collection_id']}"
    seen = call(server, "GET", path)
    while seen["state"] == "running" and not seen["progress"]["done"]:
        seen = call(server, "GET", path)
    server.kill()


def exists(server, run):
    return status_of(server, f"/api/2.0/mlflow/runs/get?run_id={run}") == 200


def removed_runs(server):
    found, after = [], 0
    while True:
        page = call(server, "GET", f"/api/v1/events?kind=run.removed&limit=1000&after={after}")
        if not page["items"]:
            return found
        found += [event["subject"] for event in page["items"]]
        after = page["next"]


def test_a_collection_that_is_killed_leaves_nothing_dangling(start_server, tmp_path):
    server = start_server()
    client = MlflowClient(server.url, server.url)
    registered, active = make_run(server, 0), make_run(server, 1)
    client.create_registered_model("churn")
    client.create_model_version("churn", f"runs:/{registered}/own", run_id=registered)
    client.delete_run(registered)
    deleted, left, interrupted, count = [], [], 0, RUNS
    # A collection may be over before the kill reaches it; then there is a longer one, of new runs.
    for _ in range(20):
        if interrupted == 3:
            break
        if not left:
            left = make_deleted_runs(server, client, count)
            deleted += left
            make_old(tmp_path / "root")
            expected = collect(server, dry_run=True)
            assert expected["runs"] == count and expected["kept_count"] == 1
        kill_while_collecting(server)
        server = start_server()
        client = MlflowClient(server.url, server.url)
        before, left = len(left), [run for run in left if exists(server, run)]
        interrupted += 0 < len(left) < before
        if not left:
            count = min(2 * count, 16 * RUNS)
        for run in [registered, active, *left]:
            assert status_of(server, file_of(run, "own")) == 200
            assert status_of(server, file_of(run, "shared")) == 200
    assert interrupted == 3, "no collection was cut off in the middle"
    collect(server)
    again = collect(server, dry_run=True)
    assert again["runs"] == 0 and again["blobs"]["count"] == 0
    for run in (registered, active):
        assert status_of(server, file_of(run, "own")) == 200
        assert status_of(server, file_of(run, "shared")) == 200
    assert len(stored(tmp_path / "root")) == 3, "two of their own, one that they share"
    assert sorted(removed_runs(server)) == sorted(deleted)


def test_the_guide_says_what_the_command_does(start_server, program):
    server = start_server()
    client = MlflowClient(server.url, server.url)
    for name in ("needed", "useless"):
        run = client.create_run("0", run_name=name)
        if name == "needed":
            client.create_registered_model("churn")
            client.create_model_version("churn", f"runs:/{run.info.run_id}/m",
                                        run_id=run.info.run_id)
        client.delete_run(run.info.run_id)
    text = GUIDE.read_text()
    blocks = dict(re.findall(r"^```(sh|text)\n(.*?)^```", text, re.M | re.S))
    printed = []
    for line in blocks["sh"].splitlines():
        words = line.replace("http://127.0.0.1:5000", server.url).split()
        assert words[0] == "ciclo"
        done = subprocess.run([program, *words[1:]], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        printed += [" ".join(line.split()) for line in done.stdout.splitlines()]
    for line in blocks["text"].splitlines():
        pattern = re.escape(" ".join(line.split())).replace("0f…", "[0-9a-f]+")
        assert any(re.fullmatch(pattern, one) for one in printed), (line, printed)
    assert status_of(server, "/health") == 200
