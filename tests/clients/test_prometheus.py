# SPDX-License-Identifier: Apache-2.0
"""GET /metrics, read by Prometheus' own client library."""

import pathlib
import re
import threading
import urllib.error
import urllib.request

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from prometheus_client.parser import text_string_to_metric_families

GUIDE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "guide" / "prometheus.md"


def scrape(server):
    with urllib.request.urlopen(server.url + "/metrics", timeout=60) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        families = list(text_string_to_metric_families(answer.read().decode()))
    names = [family.name for family in families]
    assert len(names) == len(set(names)), "a family stands in one place"
    return {family.name: family for family in families}


def value(families, name, **labels):
    family = families[re.sub("_(total|bucket|sum|count)$", "", name)]
    return sum(sample.value for sample in family.samples
               if sample.name == name and labels.items() <= sample.labels.items())


def test_requests_are_counted_by_route(start_server):
    server = start_server()
    client = MlflowClient(server.url, server.url)
    route = {"method": "GET", "route": "/api/2.0/mlflow/runs/get"}
    runs = [client.create_run("0").info.run_id for _ in range(3)]
    for run in runs:
        client.get_run(run)
    with pytest.raises(MlflowException, match="RESOURCE_DOES_NOT_EXIST"):
        client.get_run("0" * 32)
    seen = scrape(server)
    assert value(seen, "ciclo_http_requests_total", status="200", **route) == 3
    assert value(seen, "ciclo_http_requests_total", status="404", **route) == 1
    name = "ciclo_http_request_duration_seconds"
    assert value(seen, name + "_count", **route) == 4
    assert value(seen, name + "_bucket", le="+Inf", **route) == 4
    assert value(seen, name + "_sum", **route) > 0
    assert value(seen, "ciclo_sql_transactions_total", engine="sqlite") >= 3
    assert value(seen, "process_resident_memory_bytes") > 1 << 20
    assert value(seen, "process_cpu_seconds_total") > 0


def test_paths_of_clients_make_no_series(start_server):
    server = start_server()
    for number in range(20):
        for path in (f"/no/such/{number}", f"/api/v1/runs/{number}"):
            try:
                urllib.request.urlopen(server.url + path, timeout=60)
            except urllib.error.HTTPError as error:
                assert error.code == 404
    seen = scrape(server)["ciclo_http_requests"].samples
    assert all(str(number) not in sample.labels["route"].split("/") for sample in seen
               for number in range(20))
    assert sum(sample.value for sample in seen if sample.labels["status"] == "404") == 40


def test_scrapes_beside_writers_never_go_back(start_server):
    server = start_server()
    client = MlflowClient(server.url, server.url)
    run = client.create_run("0").info.run_id

    def write():
        for step in range(200):
            client.log_metric(run, "beat", step, step=step)

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    route, before = {"route": "/api/2.0/mlflow/runs/log-metric"}, 0
    while any(writer.is_alive() for writer in writers):
        now = value(scrape(server), "ciclo_http_requests_total", **route)
        assert now >= before
        before = now
    for writer in writers:
        writer.join()
    assert value(scrape(server), "ciclo_http_requests_total", status="200", **route) == 800


def test_the_guide_lists_what_there_is(server):
    listed = set(re.findall(r"^\| `(\w+)` ", GUIDE.read_text(), re.MULTILINE))
    families = scrape(server).values()
    assert listed == {family.name + ("_total" if family.type == "counter" else "")
                      for family in families}
