# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the server in a pipeline: the run goes on, and what was done is not done again."""

import json
import subprocess
import time
import urllib.request

import numpy

PROJECT = """
project: resumed
data:
  numbers: {files: numbers.csv}
target: {column: y, task: binary}
train:
  learner: xgboost
  parameters: {rounds: 4000, max_depth: 6}
deploy: {endpoint: resumed}
"""


def get(server, path):
    with urllib.request.urlopen(server.url + path, timeout=120) as answer:
        return json.load(answer)


def post(server, path, body):
    request = urllib.request.Request(server.url + path, json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def training_runs(server):
    """The statuses of the runs that training has made; the experiment comes with the first."""
    experiments = post(server, "/api/2.0/mlflow/experiments/search",
                       {"max_results": 10, "filter": "name = 'resumed'"}).get("experiments", [])
    if not experiments:
        return []
    found = post(server, "/api/2.0/mlflow/runs/search",
                 {"experiment_ids": [experiments[0]["experiment_id"]]})
    return sorted(run["info"]["status"] for run in found.get("runs", []))


def steps_of(server, run):
    return {step["name"]: step for step in get(server, f"/api/v1/pipeline-runs/{run}")["steps"]}


def wait_until(condition, what, seconds=600):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


def test_a_killed_server_goes_on_with_the_pipeline(start_server, program, tmp_path):
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
    wait_until(lambda: steps_of(server, run)["train"]["state"] == "running", "training has begun")
    wait_until(lambda: training_runs(server) == ["RUNNING"], "training shows as a run")
    before = steps_of(server, run)
    assert before["split"]["state"] == "succeeded"
    server.kill()

    server = start_server()
    state = lambda: get(server, f"/api/v1/pipeline-runs/{run}")["state"]
    wait_until(lambda: state() not in ("pending", "running"), "the run has ended")
    after = steps_of(server, run)
    assert state() == "succeeded"
    for name in ("ingest_numbers", "assemble", "split"):
        assert after[name]["execution_id"] == before[name]["execution_id"]
        assert after[name]["attempts"] == 1
    assert after["train"]["attempts"] == 2
    assert get(server, "/api/v1/endpoints/resumed")["state"] == "ready"
    # The run of the attempt that was cut off does not show as running for ever.
    assert training_runs(server) == ["FINISHED", "KILLED"]
