# SPDX-License-Identifier: Apache-2.0
"""A model that Ciclo trained, in the hands of the mlflow client."""

import json
import subprocess

import mlflow
import numpy
import pandas

PROJECT = """
project: numbers
data:
  numbers: {files: numbers.csv}
target: {column: y, task: binary}
train:
  learner: xgboost
  parameters: {rounds: 30, max_depth: 3}
deploy: {endpoint: numbers}
"""


def make_project(folder):
    random = numpy.random.default_rng(5)
    table = pandas.DataFrame(random.normal(size=(800, 4)), columns=["a", "b", "c", "d"])
    table["y"] = (table.a + table.b * table.c + random.normal(size=800) * 0.3 > 0).astype(int)
    table.to_csv(folder / "numbers.csv", index=False)
    (folder / "ciclo.yaml").write_text(PROJECT)
    return table.drop(columns="y").head(100)


def test_a_model_without_transform_predicts_alike_everywhere(server, client, program, tmp_path):
    rows = make_project(tmp_path)
    subprocess.run([program, "run", "--project", tmp_path, "--server", server.url], check=True)

    rows.to_csv(tmp_path / "rows.csv", index=False)
    served = subprocess.run(
        [program, "--json", "--server", server.url, "predict", "numbers", tmp_path / "rows.csv"],
        check=True, capture_output=True, text=True)
    expected = numpy.array(json.loads(served.stdout)["predictions"], dtype=float)

    champion = client.get_model_version_by_alias("numbers", "champion")
    assert champion.version == "1"
    loaded = mlflow.pyfunc.load_model("models:/numbers@champion")
    numpy.testing.assert_allclose(loaded.predict(rows).ravel(), expected, atol=1e-6)

    booster = mlflow.xgboost.load_model("models:/numbers@champion")
    import xgboost
    numpy.testing.assert_allclose(booster.predict(xgboost.DMatrix(rows)), expected, atol=1e-6)


def test_a_training_run_is_a_run_of_its_experiment(server, client, program, tmp_path):
    make_project(tmp_path)
    subprocess.run([program, "run", "--project", tmp_path, "--server", server.url], check=True)
    experiment = client.get_experiment_by_name("numbers")
    run, *_ = client.search_runs([experiment.experiment_id], order_by=["start_time DESC"])
    assert run.info.status == "FINISHED"
    assert run.data.params["max_depth"] == "3"
    assert 0.5 < run.data.metrics["test_auc"] <= 1
    assert len(client.get_metric_history(run.info.run_id, "validation.log_loss")) > 1
