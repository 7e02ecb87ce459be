# SPDX-License-Identifier: Apache-2.0
"""Two servers on one PostgreSQL database and one bucket behave as one."""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import time

import mlflow
import numpy
import pytest
import requests
import sklearn.datasets


@pytest.fixture
def servers(bucket, database, start_server_with):
    return [start_server_with("--blobs", bucket.url, "--database", database,
                              environment=bucket.environment) for _ in range(2)]


COLUMNS = ["sepal_length", "sepal_width", "petal_length", "petal_width"]


def client_of(server):
    mlflow.set_tracking_uri(server.url)
    mlflow.set_registry_uri(server.url)
    return mlflow.MlflowClient(server.url, server.url)


def wait_until(condition, what, seconds=600):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {what}")


def get(server, path):
    answer = requests.get(server.url + path, timeout=120)
    answer.raise_for_status()
    return answer.json()


def project_of(program, folder, name):
    table = sklearn.datasets.load_iris(as_frame=True).frame
    table.columns = COLUMNS + ["target"]
    table.to_csv(folder / f"{name}.csv", index=False)
    made = [program, "init", folder / f"{name}.csv", "--target", "target", "--dir", folder / name]
    subprocess.run(made, check=True, capture_output=True)
    return folder / name


def submit(program, project, server):
    return subprocess.run(
        [program, "run", "--detach", "--project", project, "--server", server.url],
        check=True, capture_output=True, text=True).stdout.strip()


def state_of(server, run):
    return get(server, f"/api/v1/pipeline-runs/{run}")["state"]


def test_what_one_writes_the_other_reads(servers, tmp_path):
    one, other = (client_of(server) for server in servers)
    experiment = one.create_experiment("shared")
    run = one.create_run(experiment).info.run_id
    one.log_metric(run, "loss", 0.5)
    other.log_metric(run, "loss", 0.25, step=1)
    assert [m.value for m in one.get_metric_history(run, "loss")] == [0.5, 0.25]
    content = numpy.random.default_rng(1).bytes(9_000_000)
    (tmp_path / "a.bin").write_bytes(content)
    one.log_artifact(run, tmp_path / "a.bin", "folder")
    assert [f.path for f in other.list_artifacts(run, "folder")] == ["folder/a.bin"]
    mlflow.set_tracking_uri(servers[1].url)
    down = mlflow.artifacts.download_artifacts(run_id=run, artifact_path="folder/a.bin",
                                               dst_path=str(tmp_path / "down"))
    with open(down, "rb") as file:
        assert file.read() == content
    one.create_registered_model("m")
    other.create_model_version("m", f"runs:/{run}/folder", run_id=run)
    one.set_registered_model_alias("m", "champion", "1")
    assert other.get_model_version_by_alias("m", "champion").version == "1"
    other.delete_registered_model_alias("m", "champion")
    assert one.get_registered_model("m").aliases == {}


def test_both_write_at_once(servers):
    clients = [client_of(server) for server in servers]
    experiment = clients[0].create_experiment("busy")
    run = clients[0].create_run(experiment).info.run_id

    def log(i):
        client = clients[i % 2]
        client.log_metric(run, "m", float(i), timestamp=i, step=i)
        client.create_run(experiment, tags={"n": str(i)})
        return i

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert sorted(pool.map(log, range(200))) == list(range(200))
    for client in clients:
        history = client.get_metric_history(run, "m")
        assert sorted(m.value for m in history) == [float(i) for i in range(200)]
        found = client.search_runs([experiment], max_results=1000)
        assert sorted(int(r.data.tags["n"]) for r in found if "n" in r.data.tags) == list(
            range(200))
    clients[0].create_registered_model("raced")

    def register(i):
        return clients[i % 2].create_model_version("raced", "s3://elsewhere/x").version

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(register, range(40)))
    assert sorted(map(int, versions)) == list(range(1, 41))


def test_a_pipeline_is_driven_by_one_seen_by_both_and_survives_its_driver(servers, program,
                                                                          tmp_path):
    one, other = servers
    project = project_of(program, tmp_path, "first")
    # Asked of the server that stands by.
    run = submit(program, project, other)
    wait_until(lambda: state_of(one, run) == "succeeded", "the pipeline has run")
    assert state_of(other, run) == "succeeded"
    name = get(other, "/api/v1/endpoints")["items"][0]["name"]
    rows = {"dataframe_records": [dict(zip(COLUMNS, [5.0, 3.0, 1.5, 0.2], strict=True))]}

    def predicts(server):
        answer = requests.post(f"{server.url}/endpoints/{name}/invocations", json=rows)
        return answer.status_code == 200 and len(answer.json()["predictions"]) == 1

    wait_until(lambda: predicts(one) and predicts(other), "both serve the endpoint")
    deployments = get(one, f"/api/v1/endpoints/{name}/deployments")["items"]
    assert len(deployments) == 1, deployments
    steps = get(one, f"/api/v1/pipeline-runs/{run}")["steps"]
    assert all(step["attempts"] <= 1 for step in steps), steps

    one.kill()
    run = submit(program, project_of(program, tmp_path, "second"), other)
    wait_until(lambda: state_of(other, run) == "succeeded", "the other drives now")
    assert predicts(other)
    assert client_of(other).create_experiment("after") != ""


GUIDE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "guide" / "storage.md"


def guide_blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE.read_text(), re.M | re.S)


def started_as_told(commands, program, bucket, database, folder):
    """The servers of a block, on free ports, with the test's own bucket and database."""
    text = commands.replace("ciclo server", f"exec {program} server")
    text = text.replace("s3://models/team?endpoint=http://127.0.0.1:9000", bucket.url)
    text = re.sub(r"postgresql://\S+", f"'{database}'", text)
    text = re.sub(r"127\.0\.0\.1:500\d", "127.0.0.1:0", text)
    exports = "".join(line + "\n" for line in text.splitlines() if line.startswith("export"))
    lines = [line.removesuffix("&") for line in text.splitlines() if line.startswith("exec")]
    assert lines, commands
    for line in lines:
        script = re.sub(r"=ciclo ", f"={bucket.environment['AWS_ACCESS_KEY_ID']} ",
                        exports).replace("swordfish", bucket.secret) + line
        process = subprocess.Popen(["bash", "-c", script], cwd=folder, stdout=subprocess.PIPE,
                                   text=True, env={**os.environ, **(
                                       {} if exports else bucket.environment)})
        ready = process.stdout.readline()
        assert ready.startswith("ready "), (script, ready)
        yield process, ready.split()[1]


def test_the_guide_to_storage_is_true(program, bucket, database, tmp_path):
    one, several = guide_blocks("sh")
    script, = guide_blocks("python")
    for commands in (one, several):
        started = list(started_as_told(commands, program, bucket, database, tmp_path))
        try:
            for _, url in started:
                # Another process: what earlier tests told the client about servers and experiments
                # must not reach it.
                told = {name: value for name, value in os.environ.items()
                        if not name.startswith("MLFLOW_")}
                said = subprocess.run(
                    [sys.executable, "-c", script.replace("http://127.0.0.1:5000", url)],
                    cwd=tmp_path, env=told, stdout=subprocess.PIPE, text=True, check=True)
                assert "in the bucket" in said.stdout.splitlines()
        finally:
            for process, _ in started:
                process.terminate()
                assert process.wait(timeout=180) == 0
    assert len(started) == 2
