# SPDX-License-Identifier: Apache-2.0
"""A server of the program under test for a whole session, and the client pointed at it."""

import contextlib
import errno
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import uuid

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "tools"))

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
os.environ["GIT_PYTHON_REFRESH"] = "quiet"
# No server closes a connection just when a client uses it again: there is no second attempt.
os.environ["CICLO_HTTP_IDLE_TIMEOUT_MS"] = "3600000"
os.environ["MLFLOW_UVICORN_OPTS"] = "--timeout-keep-alive 3600"

import mlflow
import pytest
import requests
from drop_schema import drop_schema
from held_port import HeldPort


class Server:
    """The program as `server --listen 127.0.0.1:PORT --root DIR …`, ready when it says so."""

    def __init__(self, program, root, options=(), port=0, environment=None):
        pathlib.Path(root).mkdir(parents=True, exist_ok=True)
        self.log = open(pathlib.Path(root) / "server.log", "ab")
        self.process = subprocess.Popen(
            [program, "server", "--listen", f"127.0.0.1:{port}",
             "--root", str(pathlib.Path(root) / "root"), *options],
            stdout=subprocess.PIPE, stderr=self.log, text=True,
            env={**os.environ, **(environment or {})})
        for line in self.process.stdout:
            if line.startswith("ready "):
                self.url = line.split()[1]
                return
        raise RuntimeError(f"the server ended with {self.process.wait()}; see {self.log.name}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        return self.process.wait(timeout=180)


def listener_on(port):
    """Listens where a server was killed, whose last process may take a moment to be gone."""
    end = time.monotonic() + 60
    while True:
        try:
            return socket.create_server(("127.0.0.1", port))
        except OSError as failure:
            if failure.errno != errno.EADDRINUSE or time.monotonic() > end:
                raise
            time.sleep(0.01)


def cut_off_a_call(port, process):
    """In the place of a killed server, takes one call of the process and drops it, so that there is
    one to be sent again. False when the process has ended without another call."""
    with listener_on(port) as in_its_place:
        in_its_place.settimeout(0.1)
        while process.poll() is None:
            with contextlib.suppress(TimeoutError):
                in_its_place.accept()[0].close()
                return True
    return False


def pytest_addoption(parser):
    parser.addoption("--program", required=True, help="path of the ciclo program")


@pytest.fixture(scope="session")
def program(pytestconfig):
    return pytestconfig.getoption("--program")


@pytest.fixture(scope="session")
def server(program):
    with tempfile.TemporaryDirectory() as folder:
        running = Server(program, folder)
        yield running
        status = running.stop()
        if status != 0:
            sys.stderr.write(pathlib.Path(running.log.name).read_text(errors="replace")[-4000:])
        assert status == 0


@pytest.fixture
def start_server(program, tmp_path):
    """Starts servers on one root, one after the other, and ends the last."""
    started = []

    def start(port=0):
        started.append(Server(program, tmp_path, port=port))
        return started[-1]

    yield start
    for running in started:
        if running.process.poll() is None:
            running.kill()


class Bucket:
    """A prefix of its own in the store that tests/tools/s3.py started."""

    def __init__(self):
        self.endpoint = os.environ["CICLO_TEST_S3_ENDPOINT"]
        self.bucket = os.environ["CICLO_TEST_S3_BUCKET"]
        self.prefix = f"clients-{uuid.uuid4().hex[:12]}"
        self.url = f"s3://{self.bucket}/{self.prefix}?endpoint={self.endpoint}"
        self.secret = os.environ["CICLO_TEST_S3_SECRET_KEY"]
        self.environment = {"AWS_ACCESS_KEY_ID": os.environ["CICLO_TEST_S3_ACCESS_KEY"],
                            "AWS_SECRET_ACCESS_KEY": self.secret}


@pytest.fixture
def bucket():
    if "CICLO_TEST_S3_ENDPOINT" not in os.environ:
        pytest.skip("CICLO_TEST_S3_ENDPOINT is not set: tests/tools/s3.py run -- … sets it")
    return Bucket()


@pytest.fixture
def database():
    """A schema of its own in the server that tests/tools/postgres.py started."""
    url = os.environ.get("CICLO_TEST_POSTGRES_URL")
    if not url:
        pytest.skip("CICLO_TEST_POSTGRES_URL is not set: tests/tools/postgres.py run -- … sets it")
    name = f"two_{uuid.uuid4().hex[:12]}"
    statement = ["psql", "-qX", "-v", "ON_ERROR_STOP=1", url, "-c"]
    subprocess.run([*statement, f"CREATE SCHEMA {name}"], check=True)
    yield f"{url}?options=-csearch_path%3D{name}"
    drop_schema(url, name)


@pytest.fixture
def start_server_with(program, tmp_path):
    """Starts servers with further arguments, each on a root of its own, and ends them."""
    started = []

    def start(*arguments, environment=None):
        root = tmp_path / f"server-{len(started)}"
        started.append(Server(program, root, arguments, environment=environment))
        return started[-1]

    yield start
    for running in started:
        if running.process.poll() is None:
            running.kill()


@pytest.fixture
def url(server):
    return server.url


@pytest.fixture
def client(server):
    mlflow.set_tracking_uri(server.url)
    mlflow.set_registry_uri(server.url)
    return mlflow.MlflowClient()


@pytest.fixture
def experiment(client):
    """The id of a new experiment, made the active one."""
    name = f"experiment-{uuid.uuid4().hex[:8]}"
    experiment_id = client.create_experiment(name)
    mlflow.set_experiment(experiment_id=experiment_id)
    yield experiment_id
    while mlflow.active_run():
        mlflow.end_run()


@pytest.fixture(scope="session")
def reference():
    """MLflow's server on SQLite and a local folder, one worker, without its job runner."""
    held = HeldPort()  # for half a minute, while the server imports
    port = held.number
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        root = pathlib.Path(folder)
        with open(root / "log", "wb") as log:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "mlflow",
                    "server",
                    "--host",
                    "127.0.0.1",
                    "--port",
                    str(port),
                    "--workers",
                    "1",
                    "--backend-store-uri",
                    f"sqlite:///{root}/mlflow.db",
                    "--artifacts-destination",
                    f"{root}/artifacts",
                ],
                env={
                    **os.environ,
                    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                    "MLFLOW_DISABLE_TELEMETRY": "true",
                },
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_healthy(url, process, root / "log")
            yield url
        finally:
            os.killpg(process.pid, 9)
            process.wait()
            held.close()


def wait_until_healthy(url, process, log):
    patience = time.monotonic() + 300  # it imports for half a minute, on a busy machine for longer
    while time.monotonic() < patience:
        assert process.poll() is None, log.read_text(errors="replace")[-3000:]
        try:
            if requests.get(url + "/health", timeout=60).status_code == 200:
                return
        except requests.RequestException:
            pass
        time.sleep(0.1)
    raise AssertionError(
        "MLflow's server did not come up: " + log.read_text(errors="replace")[-3000:]
    )
