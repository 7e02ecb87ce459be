# SPDX-License-Identifier: Apache-2.0
"""What is here goes out again: MLflow's own server answers from the export as ours did."""

import contextlib
import json
import os
import pathlib
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import time

import mlflow
import pytest
from conftest import Server, wait_until_healthy
from held_port import HeldPort
from test_migrate import everything, make_history, memory_folder, postgres_database

HERE = pathlib.Path(__file__).parent


@pytest.fixture(scope="module")
def filled(program):
    """The folder of a server that has a history, and what a client saw of it; it has stopped."""
    with memory_folder() as name:
        folder = pathlib.Path(name)
        server = Server(program, folder)
        try:
            make_history(folder, server.url)
            seen = everything(server.url)
        finally:
            assert server.stop() == 0
        yield folder, seen


@pytest.fixture(scope="module")
def tables():
    """The bytes of a database that `mlflow db upgrade` has made."""
    with memory_folder() as name:
        path = pathlib.Path(name) / "mlflow.db"
        subprocess.run(
            [sys.executable, "-m", "mlflow", "db", "upgrade", f"sqlite:///{path}"],
            check=True, capture_output=True, timeout=300,
        )  # fmt: skip
        yield path.read_bytes()


@pytest.fixture
def place(tables):
    """A folder with an MLflow database that holds nothing."""
    with memory_folder() as name:
        folder = pathlib.Path(name)
        (folder / "mlflow.db").write_bytes(tables)
        yield folder


def command_of(program, folder, place, to=None):
    return [
        program, "export", "mlflow", "--to", to or f"sqlite:///{place}/mlflow.db",
        "--artifacts", str(place / "artifacts"), "--root", str(folder / "root"), "--json",
    ]  # fmt: skip


def export(program, folder, place, to=None, status=0):
    done = subprocess.run(
        command_of(program, folder, place, to), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == status, done.stderr + done.stdout
    document = json.loads(done.stdout)
    return document if status == 0 else document["error"]["message"]


@contextlib.contextmanager
def mlflow_server(place):
    """MLflow's own server on what was exported."""
    held = HeldPort()
    port = held.number
    with open(place / "log", "wb") as log:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1",
                "--port", str(port), "--workers", "1",
                "--backend-store-uri", f"sqlite:///{place}/mlflow.db",
                "--artifacts-destination", str(place / "artifacts"),
            ],
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_healthy(url, process, place / "log")
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        held.close()


def rows(place, table):
    with contextlib.closing(sqlite3.connect(place / "mlflow.db")) as database:
        return database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]


def as_mlflow_answers(seen):
    """A value of a logged model that is NaN is 0 in MLflow's tables, whoever writes them; and its
    server, between a client and the directory, leaves out the size of an empty file."""

    def kept(metrics):
        return {
            name: (step, "0.0" if value == "nan" else value)
            for name, (step, value) in metrics.items()
        }

    models = {
        key: (*model[:-1], kept(model[-1])) for key, model in seen["logged models"].items()
    }
    files = {
        run: {path: (size or None, content) for path, (size, content) in below.items()}
        for run, below in seen["files"].items()
    }
    return {**seen, "logged models": models, "files": files}


def test_mlflows_own_server_answers_as_ours_did(program, filled, place):
    folder, seen = filled
    report = export(program, folder, place)
    assert report["differences"] == []
    assert report["verified"] == report["written"]
    assert report["written"]["runs"] == len(seen["runs"]) > 105
    assert report["written"]["metric_points"] > 3000
    written = sum(entry.is_file() for entry in (place / "artifacts").rglob("*"))
    of_runs = sum(len(files) for files in seen["files"].values())
    assert report["written"]["artifact_files"] == written > of_runs > 0
    with mlflow_server(place) as url:
        found = everything(url)
    expected = as_mlflow_answers(seen)
    different = {
        part: (found[part], expected[part]) for part in expected if found[part] != expected[part]
    }
    assert different == {}


def make_postgres_tables(url):
    """As MLflow itself makes them, with the references between them."""
    made = subprocess.run(
        [sys.executable, "-m", "mlflow", "db", "upgrade",
         url.replace("postgresql://", "postgresql+psycopg2://")],
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr


def asked(url, statement):
    done = subprocess.run(["psql", url, "-Atc", statement], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_mlflows_tables_on_postgres_take_everything(program, filled, place):
    """With their types, lengths, keys and references, which SQLite does not enforce."""
    folder, seen = filled
    url = postgres_database()
    make_postgres_tables(url)
    assert int(asked(url, "SELECT COUNT(*) FROM pg_constraint WHERE contype = 'f'")) > 20
    report = export(program, folder, place, url)
    assert report["differences"] == []
    assert report["verified"] == report["written"]
    assert report["written"]["runs"] == len(seen["runs"])
    assert asked(url, "SELECT nextval(pg_get_serial_sequence('experiments', 'experiment_id'))"
                      " > MAX(experiment_id) FROM experiments") == "t"  # fmt: skip
    (place / "artifacts").rename(place / "before")
    assert "the database is not empty" in export(program, folder, place, url, status=1)


def test_what_names_a_removed_run_goes_to_postgres(program, place):
    """A logged model keeps the metrics of a run that was removed for good; they are left out."""
    url = postgres_database()
    make_postgres_tables(url)
    with memory_folder() as name:
        folder = pathlib.Path(name)
        server = Server(program, folder)
        try:
            client = mlflow.MlflowClient(server.url, server.url)
            run = client.create_run("0").info.run_id
            model = client.create_logged_model("0", name="kept", source_run_id=run)
            client.log_metric(run, "accuracy", 0.5, model_id=model.model_id)
            client.delete_run(run)
        finally:
            assert server.stop() == 0
        collected = subprocess.run(
            [program, "gc", "--run", run, "--root", str(folder / "root"), "--json"],
            capture_output=True, text=True,
        )  # fmt: skip
        assert json.loads(collected.stdout)["runs"] == 1, collected.stderr
        report = export(program, folder, place, url)
    assert report["differences"] == []
    assert report["written"]["logged_models"] == report["verified"]["logged_models"] == 1
    # Which MLflow cannot keep: each of its metrics refers to a run.
    assert report["metrics_without_run"] == 1
    assert asked(url, "SELECT COUNT(*) FROM logged_model_metrics") == "0"


def test_a_killed_export_leaves_an_empty_database_and_says_what_to_do(program, filled, place):
    """kill -9 ever later, until it has written all: the database has nothing or everything."""
    folder, seen = filled
    kills, delay = 0, 0.01
    while True:
        process = subprocess.Popen(
            command_of(program, folder, place), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(delay)
        process.kill()
        kills += process.wait() == -signal.SIGKILL
        # In steps that grow: an export of ten times the duration is not tried a hundred times.
        delay += max(0.01, delay / 20)
        is_whole = rows(place, "runs") == len(seen["runs"])
        assert is_whole or rows(place, "runs") == 0
        if is_whole:
            break
        if (place / "artifacts").exists() and any((place / "artifacts").iterdir()):
            message = export(program, folder, place, status=1)
            assert "remove this one when an export that was cut off has left it" in message
            subprocess.run(["rm", "-r", place / "artifacts"], check=True)
    assert kills > 0
    assert rows(place, "metrics") > 3000
    assert "the database is not empty" in export(program, folder, place, status=1)


@pytest.mark.parametrize(
    "statement, words",
    [
        ("UPDATE alembic_version SET version_num = '0123456789ab'", "0123456789ab"),
        ("UPDATE alembic_version SET version_num = 'bf29a5ff90ea'", "mlflow db upgrade"),
        ("DROP TABLE alembic_version", "mlflow db upgrade"),
        ("INSERT INTO experiments (experiment_id, name) VALUES (5, 'x')", "1 rows in experiments"),
        ("INSERT INTO registered_models (name) VALUES ('x')", "1 rows in registered_models"),
    ],
)
def test_a_database_that_does_not_fit_is_refused(program, filled, place, statement, words):
    with contextlib.closing(sqlite3.connect(place / "mlflow.db")) as database:
        database.execute(statement)
        database.commit()
    before = (place / "mlflow.db").read_bytes()
    assert words in export(program, filled[0], place, status=1)
    assert not (place / "artifacts").exists()
    assert (place / "mlflow.db").read_bytes() == before


def test_a_place_that_is_not_there_is_not_made(program, filled, place):
    message = export(program, filled[0], place, f"sqlite:///{place}/none.db", status=1)
    assert "none.db" in message
    assert not (place / "none.db").exists()
    assert not (place / "artifacts").exists()
    message = export(program, place / "nothing", place, status=1)
    assert "there is nothing to export" in message


def test_a_directory_that_holds_something_is_refused(program, filled, place):
    (place / "artifacts").mkdir()
    (place / "artifacts" / "mine").write_text("mine")
    assert "is not empty" in export(program, filled[0], place, status=1)
    assert rows(place, "runs") == 0
    assert [entry.name for entry in (place / "artifacts").iterdir()] == ["mine"]


def test_no_password_is_printed(program, filled, place):
    url = "postgresql://ann:secret-word@127.0.0.1:1/none"
    message = export(program, filled[0], place, url, status=1)
    assert "secret-word" not in message


def test_the_commands_of_the_guide_do_what_they_say(program, filled, place):
    guide = (HERE.parents[1] / "docs" / "guide" / "from-mlflow.md").read_text()
    lines = re.search(r"## And back.*?```sh\n(.*?)```", guide, re.S)[1].splitlines()
    words = [shlex.split(line) for line in lines]
    assert [line[:2] for line in words] == [
        ["mlflow", "db"], ["ciclo", "export"], ["mlflow", "server"],
    ]  # fmt: skip
    # The first has been done for `place`; mlflow_server starts the third.
    assert words[0][3] == words[1][4] == words[2][3] == "sqlite:////srv/mlflow/mlflow.db"
    assert words[1][6] == words[2][5] == "/srv/mlflow/artifacts"
    (place / "ciclo-data").symlink_to(filled[0] / "root")
    arguments = [word.replace("/srv/mlflow", str(place)) for word in words[1][1:]]
    done = subprocess.run([program, *arguments], cwd=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "done: what was written is what is here" in done.stdout
