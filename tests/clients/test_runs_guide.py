# SPDX-License-Identifier: Apache-2.0
"""docs/guide/runs.md does what it says, on runs that MLflow's own client has logged."""

import os
import pathlib
import re
import subprocess

import mlflow

GUIDE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "guide" / "runs.md"


def log_runs(client):
    experiment = client.create_experiment("flights")
    for name, depth, losses in (("base", "6", (1.5, 0.5)), ("wide", "8", (1.0, 0.25))):
        run = client.create_run(experiment, run_name=name).info.run_id
        client.log_param(run, "depth", depth)
        client.log_param(run, "rate", "0.1")
        for step, loss in enumerate(losses):
            client.log_metric(run, "loss", loss, step=step)
        client.set_terminated(run)


def squeezed(line):
    return " ".join(line.split())


def test_the_guide_does_what_it_says(start_server, program, tmp_path):
    server = start_server()
    log_runs(mlflow.MlflowClient(server.url))
    path = f"{pathlib.Path(program).resolve().parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "CICLO_SERVER": server.url}
    folder = tmp_path / "work"
    folder.mkdir()
    printed, blocks = "", re.findall(r"^```(\w+)\n(.*?)^```", GUIDE.read_text(), re.M | re.S)
    assert {language for language, _ in blocks} == {"sh", "text"}
    for language, body in blocks:
        if language == "sh":
            done = subprocess.run(["bash", "-e", "-c", body], cwd=folder, env=environment,
                                  capture_output=True, text=True)
            assert done.returncode == 0, f"{body}\n{done.stderr}"
            printed = done.stdout
        else:
            lines = {squeezed(line) for line in printed.splitlines()}
            for line in body.splitlines():
                assert squeezed(line) in lines, f"{line!r} is not in\n{printed}"
    assert "<svg" in (folder / "report.html").read_text()
    assert len((folder / "points.jsonl").read_text().splitlines()) == 4
