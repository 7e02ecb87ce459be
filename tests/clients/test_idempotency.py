# SPDX-License-Identifier: Apache-2.0
"""The example of the guide on retries, with the server killed while it writes."""

import pathlib
import re
import subprocess
import sys
import time

import mlflow
from conftest import cut_off_a_call
from held_port import HeldPort

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "retries" / "send_again.py"


def write_and_kill(start_server, port, server, seconds):
    """Runs the example, and kills the server meanwhile: what it printed, whether a call of it was
    cut off, and the server that is there now."""
    client = mlflow.MlflowClient(server.url)
    before = len(client.search_runs(["0"]))
    example = subprocess.Popen([sys.executable, EXAMPLE, server.url, str(seconds)],
                               stdout=subprocess.PIPE, text=True)
    while len(client.search_runs(["0"])) == before:
        assert example.poll() in (None, 0)
        time.sleep(0.05)
    server.kill()
    # The server is back in less time than the example waits between two calls. A call is cut off
    # here, so that there is one to be sent again.
    is_cut_off = cut_off_a_call(port, example)
    server = start_server(port)
    printed, _ = example.communicate(timeout=300)
    found = re.fullmatch(r"run (\w+): (\d+) points, (\d+) calls sent again\n", printed)
    assert found, printed
    return found, is_cut_off, server


def test_the_example_loses_and_repeats_nothing(start_server):
    held = HeldPort()
    server = start_server(held.number)
    found, made = None, []
    # On a machine that stands still for so long, the example has ended before the kill.
    for seconds in (4, 16, 64):
        found, is_cut_off, server = write_and_kill(start_server, held.number, server, seconds)
        made.append(found[1])
        if is_cut_off:
            break
    run_id, points, sent_again = found[1], int(found[2]), int(found[3])
    assert sent_again > 0
    client = mlflow.MlflowClient(server.url)
    assert sorted(run.info.run_id for run in client.search_runs(["0"])) == sorted(made)
    history = client.get_metric_history(run_id, "beat")
    assert [point.step for point in history] == list(range(points))
