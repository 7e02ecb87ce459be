# SPDX-License-Identifier: Apache-2.0
"""A migrated history answers as it did: databases made by mlflow itself, through our server."""

import hashlib
import json
import math
import os
import pathlib
import re
import sqlite3
import subprocess
import sys
import tempfile
import uuid

import mlflow
import pytest
from conftest import Server
from mlflow.entities import ViewType

HERE = pathlib.Path(__file__).parent


def memory_folder():
    """Where a database that syncs each of its thousand small commits is made in seconds. A server
    that was killed there may still write when the folder goes."""
    shared = pathlib.Path("/dev/shm")
    return tempfile.TemporaryDirectory(
        dir=shared if os.access(shared, os.W_OK) else None, ignore_cleanup_errors=True)


def make_history(folder, url, interpreter=sys.executable):
    """Runs of an interpreter's mlflow, this one's by default, written into its database."""
    subprocess.run(
        [interpreter, HERE / "mlflow_history.py", url],
        cwd=folder, check=True, capture_output=True, timeout=1500,
        env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def source():
    """The URL of a database with a history, and its folder. Tests that change it take a copy."""
    with memory_folder() as name:
        folder = pathlib.Path(name)
        url = f"sqlite:///{folder}/mlflow.db"
        make_history(folder, url)
        yield url


@pytest.fixture
def root():
    with memory_folder() as name:
        yield pathlib.Path(name)


def postgres_database():
    """The URL of a new, empty database of the test's PostgreSQL."""
    url = os.environ.get("CICLO_TEST_POSTGRES_URL")
    if url is None:
        pytest.skip("CICLO_TEST_POSTGRES_URL is not set")
    name = f"migrate_{uuid.uuid4().hex[:12]}"
    made = subprocess.run(["psql", url, "-c", f"CREATE DATABASE {name}"], capture_output=True)
    assert made.returncode == 0, made.stderr
    return url.rsplit("/", 1)[0] + "/" + name


def migrate(program, url, root, *options, status=0):
    command = [program, "migrate", "mlflow", "--from", url, "--root", str(root / "root"), "--json"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=300)
    assert done.returncode == status, done.stderr + done.stdout
    document = json.loads(done.stdout)
    return document if status == 0 or "found" in document else document["error"]["message"]


# What a client sees, comparable. What was not said is None straight from a database, and empty
# through a server.


def everything(url):
    mlflow.set_tracking_uri(url)
    mlflow.set_registry_uri(url)
    client = mlflow.MlflowClient()
    experiments = client.search_experiments(view_type=ViewType.ALL)
    ids = [experiment.experiment_id for experiment in experiments]
    runs = pages(lambda token: client.search_runs(ids, "", ViewType.ALL, 70, None, token))
    models = pages(lambda token: client.search_logged_models(ids, page_token=token))
    return {
        "experiments": {one.experiment_id: experiment(one) for one in experiments},
        "runs": {one.info.run_id: run(one) for one in runs},
        "order": [
            one.info.run_id
            for one in client.search_runs(ids, "metrics.m > 1", order_by=["metrics.m DESC"])
        ],
        "histories": {one.info.run_id: histories(client, one) for one in runs},
        "files": {one.info.run_id: files(client, one.info.run_id) for one in runs},
        "logged models": {one.model_id: logged_model(one) for one in models},
        "registered": {one.name: registered(one) for one in client.search_registered_models()},
        "versions": {
            int(one.version): version(client.get_model_version("churn", one.version))
            for one in client.search_model_versions("name = 'churn'")
        },
        "champion": predict("models:/churn@champion"),
        "newest": predict("models:/churn/3"),
    }


def pages(search):
    found, token = [], None
    while True:
        page = search(token)
        found += page
        token = page.token
        if not token:
            return found


def experiment(one):
    return (one.name, one.lifecycle_stage, one.creation_time, one.last_update_time, one.tags)


def number(value):
    return "nan" if math.isnan(value) else value


def run(one):
    info = one.info
    return {
        "info": (
            info.experiment_id, info.run_name, info.user_id, info.status, info.start_time,
            info.end_time, info.lifecycle_stage,
        ),
        "metrics": {key: number(value) for key, value in one.data.metrics.items()},
        "params": one.data.params,
        "tags": one.data.tags,
        "inputs": sorted(
            (dict_of(given.dataset), sorted((tag.key, tag.value) for tag in given.tags))
            for given in one.inputs.dataset_inputs
        ),
        "model inputs": sorted(given.model_id for given in one.inputs.model_inputs),
        "outputs": sorted((made.model_id, made.step) for made in one.outputs.model_outputs),
    }  # fmt: skip


def dict_of(dataset):
    return json.dumps(dataset.to_dictionary(), sort_keys=True)


def histories(client, one):
    return {
        key: sorted(
            (point.step, point.timestamp, str(number(point.value)))
            for point in client.get_metric_history(one.info.run_id, key)
        )
        for key in one.data.metrics
    }


def files(client, run_id, path=None):
    found = {}
    for entry in client.list_artifacts(run_id, path):
        if entry.is_dir:
            found.update(files(client, run_id, entry.path))
        else:
            local = client.download_artifacts(run_id, entry.path)
            content = pathlib.Path(local).read_bytes()
            found[entry.path] = (entry.file_size, hashlib.sha256(content).hexdigest())
    return found


def logged_model(one):
    metrics = {}  # of each key and data set the latest, which is what we keep
    for metric in sorted(one.metrics or [], key=lambda metric: metric.step):
        metrics[metric.key, metric.dataset_name] = (metric.step, str(number(metric.value)))
    return (
        one.experiment_id, one.name, one.model_type or "", one.source_run_id or "", str(one.status),
        one.status_message or "", one.creation_timestamp, one.last_updated_timestamp,
        one.tags, one.params, metrics,
    )  # fmt: skip


def registered(one):
    return (one.name, one.description or "", one.creation_timestamp, one.last_updated_timestamp,
            one.tags, {key: str(value) for key, value in one.aliases.items()})  # fmt: skip


def version(one):
    return (
        one.description or "", one.user_id or "", one.current_stage, one.run_id or "",
        one.creation_timestamp, one.last_updated_timestamp, one.status, sorted(one.aliases),
        one.tags,
    )  # fmt: skip


def predict(uri):
    return mlflow.pyfunc.load_model(uri).predict([[2.0]]).tolist()


def served(program, root, *options):
    server = Server(program, root, options)
    try:
        return everything(server.url)
    finally:
        assert server.stop() == 0


# Tests


def test_a_history_answers_as_before(program, source, root):
    expected = everything(source)
    report = migrate(program, source, root)
    assert report["differences"] == []
    assert report["copied"] == report["verified"]
    assert report["copied"]["runs"] == report["found"]["runs"] == len(expected["runs"])
    assert report["copied"]["model_versions"] == len(expected["versions"]) == 3
    points = sum(len(points) for run in expected["histories"].values() for points in run.values())
    assert report["copied"]["metric_points"] == points
    actual = served(program, root)
    for part in expected:
        assert actual[part] == expected[part], part


def test_the_copy_goes_on_by_itself(program, source, root):
    """New objects get numbers and ids that none of the copied ones has."""
    migrate(program, source, root)
    server = Server(program, root)
    try:
        mlflow.set_tracking_uri(server.url)
        mlflow.set_registry_uri(server.url)
        client = mlflow.MlflowClient()
        taken = {one.experiment_id for one in client.search_experiments(view_type=ViewType.ALL)}
        assert client.create_experiment("after") not in taken
        version = client.create_model_version("churn", "s3://elsewhere/model")
        assert int(version.version) == 5  # 4 was deleted: numbers are never given twice
        gone = client.get_experiment_by_name("gone").experiment_id
        client.restore_experiment(gone)
        assert [one.info.run_name for one in client.search_runs([gone])] == ["with it"]
        moved = client.search_runs(["0"], run_view_type=ViewType.DELETED_ONLY)
        assert [one.info.run_name for one in moved] == ["deleted"]
    finally:
        server.stop()


def test_a_second_migration_copies_nothing(program, source, root):
    first = migrate(program, source, root)
    again = migrate(program, source, root)
    assert again["was_complete"]
    assert set(again["copied"].values()) == {0}
    assert again["verified"] == first["verified"]


@pytest.mark.parametrize("to", ["sqlite", "postgres"])
def test_a_killed_migration_goes_on(program, source, root, to):
    """kill -9 again and again, a little later each time; each start goes on from there."""
    options = [] if to == "sqlite" else ["--database", postgres_database()]
    command = [program, "migrate", "mlflow", "--from", source, "--root", str(root / "root")]
    kills = 0
    # The first at once, so that one comes in time on the fastest machine.
    for delay in (0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.5):
        process = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL)
        try:
            process.wait(timeout=delay)
        except subprocess.TimeoutExpired:
            process.kill()
            kills += process.wait() == -9
    assert kills > 0
    report = migrate(program, source, root, *options)
    assert report["differences"] == []
    expected = everything(source)
    assert report["verified"]["runs"] == len(expected["runs"])
    actual = served(program, root, *options)
    for part in expected:
        assert actual[part] == expected[part], part


def test_a_dry_run_writes_nothing(program, source, root):
    report = migrate(program, source, root, "--dry-run")
    assert report["found"]["registered_models"] == 2
    assert set(report["copied"].values()) == {0}
    assert not (root / "root").exists()


def test_the_source_is_only_read(program, source, root):
    path = pathlib.Path(source.removeprefix("sqlite:///"))
    before = path.read_bytes()
    migrate(program, source, root)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.glob("mlflow.db*")] == ["mlflow.db"]


def changed(source, folder, statement):
    """A copy of the source in which a statement was run."""
    path = folder / "changed.db"
    path.write_bytes(pathlib.Path(source.removeprefix("sqlite:///")).read_bytes())
    with sqlite3.connect(path) as database:
        database.execute(statement)
    return f"sqlite:///{path}"


def test_what_stands_in_the_way_is_named_and_nothing_is_written(program, source, root):
    server = Server(program, root)
    mlflow.set_tracking_uri(server.url)
    mlflow.set_registry_uri(server.url)
    mlflow.MlflowClient().create_experiment("numbers")
    mlflow.MlflowClient().create_registered_model("churn")
    server.stop()
    message = migrate(program, source, root, status=1)
    assert 'experiment 1 "numbers"' in message
    assert 'registered model "churn"' in message
    assert "nothing was copied" in message
    server = Server(program, root)
    mlflow.set_tracking_uri(server.url)
    names = {one.name for one in mlflow.MlflowClient().search_experiments()}
    server.stop()
    assert names == {"Default", "numbers"}


def test_a_source_that_another_was_copied_from_is_refused(program, source, root):
    migrate(program, source, root)
    other = changed(source, root, "UPDATE experiments SET name = 'other' WHERE experiment_id = 1")
    assert "experiment 1" in migrate(program, other, root, status=1)


def test_a_running_server_is_not_written_under(program, source, root):
    server = Server(program, root)
    message = migrate(program, source, root, status=1)
    server.stop()
    assert "another ciclo works on" in message


@pytest.mark.parametrize(
    "table, statement",
    [
        ("params", "UPDATE params SET value = 'changed' WHERE key = 'depth'"),
        ("points", "UPDATE metrics SET value = 0.25 WHERE key = 'late' AND step = 8"),
        ("points", "DELETE FROM metrics WHERE key = 'loss' AND step = 2000"),
        ("tags", "DELETE FROM tags WHERE key = 'mlflow.note.content'"),
        ("aliases", "UPDATE registered_model_aliases SET version = 1 WHERE alias = 'champion'"),
        ("tags", "UPDATE logged_model_tags SET tag_value = 'x' WHERE tag_key = 'stage'"),
    ],
)
def test_a_difference_is_found_and_named(program, source, root, table, statement):
    """A migration that goes on with a source that has changed since."""
    url = changed(source, root, "SELECT 1")
    migrate(program, url, root)
    with sqlite3.connect(url.removeprefix("sqlite:///")) as database:
        assert database.execute(statement).rowcount > 0
    report = migrate(program, url, root, status=1)
    assert report["difference_count"] >= 1
    assert all(f"differs in {table}" in text for text in report["differences"])


@pytest.mark.parametrize(
    "statement, message",
    [
        ("UPDATE alembic_version SET version_num = '0123456789ab'", "0123456789ab"),
        ("DROP TABLE alembic_version", "no MLflow database"),
    ],
)
def test_a_database_that_is_not_read_is_refused(program, source, root, statement, message):
    found = migrate(program, changed(source, root, statement), root, status=1)
    assert message in found
    assert not (root / "root").exists()


def test_a_file_that_is_not_there_is_not_made(program, root):
    message = migrate(program, f"sqlite:///{root}/none.db", root, status=1)
    assert "none.db" in message
    assert list(root.iterdir()) == []


def test_artifacts_behind_the_server_need_its_directory(program, source, root):
    """As a server with --artifacts-destination has them."""
    folder = pathlib.Path(source.removeprefix("sqlite:///")).parent / "mlruns"
    url = changed(source, root, "SELECT 1")
    with sqlite3.connect(url.removeprefix("sqlite:///")) as database:
        for table, column in [
            ("experiments", "artifact_location"),
            ("runs", "artifact_uri"),
            ("logged_models", "artifact_location"),
            ("model_versions", "storage_location"),
        ]:
            database.execute(
                f"UPDATE {table} SET {column} = 'mlflow-artifacts:' || "
                f"substr({column}, length('{folder}') + 1) WHERE {column} LIKE '{folder}%'"
            )
    assert "--artifacts-destination" in migrate(program, url, root, status=1)
    report = migrate(program, url, root, "--artifacts", str(folder))
    assert report["copied"]["artifact_files"] > 20
    actual, expected = served(program, root), everything(source)
    for part in ("files", "champion", "newest"):
        assert actual[part] == expected[part]


def test_artifacts_elsewhere_stay_there(program, source, root):
    url = changed(source, root, "UPDATE experiments SET artifact_location = 's3://bucket/1'"
                                " WHERE experiment_id = 1")  # fmt: skip
    with sqlite3.connect(url.removeprefix("sqlite:///")) as database:
        database.execute(
            "UPDATE runs SET artifact_uri = 's3://bucket/1/' || run_uuid WHERE experiment_id = 1"
        )
    report = migrate(program, url, root)
    assert any("s3://bucket/1" in note for note in report["notes"])
    server = Server(program, root)
    mlflow.set_tracking_uri(server.url)
    runs = mlflow.MlflowClient().search_runs(["1"])
    server.stop()
    assert {one.info.artifact_uri for one in runs} == {
        f"s3://bucket/1/{one.info.run_id}" for one in runs
    }


def test_the_commands_of_the_guide_do_what_they_say(program, source, root):
    guide = (HERE.parents[1] / "docs" / "guide" / "from-mlflow.md").read_text()
    lines = re.search(r"```sh\n(.*?)```", guide, re.S)[1].splitlines()
    assert [line.split()[1] for line in lines] == ["migrate", "migrate", "server"]
    folder = pathlib.Path(source.removeprefix("sqlite:///")).parent
    for line in lines[:2]:
        words = line.replace("/srv/mlflow/mlflow.db", f"{folder}/mlflow.db")
        words = words.replace("/srv/mlflow/artifacts", f"{folder}/mlruns").split()
        done = subprocess.run([program, *words[1:]], cwd=root, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert (root / "ciclo-data").exists() == ("--dry-run" not in line)
    assert "the copy is the same as its source" in done.stdout


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
@pytest.mark.parametrize("series", ["2.22", "3.6"])
def test_a_database_of_an_older_release_is_read(program, root, series, engine):
    """CICLO_TEST_MLFLOW_2_22 and …_3_6 name interpreters that have a whole mlflow, and psycopg2."""
    name = "CICLO_TEST_MLFLOW_" + series.replace(".", "_")
    if name not in os.environ:
        pytest.skip(f"{name} is not set")
    url = f"sqlite:///{root}/mlflow.db" if engine == "sqlite" else postgres_database()
    make_history(root, url, os.environ[name])
    report = migrate(program, url, root)
    assert report["differences"] == []
    assert report["verified"] == report["copied"]
    # Points that were logged twice are one since mlflow 3.
    copied = report["copied"]
    assert (copied["experiments"], copied["runs"], copied["model_versions"]) == (5, 112, 3)
    assert copied["metric_points"] > 3000
    assert copied["logged_models"] == (0 if series == "2.22" else 5)
    server = Server(program, root)
    mlflow.set_tracking_uri(server.url)
    mlflow.set_registry_uri(server.url)
    assert predict("models:/churn@champion") == [pytest.approx(4.0)]
    assert server.stop() == 0
