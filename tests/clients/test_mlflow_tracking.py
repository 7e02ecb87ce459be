# SPDX-License-Identifier: Apache-2.0
"""Experiments, runs, metrics and artifacts through the unmodified mlflow client."""

import math
import time

import mlflow
import pytest
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException


def error_code(call):
    with pytest.raises(MlflowException) as caught:
        call()
    return caught.value.error_code


def test_a_run_keeps_what_the_fluent_api_logs(client, experiment):
    with mlflow.start_run(run_name="first", tags={"team": "red"}, description="text") as run:
        mlflow.log_param("depth", 3)
        mlflow.log_params({"eta": 0.1, "objective": "binary"})
        mlflow.log_metric("auc", 0.5, step=0)
        mlflow.log_metric("auc", 0.75, step=1)
        mlflow.log_metrics({"loss": 0.25, "nan": math.nan, "inf": math.inf}, step=1)
        mlflow.set_tag("note", "é")
        mlflow.set_tags({"a": 1, "b": 2})
    loaded = client.get_run(run.info.run_id)
    assert loaded.info.status == "FINISHED"
    assert loaded.info.run_name == "first"
    assert loaded.info.end_time >= loaded.info.start_time
    assert loaded.info.experiment_id == experiment
    assert loaded.data.params == {"depth": "3", "eta": "0.1", "objective": "binary"}
    assert loaded.data.metrics["auc"] == 0.75
    assert math.isnan(loaded.data.metrics["nan"])
    assert loaded.data.metrics["inf"] == 1.7976931348623157e308
    assert loaded.data.tags["note"] == "é"
    assert loaded.data.tags["mlflow.note.content"] == "text"
    assert loaded.data.tags["team"] == "red"


def test_a_failed_run_says_so(client, experiment):
    with pytest.raises(ZeroDivisionError):
        with mlflow.start_run() as run:
            1 / 0
    assert client.get_run(run.info.run_id).info.status == "FAILED"


def test_log_batch_and_history_in_pages(client, experiment):
    run_id = client.create_run(experiment).info.run_id
    now = int(time.time() * 1000)
    points = [Metric("loss", 1.0 / (i + 1), now + i, i) for i in range(1000)]
    client.log_batch(run_id, metrics=points)
    client.log_batch(run_id, params=[Param("p", "1")], tags=[RunTag("t", "v")],
                     metrics=points[:10])
    history = client.get_metric_history(run_id, "loss")
    assert [(m.step, m.value) for m in history] == [(m.step, m.value) for m in points]
    page = client._tracking_client.store.get_metric_history(run_id, "loss", max_results=300)
    assert len(page) == 300
    seen = list(page)
    while page.token:
        page = client._tracking_client.store.get_metric_history(run_id, "loss", 300, page.token)
        seen += page
    assert [m.step for m in seen] == list(range(1000))


def test_params_are_immutable(client, experiment):
    run_id = client.create_run(experiment).info.run_id
    client.log_param(run_id, "p", "1")
    client.log_param(run_id, "p", "1")
    assert error_code(lambda: client.log_param(run_id, "p", "2")) == "INVALID_PARAMETER_VALUE"
    assert client.get_run(run_id).data.params == {"p": "1"}


def test_experiments_live_and_die(client):
    name = f"life-{time.time_ns()}"
    created = client.create_experiment(name, tags={"k": "v"})
    assert client.get_experiment(created).tags == {"k": "v"}
    assert client.get_experiment_by_name(name).experiment_id == created
    assert client.get_experiment_by_name("no such experiment") is None
    assert error_code(lambda: client.create_experiment(name)) == "RESOURCE_ALREADY_EXISTS"
    client.set_experiment_tag(created, "k2", "v2")
    client.delete_experiment_tag(created, "k")
    assert client.get_experiment(created).tags == {"k2": "v2"}
    client.rename_experiment(created, name + "-2")
    client.delete_experiment(created)
    assert client.get_experiment(created).lifecycle_stage == "deleted"
    assert error_code(lambda: client.create_run(created)) == "INVALID_PARAMETER_VALUE"
    client.restore_experiment(created)
    assert client.get_experiment(created).name == name + "-2"
    found = client.search_experiments(filter_string=f"name LIKE '{name}%'")
    assert [e.experiment_id for e in found] == [created]


def test_search_runs_filters_and_orders(client, experiment):
    for i in range(5):
        with mlflow.start_run(run_name=f"run{i}"):
            mlflow.log_metric("auc", 0.5 + 0.1 * i)
            mlflow.log_param("depth", i % 2)
            mlflow.set_tag("kind", "Even" if i % 2 == 0 else "odd")

    def names(filter_string, **options):
        runs = client.search_runs([experiment], filter_string, **options)
        return [run.info.run_name for run in runs]

    assert names("") == ["run4", "run3", "run2", "run1", "run0"]
    assert names("metrics.auc > 0.65 AND params.depth = '0'") == ["run4", "run2"]
    assert names("tags.kind ILIKE 'e%'", order_by=["metrics.auc ASC"]) == ["run0", "run2", "run4"]
    assert names("attributes.run_name LIKE 'run_' and status = 'FINISHED'",
                 order_by=["params.depth", "metrics.auc DESC"]) == [
                     "run4", "run2", "run0", "run3", "run1"]
    frame = mlflow.search_runs([experiment], "metrics.auc <= 0.6", order_by=["metrics.auc"])
    assert list(frame["tags.mlflow.runName"]) == ["run0", "run1"]
    page = client.search_runs([experiment], max_results=2)
    seen = [run.info.run_name for run in page]
    while page.token:
        page = client.search_runs([experiment], max_results=2, page_token=page.token)
        seen += [run.info.run_name for run in page]
    assert seen == names("")
    assert error_code(lambda: names("metrics.auc > 'x'")) == "INVALID_PARAMETER_VALUE"
    either = "metrics.auc > 1 OR metrics.auc < 0"
    assert error_code(lambda: names(either)) == "INVALID_PARAMETER_VALUE"


def test_deleted_runs_are_hidden_until_they_are_restored(client, experiment):
    run_id = client.create_run(experiment).info.run_id
    client.delete_run(run_id)
    assert client.search_runs([experiment]) == []
    assert len(client.search_runs([experiment], run_view_type=ViewType.DELETED_ONLY)) == 1
    assert error_code(lambda: client.log_metric(run_id, "m", 1)) == "INVALID_PARAMETER_VALUE"
    client.restore_run(run_id)
    client.log_metric(run_id, "m", 1)
    client.set_terminated(run_id, "KILLED")
    assert client.get_run(run_id).info.status == "KILLED"


def test_nested_runs_name_their_parent(client, experiment):
    with mlflow.start_run() as parent:
        with mlflow.start_run(nested=True) as child:
            mlflow.log_param("p", 1)
    found = client.search_runs(
        [experiment], f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
    assert [run.info.run_id for run in found] == [child.info.run_id]
    assert mlflow.get_parent_run(child.info.run_id).info.run_id == parent.info.run_id


def test_tags_change_and_go(client, experiment):
    run_id = client.create_run(experiment).info.run_id
    client.set_tag(run_id, "k", "1")
    client.set_tag(run_id, "k", "2")
    assert client.get_run(run_id).data.tags["k"] == "2"
    client.delete_tag(run_id, "k")
    assert "k" not in client.get_run(run_id).data.tags
    assert error_code(lambda: client.delete_tag(run_id, "k")) == "RESOURCE_DOES_NOT_EXIST"
    client.update_run(run_id, name="renamed")
    assert client.get_run(run_id).data.tags["mlflow.runName"] == "renamed"


def test_artifacts_go_up_and_come_down(client, experiment, tmp_path):
    folder = tmp_path / "up"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "a.txt").write_text("text")
    (folder / "deep" / "er" / "ünï cödé %.bin").write_bytes(bytes(range(256)) * 5000)
    (folder / "empty").write_bytes(b"")
    with mlflow.start_run() as run:
        mlflow.log_artifact(folder / "a.txt")
        mlflow.log_artifacts(folder, "tree")
        mlflow.log_text("hello", "notes/hello.txt")
        mlflow.log_dict({"a": [1, 2]}, "d.json")
    run_id = run.info.run_id
    assert [f.path for f in client.list_artifacts(run_id)] == ["a.txt", "d.json", "notes", "tree"]
    inside = client.list_artifacts(run_id, "tree")
    assert [(f.path, f.is_dir, f.file_size) for f in inside] == [
        ("tree/a.txt", False, 4), ("tree/deep", True, None), ("tree/empty", False, 0)]
    down = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="tree",
                                               dst_path=tmp_path / "down")
    for path in folder.rglob("*"):
        if path.is_file():
            assert (tmp_path / "down" / "tree" / path.relative_to(folder)).read_bytes() == \
                path.read_bytes(), down
    assert mlflow.artifacts.load_text(run.info.artifact_uri + "/notes/hello.txt") == "hello"
    assert mlflow.artifacts.load_dict(run.info.artifact_uri + "/d.json") == {"a": [1, 2]}
    with pytest.raises(Exception):
        mlflow.artifacts.load_text(run.info.artifact_uri + "/none.txt")


def test_datasets_are_inputs_of_a_run(client, experiment):
    import pandas

    frame = pandas.DataFrame({"x": [1, 2], "y": ["a", None]})
    dataset = mlflow.data.from_pandas(frame, name="rows")
    with mlflow.start_run() as run:
        mlflow.log_input(dataset, context="training")
    inputs = client.get_run(run.info.run_id).inputs.dataset_inputs
    assert [(i.dataset.name, i.dataset.digest) for i in inputs] == [("rows", dataset.digest)]
    assert {tag.key: tag.value for tag in inputs[0].tags}["mlflow.data.context"] == "training"
    assert len(client.search_runs([experiment], "dataset.name = 'rows'")) == 1


def test_error_codes(client, experiment):
    assert error_code(lambda: client.get_run("0" * 32)) == "RESOURCE_DOES_NOT_EXIST"
    assert error_code(lambda: client.get_experiment("98765")) == "RESOURCE_DOES_NOT_EXIST"
    run_id = client.create_run(experiment).info.run_id
    assert error_code(lambda: client.log_metric(run_id, "a/../b", 1)) == "INVALID_PARAMETER_VALUE"
    many = [Metric("m", 0, 0, i) for i in range(1001)]
    store = client._tracking_client.store
    assert error_code(lambda: store.log_batch(run_id, many, [], [])) == "INVALID_PARAMETER_VALUE"
