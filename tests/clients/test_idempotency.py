# SPDX-License-Identifier: Apache-2.0
"""The example of the guide on retries, with the server killed while it writes."""

import pathlib
import re
import socket
import subprocess
import sys
import time

import mlflow

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "retries" / "send_again.py"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_example_loses_and_repeats_nothing(start_server):
    port = free_port()
    server = start_server(port)
    example = subprocess.Popen([sys.executable, EXAMPLE, server.url, "4"], stdout=subprocess.PIPE,
                               text=True)
    client = mlflow.MlflowClient(server.url)
    while not client.search_runs(["0"]):
        time.sleep(0.05)
    server.kill()
    # The server is back in less time than the example waits between two calls. A call is cut off
    # here, so that there is one to be sent again.
    with socket.create_server(("127.0.0.1", port)) as in_its_place:
        in_its_place.accept()[0].close()
    start_server(port)
    printed, _ = example.communicate(timeout=60)
    found = re.fullmatch(r"run (\w+): (\d+) points, (\d+) calls sent again\n", printed)
    assert found, printed
    run_id, points, sent_again = found[1], int(found[2]), int(found[3])
    assert sent_again > 0
    assert [run.info.run_id for run in client.search_runs(["0"])] == [run_id]
    history = client.get_metric_history(run_id, "beat")
    assert [point.step for point in history] == list(range(points))
