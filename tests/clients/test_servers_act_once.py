# SPDX-License-Identifier: Apache-2.0
"""What two servers on one database and bucket do on their own, they do once, also when one of them
is killed; and what both have answered is watched as one traffic."""

import collections
import concurrent.futures
import datetime
import time

import pytest
import requests
from test_two_servers import client_of, get, submit, wait_until
from test_webhooks import Receiver

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
ROWS_A_DAY = 240

PROJECT = """\
project: shared
data:
  numbers: {files: numbers.csv}
table: {from: numbers, time: at}
target: {column: y, task: binary}
split: {by: time, validation: 0.2, test: 0.2}
features: {columns: [a, b]}
train:
  learner: xgboost
  parameters: {rounds: 20, max_depth: 2}
deploy: {endpoint: shared}
monitor: {window: 1d, lateness: 1h, for: 1, rows_min: 50}
retrain: {on: [drift], window: 60d, test: 1d}
"""


@pytest.fixture
def servers(bucket, database, start_server_with):
    environment = {**bucket.environment, "CICLO_CAPTURE_SHARE_INTERVAL_MS": "200",
                   "CICLO_MONITOR_POLL_MS": "100", "CICLO_WEBHOOKS_ALLOW_HTTP": "true",
                   "CICLO_WEBHOOKS_ALLOW_PRIVATE": "true", "CICLO_WEBHOOKS_BACKOFF_MS": "100"}
    return [start_server_with("--blobs", bucket.url, "--database", database,
                              environment=environment) for _ in range(2)]


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


def post(server, path, body, **headers):
    answer = requests.post(server.url + path, json=body, headers=headers, timeout=120)
    assert answer.status_code == 200, (path, answer.status_code, answer.text)
    return answer.json()


def start_of(day):
    moment = datetime.datetime.fromisoformat(day).replace(tzinfo=datetime.timezone.utc)
    return int(moment.timestamp() * 1000)


def project_in(folder):
    """Forty days of rows: a and b are uniform, and y tells whether their sum is over 1."""
    lines = ["at,a,b,y"]
    for i in range(800):
        a, b = i * 7919 % 1000 / 1000, i * 1047 % 997 / 997
        at = datetime.datetime(2024, 1, 1) + datetime.timedelta(minutes=72 * i)
        lines.append(f"{at.isoformat()},{a},{b},{int((a + b > 1) != (i % 7 == 0))}")
    folder.mkdir()
    (folder / "numbers.csv").write_text("\n".join(lines) + "\n")
    (folder / "ciclo.yaml").write_text(PROJECT)
    return folder


def row(i, shift):
    return {"a": i * 7919 % 1000 / 1000 + shift, "b": i * 1047 % 997 / 997}


def predict(servers, day_ms, numbers, shift):
    """One row after the other, by turns to each server; gives what each row is called."""
    for i in numbers:
        post(servers[i % 2], "/endpoints/shared/invocations",
             {"dataframe_records": [row(i, shift)]},
             **{"x-ciclo-inference-id": f"{day_ms}-{i}",
                "x-ciclo-event-time-ms": str(day_ms + i * DAY_MS // ROWS_A_DAY)})


def label_elsewhere(servers, day_ms, numbers):
    """The label of each row goes to the server that did not predict it."""
    for server in (0, 1):
        labels = [{"inference_id": f"{day_ms}-{i}", "label": i % 3 % 2,
                   "time_ms": day_ms + DAY_MS} for i in numbers if i % 2 != server]
        post(servers[server], "/api/v1/endpoints/shared/labels", {"labels": labels})


def seen(server, day_ms):
    found = get(server, f"/api/v1/endpoints/shared/performance?from_ms={day_ms}"
                        f"&to_ms={day_ms + DAY_MS}")
    return found["rows"], found["labels"]


def triggered(server):
    runs = get(server, "/api/v1/pipeline-runs?limit=100")["items"]
    return [run for run in runs if run["cause"].get("kind") == "trigger"]


def test_the_traffic_of_both_is_one_and_what_it_starts_is_started_once(servers, receiver, program,
                                                                       tmp_path):
    one, other = servers
    client_of(other).create_webhook("versions", receiver.url, ["model_version.created"])
    run = submit(program, project_in(tmp_path / "shared"), other)
    wait_until(lambda: get(one, f"/api/v1/pipeline-runs/{run}")["state"] == "succeeded",
               "the project has run")
    wait_until(lambda: all("signature" in get(server, "/api/v1/endpoints/shared")
                           for server in servers), "both serve")
    day = start_of("2024-02-12")
    every = range(ROWS_A_DAY)
    predict(servers, day, every, shift=5.0)
    label_elsewhere(servers, day, every)
    for server in servers:
        wait_until(lambda server=server: seen(server, day) == (ROWS_A_DAY, ROWS_A_DAY),
                   "each server knows the rows and labels of both")
    # Each hour of the next day moves the watermark; the window closes an hour into it.
    predict(servers, day + DAY_MS, range(30), shift=5.0)
    wait_until(lambda: len(triggered(other)) > 0, "a retraining was started")
    one.kill()
    started = triggered(other)[0]["pipeline_run_id"]
    wait_until(lambda: get(other, f"/api/v1/pipeline-runs/{started}")["state"] == "succeeded",
               "the other has taken the retraining over")
    window, = get(other, "/api/v1/endpoints/shared/windows")["items"]
    assert (window["rows"], window["is_drifted"], window["start_ms"]) == (ROWS_A_DAY, True, day)
    alerts = get(other, "/api/v1/alerts?endpoint=shared")["items"]
    assert [alert["kind"] for alert in alerts] == ["drift.detected"]
    assert len(triggered(other)) == 1
    trigger, = [each for each in get(other, "/api/v1/triggers")["items"]
                if each["name"] == "shared.drift"]
    assert (trigger["runs"], trigger["passed"]) == (1, 0)
    # The first version and that of the retraining, which learned from the rows of both.
    versions = client_of(other).search_model_versions("name='shared'")
    assert sorted(int(version.version) for version in versions) == [1, 2]
    deployed = get(other, "/api/v1/endpoints/shared/deployments")["items"]
    assert [d["version"] for d in deployed] == ["2", "1"]
    collected, = [step for step in get(other, f"/api/v1/pipeline-runs/{started}")["steps"]
                  if step["name"] == "collect"]
    assert collected["outputs"][0]["properties"]["live_rows"] == ROWS_A_DAY
    # What the killed one had begun to tell may come twice.
    wait_until(lambda: {data["version"] for _, data in receiver.told()} == {"1", "2"},
               "both versions were told")
    told = [data["version"] for _, data in receiver.told()]
    by_delivery = collections.Counter(p["headers"]["X-MLflow-Delivery-Id"] for p in receiver.posts)
    assert sorted(set(told)) == ["1", "2"] and len(by_delivery) == 2, (told, by_delivery)
    # A wider look: what the killed server answered is still all there.
    assert seen(other, day) == (ROWS_A_DAY, ROWS_A_DAY)


def test_webhooks_are_told_once_of_each_event_by_whichever_server(servers, receiver):
    clients = [client_of(server) for server in servers]
    clients[0].create_registered_model("m")
    clients[1].create_webhook("versions", receiver.url, ["model_version.created"])

    def register(i):
        return clients[i % 2].create_model_version("m", f"s3://elsewhere/{i}").version

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        made = sorted(int(version) for version in pool.map(register, range(40)))
    posts = receiver.wait(40)
    told = [int(data["version"]) for _, data in receiver.told()]
    assert sorted(told) == made == list(range(1, 41))
    assert len({p["headers"]["X-MLflow-Delivery-Id"] for p in posts}) == 40
    # Killed in the middle: what it had begun may come again under its id, nothing is left out.
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        later = [pool.submit(clients[1].create_model_version, "m", f"s3://later/{i}")
                 for i in range(40)]
        servers[0].kill()
        for call in later:
            call.result()
    ids = {}
    wait_until(lambda: len({data["version"] for _, data in receiver.told()}) == 80,
               "all events were delivered")
    for delivered, (_, data) in zip(list(receiver.posts), receiver.told(), strict=False):
        ids.setdefault(data["version"], set()).add(delivered["headers"]["X-MLflow-Delivery-Id"])
    assert all(len(of_version) == 1 for of_version in ids.values()), ids


def test_both_remove_what_is_deleted_and_it_goes_once(servers):
    """As when both servers' retention.deleted is due at the same time."""
    one, other = (client_of(server) for server in servers)
    experiment = one.create_experiment("to be tidied")
    kept, removed = [], []
    for i in range(60):
        run = one.create_run(experiment).info.run_id
        requests.put(f"{servers[i % 2].url}/api/2.0/mlflow-artifacts/artifacts/{experiment}/{run}"
                     "/artifacts/shared", data=f"by ten, {i // 10}", timeout=120)
        (kept if i % 3 == 0 else removed).append(run)
    for run in removed:
        other.delete_run(run)

    def collect(server):
        begun = post(server, "/api/v1/gc", {"older_than_ms": 0, "grace_ms": 120_000})
        while True:
            now = get(server, f"/api/v1/gc/{begun['collection_id']}")
            if now["state"] != "running":
                return now
            time.sleep(0.05)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        ends = [pool.submit(collect, server) for server in servers]
        written = [pool.submit(one.log_metric, run, "m", 1.0) for run in kept]
        ended = [end.result() for end in ends]
        for call in written:
            call.result()
    assert [end["state"] for end in ended] == ["succeeded"] * 2, ended
    assert sum(end["report"]["runs"] for end in ended) == len(removed), ended
    told = collections.Counter()
    after = 0
    while True:
        page = get(servers[0], f"/api/v1/events?after={after}&limit=100")["items"]
        if not page:
            break
        told.update(event["subject"] for event in page if event["kind"] == "run.removed")
        after = page[-1]["cursor"]
    assert told == collections.Counter(removed)
    found = other.search_runs([experiment], run_view_type=3, max_results=1000)
    assert sorted(run.info.run_id for run in found) == sorted(kept)
    for run in kept:
        file = requests.get(f"{servers[1].url}/api/2.0/mlflow-artifacts/artifacts/{experiment}/"
                            f"{run}/artifacts/shared", timeout=120)
        assert file.status_code == 200 and file.text.startswith("by ten"), file.text
