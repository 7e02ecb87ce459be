# SPDX-License-Identifier: Apache-2.0
"""A folder of MLflow's file store, ./mlruns, answers through our server as it did."""

import math
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import mlflow
import pytest
from conftest import Server
from test_migrate import HERE, everything, make_history, memory_folder, migrate, served

VENVS = pathlib.Path(sys.prefix).parent
# The newest client writes and reads such a folder only when it is told to.
os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"


def python_of(series):
    """The interpreter of an older client, which `run.sh --client SERIES` installs."""
    python = VENVS / series / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{python} is missing: tests/clients/run.sh --client {series} installs it")
    return python


@pytest.fixture(scope="module", params=["newest", "3.6", "2.22"])
def source(request):
    """A folder that a client has written."""
    python = sys.executable if request.param == "newest" else python_of(request.param)
    with memory_folder() as name:
        make_history(name, "./mlruns", python)
        folder = pathlib.Path(name) / "mlruns"
        # Who loads a model by its name has MLflow write a file beside it: what is read later is the
        # same only from the second time on.
        known(folder)
        yield folder


@pytest.fixture
def root():
    with memory_folder() as name:
        yield pathlib.Path(name)


LARGEST = sys.float_info.max


def known(folder):
    """What the client says of the folder. As in MLflow's database, what was logged twice alike
    counts once with us, an infinite value is the largest number, and minus zero is zero."""
    found = everything(str(folder))
    stored = {"inf": str(LARGEST), "-inf": str(-LARGEST), "-0.0": "0.0"}
    for histories in found["histories"].values():
        for key, points in histories.items():
            # The client forgets the step of a point with a data set, which its file has; here it is
            # equal to the time.
            histories[key] = sorted(
                {(time if key == "accuracy" else step, time, stored.get(value, value))
                 for step, time, value in points}
            )  # fmt: skip
    for run in found["runs"].values():
        for key, value in run["metrics"].items():
            if value in (math.inf, -math.inf):
                run["metrics"][key] = math.copysign(LARGEST, value)
    return found


def same(actual, expected):
    for part in expected:
        assert actual[part] == expected[part], part


def test_a_folder_answers_as_before(program, source, root):
    expected = known(source)
    report = migrate(program, str(source), root)
    assert report["differences"] == []
    assert report["copied"] == report["verified"]
    assert report["copied"]["runs"] == report["found"]["runs"] == len(expected["runs"]) == 112
    points = sum(len(points) for run in expected["histories"].values() for points in run.values())
    assert report["copied"]["metric_points"] == points > 3000
    same(served(program, root), expected)


def test_a_killed_migration_goes_on(program, source, root):
    command = [program, "migrate", "mlflow", "--from", str(source), "--root", str(root / "root")]
    kills = 0
    for delay in (0.05, 0.1, 0.2, 0.4, 0.8, 1.5):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            process.wait(timeout=delay)
        except subprocess.TimeoutExpired:
            process.kill()
            kills += process.wait() == -signal.SIGKILL
    assert kills > 0
    report = migrate(program, str(source), root)
    assert report["differences"] == []
    assert report["verified"]["runs"] == 112
    again = migrate(program, str(source), root)
    assert again["was_complete"] and set(again["copied"].values()) == {0}


def test_a_folder_that_was_moved_brings_its_files(program, source, root):
    expected = known(source)
    moved = root / "elsewhere" / "runs"
    shutil.copytree(source, moved)
    for meta in moved.rglob("meta.yaml"):
        meta.write_text(meta.read_text().replace(str(source), "/where/it/was/mlruns"))
    report = migrate(program, str(moved), root)
    assert report["differences"] == []
    same(served(program, root), {part: expected[part] for part in ("files", "champion", "newest")})


def test_what_is_no_folder_of_mlflow_is_refused(program, root):
    assert "cannot find the folder" in migrate(program, "./none", root, status=1)
    (root / "mlflow.db").write_text("")
    assert "sqlite:///" in migrate(program, str(root / "mlflow.db"), root, status=1)
    (root / "empty").mkdir()
    assert "holds no experiment" in migrate(program, str(root / "empty"), root, status=1)
    assert not (root / "root").exists()


def test_the_command_of_the_guide_does_what_it_says(program, source, root):
    guide = (HERE.parents[1] / "docs" / "guide" / "from-mlflow.md").read_text()
    (line,) = re.findall(r"^ciclo migrate mlflow --from \./mlruns.*$", guide, re.M)
    shutil.copytree(source, root / "mlruns")
    done = subprocess.run(
        [program, *line.split()[1:]], cwd=root, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "the copy is the same as its source" in done.stdout
    (root / "ciclo-data").rename(root / "root")
    server = Server(program, root)
    try:
        mlflow.set_tracking_uri(server.url)
        assert mlflow.MlflowClient().get_experiment_by_name("numbers") is not None
    finally:
        server.stop()
