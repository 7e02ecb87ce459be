# SPDX-License-Identifier: Apache-2.0
"""What libraries log by themselves, evaluations, system metrics and the command line of mlflow."""

import os
import subprocess
import sys
import time
import uuid

import lightgbm
import mlflow
import numpy
import pandas
import pytest
import xgboost
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

GENERATOR = numpy.random.default_rng(1)
ROWS = pandas.DataFrame(GENERATOR.normal(size=(120, 3)), columns=["a", "b", "c"])
TARGET = (ROWS["a"] + ROWS["b"] > 0).astype(int)


@pytest.fixture
def name():
    return f"model-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def autologged():
    """Switches the library's autologging on, and off again."""
    libraries = []

    def switch_on(library, **options):
        libraries.append(library)
        library.autolog(silent=True, **options)

    yield switch_on
    for library in libraries:
        library.autolog(disable=True)


def check_loads_by_alias(client, name, expected):
    client.set_registered_model_alias(name, "champion", "1")
    loaded = mlflow.pyfunc.load_model(f"models:/{name}@champion")
    numpy.testing.assert_allclose(
        numpy.asarray(loaded.predict(ROWS), dtype=float), expected, rtol=1e-6
    )


def test_xgboost_logs_by_itself(client, experiment, autologged, name):
    autologged(mlflow.xgboost, registered_model_name=name)
    matrix = xgboost.DMatrix(ROWS, label=TARGET)
    with mlflow.start_run() as run:
        booster = xgboost.train(
            {"objective": "binary:logistic", "max_depth": 2}, matrix, 5, evals=[(matrix, "train")]
        )
    loaded = client.get_run(run.info.run_id)
    assert loaded.data.params["max_depth"] == "2"
    assert loaded.data.params["num_boost_round"] == "5"
    history = client.get_metric_history(run.info.run_id, "train-logloss")
    assert [point.step for point in history] == [0, 1, 2, 3, 4]
    assert history[-1].value < history[0].value
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert "feature_importance_weight.json" in files
    check_loads_by_alias(client, name, booster.predict(matrix))


def test_lightgbm_logs_by_itself(client, experiment, autologged, name):
    autologged(mlflow.lightgbm, registered_model_name=name)
    train = lightgbm.Dataset(ROWS, label=TARGET)
    with mlflow.start_run() as run:
        booster = lightgbm.train(
            {"objective": "binary", "num_leaves": 4, "verbose": -1},
            train,
            num_boost_round=5,
            valid_sets=[train],
            valid_names=["train"],
        )
    loaded = client.get_run(run.info.run_id)
    assert (loaded.data.params["num_leaves"], loaded.data.params["objective"]) == ("4", "binary")
    history = client.get_metric_history(run.info.run_id, "train-binary_logloss")
    assert len(history) == 5
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert "feature_importance_split.json" in files
    check_loads_by_alias(client, name, booster.predict(ROWS))


def test_a_grid_search_logs_its_candidates_as_nested_runs(client, experiment, autologged):
    autologged(mlflow.sklearn, log_models=False, max_tuning_runs=None)
    with mlflow.start_run() as run:
        GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0, 10.0]}, cv=2).fit(ROWS, TARGET)
    parent = client.get_run(run.info.run_id)
    assert parent.data.params["best_C"] in ("0.1", "1.0", "10.0")
    assert "best_cv_score" in parent.data.metrics
    children = client.search_runs(
        [experiment], f"tags.mlflow.parentRunId = '{run.info.run_id}'", order_by=["params.C"]
    )
    assert [child.data.params["C"] for child in children] == ["0.1", "1.0", "10.0"]
    assert all("mean_test_score" in child.data.metrics for child in children)
    assert all(child.info.status == "FINISHED" for child in children)
    results = mlflow.artifacts.load_text(f"{parent.info.artifact_uri}/cv_results.csv")
    assert len(results.splitlines()) == 4


def test_an_evaluation_logs_metrics_and_files(client, experiment):
    model = LogisticRegression().fit(ROWS, TARGET)
    data = ROWS.assign(target=TARGET)
    with mlflow.start_run() as run:
        logged = mlflow.sklearn.log_model(
            model, name="model", skops_trusted_types=[], pip_requirements=["scikit-learn"]
        )
        result = mlflow.models.evaluate(
            logged.model_uri,
            data,
            targets="target",
            model_type="classifier",
            evaluator_config={"log_model_explainability": False},
        )
    loaded = client.get_run(run.info.run_id)
    assert loaded.data.metrics["accuracy_score"] == result.metrics["accuracy_score"]
    assert loaded.data.metrics["roc_auc"] > 0.9
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"confusion_matrix.png", "roc_curve_plot.png"} <= files
    assert {inputs.dataset.digest for inputs in loaded.inputs.dataset_inputs}
    model_metrics = {m.key: m.value for m in mlflow.get_logged_model(logged.model_id).metrics}
    assert model_metrics["accuracy_score"] == result.metrics["accuracy_score"]


def test_an_evaluation_of_a_table_logs_it(client, experiment):
    data = pandas.DataFrame({"target": [1.0, 2.0, 3.0], "prediction": [1.0, 2.5, 3.0]})
    with mlflow.start_run() as run:
        result = mlflow.models.evaluate(
            data=data, targets="target", predictions="prediction", model_type="regressor"
        )
    metrics = client.get_run(run.info.run_id).data.metrics
    assert metrics["mean_absolute_error"] == pytest.approx(0.5 / 3)
    assert metrics == pytest.approx(result.metrics)


def test_system_metrics_are_logged(client, experiment):
    mlflow.set_system_metrics_sampling_interval(0.2)
    mlflow.set_system_metrics_samples_before_logging(1)
    try:
        with mlflow.start_run(log_system_metrics=True) as run:
            patience = time.monotonic() + 180
            while time.monotonic() < patience:
                seen = client.get_metric_history(
                    run.info.run_id, "system/cpu_utilization_percentage"
                )
                if len(seen) >= 2:
                    break
                time.sleep(0.1)
    finally:
        mlflow.set_system_metrics_sampling_interval(None)
        mlflow.set_system_metrics_samples_before_logging(None)
    metrics = client.get_run(run.info.run_id).data.metrics
    assert metrics["system/system_memory_usage_megabytes"] > 0
    history = client.get_metric_history(run.info.run_id, "system/cpu_utilization_percentage")
    assert [point.step for point in history[:2]] == [0, 1]


@pytest.fixture
def command(url, tmp_path):
    """Runs `mlflow ARGUMENTS` with MLFLOW_TRACKING_URI; its output."""

    def run(*arguments, status=0):
        done = subprocess.run(
            [sys.executable, "-m", "mlflow", *arguments],
            env={**os.environ, "MLFLOW_TRACKING_URI": url},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    return run


def test_the_command_line_keeps_experiments(client, command):
    name = f"cli-{uuid.uuid4().hex[:12]}"
    assert "Created experiment" in command("experiments", "create", "-n", name)
    experiment = client.get_experiment_by_name(name).experiment_id
    assert name in command("experiments", "search")
    command("experiments", "rename", "-x", experiment, "--new-name", name + "-2")
    assert client.get_experiment(experiment).name == name + "-2"
    command("experiments", "delete", "-x", experiment)
    assert name not in command("experiments", "search")
    assert name in command("experiments", "search", "-v", "deleted_only")
    command("experiments", "restore", "-x", experiment)
    assert client.get_experiment(experiment).lifecycle_stage == "active"
    run = client.create_run(experiment, run_name="r").info.run_id
    client.log_metric(run, "m", 0.5)
    csv = command("experiments", "csv", "-x", experiment)
    assert "metrics.m" in csv and run in csv


def test_the_command_line_keeps_runs_and_artifacts(client, experiment, command, tmp_path):
    run = client.create_run(experiment, run_name="cli run").info.run_id
    client.log_param(run, "p", "1")
    listed = command("runs", "list", "--experiment-id", experiment)
    assert run in listed and "cli run" in listed
    described = command("runs", "describe", "--run-id", run)
    assert '"p": "1"' in described
    command("runs", "delete", "--run-id", run)
    assert client.get_run(run).info.lifecycle_stage == "deleted"
    command("runs", "restore", "--run-id", run)
    assert client.get_run(run).info.lifecycle_stage == "active"
    (tmp_path / "file.txt").write_text("text")
    command("artifacts", "log-artifact", "-l", "file.txt", "--run-id", run, "--artifact-path", "in")
    assert "in/file.txt" in command("artifacts", "list", "--run-id", run, "--artifact-path", "in")
    command("artifacts", "download", "--run-id", run, "--artifact-path", "in", "-d", "down")
    assert (tmp_path / "down" / "in" / "file.txt").read_text() == "text"
    command("runs", "describe", "--run-id", "0" * 32, status=1)
