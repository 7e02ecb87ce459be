# SPDX-License-Identifier: Apache-2.0
"""What no client sends: malformed calls, hostile paths, and a server that is killed."""

import concurrent.futures
import json
import socket
import urllib.parse

import pytest
import requests


def post(url, path, body, **options):
    data = body if isinstance(body, (bytes, str)) else json.dumps(body)
    return requests.post(f"{url}/api/2.0/mlflow/{path}", data=data, timeout=120,
                         headers={"Content-Type": "application/json"}, **options)


def new_run(url):
    return post(url, "runs/create", {"experiment_id": "0"}).json()["run"]["info"]["run_id"]


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"run_id": 5}', b'{"run_id": ""}', b"[" * 100000,
    b'{"run_id": "' + b"x" * 5000 + b'"}',
])
def test_malformed_bodies_are_refused_with_a_message(url, body):
    answer = post(url, "runs/log-batch", body)
    assert answer.status_code in (400, 404)
    assert answer.json()["error_code"] in ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST",
                                           "BAD_REQUEST")
    assert "SELECT" not in answer.text and "sqlite" not in answer.text.lower()


def send_raw(url, target, method="GET"):
    """The target goes out as it is: HTTP libraries would normalise it."""
    place = urllib.parse.urlsplit(url)
    with socket.create_connection((place.hostname, place.port), timeout=120) as connection:
        connection.sendall(f"{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
                           "Connection: close\r\n\r\n".encode())
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return int(answer.split()[1]), answer


@pytest.mark.parametrize("path", [
    "../../etc/passwd", "..%2f..%2fetc/passwd", "%2e%2e/%2e%2e/etc/passwd", "%252e%252e/x",
    "a/../../b", "%2fetc%2fpasswd", "/etc/passwd", "a%00b", "a%5c..%5cb", "C:%5cx", "a" * 2000,
])
def test_artifact_paths_cannot_leave_the_tree(url, path):
    for method in ("GET", "PUT", "DELETE"):
        status, answer = send_raw(url, f"/api/2.0/mlflow-artifacts/artifacts/{path}", method)
        assert status in (400, 404), (method, answer[:200])
        assert b"root:" not in answer


def test_ranges_and_headers_of_an_artifact(url):
    target = f"{url}/api/2.0/mlflow-artifacts/artifacts/raw/file.html"
    assert requests.put(target, data=b"<script>0123456789", timeout=120).status_code == 200
    whole = requests.get(target, timeout=120)
    assert whole.content == b"<script>0123456789"
    assert whole.headers["X-Content-Type-Options"] == "nosniff"
    assert whole.headers["Content-Disposition"].startswith("attachment")
    part = requests.get(target, headers={"Range": "bytes=8-10"}, timeout=120)
    assert (part.status_code, part.content) == (206, b"012")
    again = requests.get(target, headers={"If-None-Match": whole.headers["ETag"]}, timeout=120)
    assert again.status_code == 304
    assert requests.head(target, timeout=120).headers["Content-Length"] == "18"


def test_a_large_artifact_streams(url):
    target = f"{url}/api/2.0/mlflow-artifacts/artifacts/raw/large.bin"
    piece = bytes(range(256)) * 4096
    answer = requests.put(target, data=(piece for _ in range(64)), timeout=120)
    assert answer.status_code == 200, answer.text
    size = 0
    with requests.get(target, stream=True, timeout=120) as down:
        for block in down.iter_content(1 << 20):
            assert block == (piece * 2)[size % len(piece):][:len(block)]
            size += len(block)
    assert size == 64 * len(piece)


def test_every_metric_that_was_answered_survives_kill_9(start_server):
    """Four clients log until the server is killed; what was answered 200 is there afterwards."""
    server = start_server()
    run = new_run(server.url)
    acknowledged = 0
    stop = 150

    def write(worker):
        done = []
        with requests.Session() as session:
            for step in range(10_000):
                body = {"run_id": run, "metrics": [
                    {"key": f"m{worker}", "value": step, "timestamp": 1, "step": step}]}
                try:
                    answer = session.post(f"{server.url}/api/2.0/mlflow/runs/log-batch",
                                          json=body, timeout=120)
                except requests.RequestException:
                    return done
                assert answer.status_code == 200, answer.text
                done.append(step)
                if worker == 0 and step == stop:
                    server.kill()
        return done

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answered = list(pool.map(write, range(4)))
    server = start_server()
    for worker, steps in enumerate(answered):
        history = requests.get(f"{server.url}/api/2.0/mlflow/metrics/get-history", timeout=120,
                               params={"run_id": run, "metric_key": f"m{worker}"}).json()
        kept = [point["step"] for point in history.get("metrics", [])]
        assert kept[:len(steps)] == steps
        # At most the one request that was under way.
        assert len(kept) <= len(steps) + 1
        acknowledged += len(steps)
    assert acknowledged > stop
