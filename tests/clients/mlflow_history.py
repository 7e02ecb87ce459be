# SPDX-License-Identifier: Apache-2.0
"""Makes a history of everything that is migrated, with whatever mlflow runs this.

mlflow_history.py TRACKING_URI   the URI of a server, or of a database
"""

import math
import pathlib
import sys
import tempfile

import mlflow
from mlflow.entities import Metric, Param, RunTag

IS_3 = int(mlflow.__version__.split(".")[0]) >= 3
POINTS = 3000
RUNS = 105  # more than a page of a migration


def main(uri):
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    client = mlflow.MlflowClient()
    client.set_experiment_tag("0", "first", "the default one")
    numbers = make_numbers(client)
    make_files(client, numbers)
    make_inputs(numbers)
    make_deleted(client)
    make_many(client)
    make_models(client)
    if IS_3:
        make_logged_models(client)


def make_numbers(client):
    """A run with histories of each kind."""
    experiment = client.create_experiment("numbers", tags={"team": "red", "note": "é\nü"})
    run = client.create_run(experiment, run_name="long", tags={"mlflow.user": "ann", "empty": ""})
    run_id = run.info.run_id
    client.log_batch(
        run_id,
        metrics=[
            Metric("nan", math.nan, 10, 0),
            Metric("nan", 1.5, 11, 1),
            Metric("nan", math.nan, 12, 2),
            Metric("up", math.inf, 5, 0),
            Metric("down", -math.inf, 5, 0),
            Metric("zero", -0.0, 5, 0),
            Metric("twice", 1.0, 5, 0),
            Metric("twice", 1.0, 5, 0),
            Metric("late", 3.0, 100, 7),
            Metric("late", 4.0, 50, 9),
            Metric("late", 5.0, 200, 8),
            Metric("same step", 2.0, 7, 3),
            Metric("same step", 1.0, 7, 3),
            Metric("tiny/deep.name", 5e-324, 0, -3),
        ],
        params=[Param("depth", "3"), Param("long", "x" * 6000), Param("é", "ü")],
        tags=[RunTag("mlflow.note.content", "# text")],
    )
    for start in range(0, POINTS, 1000):
        loss = [
            Metric("loss", 1 / (i + 1), 1_700_000_000_000 + 100 * i, i)
            for i in range(start, start + 1000)
        ]
        client.log_batch(run_id, metrics=loss)
    child = client.create_run(
        experiment, run_name="child", tags={"mlflow.parentRunId": run_id}, start_time=1_600_000
    )
    client.log_metric(child.info.run_id, "loss", 0.5, timestamp=1, step=0)
    client.set_terminated(child.info.run_id, "FAILED", end_time=1_700_000)
    client.set_terminated(run_id)
    return run_id


def make_files(client, run_id):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "deep" / "er").mkdir(parents=True)
        (root / "deep" / "er" / "a b é.txt").write_text("ä")
        (root / "empty").write_bytes(b"")
        (root / "big.bin").write_bytes(bytes(range(256)) * 4096)
        (root / "copy.bin").write_bytes(bytes(range(256)) * 4096)
        client.log_artifacts(run_id, folder, "files")
    client.log_text(run_id, "at the top", "top.txt")


def make_inputs(run_id):
    import pandas

    table = pandas.DataFrame({"x": [1.0, 2.0], "y": [0, 1]})
    with mlflow.start_run(run_id=run_id):
        dataset = mlflow.data.from_pandas(table, source="https://example.com/a.csv", name="table")
        mlflow.log_input(dataset, context="training")
        mlflow.log_input(mlflow.data.from_pandas(table.head(1), name="half"), context="eval")


def make_deleted(client):
    experiment = client.create_experiment("gone")
    client.log_metric(client.create_run(experiment, run_name="with it").info.run_id, "m", 1.0)
    client.delete_experiment(experiment)
    run = client.create_run("0", run_name="deleted")
    client.log_param(run.info.run_id, "p", "1")
    client.delete_run(run.info.run_id)


def make_many(client):
    experiment = client.create_experiment("many")
    for i in range(RUNS):
        run_id = client.create_run(experiment, run_name=f"run {i}", start_time=i).info.run_id
        client.log_batch(
            run_id,
            metrics=[Metric("m", i / 7, i, 0), Metric("other", i % 5, i, 0)],
            params=[Param("i", str(i))],
        )
        client.set_terminated(run_id, end_time=i + 1)


def log_linear(slope):
    from sklearn.linear_model import LinearRegression

    model = LinearRegression().fit([[0.0], [1.0]], [0.0, slope])
    # Named, so that they are not looked for by importing the model in another process.
    options = {"name" if IS_3 else "artifact_path": "linear", "pip_requirements": []}
    return mlflow.sklearn.log_model(model, **options)


def make_models(client):
    mlflow.set_experiment("models")
    client.create_registered_model("churn", tags={"owner": "ann"}, description="who leaves")
    for slope in (1.0, 2.0, 3.0):
        with mlflow.start_run(run_name=f"slope {slope}") as run:
            logged = log_linear(slope)
            mlflow.log_metric("slope", slope)
        source = f"{run.info.artifact_uri}/linear" if not IS_3 else logged.model_uri
        client.create_model_version(
            "churn", source, run.info.run_id, tags={"slope": str(slope)}, description=f"{slope}"
        )
    client.set_registered_model_alias("churn", "champion", 2)
    client.set_registered_model_alias("churn", "challenger", 3)
    client.transition_model_version_stage("churn", "1", "Archived")
    client.transition_model_version_stage("churn", "3", "Production")
    client.create_model_version("churn", source, run.info.run_id)
    client.delete_model_version("churn", "4")
    client.create_registered_model("empty")


def make_logged_models(client):
    experiment = client.get_experiment_by_name("models").experiment_id
    run = client.search_runs([experiment], "attributes.run_name = 'slope 2.0'")[0]
    model = client.search_logged_models([experiment], f"source_run_id = '{run.info.run_id}'")[0]
    client.set_logged_model_tags(model.model_id, {"stage": "tried"})
    client.log_model_params(model.model_id, {"depth": "3"})
    for step, value in enumerate((0.5, 0.75, math.nan)):
        client.log_metric(
            run.info.run_id, "accuracy", value, timestamp=step, step=step,
            model_id=model.model_id, dataset_name="table", dataset_digest="abc",
        )  # fmt: skip
    gone = client.create_logged_model(experiment, name="gone")
    client.delete_logged_model(gone.model_id)
    failed = client.create_logged_model(experiment, name="failed", model_type="agent")
    client.finalize_logged_model(failed.model_id, "FAILED")


if __name__ == "__main__":
    main(sys.argv[1])
