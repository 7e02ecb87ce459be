# SPDX-License-Identifier: Apache-2.0
"""What the objects of the mlflow client are compared on; see client_parity.py."""

import math
import pathlib
import tempfile
import uuid

import mlflow
import numpy
import pandas
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModelInput,
    LoggedModelOutput,
    LoggedModelParameter,
    Metric,
    Param,
    RunTag,
    ViewType,
)
from parity import into_a_later_millisecond
from sklearn.linear_model import LinearRegression

NONE = "0" * 32


def unique(s, word):
    """A name of this run of the scenario; compared as {word}."""
    return s.remember(word, f"{word}-{uuid.uuid4().hex}")


def new_experiment(s, word="experiment"):
    return s.remember(word + "_id", s.client.create_experiment(unique(s, word)))


def new_run(s, experiment, word="run", **options):
    run = s.client.create_run(experiment, run_name=word, **options)
    return s.remember(word, run.info.run_id)


def experiments(s):
    name = unique(s, "name")
    first = s.remember("first", s.client.create_experiment(name, tags={"a": "1", "b": "é"}))
    s.get_experiment(first)
    s.get_experiment_by_name(name)
    s.get_experiment_by_name("none")
    s.create_experiment(name)
    located = s.client.create_experiment(name + "-located", artifact_location="s3://bucket/place")
    s.remember("located", located)
    s.get_experiment(located)
    s.set_experiment_tag(first, "a", "2")
    s.set_experiment_tag(first, "n", 5)
    s.delete_experiment_tag(first, "b")
    s.delete_experiment_tag(first, "b")
    s.rename_experiment(first, name + "-renamed")
    s.rename_experiment(first, name + "-located")
    s.get_experiment(first)
    run = new_run(s, first)
    s.delete_experiment(first)
    s.delete_experiment(first)
    s.get_experiment(first)
    s.get_experiment_by_name(name + "-renamed")
    s.get_run(run)
    s.create_run(first)
    s.set_experiment_tag(first, "c", "3")
    s.rename_experiment(first, "other")
    s.create_experiment(name + "-renamed")
    s.restore_experiment(first)
    s.restore_experiment(first)
    s.get_run(run)
    for experiment in ("987654321", "x", "", None):
        s.get_experiment(experiment)
        s.delete_experiment(experiment)
        s.restore_experiment(experiment)
        s.rename_experiment(experiment, "x")
        s.set_experiment_tag(experiment, "k", "v")
    for wrong in ("", "x" * 501, 5, None):
        s.create_experiment(wrong)
    for key in ("a/../b", "/a", "x" * 251, "", "a\tb"):
        s.set_experiment_tag(first, key, "v")
    s.set_experiment_tag(first, "long", "v" * 6000)


def experiment_search(s):
    stem = unique(s, "stem")
    for number in range(5):
        into_a_later_millisecond()
        s.client.create_experiment(f"{stem}-{number}", tags={"n": str(number)})
    s.client.delete_experiment(s.client.get_experiment_by_name(f"{stem}-4").experiment_id)
    where = f"name LIKE '{stem}%'"

    def names(label, **options):
        options.setdefault("filter_string", where)
        s.do(label, lambda: [e.name for e in s.client.search_experiments(**options)])

    names("all")
    names("by name", order_by=["name ASC"])
    names("by name, descending", order_by=["name DESC"])
    names("by id", order_by=["experiment_id ASC"])
    names("deleted", view_type=ViewType.DELETED_ONLY)
    names("both", view_type=ViewType.ALL, order_by=["name"])
    names("tag", filter_string=f"{where} AND tags.n = '2'")
    names("tag as number", filter_string=f"{where} AND tags.n = 2")
    names("ilike", filter_string=f"name ILIKE '{stem.upper()}%'")
    names("or", filter_string=f"{where} OR tags.n = '2'")
    names("nonsense", filter_string="nonsense = 'x'")
    names("nonsense order", order_by=["nonsense"])
    for wrong in (0, -1, 50_001):
        names(f"max_results {wrong}", max_results=wrong)
    names("a bad token", page_token="nonsense")
    page = s.search_experiments(filter_string=where, max_results=3, order_by=["name ASC"])
    s.search_experiments(
        filter_string=where, max_results=3, order_by=["name ASC"], page_token=page.token
    )


def runs(s):
    experiment = new_experiment(s)
    run = s.create_run(experiment, start_time=1700000000000, tags={"k": "v"}, run_name="named")
    run_id = s.remember("run", run.info.run_id)
    s.get_run(run_id)
    s.update_run(run_id, status="SCHEDULED")
    s.update_run(run_id, name="renamed")
    s.get_run(run_id)
    s.set_terminated(run_id, end_time=1700000001000)
    s.get_run(run_id)
    s.set_terminated(run_id, "KILLED", end_time=1700000002000)
    s.update_run(run_id, status="RUNNING")
    s.get_run(run_id)
    s.set_tag(run_id, "mlflow.runName", "by tag")
    s.get_run(run_id)
    s.set_tag(run_id, "t", 5)
    s.set_tag(run_id, "t", "x" * 9000)
    s.delete_tag(run_id, "t")
    s.delete_tag(run_id, "t")
    s.get_run(run_id)
    s.delete_run(run_id)
    s.delete_run(run_id)
    s.get_run(run_id)
    for call in (
        lambda: s.log_metric(run_id, "m", 1, timestamp=1, step=0),
        lambda: s.log_param(run_id, "p", 1),
        lambda: s.set_tag(run_id, "k", "w"),
        lambda: s.delete_tag(run_id, "k"),
        lambda: s.log_batch(run_id, metrics=[Metric("m", 1, 1, 0)]),
        lambda: s.update_run(run_id, name="x"),
        lambda: s.set_terminated(run_id),
    ):
        call()
    s.restore_run(run_id)
    s.restore_run(run_id)
    s.get_run(run_id)
    parent = new_run(s, experiment, "parent")
    child = new_run(s, experiment, "child", tags={"mlflow.parentRunId": parent})
    s.get_parent_run(child)
    s.get_parent_run(parent)
    for call in ("get_run", "delete_run", "restore_run", "get_parent_run", "set_terminated"):
        for wrong in (NONE, "", "a/b"):
            getattr(s, call)(wrong)
    for wrong in ("987654321", "x", ""):
        s.create_run(wrong)


def points(s):
    run = new_run(s, new_experiment(s))
    for value, timestamp, step in (
        (5, 10, 2),
        (9, 99, 1),
        (7, 20, 2),
        (6, 20, 2),
        (7, 20, 2),
        (math.nan, 20, 3),
        (math.inf, 30, 3),
        (-math.inf, 31, -4),
    ):
        s.log_metric(run, "m", value, timestamp=timestamp, step=step)
    s.get_metric_history(run, "m")
    s.get_run(run)
    s.log_metric(run, "a/b c.d-e_f:g", 1, timestamp=1, step=0)
    s.log_metric(run, "true", True, timestamp=1)
    s.log_metric(run, "numpy", numpy.float32(0.5), timestamp=1)
    s.log_metric(run, "tiny", 5e-324, timestamp=2**53 + 1, step=2**62)
    s.get_metric_history(run, "tiny")
    s.get_metric_history(run, "none")
    s.get_metric_history(NONE + "1", "m")
    s.log_metric(NONE, "m", 1, timestamp=1)
    for key in ("", "x" * 251, "/a", "../a", "a/../b", "a//b", "a\nb", "a,b", "é", "a\\b", "."):
        s.log_metric(run, key, 1, timestamp=1, step=0)
        s.log_param(run, key, 1)
        s.set_tag(run, key, 1)
    s.log_metric(run, "negative", 1, timestamp=-1)
    s.log_param(run, "p", "1")
    s.log_param(run, "p", "1")
    s.log_param(run, "p", "2")
    s.log_param(run, "long", "x" * 6001)
    s.log_param(run, "empty", "")
    s.log_param(run, "none", None)
    s.get_run(run)


def batches(s):
    run = new_run(s, new_experiment(s))
    s.log_batch(
        run,
        metrics=[Metric("m", i / 7, 1000 + i, i) for i in range(1000)],
    )
    s.get_metric_history(run, "m")
    s.log_batch(
        run,
        metrics=[Metric("n", 1, 5, 1), Metric("n", 1, 5, 1), Metric("n", 2, 5, 1)],
        params=[Param("p", "1"), Param("q", "é")],
        tags=[RunTag("t", "1"), RunTag("t", "2")],
    )
    s.get_run(run)
    s.get_metric_history(run, "n")
    s.log_batch(run, params=[Param("r", "1"), Param("r", "1")])
    s.log_batch(run, params=[Param("r", "1"), Param("r", "2")])
    s.log_batch(run, params=[Param("ok", "1"), Param("p", "2")])
    s.log_batch(run, metrics=[Metric("ok", 1, 1, 0), Metric("../bad", 1, 1, 0)])
    s.log_batch(run, params=[Param(f"p{i}", "1") for i in range(250)])
    s.log_batch(run, tags=[RunTag(f"t{i}", "1") for i in range(120)])
    s.log_batch(run, metrics=[Metric(f"m{i}", i, 1, 0) for i in range(1100)])
    s.log_batch(run)
    s.log_batch(NONE, metrics=[Metric("m", 1, 1, 0)])
    s.get_run(run)


def run_search(s):
    experiment, other = new_experiment(s), new_experiment(s, "other")
    for number in range(6):
        run = new_run(
            s, experiment if number < 5 else other, f"r{number}", start_time=1000 + number // 2
        )
        s.client.log_metric(run, "m", [3, math.nan, 1, 3, math.inf, 0][number], timestamp=1)
        s.client.log_param(run, "p", str(number % 2))
        if number % 2:
            s.client.set_tag(run, "odd tag", "Yes")
        if number == 2:
            s.client.set_terminated(run, end_time=5000)
            s.client.log_inputs(
                run,
                [
                    DatasetInput(
                        Dataset("d", "x", "local", "{}"), [InputTag("mlflow.data.context", "eval")]
                    )
                ],
            )

    def names(filter_string="", order_by=("metrics.m DESC", "start_time", "run_name"), **options):
        s.do(
            f"search {filter_string!r} {order_by} {options}",
            lambda: [
                run.info.run_name
                for run in s.client.search_runs(
                    options.pop("experiment_ids", [experiment]),
                    filter_string,
                    order_by=list(order_by),
                    **options,
                )
            ],
        )

    for filter_string in (
        "",
        "metrics.m > 1",
        "metrics.m >= 1 and metrics.m < 3",
        "metrics.m != 3",
        "metrics.m = 3",
        "metric.none > 0",
        "params.p = '1'",
        "params.p != '1'",
        "params.p LIKE '%'",
        "params.p IS NULL",
        "params.none IS NULL",
        "params.p IS NOT NULL",
        "tags.`odd tag` = 'Yes'",
        "tags.\"odd tag\" ILIKE 'y%'",
        "tags.`odd tag` LIKE 'y%'",
        "tags.`odd tag` IS NULL",
        "attributes.status = 'FINISHED'",
        "status != 'FINISHED'",
        "run_name = 'r1'",
        "attr.run_name ILIKE 'R%'",
        "start_time >= 1001",
        "end_time > 0",
        "dataset.name = 'd'",
        "datasets.digest IN ('x', 'y')",
        "dataset.context = 'train'",
        "run_id IN ('a')",
        "run_id NOT IN ('a')",
        "status IN ('FINISHED')",
        "metrics.m > '1'",
        "params.p = 1",
        "params.p > '1'",
        "metrics.m LIKE '1'",
        "start_time = 'x'",
        "metrics.m > 1 OR metrics.m < 0",
        "NOT metrics.m > 1",
        "(metrics.m > 1)",
        "metrics.m BETWEEN 1 AND 2",
        "nonsense.a = '1'",
        "nonsense = '1'",
        "metrics.m >",
        "metrics.m",
        'params.p = "1"',
        "tags.t = 'it''s'",
        "params.p = '1' AND",
    ):
        names(filter_string)
    for order in (
        ["metrics.m"],
        ["metrics.m DESC"],
        ["params.p", "metrics.m DESC"],
        ["tags.`odd tag` DESC", "run_name"],
        ["attributes.end_time DESC", "run_name ASC"],
        ["start_time", "run_name"],
        ["metrics.none", "run_name"],
        ["nonsense"],
        ["metrics.m UP"],
        ["metrics.m ASC DESC"],
    ):
        names(order_by=order)
    names(experiment_ids=[experiment, other], order_by=["run_name"])
    names(experiment_ids=[], order_by=["run_name"])
    names(experiment_ids=["987654321"])
    for wrong in (0, -1, 50_001):
        names(max_results=wrong)
    names(page_token="nonsense")
    order = ["metrics.m DESC", "run_name"]
    page = s.search_runs([experiment], max_results=2, order_by=order)
    while page.token:
        page = s.search_runs([experiment], max_results=2, order_by=order, page_token=page.token)
    s.do(
        "as a frame",
        lambda: mlflow.search_runs([experiment], order_by=["run_name"]).drop(
            columns=["experiment_id", "tags.mlflow.user"], errors="ignore"
        ),
    )
    names(run_view_type=ViewType.DELETED_ONLY)
    names(run_view_type=ViewType.ALL, order_by=["run_name"])


def inputs_and_outputs(s):
    experiment = new_experiment(s)
    run = new_run(s, experiment)
    frame = pandas.DataFrame({"x": [1.0, 2.0], "y": ["a", None]})
    dataset = mlflow.data.from_pandas(frame, source="s3://b/rows.csv", name="rows")
    entity = dataset._to_mlflow_entity()
    training = [InputTag("mlflow.data.context", "training"), InputTag("k", "v")]
    s.log_inputs(run, [DatasetInput(entity, training)])
    s.log_inputs(run, [DatasetInput(entity, [InputTag("k", "w")])])
    s.log_inputs(run, [DatasetInput(Dataset("other", "d", "local", "{}"), [])])
    s.get_run(run)
    model = s.create_logged_model(experiment, name="m", source_run_id=run)
    s.remember("model", model.model_id)
    s.log_inputs(run, models=[LoggedModelInput(model.model_id)])
    s.log_outputs(run, [LoggedModelOutput(model.model_id, 3)])
    s.get_run(run)
    s.log_inputs(NONE, [DatasetInput(entity, training)])
    s.log_outputs(NONE, [LoggedModelOutput(model.model_id, 3)])
    s.log_inputs(run, [DatasetInput(Dataset("n" * 501, "d", "local", "{}"), [])])
    s.log_inputs(run, [DatasetInput(Dataset("n", "d" * 37, "local", "{}"), [])])


def artifacts(s):
    run = new_run(s, new_experiment(s))
    s.list_artifacts(run)
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder) / "up"
        (place / "deep").mkdir(parents=True)
        (place / "a.txt").write_text("text")
        (place / "deep" / "ünï %.bin").write_bytes(b"\0\1\2" * 1000)
        s.do("log_artifact", lambda: s.client.log_artifact(run, place / "a.txt"))
        s.do("log_artifacts", lambda: s.client.log_artifacts(run, place, "tree/below"))
    s.log_text(run, "hello", "notes/hello.txt")
    s.log_dict(run, {"a": [1, 2]}, "d.json")
    s.log_dict(run, {"a": [1, 2]}, "d.yaml")
    s.log_table(run, {"x": [1, 2], "y": ["a", "b"]}, "table.json")
    s.log_table(run, {"x": [3], "y": ["c"]}, "table.json")
    s.do("table", lambda: mlflow.load_table("table.json", run_ids=[run]))
    for path in (None, "", "tree", "tree/below", "tree/below/deep", "a.txt", "none", "tree/"):
        s.list_artifacts(run, path)
    for path in ("..", "../..", "/etc", "a/../../b"):
        s.list_artifacts(run, path)
        s.download_artifacts(run, path)
        s.log_text(run, "x", path)
    s.list_artifacts(NONE)

    def download(path):
        with tempfile.TemporaryDirectory() as folder:
            place = pathlib.Path(s.client.download_artifacts(run, path, folder))
            files = [place] if place.is_file() else [f for f in place.rglob("*") if f.is_file()]
            return sorted((f.name, f.read_bytes().hex()[:64]) for f in files)

    for path in ("a.txt", "tree", "notes/hello.txt", "none.txt", "none/none.txt"):
        s.do(f"download {path}", lambda path=path: download(path))
    s.do("text", lambda: mlflow.artifacts.load_text(f"runs:/{run}/notes/hello.txt"))
    s.do("listed", lambda: mlflow.artifacts.list_artifacts(run_id=run, artifact_path="tree"))


def registry(s):
    name = unique(s, "model")
    run = new_run(s, new_experiment(s))
    s.create_registered_model(name, tags={"k": "v"}, description="text")
    s.create_registered_model(name)
    s.get_registered_model(name)
    source = s.client.get_run(run).info.artifact_uri + "/model"
    s.create_model_version(name, source, run, tags={"n": "1"}, description="d")
    s.create_model_version(name, "s3://bucket/2")
    s.create_model_version(name, source)
    s.create_model_version(name, source, NONE)
    for wrong in ("/etc", "file:///etc", "s3://b/../c", "s3://b/%2e%2e/c", ""):
        s.create_model_version(name, wrong, run)
    s.create_model_version("none", "s3://bucket/2")
    s.get_model_version(name, "1")
    s.get_model_version(name, "2")
    s.get_registered_model(name)
    for alias, version in (
        ("champion", "1"),
        ("champion", "2"),
        ("challenger", 1),
        ("latest", "1"),
        ("v1", "1"),
        ("a b", "1"),
        ("", "1"),
        ("x" * 256, "1"),
        ("ok", "9"),
        ("ok", "x"),
    ):
        s.set_registered_model_alias(name, alias, version)
    s.get_model_version_by_alias(name, "champion")
    s.get_model_version_by_alias(name, "none")
    s.get_model_version_by_alias("none", "champion")
    s.delete_registered_model_alias(name, "challenger")
    s.delete_registered_model_alias(name, "challenger")
    s.get_registered_model(name)
    s.update_registered_model(name, "other")
    s.update_registered_model(name, "")
    s.update_model_version(name, "1", "described")
    s.set_registered_model_tag(name, "a", "1")
    s.set_registered_model_tag(name, "a", 5)
    s.delete_registered_model_tag(name, "a")
    s.delete_registered_model_tag(name, "a")
    s.set_model_version_tag(name, "1", "a", "1")
    s.delete_model_version_tag(name, "1", "a")
    s.delete_model_version_tag(name, "1", "a")
    s.set_model_version_tag(name, "9", "a", "1")
    s.get_model_version(name, "1")
    s.get_model_version_download_uri(name, "1")
    s.get_model_version_download_uri(name, "9")
    s.get_model_version_stages(name, "1")
    s.transition_model_version_stage(name, "1", "Production")
    s.transition_model_version_stage(name, "2", "production", archive_existing_versions=True)
    s.transition_model_version_stage(name, "1", "nonsense")
    s.get_latest_versions(name)
    s.get_latest_versions(name, ["Production"])
    s.get_latest_versions("none")
    s.get_registered_model(name)
    s.rename_registered_model(name, name + "-2")
    s.get_registered_model(name)
    s.create_registered_model(name)
    s.rename_registered_model(name, name + "-2")
    s.copy_model_version(f"models:/{name}-2/2", name + "-copy")
    s.copy_model_version(f"models:/{name}-2@champion", name + "-copy")
    s.copy_model_version(f"models:/{name}-2/9", name + "-copy")
    s.delete_model_version(name + "-2", "2")
    s.delete_model_version(name + "-2", "2")
    s.get_registered_model(name + "-2")
    s.create_model_version(name + "-2", "s3://bucket/3")
    s.delete_registered_model(name + "-2")
    s.delete_registered_model(name + "-2")
    for wrong in ("", "a/b", "a:b", " ", None):
        s.create_registered_model(wrong)
        s.get_registered_model(wrong)


def registry_search(s):
    stem = unique(s, "stem")
    run = new_run(s, new_experiment(s))
    for number in range(4):
        into_a_later_millisecond()
        s.client.create_registered_model(f"{stem}-{number}", tags={"n": str(number % 2)})
        for version in range(number):
            into_a_later_millisecond()
            s.client.create_model_version(
                f"{stem}-{number}",
                f"s3://b/{stem}/{version}",
                run if version == 1 else None,
                tags={"v": str(version)},
            )

    def models(where, **options):
        s.do(
            f"models {where} {options}",
            lambda: [m.name for m in s.client.search_registered_models(where, **options)],
        )

    def versions(where, **options):
        s.do(
            f"versions {where} {options}",
            lambda: [
                f"{v.name} {v.version}" for v in s.client.search_model_versions(where, **options)
            ],
        )

    like = f"name LIKE '{stem}%'"
    for where in (
        like,
        f"name ILIKE '{stem.upper()}%'",
        f"name = '{stem}-1'",
        f"name != '{stem}-1'" + f" AND {like}",
        f"{like} AND tags.n = '1'",
        f"{like} AND tags.n != '1'",
        f"{like} AND tags.n LIKE '0'",
        "nonsense = 'x'",
        "name > 'x'",
        "name = x",
        f"{like} OR name = 'x'",
    ):
        models(where)
    for order in (["name DESC"], ["name"], ["last_updated_timestamp DESC", "name"], ["nonsense"]):
        models(like, order_by=order)
    for wrong in (0, -1, 1001):
        models(like, max_results=wrong)
    models(like, page_token="nonsense")
    page = s.search_registered_models(like, max_results=3, order_by=["name ASC"])
    s.search_registered_models(like, max_results=3, order_by=["name ASC"], page_token=page.token)
    order = ["name ASC", "version_number DESC"]
    for where in (
        like,
        f"name = '{stem}-3'",
        f"run_id = '{run}'",
        f"run_id IN ('{run}', 'x')",
        f"source_path LIKE 's3://b/{stem}%'",
        f"{like} AND tags.v = '0'",
        f"{like} AND version_number > 1",
        f"{like} AND version_number = 2",
        "nonsense = 'x'",
        "run_id IN ()",
        f"{like} AND version_number > 'x'",
    ):
        versions(where, order_by=order)
    for by in (["version_number"], ["name DESC", "version_number ASC"], ["nonsense"]):
        versions(f"name = '{stem}-3'", order_by=by)
    for wrong in (0, -1, 200_001):
        versions(like, max_results=wrong)
    page = s.search_model_versions(like, max_results=4, order_by=order)
    s.search_model_versions(like, max_results=4, order_by=order, page_token=page.token)


def logged_models(s):
    experiment = new_experiment(s)
    run = new_run(s, experiment)
    made = []
    for number in range(3):
        model = s.create_logged_model(
            experiment,
            name=f"m{number}",
            source_run_id=run,
            tags={"t": str(number)},
            params={"p": str(number)},
            model_type="type",
        )
        made.append(s.remember(f"model{number}", model.model_id))
        s.client.log_metric(
            run,
            "acc",
            0.5 + number / 10,
            step=1,
            timestamp=5,
            model_id=model.model_id,
            dataset_name="d",
            dataset_digest="x",
        )
    s.get_logged_model(made[0])
    s.finalize_logged_model(made[0], "READY")
    s.finalize_logged_model(made[1], "FAILED")
    s.finalize_logged_model(made[1], "nonsense")
    s.set_logged_model_tags(made[0], {"a": "1", "b": 2})
    s.delete_logged_model_tag(made[0], "a")
    s.delete_logged_model_tag(made[0], "a")
    s.log_model_params(made[0], {"q": "1"})
    s.get_logged_model(made[0])
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder) / "MLmodel"
        place.write_text("flavors: {}")
        s.do("artifact", lambda: s.client.log_model_artifact(made[0], str(place)))
        s.do("artifacts", lambda: s.client.log_model_artifacts(made[0], folder))
    s.list_logged_model_artifacts(made[0])
    s.list_logged_model_artifacts(made[0], "none")
    s.list_logged_model_artifacts(made[0], "..")

    def found(**options):
        s.do(
            f"search {options}",
            lambda: [m.name for m in s.client.search_logged_models([experiment], **options)],
        )

    by_name = [{"field_name": "name", "ascending": True}]
    for where in (
        None,
        "name = 'm1'",
        "metrics.acc > 0.55",
        "params.p = '2'",
        "tags.t != '0'",
        "status = 'READY'",
        f"source_run_id = '{run}'",
        "model_type = 'type'",
        "nonsense = '1'",
        "metrics.acc > 'x'",
        "name LIKE 'm%'",
        "name IN ('m0', 'm2')",
    ):
        found(filter_string=where, order_by=by_name)
    found(order_by=[{"field_name": "metrics.acc", "ascending": False}])
    found(order_by=[{"field_name": "metrics.acc", "dataset_name": "d", "dataset_digest": "x"}])
    found(order_by=[{"field_name": "nonsense"}])
    found(filter_string="metrics.acc > 0.55", datasets=[{"dataset_name": "d"}], order_by=by_name)
    found(filter_string="metrics.acc > 0.55", datasets=[{"dataset_name": "e"}], order_by=by_name)
    page = s.search_logged_models([experiment], max_results=2, order_by=by_name)
    s.search_logged_models([experiment], max_results=2, order_by=by_name, page_token=page.token)
    s.delete_logged_model(made[2])
    s.get_logged_model(made[2])
    s.delete_logged_model(made[2])
    s.delete_logged_model("m-" + NONE)
    s.get_logged_model("m-" + NONE)
    s.finalize_logged_model("m-" + NONE, "READY")
    found(order_by=by_name)
    s.get_run(run)


def fluent(s):
    name = unique(s, "experiment")
    s.remember("experiment_id", mlflow.set_experiment(name).experiment_id)
    s.do("experiment", lambda: mlflow.get_experiment_by_name(name))
    with mlflow.start_run(run_name="outer", tags={"a": "1"}, description="text") as outer:
        s.remember("outer", outer.info.run_id)
        mlflow.log_params({"depth": 3, "eta": 0.1})
        mlflow.log_metrics({"m": 1.5, "nan": math.nan}, step=2, timestamp=5)
        mlflow.set_tags({"b": 2})
        with mlflow.start_run(run_name="inner", nested=True) as inner:
            s.remember("inner", inner.info.run_id)
            mlflow.log_metric("m", 2, step=1, timestamp=5)
            mlflow.log_input(
                mlflow.data.from_numpy(numpy.array([[1.0]]), name="rows"), context="training"
            )
    s.do("outer", lambda: mlflow.get_run(outer.info.run_id))
    s.do("inner", lambda: mlflow.get_run(inner.info.run_id))
    s.do("parent", lambda: mlflow.get_parent_run(inner.info.run_id))
    try:
        with mlflow.start_run(run_name="failing") as failing:
            s.remember("failing", failing.info.run_id)
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    s.do("failing", lambda: mlflow.get_run(failing.info.run_id))
    with mlflow.start_run(run_id=outer.info.run_id):
        s.do("started again", lambda: mlflow.get_run(outer.info.run_id).info.status)
    s.do("deleted", lambda: mlflow.delete_run(outer.info.run_id))
    s.do("starting what is deleted", lambda: mlflow.start_run(run_id=outer.info.run_id))
    s.do("starting nothing", lambda: mlflow.start_run(run_id=NONE))
    while mlflow.active_run():
        mlflow.end_run()
    s.do(
        "set_experiment",
        lambda: mlflow.delete_experiment(s.client.get_experiment_by_name(name).experiment_id),
    )
    s.do("set a deleted one", lambda: mlflow.set_experiment(name))
    s.do("set none", lambda: mlflow.set_experiment(experiment_id="987654321"))


def models(s):
    name = unique(s, "registered")
    s.remember("experiment_id", mlflow.set_experiment(unique(s, "experiment")).experiment_id)
    model = LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0])
    with mlflow.start_run(run_name="run") as run:
        s.remember("run", run.info.run_id)
        info = mlflow.sklearn.log_model(
            model,
            name="linear",
            registered_model_name=name,
            params={"a": "1"},
            skops_trusted_types=[],
            pip_requirements=["scikit-learn"],
        )
        s.remember("model", info.model_id)
    s.remember("uuid", info.model_uuid)
    s.do("run", lambda: mlflow.get_run(run.info.run_id))
    s.do("logged", lambda: mlflow.get_logged_model(info.model_id))
    s.get_model_version(name, "1")
    s.set_registered_model_alias(name, "champion", "1")
    for uri in (
        f"models:/{name}@champion",
        f"models:/{name}/1",
        f"models:/{name}/latest",
        f"models:/{info.model_id}",
        f"runs:/{run.info.run_id}/linear",
        f"models:/{name}@none",
        f"models:/{name}/9",
        f"models:/none/1",
    ):
        s.do(
            f"load {uri}",
            lambda uri=uri: mlflow.pyfunc.load_model(uri).predict(numpy.array([[2.0]])).tolist(),
        )
    s.do("register", lambda: mlflow.register_model(f"runs:/{run.info.run_id}/linear", name))
    s.do("register", lambda: mlflow.register_model(f"models:/{info.model_id}", name))
    s.do("register nothing", lambda: mlflow.register_model(f"runs:/{NONE}/linear", name))
    s.do("search", lambda: mlflow.search_model_versions(filter_string=f"name = '{name}'"))
    s.do("files", lambda: [f.path for f in s.client.list_logged_model_artifacts(info.model_id)])


SCENARIOS = [
    experiments,
    experiment_search,
    runs,
    points,
    batches,
    run_search,
    inputs_and_outputs,
    artifacts,
    registry,
    registry_search,
    logged_models,
    fluent,
    models,
]
