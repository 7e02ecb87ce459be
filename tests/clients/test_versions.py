# SPDX-License-Identifier: Apache-2.0
"""What a user of classical machine learning calls, the same for each mlflow client.

run.sh runs this file with the newest client and, by --client, with the newest of 2.x and with one
of 3.x that is a year old. What a client of 3.x alone has is left to the last tests.
"""

import inspect
import json
import math
import os
import pathlib
import subprocess
import time
import uuid

import mlflow
import numpy
import pandas
import pytest
from mlflow.entities import Metric, Param, RunStatus, RunTag, ViewType
from mlflow.exceptions import MlflowException, RestException
from sklearn.linear_model import LinearRegression, LogisticRegression

IS_3 = int(mlflow.__version__.split(".")[0]) >= 3
needs_3 = pytest.mark.skipif(not IS_3, reason="logged models came with mlflow 3")
NONE = "0" * 32


def refusal(call, kind=MlflowException):
    """The error code and the status of the exception that the call ends with."""
    with pytest.raises(kind) as caught:
        call()
    return caught.value.error_code, caught.value.get_http_status_code()


INVALID = ("INVALID_PARAMETER_VALUE", 400)
EXISTS = ("RESOURCE_ALREADY_EXISTS", 400)
ABSENT = ("RESOURCE_DOES_NOT_EXIST", 404)


def unique(word):
    return f"{word}-{uuid.uuid4().hex[:12]}"


def log_linear(**options):
    """Logs y = 2 x + 1; the client names what it calls the artifact path or the model's name."""
    takes = inspect.signature(mlflow.sklearn.log_model).parameters
    if "skops_trusted_types" in takes:
        options["skops_trusted_types"] = []
    options["name" if IS_3 else "artifact_path"] = "linear"
    model = LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0])
    return mlflow.sklearn.log_model(model, **options)


# Runs


def test_the_fluent_api_logs_a_run(client, experiment):
    with mlflow.start_run(run_name="first", tags={"team": "red"}, description="text") as run:
        assert mlflow.active_run().info.run_id == run.info.run_id
        mlflow.log_param("depth", 3)
        mlflow.log_params({"eta": 0.1, "objective": "binary"})
        mlflow.log_metric("auc", 0.5, step=0)
        mlflow.log_metric("auc", 0.75, step=1)
        mlflow.log_metrics({"loss": 0.25, "nan": math.nan, "inf": math.inf}, step=1)
        mlflow.set_tag("note", "é")
        mlflow.set_tags({"a": 1, "b": 2})
        mlflow.delete_tag("a")
    assert mlflow.last_active_run().info.run_id == run.info.run_id
    loaded = mlflow.get_run(run.info.run_id)
    assert (loaded.info.status, loaded.info.run_name) == ("FINISHED", "first")
    assert loaded.info.end_time >= loaded.info.start_time
    assert loaded.info.experiment_id == experiment
    assert loaded.info.lifecycle_stage == "active"
    assert loaded.data.params == {"depth": "3", "eta": "0.1", "objective": "binary"}
    assert (loaded.data.metrics["auc"], loaded.data.metrics["loss"]) == (0.75, 0.25)
    assert math.isnan(loaded.data.metrics["nan"])
    assert loaded.data.metrics["inf"] == 1.7976931348623157e308
    tags = loaded.data.tags
    assert (tags["note"], tags["b"], tags["team"]) == ("é", "2", "red")
    assert tags["mlflow.note.content"] == "text"
    assert "a" not in tags


def test_a_run_goes_on_after_it_ended(client, experiment):
    with mlflow.start_run() as run:
        mlflow.log_metric("m", 1)
    with mlflow.start_run(run_id=run.info.run_id):
        assert client.get_run(run.info.run_id).info.status == "RUNNING"
        mlflow.log_metric("m", 2, step=1)
    with pytest.raises(ZeroDivisionError), mlflow.start_run(run_id=run.info.run_id):
        1 / 0
    loaded = client.get_run(run.info.run_id)
    assert (loaded.info.status, loaded.data.metrics) == ("FAILED", {"m": 2})


def test_nested_runs_name_their_parents(client, experiment):
    with mlflow.start_run() as outer:
        with mlflow.start_run(nested=True) as middle:
            with mlflow.start_run(nested=True) as inner:
                mlflow.log_param("p", 1)
    assert mlflow.get_parent_run(inner.info.run_id).info.run_id == middle.info.run_id
    assert client.get_parent_run(middle.info.run_id).info.run_id == outer.info.run_id
    assert client.get_parent_run(outer.info.run_id) is None
    found = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{outer.info.run_id}'")
    assert [run.info.run_id for run in found] == [middle.info.run_id]


def test_runs_are_created_changed_and_terminated_by_the_client(client, experiment):
    began = int(time.time() * 1000) - 5000
    run = client.create_run(experiment, start_time=began, tags={"k": "v"}, run_name="by hand")
    run_id = run.info.run_id
    assert (run.info.status, run.info.start_time) == ("RUNNING", began)
    assert (run.info.run_name, run.info.end_time) == ("by hand", None)
    client.update_run(run_id, status="SCHEDULED", name="renamed")
    assert client.get_run(run_id).info.status == "SCHEDULED"
    assert client.get_run(run_id).data.tags["mlflow.runName"] == "renamed"
    client.set_terminated(run_id, end_time=began + 1000)
    ended = client.get_run(run_id).info
    assert (ended.status, ended.end_time) == ("FINISHED", began + 1000)
    client.set_terminated(run_id, RunStatus.to_string(RunStatus.KILLED))
    assert client.get_run(run_id).info.status == "KILLED"
    client.set_tag(run_id, "k", "2")
    client.delete_tag(run_id, "k")
    assert "k" not in client.get_run(run_id).data.tags
    assert client.create_run(experiment).info.run_name  # one that the server made up


def test_deleted_runs_are_hidden_until_they_are_restored(client, experiment):
    kept, run_id = (client.create_run(experiment).info.run_id for _ in range(2))
    client.delete_run(run_id)
    assert client.get_run(run_id).info.lifecycle_stage == "deleted"

    def seen(view):
        return {r.info.run_id for r in client.search_runs([experiment], run_view_type=view)}

    assert seen(ViewType.ACTIVE_ONLY) == {kept}
    assert seen(ViewType.DELETED_ONLY) == {run_id}
    assert seen(ViewType.ALL) == {kept, run_id}
    for call in (
        lambda: client.log_metric(run_id, "m", 1),
        lambda: client.log_param(run_id, "p", 1),
        lambda: client.set_tag(run_id, "t", 1),
        lambda: client.log_batch(run_id, metrics=[Metric("m", 1, 1, 0)]),
    ):
        assert refusal(call) == INVALID
    client.restore_run(run_id)
    client.log_metric(run_id, "m", 1)
    mlflow.delete_run(run_id)
    assert seen(ViewType.ACTIVE_ONLY) == {kept}


def test_metrics_params_and_tags_in_batches(client, experiment):
    run_id = client.create_run(experiment).info.run_id
    now = int(time.time() * 1000)
    points = [Metric("loss", 1.0 / (i + 1), now + i, i) for i in range(1000)]
    client.log_batch(run_id, metrics=points)
    client.log_batch(run_id, metrics=points[:10], params=[Param("p", "1")], tags=[RunTag("t", "v")])
    history = client.get_metric_history(run_id, "loss")
    assert [(m.key, m.value, m.timestamp, m.step) for m in history] == [
        (m.key, m.value, m.timestamp, m.step) for m in points
    ]
    loaded = client.get_run(run_id).data
    assert (loaded.params, loaded.tags["t"]) == ({"p": "1"}, "v")
    assert loaded.metrics == {"loss": points[-1].value}
    assert client.get_metric_history(run_id, "none") == []
    # The client cuts what is over the limits of one request.
    mlflow_run = client.create_run(experiment).info.run_id
    with mlflow.start_run(run_id=mlflow_run):
        mlflow.log_params({f"p{i}": i for i in range(250)})
        mlflow.log_metrics({f"m{i}": i for i in range(1500)})
    assert len(client.get_run(mlflow_run).data.params) == 250
    assert len(client.get_run(mlflow_run).data.metrics) == 1500


def test_the_latest_metric_has_the_greatest_step_then_time_then_value(client, experiment):
    run_id = client.create_run(experiment).info.run_id
    for value, timestamp, step in ((5, 10, 2), (9, 99, 1), (7, 20, 2), (6, 20, 2)):
        client.log_metric(run_id, "m", value, timestamp=timestamp, step=step)
    assert client.get_run(run_id).data.metrics == {"m": 7}


def test_params_are_immutable(client, experiment):
    run_id = client.create_run(experiment).info.run_id
    client.log_param(run_id, "p", "1")
    client.log_param(run_id, "p", "1")
    assert refusal(lambda: client.log_param(run_id, "p", "2")) == INVALID
    assert refusal(lambda: client.log_batch(run_id, params=[Param("p", "3")])) == INVALID
    twice = [Param("q", "1"), Param("q", "2")]
    assert refusal(lambda: client.log_batch(run_id, params=twice)) == INVALID
    assert client.get_run(run_id).data.params == {"p": "1"}


def test_metrics_are_logged_in_the_background(client, experiment):
    with mlflow.start_run() as run:
        pending = [mlflow.log_metric("m", i, step=i, synchronous=False) for i in range(50)]
        pending.append(mlflow.log_params({"p": 1}, synchronous=False))
        for each in pending:
            each.wait()
    assert [m.step for m in client.get_metric_history(run.info.run_id, "m")] == list(range(50))
    assert client.get_run(run.info.run_id).data.params == {"p": "1"}


# Searches


@pytest.fixture
def five_runs(client, experiment):
    for i in range(5):
        with mlflow.start_run(run_name=f"run{i}"):
            mlflow.log_metric("auc", 0.5 + 0.1 * i)
            mlflow.log_param("depth", i % 2)
            mlflow.set_tag("kind", "Even" if i % 2 == 0 else "odd")
            if i == 3:
                mlflow.log_metric("rare", math.nan)
    return experiment


@pytest.mark.parametrize(
    ("filter_string", "order", "expected"),
    [
        ("", [], "43210"),
        ("metrics.auc > 0.65 AND params.depth = '0'", [], "42"),
        ("metrics.auc >= 0.6 and metric.auc != 0.8", ["metrics.auc ASC"], "124"),
        ("tags.kind ILIKE 'e%'", ["metrics.auc ASC"], "024"),
        ("tags.kind LIKE 'e%'", [], ""),
        (
            "attributes.run_name LIKE 'run_' and status = 'FINISHED'",
            ["params.depth", "metrics.auc DESC"],
            "42031",
        ),
        ("run_name IN ('run1')", [], None),
        ("attributes.start_time > 0", ["attributes.run_name"], "01234"),
        ("", ["metrics.rare DESC", "start_time ASC"], "30124"),
        ("tags.`mlflow.runName` = 'run2'", [], "2"),
        ("params.\"depth\" != '0'", [], "31"),
    ],
)
def test_searches_filter_and_order(client, five_runs, filter_string, order, expected):
    def search():
        return client.search_runs([five_runs], filter_string, order_by=order)

    if expected is None:
        assert refusal(search) == INVALID
    else:
        assert "".join(run.info.run_name[3:] for run in search()) == expected


def test_searches_come_in_pages(client, five_runs):
    page = client.search_runs([five_runs], max_results=2, order_by=["metrics.auc DESC"])
    seen = list(page)
    while page.token:
        page = client.search_runs(
            [five_runs], max_results=2, order_by=["metrics.auc DESC"], page_token=page.token
        )
        seen += page
    assert [run.info.run_name for run in seen] == ["run4", "run3", "run2", "run1", "run0"]
    frame = mlflow.search_runs([five_runs], "metrics.auc <= 0.6", order_by=["metrics.auc"])
    assert list(frame["tags.mlflow.runName"]) == ["run0", "run1"]
    assert list(frame["params.depth"]) == ["0", "1"]
    listed = mlflow.search_runs([five_runs], max_results=3, output_format="list")
    assert len(listed) == 3
    for filter_string in ("metrics.auc > 'x'", "a OR b", "params.depth = 1", "nonsense.x = 'y'"):
        assert refusal(lambda: client.search_runs([five_runs], filter_string)) == INVALID
    assert refusal(lambda: client.search_runs([five_runs], max_results=60_000)) == INVALID


# Experiments


def test_experiments_live_and_die(client):
    name = unique("life")
    created = client.create_experiment(name, tags={"k": "v"})
    loaded = client.get_experiment(created)
    assert (loaded.name, loaded.tags, loaded.lifecycle_stage) == (name, {"k": "v"}, "active")
    assert loaded.creation_time <= loaded.last_update_time
    assert mlflow.get_experiment_by_name(name).experiment_id == created
    assert client.get_experiment_by_name("no such experiment") is None
    assert refusal(lambda: client.create_experiment(name)) == EXISTS
    client.set_experiment_tag(created, "k2", "v2")
    assert client.get_experiment(created).tags == {"k": "v", "k2": "v2"}
    run_id = client.create_run(created).info.run_id
    client.rename_experiment(created, name + "-2")
    client.delete_experiment(created)
    assert client.get_experiment(created).lifecycle_stage == "deleted"
    assert client.get_run(run_id).info.lifecycle_stage == "deleted"
    assert refusal(lambda: client.create_run(created)) == INVALID
    assert refusal(lambda: client.create_experiment(name + "-2")) == EXISTS
    with pytest.raises(MlflowException, match="deleted"):
        mlflow.set_experiment(name + "-2")
    client.restore_experiment(created)
    assert client.get_experiment(created).name == name + "-2"
    assert client.get_run(run_id).info.lifecycle_stage == "active"


def test_experiments_are_searched_in_pages(client):
    stem = unique("many")
    ids = [client.create_experiment(f"{stem}-{i}", tags={"n": str(i)}) for i in range(5)]
    client.delete_experiment(ids[4])

    def names(filter_string="", **options):
        found = client.search_experiments(
            filter_string=f"name LIKE '{stem}%'{filter_string}", **options
        )
        return [e.name[-1] for e in found]

    assert names(order_by=["name ASC"]) == list("0123")
    assert names() == list("3210")
    assert names(view_type=ViewType.DELETED_ONLY) == ["4"]
    assert names(view_type=ViewType.ALL, order_by=["experiment_id"]) == list("01234")
    assert names(" AND tags.n = '2'") == ["2"]
    page = client.search_experiments(filter_string=f"name LIKE '{stem}%'", max_results=3)
    assert (len(page), bool(page.token)) == (3, True)
    rest = client.search_experiments(
        filter_string=f"name LIKE '{stem}%'", max_results=3, page_token=page.token
    )
    assert ([e.name[-1] for e in rest], bool(rest.token)) == (["0"], False)
    assert len(mlflow.search_experiments(filter_string=f"name ILIKE '{stem.upper()}%'")) == 4


# Errors


def test_errors_have_the_exceptions_codes_and_statuses_of_mlflow(client, experiment):
    run_id = client.create_run(experiment).info.run_id
    for call, expected in (
        (lambda: client.get_run(NONE), ABSENT),
        (lambda: client.delete_run(NONE), ABSENT),
        (lambda: client.log_metric(NONE, "m", 1), ABSENT),
        (lambda: client.get_experiment("987654321"), ABSENT),
        (lambda: client.delete_experiment("987654321"), ABSENT),
        (lambda: client.create_run("987654321"), ABSENT),
        (lambda: client.delete_tag(run_id, "none"), ABSENT),
        (lambda: client.get_registered_model("none"), ABSENT),
        (lambda: client.get_model_version("none", "1"), ABSENT),
        (lambda: client.delete_registered_model("none"), ABSENT),
        (lambda: client.search_registered_models("nonsense = 'x'"), INVALID),
        (lambda: client.search_model_versions("nonsense = 'x'"), INVALID),
        (lambda: client.search_experiments(filter_string="nonsense = 'x'"), INVALID),
    ):
        assert refusal(call, RestException) == expected
    for call in (
        lambda: client.log_metric(run_id, "a\nb", 1),
        lambda: client.log_metric(run_id, "../m", 1),
        lambda: client.log_metric(run_id, "k" * 251, 1),
        lambda: client.log_param(run_id, "/p", 1),
        lambda: client.set_tag(run_id, "k" * 251, 1),
        lambda: client.create_experiment("x" * 501),
        lambda: client.create_experiment(""),
    ):
        assert refusal(call)[0] == "INVALID_PARAMETER_VALUE"
    assert client.get_run(run_id).data.metrics == {}


# Artifacts and data sets


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
        mlflow.log_table({"x": [1, 2], "y": ["a", "b"]}, "table.json")
        mlflow.log_table({"x": [3], "y": ["c"]}, "table.json")
        uri = mlflow.get_artifact_uri("notes/hello.txt")
    run_id = run.info.run_id
    assert [f.path for f in client.list_artifacts(run_id)] == [
        "a.txt",
        "d.json",
        "notes",
        "table.json",
        "tree",
    ]
    inside = client.list_artifacts(run_id, "tree")
    assert [(f.path, f.is_dir, f.file_size) for f in inside] == [
        ("tree/a.txt", False, 4),
        ("tree/deep", True, None),
        ("tree/empty", False, 0),
    ]
    assert client.list_artifacts(run_id, "none") == []
    down = pathlib.Path(
        mlflow.artifacts.download_artifacts(
            run_id=run_id, artifact_path="tree", dst_path=str(tmp_path / "down")
        )
    )
    for path in folder.rglob("*"):
        if path.is_file():
            assert (down / path.relative_to(folder)).read_bytes() == path.read_bytes()
    assert mlflow.artifacts.load_text(uri) == "hello"
    assert mlflow.artifacts.load_dict(run.info.artifact_uri + "/d.json") == {"a": [1, 2]}
    assert list(mlflow.load_table("table.json", run_ids=[run_id])["x"]) == [1, 2, 3]
    one = client.download_artifacts(run_id, "a.txt", str(tmp_path))
    assert pathlib.Path(one).read_text() == "text"
    with pytest.raises(Exception, match="none.txt|404|exist"):
        client.download_artifacts(run_id, "none.txt", str(tmp_path))


def test_artifacts_are_deleted(client, experiment):
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    run = client.create_run(experiment)
    for name in ("a/x.txt", "a/y.txt", "b.txt"):
        client.log_text(run.info.run_id, "text", name)
    repository = get_artifact_repository(run.info.artifact_uri)
    repository.delete_artifacts("a/x.txt")
    assert [f.path for f in client.list_artifacts(run.info.run_id, "a")] == ["a/y.txt"]
    repository.delete_artifacts("a")
    assert [f.path for f in client.list_artifacts(run.info.run_id)] == ["b.txt"]


def test_datasets_are_inputs_of_a_run(client, experiment):
    frame = pandas.DataFrame({"x": [1.0, 2.0], "y": ["a", "b"]})
    dataset = mlflow.data.from_pandas(frame, source="s3://b/rows.csv", name="rows", targets="y")
    with mlflow.start_run() as run:
        mlflow.log_input(dataset, context="training", tags={"k": "v"})
        mlflow.log_input(dataset, context="training")
    (logged,) = client.get_run(run.info.run_id).inputs.dataset_inputs
    assert (logged.dataset.name, logged.dataset.digest) == ("rows", dataset.digest)
    assert '"x"' in logged.dataset.schema
    tags = {tag.key: tag.value for tag in logged.tags}
    assert tags["mlflow.data.context"] == "training"
    found = client.search_runs(
        [experiment], "datasets.name = 'rows' AND datasets.context = 'training'"
    )
    assert [r.info.run_id for r in found] == [run.info.run_id]


# Registry


def test_models_versions_and_aliases(client, experiment):
    name = unique("model")
    created = client.create_registered_model(name, tags={"k": "v"}, description="text")
    assert (created.tags, created.description) == ({"k": "v"}, "text")
    assert refusal(lambda: client.create_registered_model(name)) == EXISTS
    run_id = client.create_run(experiment).info.run_id
    for number in ("1", "2"):
        version = client.create_model_version(
            name, f"s3://bucket/{number}", run_id, tags={"n": number}, description="d"
        )
        assert (str(version.version), version.status) == (number, "READY")
        assert (version.run_id, version.source) == (run_id, f"s3://bucket/{number}")
    client.set_registered_model_alias(name, "champion", "1")
    client.set_registered_model_alias(name, "champion", "2")
    client.set_registered_model_alias(name, "challenger", "1")
    assert str(client.get_model_version_by_alias(name, "champion").version) == "2"
    loaded = client.get_registered_model(name)
    assert {k: str(v) for k, v in loaded.aliases.items()} == {"champion": "2", "challenger": "1"}
    client.delete_registered_model_alias(name, "challenger")
    assert refusal(lambda: client.get_model_version_by_alias(name, "challenger")) == INVALID
    for alias in ("latest", "v1", "a b", ""):
        assert refusal(lambda: client.set_registered_model_alias(name, alias, "1")) == INVALID
    assert client.get_model_version_download_uri(name, "2") == "s3://bucket/2"
    assert client.update_model_version(name, "1", "described").description == "described"
    client.set_model_version_tag(name, "1", "grade", "gold")
    client.delete_model_version_tag(name, "1", "n")
    assert client.get_model_version(name, "1").tags == {"grade": "gold"}
    client.set_registered_model_tag(name, "t", "1")
    client.delete_registered_model_tag(name, "k")
    client.update_registered_model(name, "other text")
    client.rename_registered_model(name, name + "-renamed")
    name += "-renamed"
    loaded = client.get_registered_model(name)
    assert (loaded.tags, loaded.description) == ({"t": "1"}, "other text")
    client.delete_model_version(name, "2")
    assert client.get_registered_model(name).aliases == {}
    client.delete_registered_model(name)
    assert refusal(lambda: client.get_registered_model(name)) == ABSENT


def test_models_and_versions_are_searched_in_pages(client):
    stem = unique("search")
    for i in range(3):
        client.create_registered_model(f"{stem}-{i}", tags={"n": str(i)})
        client.create_model_version(f"{stem}-{i}", f"s3://b/{i}", tags={"n": str(i)})
    client.create_model_version(f"{stem}-0", "s3://b/0b")

    def models(filter_string, **options):
        found = client.search_registered_models(filter_string, **options)
        return [m.name[-1] for m in found], found.token or None

    where = f"name LIKE '{stem}%'"
    assert models(where) == (["0", "1", "2"], None)
    assert models(where, order_by=["name DESC"]) == (["2", "1", "0"], None)
    assert models(f"{where} AND tags.n = '1'") == (["1"], None)
    first, token = models(where, max_results=2)
    assert (first, bool(token)) == (["0", "1"], True)
    assert models(where, max_results=2, page_token=token) == (["2"], None)
    versions = client.search_model_versions(
        f"name = '{stem}-0'", order_by=["version_number ASC"], max_results=1
    )
    assert ([str(v.version) for v in versions], bool(versions.token)) == (["1"], True)
    rest = client.search_model_versions(
        f"name = '{stem}-0'",
        order_by=["version_number ASC"],
        max_results=1,
        page_token=versions.token,
    )
    assert [str(v.version) for v in rest] == ["2"]
    assert [
        v.name[-1] for v in client.search_model_versions(f"name LIKE '{stem}%' AND tags.n = '2'")
    ] == ["2"]


@pytest.mark.filterwarnings("ignore:.*deprecated.*:FutureWarning")
def test_stages_move_versions(client):
    name = unique("staged")
    client.create_registered_model(name)
    for number in range(3):
        client.create_model_version(name, f"s3://b/{number}")
    assert client.get_model_version_stages(name, "1") == [
        "None",
        "Staging",
        "Production",
        "Archived",
    ]
    assert (
        client.transition_model_version_stage(name, "1", "production").current_stage == "Production"
    )
    client.transition_model_version_stage(name, "2", "Production", archive_existing_versions=True)
    assert client.get_model_version(name, "1").current_stage == "Archived"
    latest = client.get_latest_versions(name, ["Production", "None"])
    assert {(str(v.version), v.current_stage) for v in latest} == {
        ("2", "Production"),
        ("3", "None"),
    }
    assert len(client.get_latest_versions(name)) == 3
    assert refusal(lambda: client.transition_model_version_stage(name, "1", "x")) == INVALID
    loaded = client.get_registered_model(name)
    assert {v.current_stage for v in loaded.latest_versions} == {"Production", "None", "Archived"}


@pytest.mark.filterwarnings("ignore:.*deprecated.*:FutureWarning")
def test_a_logged_model_is_registered_and_loaded_by_alias_number_and_stage(client, experiment):
    name = unique("linear")
    with mlflow.start_run() as run:
        log_linear(registered_model_name=name, input_example=numpy.array([[1.0]]))
    client.set_registered_model_alias(name, "champion", "1")
    client.transition_model_version_stage(name, "1", "Production")
    uris = ["@champion", "/1", "/Production", "/latest"]
    for uri in [f"models:/{name}{tail}" for tail in uris] + [f"runs:/{run.info.run_id}/linear"]:
        loaded = mlflow.pyfunc.load_model(uri)
        numpy.testing.assert_allclose(loaded.predict(numpy.array([[2.0]])), [5.0], rtol=1e-6)
    own = mlflow.sklearn.load_model(f"models:/{name}@champion")
    assert own.coef_[0] == pytest.approx(2.0)
    version = client.get_model_version(name, "1")
    assert version.run_id == run.info.run_id
    assert mlflow.models.get_model_info(f"models:/{name}@champion").signature is not None
    second = mlflow.register_model(f"runs:/{run.info.run_id}/linear", name, tags={"k": "v"})
    assert (str(second.version), second.tags) == ("2", {"k": "v"})
    copied = client.copy_model_version(f"models:/{name}/1", name + "-copy")
    assert str(copied.version) == "1"
    numpy.testing.assert_allclose(
        mlflow.pyfunc.load_model(f"models:/{name}-copy/1").predict(numpy.array([[0.0]])),
        [1.0],
        rtol=1e-6,
    )


def test_a_python_function_is_logged_and_loaded(client, experiment):
    class Add(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return model_input + 1

    place = {"name" if IS_3 else "artifact_path": "add"}
    with mlflow.start_run() as run:
        mlflow.pyfunc.log_model(python_model=Add(), pip_requirements=["numpy"], **place)
    loaded = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/add")
    assert list(loaded.predict(numpy.array([1, 2]))) == [2, 3]


def test_scikit_learn_logs_by_itself(client, experiment):
    mlflow.sklearn.autolog(log_models=False, silent=True)
    try:
        with mlflow.start_run() as run:
            rows = numpy.array([[0.0], [1.0], [2.0], [3.0]])
            LogisticRegression().fit(rows, numpy.array([0, 0, 1, 1]))
    finally:
        mlflow.sklearn.autolog(disable=True)
    loaded = client.get_run(run.info.run_id)
    assert loaded.data.params["fit_intercept"] == "True"
    assert loaded.data.metrics["training_score"] == 1.0
    assert loaded.data.tags["estimator_name"] == "LogisticRegression"


# Traces


# Prints what the newest client finds in a trace.
READER = """
import json, sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
trace = mlflow.get_trace(sys.argv[2])
names = {span.span_id: span.name for span in trace.data.spans}
print(json.dumps({
    "state": str(trace.info.state),
    "name": trace.info.tags["mlflow.traceName"],
    "team": trace.info.tags.get("team"),
    "experiment": trace.info.experiment_id,
    "spans": [[s.name, s.span_type, names.get(s.parent_id), s.inputs, s.outputs,
               s.attributes.get("model"), [e.name for e in s.events]]
              for s in trace.data.spans]}))
"""


def read_by_the_newest(url, trace_id):
    read = subprocess.run(
        [os.environ["CICLO_NEWEST_PYTHON"], "-c", READER, url, trace_id],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert read.returncode == 0, read.stderr
    return json.loads(read.stdout.splitlines()[-1])


def flush_traces():
    flush = getattr(mlflow, "flush_trace_async_logging", None)
    if flush is not None:
        flush()


def traces_of(client, experiment, **options):
    takes = inspect.signature(client.search_traces).parameters
    where = "locations" if "locations" in takes else "experiment_ids"
    return list(client.search_traces(**{where: [experiment]}, **options))


def id_of(trace):
    return getattr(trace.info, "trace_id", None) or trace.info.request_id


def test_traces_are_read_by_their_client_and_by_the_newest(client, experiment, url):
    @mlflow.trace(span_type="TOOL", attributes={"model": "m-1"})
    def look_up(item):
        return {"found": item, "text": "größer"}

    @mlflow.trace
    def answer(question):
        return look_up(question)["found"]

    assert answer("pear") == "pear"
    flush_traces()
    (trace,) = traces_of(client, experiment)
    client.set_trace_tag(id_of(trace), "team", "red")
    (trace,) = traces_of(client, experiment, filter_string="tags.team = 'red'")
    assert [span.name for span in trace.data.spans] == ["answer", "look_up"]
    assert trace.data.spans[1].outputs == {"found": "pear", "text": "größer"}
    assert read_by_the_newest(url, id_of(trace)) == {
        "state": "OK",
        "name": "answer",
        "team": "red",
        "experiment": experiment,
        "spans": [
            ["answer", "UNKNOWN", None, {"question": "pear"}, "pear", None, []],
            [
                "look_up",
                "TOOL",
                "answer",
                {"item": "pear"},
                {"found": "pear", "text": "größer"},
                "m-1",
                [],
            ],
        ],
    }


def test_a_span_that_failed_is_read_by_the_newest(client, experiment, url):
    with pytest.raises(ValueError, match="no such thing"):
        with mlflow.start_span(name="failing", span_type="RETRIEVER") as span:
            span.set_inputs({"q": [1, 2.5, None]})
            raise ValueError("no such thing")
    flush_traces()
    (trace,) = traces_of(client, experiment, filter_string="status = 'ERROR'")
    assert trace.data.spans[0].events[0].attributes["exception.message"] == "no such thing"
    read = read_by_the_newest(url, id_of(trace))
    assert (read["state"], read["name"]) == ("ERROR", "failing")
    assert read["spans"] == [
        ["failing", "RETRIEVER", None, {"q": [1, 2.5, None]}, None, None, ["exception"]]
    ]
    assert client.delete_traces(experiment, max_timestamp_millis=2**41) == 1
    assert traces_of(client, experiment) == []


# What came with 3.x


@needs_3
def test_logged_models_have_a_life_of_their_own(client, experiment):
    with mlflow.start_run() as run:
        info = log_linear(params={"alpha": "1"})
        mlflow.log_metric("rmse", 0.5, model_id=info.model_id)
    model = mlflow.get_logged_model(info.model_id)
    assert (model.name, model.status.value, model.source_run_id) == (
        "linear",
        "READY",
        run.info.run_id,
    )
    assert model.params == {"alpha": "1"}
    assert [(m.key, m.value) for m in model.metrics] == [("rmse", 0.5)]
    outputs = client.get_run(run.info.run_id).outputs.model_outputs
    assert [o.model_id for o in outputs] == [info.model_id]
    client.set_logged_model_tags(info.model_id, {"k": "v"})
    client.delete_logged_model_tag(info.model_id, "k")
    found = mlflow.search_logged_models(
        experiment_ids=[experiment], filter_string="metrics.rmse < 0.8", output_format="list"
    )
    assert [m.model_id for m in found] == [info.model_id]
    made = client.create_logged_model(experiment, name="by-hand", params={"p": "1"})
    client.log_model_artifact(made.model_id, __file__)
    assert [f.path for f in client.list_logged_model_artifacts(made.model_id)] == [
        "test_versions.py"
    ]
    client.finalize_logged_model(made.model_id, "READY")
    assert client.get_logged_model(made.model_id).status.value == "READY"
    client.delete_logged_model(made.model_id)
    with pytest.raises(MlflowException) as caught:
        client.get_logged_model(made.model_id)
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"
