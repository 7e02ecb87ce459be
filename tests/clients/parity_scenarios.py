# SPDX-License-Identifier: Apache-2.0
"""What a client of MLflow may ask: each function is one scenario for parity.py."""

import base64
import uuid

from parity import into_a_later_millisecond

T0 = 1_700_000_000_000


def new_experiment(s, name="e"):
    """An experiment of its own, so that what other scenarios leave is not seen."""
    text = f"parity-{name}-{uuid.uuid4().hex}"
    s.remember(f"{name}_name", text)
    answer = s.post("experiments/create", {"name": text}, keep=False)
    return s.remember(name, answer["experiment_id"])


def new_run(s, experiment, name="r", **fields):
    answer = s.post(
        "runs/create",
        {"experiment_id": experiment, "start_time": T0, "user_id": "u", "run_name": name, **fields},
        keep=False,
    )
    return s.remember(name, answer["run"]["info"]["run_id"])


def new_model(s, name="m"):
    text = f"parity-{name}-{uuid.uuid4().hex}"
    s.remember(name, text)
    s.post("registered-models/create", {"name": text}, keep=False)
    return text


# --- Experiments


def experiments(s):
    text = "parity-" + uuid.uuid4().hex
    s.remember("name", text)
    made = s.post(
        "experiments/create", {"name": text, "tags": [{"key": "a", "value": "1"}]}, keep=False
    )
    e = s.remember("e", made["experiment_id"])
    s.get("experiments/get", {"experiment_id": e})
    s.get("experiments/get-by-name", {"experiment_name": text})
    s.post("experiments/create", {"name": text})
    s.post("experiments/set-experiment-tag", {"experiment_id": e, "key": "b", "value": "2"})
    s.post("experiments/set-experiment-tag", {"experiment_id": e, "key": "b", "value": "3"})
    s.get("experiments/get", {"experiment_id": e})
    s.post("experiments/delete-experiment-tag", {"experiment_id": e, "key": "a"})
    s.post("experiments/delete-experiment-tag", {"experiment_id": e, "key": "a"})
    s.get("experiments/get", {"experiment_id": e})
    s.post("experiments/update", {"experiment_id": e, "new_name": text + "x"})
    s.get("experiments/get-by-name", {"experiment_name": text})
    s.get("experiments/get-by-name", {"experiment_name": text + "x"})
    s.post("experiments/update", {"experiment_id": e})
    s.post("experiments/delete", {"experiment_id": e})
    s.get("experiments/get", {"experiment_id": e})
    s.post("experiments/delete", {"experiment_id": e})
    s.post("experiments/create", {"name": text + "x"})
    s.post("runs/create", {"experiment_id": e})
    s.post("experiments/set-experiment-tag", {"experiment_id": e, "key": "b", "value": "2"})
    s.post("experiments/update", {"experiment_id": e, "new_name": "y"})
    s.post("experiments/restore", {"experiment_id": e})
    s.post("experiments/restore", {"experiment_id": e})
    s.get("experiments/get", {"experiment_id": e})


def experiment_errors(s):
    s.get("experiments/get", {"experiment_id": "99999999"})
    s.get("experiments/get", {"experiment_id": "abc"})
    s.get("experiments/get")
    s.get("experiments/get-by-name", {"experiment_name": "no-such-" + "x" * 20})
    s.get("experiments/get-by-name")
    s.post("experiments/create", {})
    s.post("experiments/create", {"name": ""})
    s.post("experiments/create", {"name": 5})
    s.post("experiments/create", {"name": "x" * 501})
    s.post(
        "experiments/create",
        {"name": "p-" + uuid.uuid4().hex, "artifact_location": "a b?c"},
        label="location with a question mark",
        keep=False,
    )
    s.post(
        "experiments/create",
        {"name": "q" + uuid.uuid4().hex, "tags": [{"key": "", "value": "1"}]},
        label="empty tag key",
    )
    s.post(
        "experiments/create",
        {"name": "q" + uuid.uuid4().hex, "tags": [{"key": "k", "value": 5}]},
        label="tag value no text",
    )
    s.post("experiments/delete", {"experiment_id": "99999999"})
    s.post("experiments/restore", {"experiment_id": "99999999"})
    s.post("experiments/update", {"experiment_id": "99999999", "new_name": "x"})
    s.post(
        "experiments/set-experiment-tag", {"experiment_id": "99999999", "key": "a", "value": "b"}
    )
    s.post(
        "experiments/set-experiment-tag",
        {"experiment_id": "0", "key": "a" * 251, "value": "b"},
        label="long experiment tag key",
    )
    s.post(
        "experiments/set-experiment-tag",
        {"experiment_id": "0", "key": "k", "value": "v" * 5001},
        label="long experiment tag value",
    )
    s.post("experiments/set-experiment-tag", {"experiment_id": "0", "value": "v"})
    s.post("experiments/set-experiment-tag", {"experiment_id": "0", "key": "a/../b", "value": "v"})


def experiment_search(s):
    mark = uuid.uuid4().hex
    s.remember("mark", mark)
    ids = []
    for index, (name, tag) in enumerate(
        [("Alpha", "x"), ("beta", "y"), ("alphabet", "x"), ("Gamma", None)]
    ):
        into_a_later_millisecond()
        tags = [{"key": "mark", "value": mark}] + ([{"key": "t", "value": tag}] if tag else [])
        made = s.post("experiments/create", {"name": f"{name}-{mark}", "tags": tags}, keep=False)
        ids.append(s.remember(f"e{index}", made["experiment_id"]))
    only = f"tags.mark = '{mark}'"
    into_a_later_millisecond()
    s.post("experiments/delete", {"experiment_id": ids[1]}, keep=False)

    def search(**fields):
        s.post("experiments/search", {"max_results": 100, "order_by": ["name ASC"], **fields})

    search(filter=only)
    search(filter=only, view_type="ALL")
    search(filter=only, view_type="DELETED_ONLY")
    search(filter=only, order_by=["name DESC"])
    search(filter=only, order_by=["creation_time DESC", "experiment_id"])
    search(filter=only, order_by=["last_update_time"])
    search(filter=only + " AND tags.t = 'x'")
    search(filter=only + " AND tags.t != 'x'")
    search(filter=only + " AND name LIKE 'Alpha%'")
    search(filter=only + " AND name ILIKE 'alpha%'")
    search(filter=only + " AND attribute.name ILIKE 'alpha%'")
    search(filter=only + " AND tags.t IS NULL")
    search(filter=only + " AND tags.t IS NOT NULL")
    search(filter=only + " AND creation_time > 0")
    search(filter=only + " AND last_update_time >= 99999999999999")
    search(filter=f"name = 'Alpha-{mark}'")
    search(filter=f"name != 'Alpha-{mark}' AND {only}")
    search(filter=f"name IN ('Alpha-{mark}')")
    search(filter=f"experiment_id = '{ids[0]}'")
    first = s.post("experiments/search", {"max_results": 2, "filter": only, "order_by": ["name"]})
    s.post(
        "experiments/search",
        {
            "max_results": 2,
            "filter": only,
            "order_by": ["name"],
            "page_token": first["next_page_token"],
        },
        label="second page",
    )
    s.get("experiments/search", {"max_results": 2, "filter": only, "order_by": "name"})
    for bad in [
        {"max_results": 0},
        {},
        {"max_results": 50001},
        {"max_results": -1},
        {"max_results": 5, "filter": "name = 5"},
        {"max_results": 5, "filter": "creation_time = 'x'"},
        {"max_results": 5, "filter": "name == 'x'"},
        {"max_results": 5, "filter": "nonsense = 'x'"},
        {"max_results": 5, "filter": "name"},
        {"max_results": 5, "filter": "name LIKE 'x' OR name = 'y'"},
        {"max_results": 5, "order_by": ["nonsense"]},
        {"max_results": 5, "order_by": ["name DOWN"]},
        {"max_results": 5, "page_token": "!!"},
        {"max_results": 5, "view_type": "NONSENSE"},
        {"max_results": "x"},
    ]:
        s.post("experiments/search", bad)


# --- Runs


def runs(s):
    e = new_experiment(s)
    made = s.post(
        "runs/create",
        {
            "experiment_id": e,
            "start_time": T0,
            "user_id": "u",
            "run_name": "first",
            "tags": [{"key": "a", "value": "1"}],
        },
        keep=False,
    )
    r = s.remember("r", made["run"]["info"]["run_id"])
    s.get("runs/get", {"run_id": r})
    s.get("runs/get", {"run_uuid": r})
    s.post("runs/update", {"run_id": r, "status": "FINISHED", "end_time": T0 + 5})
    s.post("runs/update", {"run_id": r, "run_name": "second"})
    s.get("runs/get", {"run_id": r})
    s.post("runs/update", {"run_id": r, "status": "NONSENSE"})
    s.post("runs/update", {"run_id": r, "status": "RUNNING"})
    s.get("runs/get", {"run_id": r})
    s.post("runs/update", {"run_id": r, "run_name": ""})
    s.post("runs/set-tag", {"run_id": r, "key": "mlflow.runName", "value": "third"})
    s.get("runs/get", {"run_id": r})
    s.post("runs/set-tag", {"run_id": r, "key": "b", "value": ""})
    s.post("runs/set-tag", {"run_id": r, "key": "b", "value": "x" * 9000}, label="tag of 9000")
    s.post("runs/delete-tag", {"run_id": r, "key": "b"})
    s.post("runs/delete-tag", {"run_id": r, "key": "b"})
    s.post("runs/delete", {"run_id": r})
    s.get("runs/get", {"run_id": r})
    s.post("runs/delete", {"run_id": r})
    s.post("runs/set-tag", {"run_id": r, "key": "c", "value": "1"})
    s.post("runs/log-metric", {"run_id": r, "key": "c", "value": 1, "timestamp": 1})
    s.post("runs/log-parameter", {"run_id": r, "key": "c", "value": "1"})
    s.post("runs/update", {"run_id": r, "status": "FINISHED"})
    s.post("runs/restore", {"run_id": r})
    s.post("runs/restore", {"run_id": r})
    s.get("runs/get", {"run_id": r})
    nested = s.post(
        "runs/create",
        {
            "experiment_id": e,
            "start_time": T0,
            "run_name": "child",
            "tags": [{"key": "mlflow.parentRunId", "value": r}],
        },
        keep=False,
    )
    s.remember("child", nested["run"]["info"]["run_id"])
    s.post("runs/search", {"experiment_ids": [e], "filter": f"tags.mlflow.parentRunId = '{r}'"})
    s.post("experiments/delete", {"experiment_id": e}, keep=False)
    s.get("runs/get", {"run_id": r})
    s.post("experiments/restore", {"experiment_id": e}, keep=False)
    s.get("runs/get", {"run_id": r})


def run_errors(s):
    e = new_experiment(s)
    r = new_run(s, e)
    none = "0" * 32
    s.post("runs/create", {"experiment_id": "99999999"})
    s.post("runs/create", {"experiment_id": e, "start_time": "x"})
    s.post(
        "runs/create",
        {"experiment_id": e, "tags": [{"key": "a" * 251, "value": "v"}]},
        label="long tag key",
    )
    s.post(
        "runs/create",
        {"experiment_id": e, "run_name": "a", "tags": [{"key": "mlflow.runName", "value": "b"}]},
    )
    s.post("runs/create", {"experiment_id": e, "status": "KILLED"}, keep=False)
    s.get("runs/get")
    s.get("runs/get", {"run_id": none})
    s.get("runs/get", {"run_id": "a b"})
    for call in ["update", "delete", "restore"]:
        s.post(f"runs/{call}", {"run_id": none})
        s.post(f"runs/{call}", {})
    s.post("runs/set-tag", {"run_id": none, "key": "a", "value": "b"})
    s.post("runs/set-tag", {"run_id": r, "value": "b"})
    s.post("runs/set-tag", {"run_id": r, "key": "a b/c.d-e_f:g", "value": "b"})
    for key in [
        "/a",
        "../a",
        "a/../b",
        "a//b",
        "./a",
        "a/",
        "é",
        "a\tb",
        "a=b",
        "a" * 251,
        "",
        ".",
        "a\n",
    ]:
        s.post("runs/set-tag", {"run_id": r, "key": key, "value": "b"})
        s.post("runs/log-metric", {"run_id": r, "key": key, "value": 1, "timestamp": 1})
        s.post("runs/log-parameter", {"run_id": r, "key": key, "value": "b"})
    s.post("runs/delete-tag", {"run_id": r})
    s.call("POST", "/api/2.0/mlflow/runs/create", data="{", label="broken JSON")
    s.call("POST", "/api/2.0/mlflow/runs/create", data="[]", label="an array")
    s.call("POST", "/api/2.0/mlflow/runs/create", data="", label="an empty body")
    s.call("GET", "/api/2.0/mlflow/runs/nonsense", label="unknown path")
    s.call("GET", "/api/2.0/mlflow/runs/create", label="wrong method")
    s.post("runs/update", {"run_id": r, "end_time": "x"})
    s.post("runs/set-tag", {"run_id": r, "key": "unknown", "value": "x", "nonsense": {"a": 1}})


def metrics(s):
    e = new_experiment(s)
    r = new_run(s, e)

    def log(key, value, timestamp, step=None, **more):
        body = {"run_id": r, "key": key, "value": value, "timestamp": timestamp, **more}
        s.post("runs/log-metric", body if step is None else {**body, "step": step})

    log("a", 1.5, 10)
    log("a", 1.5, 10)
    log("a", 2.5, 5, 3)
    log("a", 7, 20, 1)
    log("neg", -1, 1, -5)
    for value in ["NaN", "nan", "Infinity", "-Infinity", "3.5", True, 1e308, 5e-324, 0.1]:
        log("v" + str(value).replace("+", ""), value, 1)
    for value in [None, "x", [], {}, "", "inf", "1e400"]:
        log("bad", value, 1)
    for timestamp in [None, "x", -1, 1.5, "5", 2**63]:
        log("t", 1, timestamp)
    for step in ["x", 1.5, "5", 2**63, -(2**63)]:
        log("s", 1, 1, step)
    s.post("runs/log-metric", {"run_id": r, "value": 1, "timestamp": 1})
    s.post("runs/log-metric", {"run_id": r, "key": "novalue", "timestamp": 1})
    s.get("runs/get", {"run_id": r})
    for key in ["a", "neg", "vnan", "vNaN", "vInfinity", "v-Infinity", "none"]:
        s.get("metrics/get-history", {"run_id": r, "metric_key": key})
    s.get("metrics/get-history", {"run_id": r})
    s.get("metrics/get-history", {"run_id": "0" * 32, "metric_key": "a"})
    s.get("metrics/get-history", {"metric_key": "a"})
    first = s.get("metrics/get-history", {"run_id": r, "metric_key": "a", "max_results": 2})
    s.get(
        "metrics/get-history",
        {
            "run_id": r,
            "metric_key": "a",
            "max_results": 2,
            "page_token": first.get("next_page_token", ""),
        },
        label="second page of history",
    )
    s.get("metrics/get-history", {"run_id": r, "metric_key": "a", "max_results": 0})
    s.get("metrics/get-history", {"run_id": r, "metric_key": "a", "max_results": -1})
    s.get(
        "metrics/get-history", {"run_id": r, "metric_key": "a", "max_results": 2, "page_token": "x"}
    )


def histories(s):
    e = new_experiment(s)
    a, b = new_run(s, e, "a"), new_run(s, e, "b")
    for run, count in [(a, 1000), (b, 30)]:
        for start in range(0, count, 500):
            s.post(
                "runs/log-batch",
                {
                    "run_id": run,
                    "metrics": [
                        {"key": "m", "value": i * 0.5, "timestamp": T0 + i, "step": i}
                        for i in range(start, min(start + 500, count))
                    ],
                },
                keep=False,
            )
    bulk = "metrics/get-history-bulk-interval"
    s.get(bulk, {"run_ids": [a, b], "metric_key": "m"})
    s.get(bulk, {"run_ids": [a, b], "metric_key": "m", "max_results": 10})
    s.get(bulk, {"run_ids": [a], "metric_key": "m", "max_results": 320})
    s.get(
        bulk,
        {"run_ids": [a], "metric_key": "m", "max_results": 7, "start_step": 10, "end_step": 100},
    )
    s.get(bulk, {"run_ids": [b], "metric_key": "m", "start_step": 5, "end_step": 7})
    s.get(bulk, {"run_ids": [b], "metric_key": "none"})
    s.get(bulk, {"run_ids": [b], "metric_key": "m", "start_step": 7, "end_step": 5})
    s.get(bulk, {"run_ids": [b], "metric_key": "m", "start_step": 7})
    s.get(bulk, {"run_ids": [b], "metric_key": "m", "max_results": 0})
    s.get(bulk, {"run_ids": [b], "metric_key": "m", "max_results": 2501})
    s.get(bulk, {"run_ids": [b] * 101, "metric_key": "m"}, label="101 runs")
    s.get(bulk, {"metric_key": "m"})
    s.get(bulk, {"run_ids": [a]})
    s.get(bulk, {"run_ids": ["0" * 32], "metric_key": "m"})
    ajax = "/ajax-api/2.0/mlflow/metrics/get-history-bulk"
    # One run at a time: of several, MLflow answers in the order of their ids, which are random.
    s.call("GET", ajax, params={"run_id": [a], "metric_key": "m", "max_results": 5})
    s.call("GET", ajax, params={"run_id": [b], "metric_key": "m"})
    s.call("GET", ajax, params={"metric_key": "m"})
    s.call("GET", ajax, params={"run_id": [a]})
    s.call(
        "GET",
        "/ajax-api/2.0/mlflow/" + bulk,
        params={"run_ids": [b], "metric_key": "m", "max_results": 3},
    )


def params(s):
    e = new_experiment(s)
    r = new_run(s, e)

    def log(key, value):
        s.post("runs/log-parameter", {"run_id": r, "key": key, "value": value})

    log("a", "1")
    log("a", "1")
    log("a", "2")
    log("b", "")
    log("b", "x")
    log("c", 5)
    log("d", None)
    log("u", "Grüße, 世界")
    s.post(
        "runs/log-parameter",
        {"run_id": r, "key": "long", "value": "x" * 7000},
        label="param of 7000",
    )
    s.post("runs/log-parameter", {"run_id": r, "key": "nothing"})
    s.get("runs/get", {"run_id": r})


def batches(s):
    e = new_experiment(s)
    r = new_run(s, e)

    def metric(key, value=1.0, timestamp=1, step=0):
        return {"key": key, "value": value, "timestamp": timestamp, "step": step}

    def param(key, value="1"):
        return {"key": key, "value": value}

    def batch(label, **body):
        s.post("runs/log-batch", {"run_id": r, **body}, label=label)

    batch(
        "all kinds",
        metrics=[metric("a"), metric("b", "NaN")],
        params=[param("p")],
        tags=[param("t")],
    )
    batch("nothing")
    batch(
        "the same again",
        metrics=[metric("a"), metric("b", "NaN")],
        params=[param("p")],
        tags=[param("t")],
    )
    batch("duplicate metrics", metrics=[metric("a", 3), metric("a", 3), metric("a", 4)])
    batch("duplicate params", params=[param("q"), param("q")])
    batch("duplicate params of two values", params=[param("q"), param("q", "2")])
    batch("duplicate tags", tags=[param("t"), param("t", "2")])
    batch(
        "changed param keeps all out",
        metrics=[metric("lost")],
        params=[param("p", "other")],
        tags=[param("lost")],
    )
    batch(
        "bad metric keeps all out",
        metrics=[metric("lost", "x")],
        params=[param("lost")],
        tags=[param("lost")],
    )
    batch("bad key", metrics=[metric("/x")], tags=[param("lost")])
    s.get("runs/get", {"run_id": r})
    batch("1000 metrics", metrics=[metric(f"m{i}") for i in range(1000)])
    batch("1001 metrics", metrics=[metric(f"m{i}") for i in range(1001)])
    batch("101 params", params=[param(f"p{i}") for i in range(101)])
    batch("101 tags", tags=[param(f"t{i}") for i in range(101)])
    batch(
        "1001 in all",
        metrics=[metric(f"m{i}") for i in range(950)],
        params=[param(f"p{i}") for i in range(51)],
    )
    batch("no array", metrics={"key": "a"})
    batch("an item is no object", metrics=["a"])
    batch("param without a key", params=[{"value": "1"}])
    batch("param without a value", params=[{"key": "novalue"}])
    batch("tag without a value", tags=[{"key": "novalue"}])
    batch("metric without a value", metrics=[{"key": "x", "timestamp": 1}])
    batch("metric without a timestamp", metrics=[{"key": "x", "value": 1}])
    s.post("runs/log-batch", {"run_id": "0" * 32, "metrics": [metric("a")]})
    s.post("runs/log-batch", {"metrics": [metric("a")]})
    s.get("runs/get", {"run_id": r})


def inputs(s):
    e = new_experiment(s)
    r, q = new_run(s, e, "r"), new_run(s, e, "q")

    def dataset(name="d", digest="1", **more):
        return {"name": name, "digest": digest, "source_type": "local", "source": "{}", **more}

    s.post(
        "runs/log-inputs",
        {
            "run_id": r,
            "datasets": [
                {
                    "dataset": dataset(schema="{}", profile='{"rows": 1}'),
                    "tags": [{"key": "mlflow.data.context", "value": "training"}],
                },
                {"dataset": dataset("d2"), "tags": []},
            ],
        },
    )
    s.post("runs/log-inputs", {"run_id": r, "datasets": [{"dataset": dataset()}]})
    s.post(
        "runs/log-inputs",
        {
            "run_id": q,
            "datasets": [
                {"dataset": dataset(), "tags": [{"key": "mlflow.data.context", "value": "eval"}]}
            ],
        },
    )
    s.get("runs/get", {"run_id": r})
    s.get("runs/get", {"run_id": q})
    s.post("runs/log-inputs", {"run_id": r, "datasets": []})
    s.post("runs/log-inputs", {"run_id": r})
    bad = new_run(s, new_experiment(s, "bad_e"), "bad")
    s.post("runs/log-inputs", {"run_id": bad, "datasets": [{"tags": []}]})
    s.post("runs/log-inputs", {"run_id": bad, "datasets": [{"dataset": {"name": "x"}}]})
    s.post(
        "runs/log-inputs",
        {"run_id": bad, "datasets": [{"dataset": dataset("n" * 501)}]},
        label="long name",
    )
    s.post("runs/log-inputs", {"run_id": bad, "datasets": [{"dataset": dataset("n", "d" * 37)}]})
    s.post("runs/log-inputs", {"run_id": "0" * 32, "datasets": [{"dataset": dataset()}]})
    for text in [
        "dataset.name = 'd'",
        "dataset.name LIKE 'd%'",
        "dataset.digest = '1'",
        "datasets.name IN ('d2')",
        "dataset.context = 'eval'",
        "dataset.name = 'd' AND dataset.context = 'training'",
        "dataset.nonsense = 'x'",
        "dataset.name > 'd'",
    ]:
        s.post("runs/search", {"experiment_ids": [e], "filter": text, "order_by": ["run_name"]})
    for path in [
        "/api/2.0mlflow/experiments/search-datasets",
        "/ajax-api/2.0/mlflow/experiments/search-datasets",
    ]:
        s.call("POST", path, {"experiment_ids": [e]})
        s.call("POST", path, {"experiment_ids": []})
        s.call("POST", path, {})


def run_search(s):
    e = new_experiment(s)
    other = new_experiment(s, "other")
    values = [
        ("a", 1.0, "x", "u"),
        ("b", "NaN", "X", None),
        ("c", 3.0, "y", "v"),
        ("d", None, None, "u"),
        ("e", "Infinity", "x y", "w"),
        ("f", 2.0, "x", "u"),
    ]
    for index, (name, metric, param, tag) in enumerate(values):
        r = new_run(s, e, name, start_time=T0 + index)
        body = {"run_id": r}
        if metric is not None:
            body["metrics"] = [
                {"key": "m", "value": metric, "timestamp": 1, "step": 0},
                {"key": "m 2", "value": index, "timestamp": 1, "step": 0},
            ]
        if param is not None:
            body["params"] = [{"key": "p", "value": param}]
        if tag is not None:
            body["tags"] = [{"key": "t", "value": tag}, {"key": "a.b-c", "value": "dotted"}]
        s.post("runs/log-batch", body, keep=False)
        s.post(
            "runs/update",
            {
                "run_id": r,
                "status": "FINISHED" if index % 2 else "FAILED",
                "end_time": T0 + 100 - index,
            },
            keep=False,
        )
    z = new_run(s, other, "z", start_time=T0 - 1)
    gone = new_run(s, e, "gone", start_time=T0 + 50)
    s.post("runs/delete", {"run_id": gone}, keep=False)

    def names(**body):
        """Only the order counts here."""
        answer = s.post("runs/search", {"experiment_ids": [e], **body}, keep=False)
        found = [run["info"]["run_name"] for run in answer.get("runs", [])] or answer.get(
            "error_code", "nothing"
        )
        s.steps.append(Step(f"names of {s.named(str(body))}", 0, found))

    from parity import Step

    s.post("runs/search", {"experiment_ids": [e]})
    names(run_view_type="ALL")
    names(run_view_type="DELETED_ONLY")
    names(experiment_ids=[e, other])
    names(experiment_ids=[other, "99999999"])
    names(experiment_ids=["99999999"])
    names(experiment_ids=["abc"])
    names(experiment_ids=[])
    names()
    for text in [
        "metrics.m > 1",
        "metrics.m >= 1",
        "metrics.m < 3",
        "metrics.m = 3",
        "metrics.m != 3",
        "metrics.m <= 2.5",
        "metrics.m > 1e300",
        "metrics.m > -1",
        "metric.m > 1",
        "Metrics.m > 1",
        "metrics.`m 2` > 2",
        'metrics."m 2" > 2',
        "metrics.'m 2' > 2",
        "params.p = 'x'",
        "params.p != 'x'",
        "params.p LIKE 'x%'",
        "params.p ILIKE 'X%'",
        "params.p ILIKE 'x'",
        "param.p = 'x'",
        "parameter.p = 'x'",
        'parameters.p = "x"',
        "params.p IS NULL",
        "params.p IS NOT NULL",
        "tags.t IS NULL",
        "tag.t = 'u'",
        "tags.`a.b-c` = 'dotted'",
        "tags.a.b-c = 'dotted'",
        "tags.t != 'u'",
        "tags.t LIKE '_'",
        "attributes.status = 'FINISHED'",
        "status = 'FAILED'",
        "status != 'FAILED'",
        "status LIKE 'FIN%'",
        "attr.status = 'finished'",
        "run.status = 'FINISHED'",
        "attribute.start_time > %d" % (T0 + 2),
        "start_time <= %d" % (T0 + 2),
        "end_time < %d" % (T0 + 97),
        "created > 0",
        "Created > 0",
        "run_name = 'a'",
        "run_name LIKE '%'",
        "`run name` = 'a'",
        "attributes.`Run name` = 'a'",
        "`Run Name` = 'a'",
        "run_name IN ('a', 'c')",
        "user_id = 'u'",
        "attributes.user = 'u'",
        "artifact_uri LIKE '%artifacts'",
        f"run_id = '{z}'",
        f"attributes.run_id IN ('{z}', 'x')",
        f"run_id NOT IN ('{z}')",
        "run_id IN ()",
        "run_id IN ('a'",
        "metrics.m > 0 AND params.p = 'x'",
        "metrics.m > 0 and params.p = 'x' AND tags.t = 'u'",
        "metrics.m > 0 AND metrics.m < 2",
        "",
        " ",
        "AND",
        "metrics.m >",
        "> 1",
        "metrics.m > 1 AND",
        "metrics.m > 'x'",
        "metrics.m = x",
        "params.p = 1",
        "params.p > 'x'",
        "params.p = x",
        "tags.t > 'u'",
        "start_time > 'x'",
        "start_time LIKE 'x'",
        "nonsense.x = 'y'",
        "attributes.nonsense = 'y'",
        "x.y.z = 'a'",
        "metrics.m > 1 OR metrics.m < 0",
        "NOT metrics.m > 1",
        "(metrics.m > 1)",
        "metrics.m BETWEEN 1 AND 2",
        "params.p IN ('x')",
        "metrics.m IN (1)",
        "metrics.m IS NULL",
        "status IS NULL",
        "params.p = 'it''s'",
        'params.p = "it\'s"',
        "metrics.m == 1",
        "metrics.m <> 1",
        "metrics.m>1",
        "metrics.m>1 AND params.p='x'",
        "params.`p` = 'x'",
        "params.\"p\" = 'x'",
        "metrics.m > 1;",
        "tags.`mlflow.user` = 'x'",
        "tags.mlflow.runName = 'a'",
        "lifecycle_stage = 'active'",
        "experiment_id = '0'",
        "params.p LIKE x",
        "metrics.m != 'NaN'",
        "metrics.m > .5",
        "metrics.m > 1.",
        "metrics.m > +1",
        "params.p rlike 'x'",
    ]:
        names(filter=text)
    for order in [
        ["metrics.m"],
        ["metrics.m DESC"],
        ["metrics.m ASC"],
        ["params.p"],
        ["params.p DESC"],
        ["tags.t DESC"],
        ["start_time"],
        ["start_time ASC"],
        ["attributes.start_time DESC"],
        ["end_time"],
        ["run_name DESC"],
        ["attributes.`Run name` ASC"],
        ["status", "metrics.m DESC"],
        ["params.p", "metrics.`m 2` DESC"],
        ["metrics.none"],
        ["user_id", "run_name"],
        ["nonsense"],
        ["metrics.m UP"],
        ["metrics.m asc"],
        ["metrics"],
        [""],
        ["metrics.m", "metrics.m DESC"],
        ["lifecycle_stage"],
        ["attribute.Created DESC"],
        ["`metrics`.`m`"],
        ["metrics.m ASC NULLS FIRST"],
        ["dataset.name"],
    ]:
        names(order_by=order)
    for size in [1, 2, 50000, 50001, 0, -1, "x"]:
        names(max_results=size)
    first = s.post(
        "runs/search",
        {"experiment_ids": [e], "max_results": 4, "order_by": ["metrics.m"]},
        keep=False,
    )
    names(max_results=4, order_by=["metrics.m"], page_token=first["next_page_token"])
    names(page_token="x")
    names(run_view_type="NONSENSE")


# --- Registry


def registry(s):
    text = "parity-" + uuid.uuid4().hex
    s.remember("m", text)
    s.post(
        "registered-models/create",
        {"name": text, "description": "d", "tags": [{"key": "a", "value": "1"}]},
    )
    s.post("registered-models/create", {"name": text})
    s.get("registered-models/get", {"name": text})
    s.patch("registered-models/update", {"name": text, "description": "new"})
    s.patch("registered-models/update", {"name": text})
    s.post("registered-models/set-tag", {"name": text, "key": "b", "value": "2"})
    s.post("registered-models/set-tag", {"name": text, "key": "b", "value": "3"})
    s.get("registered-models/get", {"name": text})
    s.delete("registered-models/delete-tag", {"name": text, "key": "b"})
    s.delete("registered-models/delete-tag", {"name": text, "key": "b"})
    s.post("registered-models/rename", {"name": text, "new_name": text + "-2"})
    s.get("registered-models/get", {"name": text})
    s.get("registered-models/get", {"name": text + "-2"})
    s.post("registered-models/rename", {"name": text, "new_name": "x"})
    s.post("registered-models/rename", {"name": text + "-2", "new_name": "a/b"})
    s.post("registered-models/rename", {"name": text + "-2", "new_name": ""})
    s.delete("registered-models/delete", {"name": text + "-2"})
    s.delete("registered-models/delete", {"name": text + "-2"})
    for name in ["", " ", "a/b", "a:b", None, 5, "x" * 257]:
        s.post("registered-models/create", {"name": name})
    s.post("registered-models/create", {})
    s.post(
        "registered-models/create",
        {"name": text, "tags": [{"key": "k" * 251, "value": "1"}]},
        label="long tag key",
    )
    s.get("registered-models/get", {"name": "no-such"})
    s.get("registered-models/get")
    s.post("registered-models/set-tag", {"name": "no-such", "key": "a", "value": "b"})
    s.post("registered-models/set-tag", {"name": "no-such", "value": "b"})
    s.delete("registered-models/delete-tag", {"name": "no-such", "key": "a"})


def versions(s):
    e = new_experiment(s)
    r = new_run(s, e)
    m = new_model(s)
    source = f"mlflow-artifacts:/{e}/{r}/artifacts/model"

    def version(**fields):
        s.post("model-versions/create", {"name": m, "source": source, "run_id": r, **fields})

    version(description="d", tags=[{"key": "a", "value": "1"}], run_link="http://x/y")
    version()
    version(source="s3://bucket/key", run_id=None)
    s.get("model-versions/get", {"name": m, "version": "1"})
    s.get("model-versions/get-download-uri", {"name": m, "version": "1"})
    s.patch("model-versions/update", {"name": m, "version": "1", "description": "new"})
    s.patch("model-versions/update", {"name": m, "version": "1"})
    s.post("model-versions/set-tag", {"name": m, "version": "1", "key": "b", "value": "2"})
    s.get("model-versions/get", {"name": m, "version": "1"})
    s.delete("model-versions/delete-tag", {"name": m, "version": "1", "key": "b"})
    s.delete("model-versions/delete-tag", {"name": m, "version": "1", "key": "b"})
    s.get("registered-models/get", {"name": m})
    s.get("registered-models/get-latest-versions", {"name": m})
    s.post("registered-models/get-latest-versions", {"name": m, "stages": ["None"]})
    # Aliases
    s.post("registered-models/alias", {"name": m, "alias": "champion", "version": "2"})
    s.post("registered-models/alias", {"name": m, "alias": "best-1", "version": "2"})
    s.get("registered-models/alias", {"name": m, "alias": "champion"})
    s.get("registered-models/get", {"name": m})
    s.get("model-versions/get", {"name": m, "version": "2"})
    s.post("registered-models/alias", {"name": m, "alias": "champion", "version": "1"})
    s.get("registered-models/alias", {"name": m, "alias": "champion"})
    s.delete("registered-models/alias", {"name": m, "alias": "champion"})
    s.delete("registered-models/alias", {"name": m, "alias": "champion"})
    s.get("registered-models/alias", {"name": m, "alias": "champion"})
    for alias in ["latest", "LATEST", "v1", "V12", "a b", "", "a/b", "x" * 256, "1", "a.b"]:
        s.post("registered-models/alias", {"name": m, "alias": alias, "version": "1"})
    s.post("registered-models/alias", {"name": m, "alias": "a", "version": "99"})
    s.post("registered-models/alias", {"name": "no-such", "alias": "a", "version": "1"})
    s.post("registered-models/alias", {"name": m, "alias": "a"})
    # Stages
    stage = "model-versions/transition-stage"
    s.post(
        stage,
        {"name": m, "version": "1", "stage": "Production", "archive_existing_versions": False},
    )
    s.post(
        stage, {"name": m, "version": "2", "stage": "production", "archive_existing_versions": True}
    )
    s.post(stage, {"name": m, "version": "3", "stage": "Staging"})
    s.get("model-versions/get", {"name": m, "version": "1"})
    s.post("registered-models/get-latest-versions", {"name": m})
    s.post(
        "registered-models/get-latest-versions", {"name": m, "stages": ["Production", "Archived"]}
    )
    s.get("registered-models/get-latest-versions", {"name": m, "stages": ["Staging"]})
    s.get("registered-models/get", {"name": m})
    s.post(stage, {"name": m, "version": "3", "stage": "None"})
    s.post(stage, {"name": m, "version": "3", "stage": "None", "archive_existing_versions": True})
    s.post(stage, {"name": m, "version": "3", "stage": "nonsense"})
    s.post(stage, {"name": m, "version": "99", "stage": "Staging"})
    s.post(stage, {"name": m, "version": "3"})
    s.post("registered-models/get-latest-versions", {"name": m, "stages": ["nonsense"]})
    s.post("registered-models/get-latest-versions", {"name": "no-such"})
    # Errors and removal
    for body in [
        {"name": m},
        {"name": m, "version": "x"},
        {"name": m, "version": "99"},
        {"name": "no-such", "version": "1"},
        {"version": "1"},
        {"name": m, "version": 1},
    ]:
        s.get("model-versions/get", body)
    s.get("model-versions/get-download-uri", {"name": m, "version": "99"})
    s.post("model-versions/set-tag", {"name": m, "version": "99", "key": "a", "value": "b"})
    s.post("model-versions/set-tag", {"name": m, "version": "1", "value": "b"})
    version(source="/etc/passwd")
    version(source="file:///etc")
    version(source="../x")
    version(source=f"mlflow-artifacts:/{e}/{r}/artifacts/../../..")
    version(source="")
    version(source=None)
    version(name="no-such-model")
    version(source="mlflow-artifacts:/0/other/artifacts/model")
    version(source=source, run_id="0" * 32)
    s.delete("model-versions/delete", {"name": m, "version": "1"})
    s.delete("model-versions/delete", {"name": m, "version": "1"})
    s.get("model-versions/get", {"name": m, "version": "1"})
    version()
    s.delete("model-versions/delete", {"name": m, "version": "99"})
    s.get("registered-models/get", {"name": m})
    s.post("registered-models/rename", {"name": m, "new_name": m + "-new"})
    s.get("model-versions/get", {"name": m + "-new", "version": "2"})
    s.get("registered-models/alias", {"name": m + "-new", "alias": "best-1"})


def registry_search(s):
    mark = uuid.uuid4().hex
    s.remember("mark", mark)
    e = new_experiment(s)
    r = new_run(s, e)
    for index, name in enumerate(["Alpha", "beta", "alphabet"]):
        s.post(
            "registered-models/create",
            {
                "name": f"{name}-{mark}",
                "tags": [{"key": "mark", "value": mark}, {"key": "t", "value": "xyx"[index]}],
            },
            keep=False,
        )
        for number in range(index + 1):
            into_a_later_millisecond()
            s.post(
                "model-versions/create",
                {
                    "name": f"{name}-{mark}",
                    "source": f"s3://b/{mark}/{number}",
                    "run_id": r if number else None,
                    "tags": [{"key": "n", "value": str(number)}],
                },
                keep=False,
            )

    def models(**fields):
        s.get("registered-models/search", {"order_by": ["name"], **fields})

    def found(**fields):
        s.get("model-versions/search", {"order_by": ["name", "version_number"], **fields})

    only = f"tags.mark = '{mark}'"
    models(filter=only)
    models(filter=only, order_by=["name DESC"])
    models(filter=f"name = 'beta-{mark}'")
    models(filter=f"name LIKE 'Alpha%' AND {only}")
    models(filter=f"name ILIKE 'ALPHA%' AND {only}")
    models(filter=f"{only} AND tags.t = 'x'")
    models(filter=f"{only} AND tag.t != 'x'")
    models(filter=f"name != 'beta-{mark}' AND {only}")
    models(filter=only, max_results=2)
    models(filter=only, order_by=["creation_timestamp DESC", "name"])
    models(filter=only, order_by=["last_updated_timestamp ASC"])
    for bad in [
        {"filter": "nonsense = 'x'"},
        {"filter": "name > 'x'"},
        {"filter": "name = 5"},
        {"filter": "name IN ('x')"},
        {"order_by": ["nonsense"]},
        {"max_results": 0},
        {"max_results": 1001},
        {"page_token": "x"},
        {"filter": "tags.a IS NULL AND name = 'x'"},
        {"filter": "name = 'x' OR name = 'y'"},
        {"max_results": "x"},
    ]:
        models(**bad)
    like = f"source_path LIKE 's3://b/{mark}%'"
    found(filter=f"name = 'alphabet-{mark}'")
    found(filter=f"name LIKE 'al%' AND {like}")
    found(filter=like)
    found(filter=f"source_path = 's3://b/{mark}/1'")
    found(filter=f"run_id = '{r}'")
    found(filter=f"run_id IN ('{r}', 'x')")
    found(filter=f"{like} AND tags.n = '1'")
    found(filter=f"{like} AND version_number > 1")
    found(filter=f"{like} AND version_number = 1")
    found(filter=f"name = 'alphabet-{mark}'", order_by=["version_number DESC"])
    found(filter=f"name = 'alphabet-{mark}'", order_by=[])
    found(filter=like, order_by=["creation_timestamp", "name", "version_number"])
    found(filter=like, max_results=2)
    for bad in [
        {"filter": "nonsense = 'x'"},
        {"filter": "version_number = 'x'"},
        {"filter": "name > 'x'"},
        {"filter": "run_id = 5"},
        {"order_by": ["nonsense"]},
        {"max_results": 0},
        {"max_results": 200001},
        {"page_token": "x"},
        {"filter": "version_number LIKE '1'"},
        {"filter": "current_stage = 'None'"},
        {"filter": f"aliases = 'x' AND {like}"},
    ]:
        found(**bad)


# --- Logged models


def logged_models(s):
    e = new_experiment(s)
    r = new_run(s, e)
    made = s.post(
        "logged-models",
        {
            "experiment_id": e,
            "name": "lm",
            "model_type": "t",
            "source_run_id": r,
            "params": [{"key": "p", "value": "1"}],
            "tags": [{"key": "a", "value": "b"}],
        },
        keep=False,
    )
    m = s.remember("m", made["model"]["info"]["model_id"])
    s.get(f"logged-models/{m}")
    s.patch(f"logged-models/{m}", {"model_id": m, "status": "LOGGED_MODEL_READY"})
    s.post(f"logged-models/{m}/params", {"model_id": m, "params": [{"key": "q", "value": "2"}]})
    s.post(f"logged-models/{m}/params", {"model_id": m, "params": [{"key": "q", "value": "3"}]})
    s.patch(f"logged-models/{m}/tags", {"tags": [{"key": "c", "value": "d"}]})
    s.delete(f"logged-models/{m}/tags/c")
    s.delete(f"logged-models/{m}/tags/c")
    s.get(f"logged-models/{m}")
    s.post(
        "runs/log-batch",
        {
            "run_id": r,
            "metrics": [
                {
                    "key": "acc",
                    "value": 0.5,
                    "timestamp": 1,
                    "step": 0,
                    "model_id": m,
                    "dataset_name": "d",
                    "dataset_digest": "1",
                },
                {"key": "acc", "value": 0.7, "timestamp": 2, "step": 1, "model_id": m},
            ],
        },
    )
    s.post(
        "runs/log-metric",
        {"run_id": r, "key": "loss", "value": 2, "timestamp": 3, "step": 1, "model_id": m},
    )
    s.get(f"logged-models/{m}")
    s.get("runs/get", {"run_id": r})
    s.post("runs/outputs", {"run_id": r, "models": [{"model_id": m, "step": 3}]})
    s.post("runs/log-inputs", {"run_id": r, "models": [{"model_id": m}]})
    s.get("runs/get", {"run_id": r})
    second = s.post("logged-models", {"experiment_id": e, "name": "lm2"}, keep=False)
    m2 = s.remember("m2", second["model"]["info"]["model_id"])
    s.post(
        "runs/log-metric",
        {
            "run_id": r,
            "key": "acc",
            "value": 0.9,
            "timestamp": 3,
            "step": 1,
            "model_id": m2,
            "dataset_name": "d",
            "dataset_digest": "1",
        },
        keep=False,
    )
    s.get(f"logged-models/{m2}")

    def search(**fields):
        s.post("logged-models/search", {"experiment_ids": [e], **fields})

    search(order_by=[{"field_name": "name", "ascending": True}])
    for text in [
        "name = 'lm'",
        "name LIKE 'lm%'",
        "attributes.name = 'lm'",
        "metrics.acc > 0.6",
        "params.p = '1'",
        "tags.a = 'b'",
        "status = 'READY'",
        "model_type = 't'",
        f"source_run_id = '{r}'",
        f"model_id = '{m}'",
        f"model_id IN ('{m}')",
        "creation_timestamp > 0",
        "creation_time > 0",
        "nonsense = 'x'",
        "metrics.acc > 'x'",
        "name ILIKE 'LM'",
        "tags.a IS NULL",
        "params.p != '1'",
        "last_updated_timestamp > 0",
    ]:
        search(filter=text, order_by=[{"field_name": "name", "ascending": True}])
    search(filter="metrics.acc > 0.6", datasets=[{"dataset_name": "d"}])
    search(
        filter="metrics.acc > 0.4",
        datasets=[{"dataset_name": "d", "dataset_digest": "1"}],
        order_by=[{"field_name": "name"}],
    )
    search(filter="metrics.acc > 0.4", datasets=[{"dataset_name": "none"}])
    search(datasets=[{"dataset_digest": "1"}])
    search(order_by=[{"field_name": "metrics.acc", "ascending": False}])
    search(
        order_by=[
            {
                "field_name": "metrics.acc",
                "ascending": True,
                "dataset_name": "d",
                "dataset_digest": "1",
            }
        ]
    )
    search(order_by=[{"field_name": "metrics.acc", "ascending": False, "dataset_name": "d"}])
    search(order_by=[{"field_name": "creation_time", "ascending": True}])
    search(order_by=[{"field_name": "nonsense"}])
    search(order_by=[{}])
    first = s.post(
        "logged-models/search",
        {"experiment_ids": [e], "max_results": 1, "order_by": [{"field_name": "name"}]},
    )
    s.post(
        "logged-models/search",
        {
            "experiment_ids": [e],
            "max_results": 1,
            "order_by": [{"field_name": "name"}],
            "page_token": first.get("next_page_token", ""),
        },
        label="second page of models",
    )
    s.post(
        "logged-models/search",
        {
            "experiment_ids": [e],
            "max_results": 1,
            "order_by": [{"field_name": "model_id"}],
            "page_token": first.get("next_page_token", ""),
        },
        label="token of another search",
    )
    search(max_results=0)
    search(max_results=101)
    s.post("logged-models/search", {})
    s.post("logged-models", {"experiment_id": "99999999", "name": "x"})
    s.post("logged-models", {"name": "x"})
    s.post("logged-models", {"experiment_id": e, "name": "a/b"})
    s.get("logged-models/m-none")
    s.patch("logged-models/m-none", {"status": "LOGGED_MODEL_READY"})
    s.delete("logged-models/m-none")
    s.patch("logged-models/m-none/tags", {"tags": [{"key": "a", "value": "b"}]})
    s.delete("logged-models/m-none/tags/x")
    s.get(f"logged-models/{m}/artifacts/directories")
    s.delete(f"logged-models/{m2}")
    s.get(f"logged-models/{m2}")
    search(order_by=[{"field_name": "name"}])
    s.post(
        "runs/log-model",
        {
            "run_id": r,
            "model_json": '{"run_id": "x", "artifact_path": "p", '
            '"utc_time_created": "2026-01-01", "flavors": {}}',
        },
    )
    s.post("runs/log-model", {"run_id": r, "model_json": "{"})
    s.post("runs/log-model", {"run_id": r, "model_json": "[]"})
    s.post("runs/log-model", {"run_id": r, "model_json": "{}"})
    s.post("runs/log-model", {"run_id": r})
    s.get("runs/get", {"run_id": r})


# --- Artifacts


def artifacts(s):
    e = new_experiment(s)
    r = new_run(s, e)
    base = f"/api/2.0/mlflow-artifacts/artifacts/{e}/{r}/artifacts"
    for path, content in [
        ("a.txt", "hello"),
        ("dir/b.json", "{}"),
        ("dir/sub/c.bin", "xyz"),
        ("ü x.txt", "u"),
    ]:
        s.call("PUT", f"{base}/{path}", data=content.encode())
    s.get("artifacts/list", {"run_id": r})
    s.get("artifacts/list", {"run_id": r, "path": "dir"})
    s.get("artifacts/list", {"run_id": r, "path": "dir/sub"})
    s.get("artifacts/list", {"run_id": r, "path": "a.txt"})
    s.get("artifacts/list", {"run_id": r, "path": "none"})
    s.get("artifacts/list", {"run_id": "0" * 32})
    s.get("artifacts/list")
    for path in ["..", "../x", "/etc", "a/../../b", "%2e%2e"]:
        s.get("artifacts/list", {"run_id": r, "path": path})
    proxy = "/api/2.0/mlflow-artifacts/artifacts"
    s.call("GET", proxy, params={"path": f"{e}/{r}/artifacts"})
    s.call("GET", proxy, params={"path": f"{e}/{r}/artifacts/dir"})
    s.call("GET", proxy, params={"path": "../x"})
    s.call("GET", f"{base}/a.txt")
    s.call("GET", f"{base}/dir/b.json")
    s.call("GET", f"{base}/none.txt")
    s.call("GET", f"{base}/dir", label="a directory")
    s.call("GET", "/get-artifact", params={"run_id": r, "path": "a.txt"})
    s.call("GET", "/get-artifact", params={"run_id": r, "path": "none.txt"})
    s.call("GET", "/get-artifact", params={"run_id": r, "path": "../a.txt"})
    s.call("GET", "/get-artifact", params={"path": "a.txt"})
    s.call("DELETE", f"{base}/a.txt")
    s.call("GET", f"{base}/a.txt")
    s.call("DELETE", f"{base}/none.txt")
    s.call("DELETE", f"{base}/dir")
    s.get("artifacts/list", {"run_id": r})
    s.call(
        "POST",
        "/ajax-api/2.0/mlflow/upload-artifact",
        params={"run_uuid": r, "path": "up/x.json"},
        data=b"{}",
    )
    s.get("artifacts/list", {"run_id": r, "path": "up"})
    s.call("POST", "/ajax-api/2.0/mlflow/upload-artifact", params={"run_uuid": r}, data=b"{}")
    s.call("POST", "/ajax-api/2.0/mlflow/upload-artifact", params={"path": "x"}, data=b"{}")
    s.call(
        "POST",
        "/ajax-api/2.0/mlflow/upload-artifact",
        params={"run_uuid": r, "path": "../x"},
        data=b"{}",
    )
    for kind in ["create", "complete", "abort"]:
        s.call(
            "POST",
            f"/api/2.0/mlflow-artifacts/mpu/{kind}/{e}/{r}/artifacts/big",
            {"path": "big", "num_parts": 2, "upload_id": "u", "parts": []},
            label=f"mpu {kind} on local disk",
        )
    s.call(
        "GET",
        f"/api/2.0/mlflow-artifacts/presigned/{e}/{r}/artifacts/x",
        label="presigned on local disk",
    )
    s.post("artifacts/presigned-download-url", {"run_id": r, "path": "up/x.json"})
    s.post("artifacts/presigned-upload-url", {"run_id": r, "path": "up/x.json"})


# --- Webhooks


def webhooks(s):
    text = "hook-" + uuid.uuid4().hex
    s.remember("hook_name", text)
    body = {
        "name": text,
        "url": "https://93.184.216.34/hook",
        "description": "d",
        "events": [{"entity": "MODEL_VERSION", "action": "CREATED"}],
    }
    made = s.post("webhooks", body, keep=False)
    hook = s.remember("hook", made.get("webhook", {}).get("webhook_id", "none"))
    s.get(f"webhooks/{hook}")
    s.patch(
        f"webhooks/{hook}",
        {
            "description": "new",
            "status": "DISABLED",
            "events": [
                {"entity": "REGISTERED_MODEL", "action": "CREATED"},
                {"entity": "MODEL_VERSION_ALIAS", "action": "DELETED"},
            ],
        },
    )
    s.get(f"webhooks/{hook}")
    s.patch(f"webhooks/{hook}", {})
    s.post("webhooks", {**body, "name": ""})
    s.post("webhooks", {**body, "url": "ftp://x"})
    s.post("webhooks", {**body, "url": "nonsense"})
    s.post("webhooks", {**body, "events": []})
    s.post("webhooks", {**body, "events": [{"entity": "NONSENSE", "action": "CREATED"}]})
    s.post("webhooks", {**body, "events": [{"entity": "REGISTERED_MODEL", "action": "DELETED"}]})
    s.post("webhooks", {"name": text})
    s.get("webhooks/none")
    s.patch("webhooks/none", {"description": "x"})
    s.delete("webhooks/none")
    s.delete(f"webhooks/{hook}")
    s.get(f"webhooks/{hook}")
    number_two = {**body, "events": [{"entity": 2, "action": 1}], "status": 2, "secret": "x"}
    other = s.post("webhooks", number_two, keep=False).get("webhook", {}).get("webhook_id", "none")
    other = s.remember("other_hook", other)
    s.get(f"webhooks/{other}")
    s.patch(f"webhooks/{other}", {"name": "", "url": "", "events": [], "description": ""})
    s.patch(f"webhooks/{other}", {"status": "NONSENSE"})
    s.patch(f"webhooks/{other}", {"name": "a b"})
    s.patch(f"webhooks/{other}", {"url": "https://10.0.0.1/"})
    s.patch(f"webhooks/{other}", {"events": [{"entity": "PROMPT", "action": "SET"}]})
    s.delete(f"webhooks/{other}")
    for url in [
        "https://127.0.0.1/",
        "https://169.254.169.254/latest",
        "https://[::1]/",
        "https://2130706433/",
        "https:///x",
        "https://host.invalid/",
        "http://93.184.216.34/",
        " ",
    ]:
        s.post("webhooks", {**body, "url": url})
    for name in ["x" * 63, "x" * 64, "-x", "x.", "a.b_c-d"]:
        kept = s.post("webhooks", {**body, "name": name}, keep=False)
        if "webhook" in kept:
            s.delete(f"webhooks/{s.remember('named_hook', kept['webhook']['webhook_id'])}")
    s.post("webhooks", {**body, "events": [{}]})
    s.post("webhooks", {**body, "events": "x"})
    s.post("webhooks", {**body, "events": body["events"] * 2})
    s.post("webhooks/none/test", {})
    s.post("webhooks/none/test", {"event": {"entity": "NONSENSE", "action": "CREATED"}})
    for count in [-1, 1000, 1001]:
        s.get("webhooks", {"max_results": count})
    s.get("webhooks", {"max_results": 0})
    s.get("webhooks", {"page_token": "x"})


# --- The server itself


def server(s):
    s.call("GET", "/health", label="health")
    for kind in [
        "application/json; charset=utf-8",
        "text/plain",
        "application/x-www-form-urlencoded",
        "",
    ]:
        s.call(
            "POST",
            "/api/2.0/mlflow/experiments/search",
            {"max_results": 1, "filter": "name = 'none'"},
            headers={"Content-Type": kind},
            label=f"content type {kind!r}",
        )
    for origin in ["http://evil.example", "http://localhost:3000", "null"]:
        s.call(
            "POST",
            "/api/2.0/mlflow/experiments/search",
            {"max_results": 1, "filter": "name = 'none'"},
            headers={"Origin": origin},
            label=f"origin {origin}",
        )
    s.call(
        "GET",
        "/api/2.0/mlflow/experiments/get",
        params={"experiment_id": "0"},
        headers={"Host": "evil.example"},
        label="a foreign host",
        keep=True,
    )
    s.call("GET", "/api/3.0/mlflow/server-info", label="server-info")
    s.call("GET", "/ajax-api/3.0/mlflow/server-info", label="server-info under ajax-api")
    s.call("GET", "/api/2.0/preview/mlflow/runs/get", label="the preview prefix")

# --- Traces


def trace_info(experiment, number, **fields):
    return {
        "trace": {
            "trace_info": {
                "trace_id": f"tr-{uuid.uuid4().hex}",
                "trace_location": {
                    "type": "MLFLOW_EXPERIMENT",
                    "mlflow_experiment": {"experiment_id": experiment},
                },
                "request_time": f"2025-01-02T03:04:0{number}.678Z",
                "execution_duration": f"{number}.5s",
                "state": "OK",
                **fields,
            }
        }
    }


def new_trace(s, experiment, number, keep=False, **fields):
    body = trace_info(experiment, number, **fields)
    trace = s.remember(f"t{number}", body["trace"]["trace_info"]["trace_id"])
    s.post("traces", body, keep=keep, prefix="/api/3.0/mlflow/")
    return trace


def traces(s):
    v3 = {"prefix": "/api/3.0/mlflow/"}
    e = new_experiment(s)
    a = new_trace(
        s,
        e,
        1,
        keep=True,
        client_request_id="c1",
        request_preview='{"a": 1}',
        response_preview="out",
        trace_metadata={"mlflow.trace.session": "s1", "k": "v"},
        tags={"mlflow.traceName": "predict", "team": "red"},
    )
    b = new_trace(s, e, 2, keep=True, state="ERROR", tags={"mlflow.traceName": "train"})
    c = new_trace(s, e, 3, state="IN_PROGRESS")
    s.get(f"traces/{a}", **v3)
    s.get(f"traces/{a}/info")
    s.get("traces/tr-none", **v3)
    s.get("traces/tr-none/info")
    s.post("traces/batchGetInfos", {"trace_ids": [b, "tr-none", a]}, **v3)
    s.post("traces/batchGetInfos", {"trace_ids": [b, a], "experiment_ids": ["0"]}, **v3)
    s.post("traces/batchGetInfos", {}, **v3)
    location = [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": e}}]
    for text in [
        "",
        "status = 'OK'",
        "status != 'OK'",
        "trace.status IN ('OK', 'ERROR')",
        "name = 'predict'",
        "trace.name LIKE '%r%'",
        "name ILIKE 'TRAIN'",
        "tag.team = 'red'",
        "tags.team IS NULL",
        "tags.team IS NOT NULL",
        "tags.`mlflow.traceName` = 'train'",
        "metadata.k = 'v'",
        "request_metadata.k != 'v'",
        "metadata.`mlflow.trace.session` = 's1'",
        "client_request_id = 'c1'",
        "timestamp_ms > 1735787042000",
        "timestamp_ms >= 1735787042678 AND status = 'ERROR'",
        "execution_time_ms < 2000",
        "execution_time >= 2500",
        "end_time_ms = 1735787045178",
        "request_id IN ('tr-none')",
        "run_id = 'none'",
        "prompt = 'p/1'",
        "prompt = 'p'",
        "feedback.x = 'y'",
        "feedback.x > 1",
        "feedback.x IS NULL",
        "expectation.x IS NOT NULL",
        "span.name = 'x'",
        "span.nonsense = 'x'",
        "span.content = 'x'",
        "issue.id = 'i'",
        "issue.name = 'i'",
        "name RLIKE '^pre.*t$'",
        "trace.name RLIKE 'tr[ab]in'",
        "tags.team RLIKE '^(red|blue)$'",
        "tags.team RLIKE '^ed'",
        "metadata.k RLIKE '\\w'",
        "status RLIKE 'R+OR'",
        "request_id RLIKE '^tr-none'",
        "feedback.x RLIKE 'y'",
        "span.name RLIKE 'x'",
        "span.content RLIKE 'x'",
        "timestamp_ms RLIKE '1'",
        "tags.team RLIKE '('",
        "nonsense = 'x'",
        "metrics.x > 1",
        "tag.team > 'a'",
        "status = OK",
        "timestamp_ms BETWEEN 1 AND 2",
        "status = 'OK' OR status = 'ERROR'",
        "status = ",
    ]:
        s.post("traces/search", {"locations": location, "filter": text}, **v3)
    for order in [
        ["timestamp_ms ASC"],
        ["execution_time DESC"],
        ["name ASC"],
        ["status DESC", "timestamp ASC"],
        ["tag.team ASC"],
        ["metadata.k DESC"],
        ["nonsense ASC"],
        ["metrics.x ASC"],
    ]:
        s.post("traces/search", {"locations": location, "order_by": order}, **v3)
    page = s.post("traces/search", {"locations": location, "max_results": 2}, **v3)
    token = page.get("next_page_token", "")
    s.post(
        "traces/search", {"locations": location, "max_results": 2, "page_token": token}, **v3
    )
    s.post("traces/search", {"locations": location, "max_results": 0}, **v3)
    s.post("traces/search", {"locations": location, "max_results": 501}, **v3)
    s.post("traces/search", {}, **v3)
    s.get("traces", {"experiment_ids": e, "filter": "status = 'ERROR'"})
    s.get("traces", {"experiment_ids": e, "max_results": 501})
    s.get("traces", {})
    s.patch(f"traces/{a}/tags", {"key": "x", "value": "1"}, **v3)
    s.patch(f"traces/{a}/tags", {"key": "x", "value": "2"})
    s.patch(f"traces/{a}/tags", {"key": "mlflow.trace.spansLocation", "value": "1"}, **v3)
    s.patch(f"traces/{a}/tags", {"key": "a" * 251, "value": "1"}, **v3)
    s.patch(f"traces/{a}/tags", {"value": "1"}, **v3)
    s.patch("traces/tr-none/tags", {"key": "x", "value": "1"}, **v3)
    s.delete(f"traces/{a}/tags", {"key": "x"}, **v3)
    s.delete(f"traces/{a}/tags", {"key": "x"}, **v3)
    s.get(f"traces/{a}", **v3)
    r = new_run(s, e)
    s.post("traces/link-to-run", {"trace_ids": [b, "tr-none"], "run_id": r})
    s.post("traces/link-to-run", {"trace_ids": [b], "run_id": "none"})
    s.post("traces/link-to-run", {"trace_ids": ["x"] * 101, "run_id": r}, label="101 links")
    s.post("traces/search", {"locations": location, "filter": f"run_id = '{r}'"}, **v3)
    s.post(
        "traces/calculate-filter-correlation",
        {
            "experiment_ids": [e],
            "filter_string1": "status = 'OK'",
            "filter_string2": "name = 'predict'",
        },
        **v3,
    )
    s.post(
        "traces/calculate-filter-correlation",
        {
            "experiment_ids": [e],
            "filter_string1": "status = 'OK'",
            "filter_string2": "name = 'train'",
        },
        **v3,
    )
    s.post("traces/delete-traces", {"experiment_id": e}, **v3)
    s.post("traces/delete-traces", {"experiment_id": e, "request_ids": [c, "x"]}, **v3)
    s.post(
        "traces/delete-traces",
        {"experiment_id": e, "request_ids": [a], "max_timestamp_millis": 1},
        **v3,
    )
    s.post(
        "traces/delete-traces",
        {"experiment_id": e, "max_timestamp_millis": 2 * T0, "max_traces": 1},
    )
    s.post("traces", {}, **v3)
    s.post("traces", trace_info("99999999", 1), label="no such experiment", **v3)
    s.post("traces", trace_info(e, 1, state="NONSENSE"), label="an unknown state", **v3)


def traces_of_two_steps(s):
    e = new_experiment(s)
    begun = s.post(
        "traces",
        {
            "experiment_id": e,
            "timestamp_ms": T0,
            "request_metadata": [{"key": "m", "value": "1"}],
            "tags": [{"key": "mlflow.traceName", "value": "n"}],
        },
        keep=False,
    )
    t = s.remember("t", begun["trace_info"]["request_id"])
    s.get(f"traces/{t}/info")
    s.patch(
        f"traces/{t}",
        {
            "timestamp_ms": T0 + 25,
            "status": "OK",
            "request_metadata": [{"key": "o", "value": "2"}],
            "tags": [{"key": "b", "value": "3"}],
        },
    )
    s.get(f"traces/{t}/info")
    s.patch("traces/none", {"timestamp_ms": T0, "status": "OK"})
    s.post("traces", {"experiment_id": "99999999", "timestamp_ms": T0})


def assessments(s):
    v3 = {"prefix": "/api/3.0/mlflow/"}
    e = new_experiment(s)
    t = new_trace(s, e, 1)
    source = {"source_type": "HUMAN", "source_id": "me"}
    when = "2025-01-02T03:04:05Z"
    path = f"traces/{t}/assessments"

    def say(name, **fields):
        made = s.post(
            path,
            {
                "assessment": {
                    "assessment_name": name,
                    "source": source,
                    "create_time": when,
                    "last_update_time": when,
                    **fields,
                }
            },
            keep=False,
            **v3,
        )
        return s.remember(name, made["assessment"]["assessment_id"])

    values = [True, 5, 2.5, "yes", None, [1, "a"], {"a": {"b": 1}}]
    for index, value in enumerate(values):
        told = say(f"feedback-{index}", feedback={"value": value}, metadata={"k": "v"})
        s.get(f"{path}/{told}", **v3)
    failed = say(
        "failed",
        feedback={"error": {"error_code": "E", "error_message": "m"}},
        rationale="why",
        span_id="1",
    )
    s.get(f"{path}/{failed}", **v3)
    plain = say("plain", expectation={"value": "x"})
    s.get(f"{path}/{plain}", **v3)
    nested = say(
        "nested",
        expectation={
            "serialized_value": {"serialization_format": "JSON_FORMAT", "value": '{"a": [1]}'}
        },
    )
    s.get(f"{path}/{nested}", **v3)
    over = say("over", feedback={"value": "no"}, overrides=failed)
    s.get(f"{path}/{failed}", **v3)
    s.get(f"{path}/{over}", **v3)
    location = [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": e}}]
    for text in [
        "feedback.`feedback-0` = 'true'",
        "feedback.`feedback-1` = '5'",
        "feedback.`feedback-1` >= 5",
        "feedback.`feedback-2` < 2.5",
        "feedback.`feedback-3` = 'yes'",
        "feedback.`feedback-3` != 'yes'",
        "feedback.`feedback-3` LIKE '%es%'",
        "feedback.`feedback-3` > 1",
        "feedback.failed IS NULL",
        "feedback.over IS NOT NULL",
        "expectation.plain = 'x'",
        "expectation.plain > 'x'",
        "feedback.plain = 'x'",
    ]:
        found = s.post("traces/search", {"locations": location, "filter": text}, keep=False, **v3)
        s.steps.append(type(s).outcome(f"search {text}", found))
    s.patch(
        f"{path}/{plain}",
        {
            "assessment": {"expectation": {"value": "y"}, "assessment_name": "other"},
            "update_mask": "expectation,assessmentName",
        },
        **v3,
    )
    s.patch(
        f"{path}/{over}",
        {
            "assessment": {"feedback": {"value": "z"}, "rationale": "r", "metadata": {"n": "1"}},
            "update_mask": "feedback,rationale,metadata",
        },
        **v3,
    )
    s.patch(
        f"{path}/{over}",
        {"assessment": {"expectation": {"value": "z"}}, "update_mask": "expectation"},
        **v3,
    )
    s.patch(f"{path}/a-none", {"assessment": {}, "update_mask": "rationale"}, **v3)
    s.delete(f"{path}/{over}", **v3)
    s.delete(f"{path}/{over}", **v3)
    s.get(f"{path}/{over}", **v3)
    s.get(f"{path}/{failed}", **v3)
    s.get("traces/tr-none/assessments/a-none", **v3)
    s.post(path, {"assessment": {"assessment_name": "e"}}, **v3)
    s.post(path, {}, **v3)
    s.post(
        "traces/tr-none/assessments",
        {"assessment": {"assessment_name": "e", "source": source, "feedback": {"value": 1}}},
        **v3,
    )


def spans(s):
    v3 = {"prefix": "/api/3.0/mlflow/"}
    e = new_experiment(s)
    number = uuid.uuid4().hex
    t = s.remember("t", "tr-" + number)
    s.remember("number", number)
    s.remember("packed", base64.b64encode(bytes.fromhex(number)).decode())
    root = {
        "traceId": number,
        "spanId": "eee19b7ec3c1b174",
        "name": "root",
        "startTimeUnixNano": str(T0 * 1_000_000),
        "endTimeUnixNano": str((T0 + 1000) * 1_000_000),
        "attributes": [
            {"key": "i", "value": {"intValue": "5"}},
            {"key": "s", "value": {"stringValue": "x"}},
            {"key": "mlflow.spanInputs", "value": {"stringValue": '{"q": 1}'}},
            {"key": "mlflow.spanType", "value": {"stringValue": "CHAIN"}},
            {"key": "d", "value": {"doubleValue": 1.5}},
            {"key": "a", "value": {"arrayValue": {"values": [{"boolValue": True}]}}},
            {
                "key": "kv",
                "value": {"kvlistValue": {"values": [{"key": "z", "value": {"intValue": 1}}]}},
            },
            {"key": "session.id", "value": {"stringValue": "s1"}},
            {"key": "user.id", "value": {"stringValue": "u1"}},
        ],
        "events": [
            {
                "timeUnixNano": str((T0 + 500) * 1_000_000),
                "name": "ev",
                "attributes": [{"key": "x", "value": {"intValue": "1"}}],
            }
        ],
        "status": {"code": 2, "message": "bad"},
    }
    child = {
        "traceId": number,
        "spanId": "eee19b7ec3c1b175",
        "parentSpanId": "eee19b7ec3c1b174",
        "name": "child",
        "startTimeUnixNano": str((T0 + 10) * 1_000_000),
        "endTimeUnixNano": str((T0 + 2000) * 1_000_000),
        "attributes": [
            {
                "key": "mlflow.chat.tokenUsage",
                "value": {
                    "stringValue": '{"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}'
                },
            }
        ],
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "svc"}}]}
    header = {"headers": {"x-mlflow-experiment-id": e}}

    def send(*items, **options):
        body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": items}]}]}
        s.call("POST", "/v1/traces", body, **{**header, **options})

    send(child, keep=False)
    s.get(f"traces/{t}", **v3)
    send(root, keep=False)
    s.get("traces/get", {"trace_id": t}, **v3)
    s.get("traces/batchGet", {"trace_ids": [t, "tr-none"]}, **v3)
    s.call("GET", "/ajax-api/3.0/mlflow/get-trace-artifact", params={"request_id": t})
    s.get("traces/get", {"trace_id": "tr-none"}, **v3)
    s.get("traces/get", **v3)
    location = [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": e}}]
    for text in [
        "span.name = 'root'",
        "span.name IN ('child', 'x')",
        "span.status = 'ERROR'",
        "span.status = 'ERROR' AND span.name = 'child'",
        "span.attributes.s LIKE '%x%'",
        "span.content LIKE '%child%'",
        "text LIKE '%nothing%'",
    ]:
        s.post("traces/search", {"locations": location, "filter": text}, **v3)
    send(root, headers={}, label="no experiment")
    s.call("POST", "/v1/traces", {}, label="no spans", **header)
    s.call("POST", "/v1/traces", data="{", label="half", **header)
    send(
        {**root, "traceId": uuid.uuid4().hex},
        headers={"x-mlflow-experiment-id": "99999999"},
        label="no such experiment",
    )
    s.call("GET", "/version")


SCENARIOS = [
    experiments,
    experiment_errors,
    experiment_search,
    runs,
    run_errors,
    metrics,
    histories,
    params,
    batches,
    inputs,
    run_search,
    registry,
    versions,
    registry_search,
    logged_models,
    artifacts,
    webhooks,
    traces,
    traces_of_two_steps,
    assessments,
    spans,
    server,
]
