# SPDX-License-Identifier: Apache-2.0
"""A server whose values are in S3, as its clients see it: no difference."""

import json
import pathlib
import re
import subprocess

import mlflow
import numpy
import pytest
import requests
import sklearn.datasets
from mlflow.exceptions import MlflowException

LARGE_BYTES = 21_000_000  # more than one part


@pytest.fixture
def storing(bucket, start_server_with):
    return start_server_with("--blobs", bucket.url, environment=bucket.environment)


@pytest.fixture
def client(storing):
    mlflow.set_tracking_uri(storing.url)
    mlflow.set_registry_uri(storing.url)
    yield mlflow.MlflowClient()
    while mlflow.active_run():
        mlflow.end_run()


def local_blobs(server):
    root = pathlib.Path(server.log.name).parent / "root"
    return [path for path in (root / "blobs").rglob("*") if path.is_file()]


def test_artifacts_are_logged_listed_downloaded_and_deleted(client, storing, tmp_path):
    large = numpy.random.default_rng(1).bytes(LARGE_BYTES)
    (tmp_path / "up" / "deep").mkdir(parents=True)
    (tmp_path / "up" / "large.bin").write_bytes(large)
    (tmp_path / "up" / "deep" / "empty.txt").write_text("")
    with mlflow.start_run() as run:
        mlflow.log_artifacts(tmp_path / "up", "data")
        mlflow.log_text("short", "note.txt")
    run_id = run.info.run_id
    assert [(f.path, f.file_size) for f in client.list_artifacts(run_id, "data")] == [
        ("data/deep", None), ("data/large.bin", LARGE_BYTES)]
    down = pathlib.Path(mlflow.artifacts.download_artifacts(
        run_id=run_id, artifact_path="data", dst_path=str(tmp_path / "down")))
    assert (down / "large.bin").read_bytes() == large
    assert (down / "deep" / "empty.txt").read_text() == ""
    assert mlflow.artifacts.load_text(f"runs:/{run_id}/note.txt") == "short"
    assert local_blobs(storing) == []
    address = f"{storing.url}/get-artifact"
    query = {"path": "data/large.bin", "run_uuid": run_id}
    middle = requests.get(address, params=query, headers={"Range": "bytes=1000000-2999999"})
    assert (middle.status_code, middle.content) == (206, large[1_000_000:3_000_000])
    assert requests.head(address, params=query).headers["Content-Length"] == str(LARGE_BYTES)
    assert requests.get(address, params={**query, "path": "none"}).status_code == 404


def test_a_server_without_copies_streams_what_another_stored(bucket, start_server_with, tmp_path):
    """The cache of the second root is empty, so that every byte comes from the bucket."""
    first = start_server_with("--blobs", bucket.url, environment=bucket.environment)
    large = numpy.random.default_rng(2).bytes(LARGE_BYTES)
    put = requests.put(f"{first.url}/api/2.0/mlflow-artifacts/artifacts/x/large.bin", data=large)
    assert put.status_code == 200
    second = start_server_with(
        "--blobs", bucket.url, "--database",
        f"sqlite:{pathlib.Path(first.log.name).parent / 'root' / 'ciclo.db'}",
        environment=bucket.environment)
    address = f"{second.url}/api/2.0/mlflow-artifacts/artifacts/x/large.bin"
    assert requests.get(address).content == large
    assert requests.get(address, headers={"Range": "bytes=-5"}).content == large[-5:]
    assert int(requests.head(address).headers["Content-Length"]) == LARGE_BYTES
    cache = pathlib.Path(second.log.name).parent / "root" / "cache" / "blobs" / "objects"
    assert [path for path in cache.rglob("*") if path.is_file()] == []


def test_models_are_logged_registered_and_loaded(client):
    xgboost = pytest.importorskip("xgboost")
    rows = numpy.random.default_rng(1).normal(size=(200, 4))
    booster = xgboost.train({"max_depth": 3}, xgboost.DMatrix(rows, label=rows[:, 0]), 10)
    with mlflow.start_run():
        mlflow.xgboost.log_model(booster, name="model", registered_model_name="m")
    client.set_registered_model_alias("m", "champion", "1")
    loaded = mlflow.xgboost.load_model("models:/m@champion")
    expected = booster.predict(xgboost.DMatrix(rows))
    numpy.testing.assert_allclose(loaded.predict(xgboost.DMatrix(rows)), expected, rtol=1e-6)


def test_a_project_runs_and_its_endpoint_predicts(program, storing, tmp_path):
    table = sklearn.datasets.load_iris(as_frame=True).frame
    table.columns = ["sepal_length", "sepal_width", "petal_length", "petal_width", "target"]
    table.to_csv(tmp_path / "iris.csv", index=False)
    project = tmp_path / "project"
    run = [program, "init", tmp_path / "iris.csv", "--target", "target", "--dir", project]
    subprocess.run(run, check=True, capture_output=True)
    for _ in range(2):  # computed, then taken from the cache
        done = subprocess.run(
            [program, "--json", "run", "--project", project, "--server", storing.url],
            capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        assert json.loads(done.stdout)["state"] == "succeeded"
    name = requests.get(f"{storing.url}/api/v1/endpoints").json()["items"][0]["name"]
    rows = {"dataframe_records": json.loads(table.drop(columns="target")[:3].to_json(
        orient="records"))}
    answer = requests.post(f"{storing.url}/endpoints/{name}/invocations", json=rows)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["predictions"]) == 3
    assert local_blobs(storing) == []


def test_the_secret_is_never_shown(bucket, program, storing):
    mlflow.MlflowClient(storing.url).create_experiment("e")
    assert bucket.secret not in pathlib.Path(storing.log.name).read_text()
    shown = subprocess.run([program, "config", "show", "--s3-secret-access-key", bucket.secret],
                           capture_output=True, text=True, check=False)
    assert bucket.secret not in shown.stdout + shown.stderr


@pytest.mark.parametrize("wrong, says", [
    ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "refuses the credentials"),
    ({"AWS_SECRET_ACCESS_KEY": ""}, "needs credentials: set AWS_ACCESS_KEY_ID"),
])
def test_wrong_credentials_end_the_start_in_one_sentence(bucket, program, tmp_path, wrong, says):
    done = subprocess.run(
        [program, "server", "--listen", "127.0.0.1:0", "--root", tmp_path / "r", "--blobs",
         bucket.url], env={**bucket.environment, **wrong, "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode != 0
    assert says in done.stderr
    assert "wrong" not in re.sub("refuses", "", done.stderr)


@pytest.fixture
def in_parts(monkeypatch):
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", str(6_000_000))
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE", str(5 << 20))
    monkeypatch.setenv("MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE", str(4_000_000))


def requests_of(server):
    return [line for line in pathlib.Path(server.log.name).read_text().splitlines()
            if "mlflow-artifacts" in line]


def test_large_files_go_past_the_server_in_parts(client, storing, in_parts, tmp_path):
    large = numpy.random.default_rng(3).bytes(LARGE_BYTES)
    (tmp_path / "large.bin").write_bytes(large)
    with mlflow.start_run() as run:
        mlflow.log_artifact(str(tmp_path / "large.bin"), "deep/folder")
    run_id = run.info.run_id
    listed = client.list_artifacts(run_id, "deep/folder")
    assert [(f.path, f.file_size) for f in listed] == [("deep/folder/large.bin", LARGE_BYTES)]
    down = mlflow.artifacts.download_artifacts(
        run_id=run_id, artifact_path="deep/folder/large.bin", dst_path=str(tmp_path / "down"))
    assert pathlib.Path(down).read_bytes() == large
    calls = "\n".join(requests_of(storing))
    for path in ("mpu/create", "mpu/complete", "mlflow-artifacts/presigned"):
        assert path in calls
    assert "PUT" not in calls


def test_an_upload_that_fails_is_aborted_and_leaves_no_artifact(client, in_parts, tmp_path,
                                                                monkeypatch):
    (tmp_path / "large.bin").write_bytes(bytes(LARGE_BYTES))
    with mlflow.start_run() as run:
        repository = mlflow.store.artifact.http_artifact_repo.HttpArtifactRepository
        sent = repository._upload_part

        def fails_once(credential, *arguments, **named):
            if credential.part_number == 2:
                raise OSError("the network is down")
            return sent(credential, *arguments, **named)

        monkeypatch.setattr(repository, "_upload_part", staticmethod(fails_once))
        with pytest.raises(MlflowException, match="Failed to upload at least one part"):
            mlflow.log_artifact(str(tmp_path / "large.bin"))
    assert client.list_artifacts(run.info.run_id) == []


def test_uploads_in_parts_are_checked(storing):
    address = f"{storing.url}/api/2.0/mlflow-artifacts/mpu"

    def post(step, **body):
        answer = requests.post(f"{address}/{step}/some/folder", json=body)
        return answer.status_code, answer.json().get("error_code")

    begun = requests.post(f"{address}/create/some/folder",
                          json={"path": "/local/name.bin", "num_parts": 2}).json()
    assert [c["part_number"] for c in begun["credentials"]] == [1, 2]
    wrong = (400, "INVALID_PARAMETER_VALUE")
    missing = (404, "RESOURCE_DOES_NOT_EXIST")
    assert post("create") == wrong
    assert post("create", path="x", num_parts=0) == wrong
    assert post("create", path="..", num_parts=1) == wrong
    assert requests.post(f"{address}/create/..%2fup", json={"path": "x"}).status_code == 400
    part = {"part_number": 1, "etag": '"x"'}
    assert post("complete", path="name.bin", upload_id=begun["upload_id"]) == wrong
    assert post("complete", path="other.bin", upload_id=begun["upload_id"],
                parts=[part]) == missing
    assert post("complete", path="name.bin", upload_id="nonsense", parts=[part]) == missing
    assert post("abort", path="name.bin", upload_id=begun["upload_id"]) == (200, None)
    assert post("abort", path="name.bin", upload_id=begun["upload_id"]) == (200, None)


def test_direct_transfers_can_be_switched_off(bucket, start_server_with):
    server = start_server_with("--blobs", bucket.url, "--s3-direct", "false",
                               environment=bucket.environment)
    info = requests.get(f"{server.url}/api/3.0/mlflow/server-info").json()
    assert info["multipart_uploads_enabled"] is info["multipart_downloads_enabled"] is False
    answer = requests.post(f"{server.url}/api/2.0/mlflow-artifacts/mpu/create/x",
                           json={"path": "y", "num_parts": 1})
    assert answer.status_code == 501
