# SPDX-License-Identifier: Apache-2.0
"""libciclo_client as its users get it: installed, found by CMake, with Ciclo and with MLflow."""

import collections
import os
import pathlib
import re
import signal
import subprocess
import sys

import mlflow
import pytest
from conftest import cut_off_a_call, wait_until_healthy
from held_port import HeldPort

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "cpp-tracking"
STEPS, THREADS = 20_000, 2


def run_checked(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def installed(program, tmp_path_factory):
    build = pathlib.Path(program).resolve().parent
    assert (build / "lib" / "libciclo_client.so").exists(), (
        f"{build}/lib/libciclo_client.so is not built: ninja -C {build} ciclo_client"
    )
    prefix = tmp_path_factory.mktemp("prefix")
    run_checked("cmake", "--install", str(build), "--component", "client", "--prefix", str(prefix))
    return prefix


@pytest.fixture(scope="module")
def sanitizer(program):
    """What a program needs that is linked with a library built for a sanitizer."""
    cache = (pathlib.Path(program).resolve().parent / "CMakeCache.txt").read_text()
    kinds = re.search(r"^CICLO_SANITIZE:STRING=(.*)$", cache, re.M)[1]
    return [f"-fsanitize={kinds}"] if kinds else []


@pytest.fixture(scope="module")
def example(installed, sanitizer, tmp_path_factory):
    """The folder of the example's programs, built by its own CMakeLists.txt."""
    build = tmp_path_factory.mktemp("example")
    run_checked("cmake", "-S", str(EXAMPLE), "-B", str(build), f"-DCMAKE_PREFIX_PATH={installed}",
                *(f"-DCMAKE_{what}_FLAGS={' '.join(sanitizer)}" for what in ("C", "CXX")))
    run_checked("cmake", "--build", str(build))
    return build


class Running:
    """A server on a port and folder of its own, which may be killed and started again."""

    def __init__(self, command, log):
        self.command, self.log, self.process = command, log, None
        self.held = HeldPort()
        self.port = self.held.number
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command(self.port),
                env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until_healthy(self.url, self.process, self.log)
        return self

    def kill(self):
        os.killpg(self.process.pid, 9)
        self.process.wait()


@pytest.fixture(params=["ciclo", "mlflow"])
def any_server(request, program, tmp_path):
    commands = {
        "ciclo": lambda port: [
            program, "server", "--listen", f"127.0.0.1:{port}", "--root", str(tmp_path / "root")],
        "mlflow": lambda port: [
            sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
            "--workers", "1", "--backend-store-uri", f"sqlite:///{tmp_path}/mlflow.db",
            "--artifacts-destination", f"{tmp_path}/artifacts"],
    }  # fmt: skip
    running = Running(commands[request.param], tmp_path / "log").start()
    running.kind = request.param
    yield running
    running.kill()


def steps_of(client, run_id, key):
    """How often each step of the metric is there."""
    return collections.Counter(metric.step for metric in client.get_metric_history(run_id, key))


def read_until(process, pattern):
    lines = []
    for line in process.stdout:
        lines.append(line)
        found = re.match(pattern, line)
        if found:
            return found
    raise AssertionError(f"{pattern!r} is not in {lines}: {process.stderr.read()}")


def test_the_c_example_logs_a_run(any_server, example):
    printed = run_checked(
        str(example / "minimal"), env={**os.environ, "MLFLOW_TRACKING_URI": any_server.url})
    client = mlflow.MlflowClient(any_server.url)
    run = client.get_run(printed.split()[1])
    assert run.info.status == "FINISHED"
    assert run.data.params == {"rate": "0.1"}
    assert run.data.tags["mlflow.source.name"].endswith("minimal")
    assert run.data.metrics == {"loss": 0.01}
    assert steps_of(client, run.info.run_id, "loss") == collections.Counter(range(100))


def kill_under(process, server):
    """Kills the server and starts it again. False when the program had logged all before; else it
    has met the killed server, and stands still, so that it has not ended at the next kill."""
    server.kill()
    met = cut_off_a_call(server.port, process)
    if met:
        process.send_signal(signal.SIGSTOP)
    server.start()
    return met


def train_and_kill(server, example, steps):
    """The id of the run, the counters, and how many kills the program has met."""
    process = subprocess.Popen(
        [str(example / "training"), server.url, str(steps), str(THREADS)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    client = mlflow.MlflowClient(server.url)
    kills = 0
    try:
        run_id = read_until(process, r"run (\w+)")[1]
        for _ in range(2):
            flushed = int(read_until(process, r"flushed (\d+)")[1])
            if not kill_under(process, server):
                break
            kills += 1
            # What was flushed before the kill is there after it.
            for worker in range(THREADS):
                stored = steps_of(client, run_id, f"worker_{worker}/loss")
                missing = [step for step in range(flushed) if stored[step] != 1]
                assert not missing, f"kill {kills}, worker {worker}: {missing[:10]}"
            process.send_signal(signal.SIGCONT)
        counters = read_until(process, r"logged (\d+), acknowledged (\d+), retries (\d+)")
        assert process.wait(timeout=300) == 0, process.stderr.read()
    finally:
        process.kill()
    return run_id, counters, kills


def test_nothing_flushed_is_lost_or_doubled_when_the_server_is_killed(any_server, example):
    steps = STEPS if any_server.kind == "ciclo" else STEPS // 10
    run_id, counters, kills = train_and_kill(any_server, example, steps)
    # A program that had logged all before the first kill has proved nothing; a longer one will.
    while kills == 0 and steps < 64 * STEPS:
        steps *= 4
        run_id, counters, kills = train_and_kill(any_server, example, steps)
    assert int(counters[1]) == int(counters[2]) == steps * THREADS * 2 + 3
    assert int(counters[3]) > 0, "no request met the killed server: the test proves nothing"
    client = mlflow.MlflowClient(any_server.url)
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"steps": str(steps), "threads": str(THREADS)}
    for worker in range(THREADS):
        for key in (f"worker_{worker}/loss", f"learning_rate/{worker}"):
            assert steps_of(client, run_id, key) == collections.Counter(range(steps)), key


def test_what_is_no_server_is_told_in_a_sentence(example):
    done = subprocess.run(
        [str(example / "training"), "sqlite:///runs.db"], capture_output=True, text=True)
    assert done.returncode == 1
    assert 'must begin with http:// or https://, got "sqlite"' in done.stderr


def test_the_static_library_brings_no_names_but_its_own(installed, sanitizer, tmp_path, server):
    if sanitizer:
        pytest.skip("an instrumented library brings the sanitizer's names")
    archive = next(installed.glob("lib*/**/libciclo_client.a"))
    # "u" and "W" are of the C++ library, as in any program.
    lines = run_checked("nm", "--defined-only", "--extern-only", str(archive)).splitlines()
    names = [line.split() for line in lines if len(line.split()) == 3]
    strange = [n for _, kind, n in names
               if kind in "TDBRC" and not n.startswith(("ciclo_client_", "ciclo_run_", "_ZNSt",
                                                        "_ZNKSt", "_ZSt"))]
    assert not strange
    program = tmp_path / "minimal"
    run_checked("gcc", "-std=c11", "-Wpedantic", "-Werror", f"-I{installed}/include",
                str(EXAMPLE / "minimal.c"), str(archive), "-lcurl", "-lstdc++", "-lm", "-lpthread",
                "-o", str(program))
    printed = run_checked(
        str(program), env={**os.environ, "MLFLOW_TRACKING_URI": server.url})
    assert printed.startswith("run ")


def test_the_program_of_the_guide_does_what_it_says(installed, sanitizer, tmp_path, server):
    guide = (ROOT / "docs" / "guide" / "cpp-client.md").read_text()
    (tmp_path / "main.cc").write_text(re.search(r"```cpp\n(.*?)```", guide, re.S)[1])
    library = next(installed.glob("lib*/**/libciclo_client.so")).parent
    run_checked("g++", "-std=c++17", "-Wall", "-Werror", *sanitizer, f"-I{installed}/include",
                str(tmp_path / "main.cc"), f"-L{library}", f"-Wl,-rpath,{library}",
                "-lciclo_client", "-o", str(tmp_path / "main"))
    environment = {**os.environ, "MLFLOW_TRACKING_URI": server.url}
    run_id = run_checked(str(tmp_path / "main"), env=environment).split()[1]
    run = mlflow.MlflowClient(server.url).get_run(run_id)
    assert (run.info.run_name, run.info.status) == ("first", "FINISHED")
    assert run.data.params == {"depth": "6"}
    assert run.data.metrics["loss"] == 0.001
