# SPDX-License-Identifier: Apache-2.0
"""Webhooks through MLflow's client, to a receiver on loopback that checks what it gets."""

import base64
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import re
import socket
import sqlite3
import subprocess
import sys
import threading
import time

import mlflow
import pytest
import requests
from mlflow.entities.webhook import WebhookEvent
from mlflow.exceptions import MlflowException

SECRET = "a secret of ours"


class CountingServer(http.server.ThreadingHTTPServer):
    """Knows which connections it has taken, and how many of them have not ended."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *arguments):
        self.taken, self.open = set(), 0
        self.changed = threading.Condition()
        super().__init__(*arguments)

    def process_request(self, request, client_address):
        with self.changed:
            self.taken.add(client_address)
            self.open += 1
            self.changed.notify_all()
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        super().shutdown_request(request)
        with self.changed:
            self.open -= 1
            self.changed.notify_all()


class Receiver:
    """Answers POSTs with the statuses it is given, 200 after them, and keeps what came."""

    def __init__(self):
        self.statuses = []
        self.posts = []
        self.came = threading.Condition()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver.came:
                    status = receiver.statuses.pop(0) if receiver.statuses else 200
                    receiver.posts.append(
                        {
                            "path": self.path,
                            "headers": dict(self.headers),
                            "body": body,
                            "status": status,
                        }
                    )
                    receiver.came.notify_all()
                answer = b"seen"
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = CountingServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"

    def drain(self):
        """Until all that came from servers that were killed since has been answered. Connections
        are taken in order, this one as the last."""
        with socket.create_connection(self.server.server_address) as last:
            name = last.getsockname()
        with self.server.changed:
            assert self.server.changed.wait_for(
                lambda: name in self.server.taken and self.server.open == 0, 120
            )

    def wait(self, count, seconds=180):
        with self.came:
            assert self.came.wait_for(lambda: len(self.posts) >= count, seconds), self.told()
        return self.posts

    def told(self):
        """The entity, action and data of each post."""
        bodies = [json.loads(post["body"]) for post in self.posts]
        return [(f"{body['entity']}.{body['action']}", body["data"]) for body in bodies]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def open_server(start_server, monkeypatch):
    """Starts servers whose webhooks may reach loopback by http."""
    monkeypatch.setenv("CICLO_WEBHOOKS_ALLOW_HTTP", "true")
    monkeypatch.setenv("CICLO_WEBHOOKS_ALLOW_PRIVATE", "true")
    monkeypatch.setenv("CICLO_WEBHOOKS_BACKOFF_MS", "100")
    return start_server


def client_of(server):
    mlflow.set_tracking_uri(server.url)
    mlflow.set_registry_uri(server.url)
    return mlflow.MlflowClient()


def has_signature(post, secret=SECRET):
    headers = post["headers"]
    signed = (
        f"{headers['X-MLflow-Delivery-Id']}.{headers['X-MLflow-Timestamp']}.".encode()
        + post["body"]
    )
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return headers.get("X-MLflow-Signature") == "v1," + base64.b64encode(digest).decode()


def states(server):
    return {
        hook["name"]: hook for hook in requests.get(server.url + "/api/v1/webhooks").json()["items"]
    }


def wait_for_state(server, name, is_reached):
    """Until the webhook's state is as wanted: it is written after the receiver has answered."""
    end = time.monotonic() + 180
    while True:
        state = states(server)[name]
        if is_reached(state):
            return state
        assert time.monotonic() < end, state
        time.sleep(0.05)


ALL_EVENTS = [
    "registered_model.created",
    "model_version.created",
    "model_version_tag.set",
    "model_version_tag.deleted",
    "model_version_alias.created",
    "model_version_alias.deleted",
    "prompt.created",
    "prompt_version.created",
    "prompt_tag.set",
    "prompt_tag.deleted",
    "prompt_version_tag.set",
    "prompt_version_tag.deleted",
    "prompt_alias.created",
    "prompt_alias.deleted",
    "budget_policy.exceeded",
]


def test_every_call_of_the_client(open_server, receiver):
    client = client_of(open_server())
    made = client.create_webhook("all", receiver.url, ALL_EVENTS, description="d", secret=SECRET)
    assert (made.name, made.url, made.description, str(made.status)) == (
        "all",
        receiver.url,
        "d",
        "ACTIVE",
    )
    assert sorted(str(event) for event in made.events) == sorted(ALL_EVENTS)
    assert made.secret is None
    assert client.get_webhook(made.webhook_id).name == "all"
    second = client.create_webhook(
        "second", receiver.url, ["model_version.created"], status="DISABLED"
    )
    assert [hook.name for hook in client.list_webhooks()] == ["second", "all"]
    page = client.list_webhooks(max_results=1)
    assert [hook.name for hook in page] == ["second"] and page.token
    rest = client.list_webhooks(max_results=1, page_token=page.token)
    assert [hook.name for hook in rest] == ["all"] and not rest.token
    changed = client.update_webhook(
        second.webhook_id,
        name="third",
        events=["prompt_tag.set"],
        description="e",
        status="ACTIVE",
        url=receiver.url + "2",
    )
    assert (changed.name, changed.description, changed.url) == ("third", "e", receiver.url + "2")
    assert [str(event) for event in changed.events] == ["prompt_tag.set"]
    assert changed.last_updated_timestamp >= second.last_updated_timestamp
    result = client.test_webhook(made.webhook_id)
    assert (result.success, result.response_status, result.response_body) == (True, 200, "seen")
    for event in ALL_EVENTS:
        assert client.test_webhook(made.webhook_id, event=event).success
    assert [kind for kind, _ in receiver.told()][1:] == ALL_EVENTS
    assert all(has_signature(post) for post in receiver.posts)
    client.delete_webhook(second.webhook_id)
    for call in (client.get_webhook, client.delete_webhook, client.test_webhook):
        with pytest.raises(MlflowException, match="no webhook") as failure:
            call(second.webhook_id)
        assert failure.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_models_are_told_in_order_and_signed(open_server, receiver):
    server = open_server()
    client = client_of(server)
    client.create_webhook("models", receiver.url, ALL_EVENTS, secret=SECRET)
    client.create_registered_model("m", tags={"t": "ä"}, description="about")
    version = client.create_model_version("m", "s3://bucket/model", tags={"v": "1"})
    client.set_model_version_tag("m", "1", "key", "value")
    client.delete_model_version_tag("m", "1", "key")
    client.set_registered_model_alias("m", "champion", "1")
    client.delete_registered_model_alias("m", "champion")
    client.set_registered_model_tag("m", "no", "event")
    client.create_registered_model("last")
    receiver.wait(7)
    assert receiver.told() == [
        ("registered_model.created", {"name": "m", "tags": {"t": "ä"}, "description": "about"}),
        (
            "model_version.created",
            {
                "name": "m",
                "version": "1",
                "source": version.source,
                "run_id": None,
                "tags": {"v": "1"},
                "description": None,
            },
        ),
        ("model_version_tag.set", {"name": "m", "version": "1", "key": "key", "value": "value"}),
        ("model_version_tag.deleted", {"name": "m", "version": "1", "key": "key"}),
        ("model_version_alias.created", {"name": "m", "alias": "champion", "version": "1"}),
        ("model_version_alias.deleted", {"name": "m", "alias": "champion"}),
        ("registered_model.created", {"name": "last", "tags": {}, "description": ""}),
    ]
    uuid = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
    for post in receiver.posts:
        assert post["headers"]["Content-Type"] == "application/json"
        assert uuid.fullmatch(post["headers"]["X-MLflow-Delivery-Id"])
        assert abs(time.time() - int(post["headers"]["X-MLflow-Timestamp"])) < 600
        assert has_signature(post)
        assert not has_signature(post, "another secret")
        assert list(json.loads(post["body"])) == ["entity", "action", "timestamp", "data"]
    assert len({post["headers"]["X-MLflow-Delivery-Id"] for post in receiver.posts}) == 7
    wait_for_state(server, "models", lambda state: state["delivered"] == 7)


def test_prompts_have_events_of_their_own(open_server, receiver):
    client = client_of(open_server())
    client.create_webhook("prompts", receiver.url, ALL_EVENTS)
    entities = mlflow.entities.model_registry
    store = client._get_registry_client().store
    mark = {"mlflow.prompt.is_prompt": "true", "_mlflow_prompt_type": "text"}
    tags = {**mark, "k": "v"}
    store.create_registered_model(
        "p", [entities.RegisteredModelTag(key, value) for key, value in tags.items()]
    )
    tags["mlflow.prompt.text"] = "Hi {{name}}"
    store.create_model_version(
        "p",
        "prompt-template:x",
        tags=[entities.ModelVersionTag(key, value) for key, value in tags.items()],
    )
    store.set_registered_model_tag("p", entities.RegisteredModelTag("a", "b"))
    store.delete_registered_model_tag("p", "a")
    store.set_model_version_tag("p", "1", entities.ModelVersionTag("c", "d"))
    store.delete_model_version_tag("p", "1", "c")
    store.set_registered_model_alias("p", "live", "1")
    store.delete_registered_model_alias("p", "live")
    receiver.wait(8)
    assert receiver.told() == [
        ("prompt.created", {"name": "p", "tags": {"k": "v"}, "description": ""}),
        (
            "prompt_version.created",
            {
                "name": "p",
                "version": "1",
                "template": "Hi {{name}}",
                "tags": {"k": "v"},
                "description": None,
            },
        ),
        ("prompt_tag.set", {"name": "p", "key": "a", "value": "b"}),
        ("prompt_tag.deleted", {"name": "p", "key": "a"}),
        ("prompt_version_tag.set", {"name": "p", "version": "1", "key": "c", "value": "d"}),
        ("prompt_version_tag.deleted", {"name": "p", "version": "1", "key": "c"}),
        ("prompt_alias.created", {"name": "p", "alias": "live", "version": "1"}),
        ("prompt_alias.deleted", {"name": "p", "alias": "live"}),
    ]
    assert not any("X-MLflow-Signature" in post["headers"] for post in receiver.posts)


def test_tries_again_under_the_same_id_and_follows_no_redirect(open_server, receiver):
    server = open_server()
    client = client_of(server)
    client.create_webhook("busy", receiver.url, ["registered_model.created"])
    receiver.statuses = [503, 429, 200, 302]
    client.create_registered_model("one")
    client.create_registered_model("two")
    client.create_registered_model("three")
    receiver.wait(5)
    assert [data["name"] for _, data in receiver.told()] == ["one", "one", "one", "two", "three"]
    ids = [post["headers"]["X-MLflow-Delivery-Id"] for post in receiver.posts]
    assert len(set(ids[:3])) == 1 and len(set(ids)) == 3
    assert {post["path"] for post in receiver.posts} == {"/hook"}
    state = wait_for_state(server, "busy", lambda found: found["delivered"] == 2)
    assert (state["given_up"], state["last_status"]) == (1, 200)


@pytest.fixture
def endless_calls(monkeypatch):
    """A call may take five minutes, and what a dead server had claimed is free after ten: whoever
    waits for either waits longer than any test."""
    monkeypatch.setenv("CICLO_WEBHOOKS_TIMEOUT_MS", "300000")


def test_nothing_is_lost_when_the_server_is_killed_before_it_delivers(
    endless_calls, open_server, receiver, tmp_path
):
    server = open_server()
    client = client_of(server)
    client.create_webhook("kill", receiver.url, ["registered_model.created"], secret=SECRET)
    receiver.statuses = [503] * 100
    for number in range(5):
        client.create_registered_model(f"m{number}")
    receiver.wait(1)
    server.kill()
    receiver.drain()
    seen = len(receiver.posts)
    with receiver.came:
        receiver.statuses = []
    again = open_server()
    # It does not wait until what it had claimed in its former life is free again.
    wait_for_state(again, "kill", lambda state: state["delivered"] == 5)
    answered = [
        json.loads(post["body"])["data"]["name"] for post in receiver.posts if post["status"] == 200
    ]
    assert answered == [f"m{number}" for number in range(5)]
    assert all(has_signature(post) for post in receiver.posts)
    before = {post["headers"]["X-MLflow-Delivery-Id"] for post in receiver.posts[:seen]}
    assert before == {receiver.posts[seen]["headers"]["X-MLflow-Delivery-Id"]}


def test_a_receiver_that_does_not_answer_holds_up_nobody_else(
    endless_calls, open_server, receiver
):
    server = open_server()
    client = client_of(server)
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), http.server.BaseHTTPRequestHandler
    ) as silent:
        # It listens, and nobody accepts.
        client.create_webhook(
            "silent", f"http://127.0.0.1:{silent.server_address[1]}/", ["registered_model.created"]
        )
        client.create_webhook("quick", receiver.url, ["registered_model.created"])
        client.create_registered_model("m")
        receiver.wait(1)
        server.kill()


def test_a_disabled_webhook_is_told_nothing(open_server, receiver):
    client = client_of(open_server())
    hook = client.create_webhook(
        "off", receiver.url, ["registered_model.created"], status="DISABLED"
    )
    client.create_registered_model("unseen")
    client.update_webhook(hook.webhook_id, status="ACTIVE")
    client.create_registered_model("seen")
    receiver.wait(1)
    assert [data["name"] for _, data in receiver.told()] == ["seen"]


@pytest.mark.parametrize(
    "url, reason",
    [
        ("http://93.184.216.34/", "expected https"),
        ("ftp://93.184.216.34/", "expected https"),
        ("nonsense", "begin with a scheme"),
        ("https:///x", "name a host"),
        ("https://127.0.0.1/", "not public"),
        ("https://10.1.2.3/", "not public"),
        ("https://[::1]/", "not public"),
        ("https://169.254.169.254/latest/meta-data", "not public"),
        ("https://2130706433/", "not public"),
        ("https://0x7f.1/", "not public"),
        ("https://localhost/", "not public"),
        ("https://[::ffff:10.0.0.1]/", "not public"),
        ("https://93.184.216.34@10.0.0.1/", "no user"),
        ("https://h\\@10.0.0.1/", "backslash"),
    ],
)
def test_urls_that_reach_inside_are_refused(client, url, reason):
    with pytest.raises(MlflowException, match=reason) as failure:
        client.create_webhook("inside", url, ["model_version.created"])
    assert failure.value.error_code == "INVALID_PARAMETER_VALUE"


def test_what_was_allowed_once_is_not_reached_when_it_no_longer_is(
    open_server, receiver, monkeypatch
):
    server = open_server()
    client = client_of(server)
    hook = client.create_webhook("inside", receiver.url, ["model_version.created"])
    server.kill()
    monkeypatch.setenv("CICLO_WEBHOOKS_ALLOW_PRIVATE", "false")
    client = client_of(open_server())
    result = client.test_webhook(hook.webhook_id)
    assert not result.success
    assert "127.0.0.1 is not a public address" in result.error_message
    assert "hook" not in result.error_message  # the path may be what lets in
    assert receiver.posts == []


def test_a_secret_is_encrypted_under_the_key_and_never_shown(
    open_server, receiver, monkeypatch, tmp_path
):
    monkeypatch.setenv("CICLO_WEBHOOKS_SECRET_KEY", "0123456789abcdef" * 4)
    server = open_server()
    client = client_of(server)
    hook = client.create_webhook("sealed", receiver.url, ["model_version.created"], secret=SECRET)
    assert client.test_webhook(hook.webhook_id).success
    assert has_signature(receiver.posts[0])
    for path in (
        "/api/2.0/mlflow/webhooks",
        f"/api/2.0/mlflow/webhooks/{hook.webhook_id}",
        "/api/v1/webhooks",
    ):
        assert SECRET not in requests.get(server.url + path).text
    assert states(server)["sealed"]["signed"] is True
    server.stop()
    with sqlite3.connect(tmp_path / "root" / "ciclo.db") as database:
        kept = database.execute("SELECT secret FROM webhooks").fetchone()[0]
    database.close()
    assert kept.startswith("aes-256-gcm:") and SECRET not in kept
    assert SECRET not in (tmp_path / "server.log").read_text()
    monkeypatch.setenv("CICLO_WEBHOOKS_SECRET_KEY", "f" * 64)
    client = client_of(open_server())
    result = client.test_webhook(hook.webhook_id)
    assert not result.success and "another key" in result.error_message
    assert len(receiver.posts) == 1


def test_the_receiver_of_the_guide_tells_what_came_once(open_server):
    program = pathlib.Path(__file__).parents[2] / "examples" / "webhooks" / "receiver.py"
    process = subprocess.Popen(
        [sys.executable, str(program), "0"],
        stdout=subprocess.PIPE,
        env={**os.environ, "SECRET": SECRET},
        text=True,
    )
    try:
        url = process.stdout.readline().split()[-1]
        client = client_of(open_server())
        events = ["model_version_alias.created"]
        stranger = client.create_webhook("stranger", url, events, secret="another")
        assert client.test_webhook(stranger.webhook_id).response_status == 401
        client.delete_webhook(stranger.webhook_id)
        hook = client.create_webhook("releases", url, events, secret=SECRET)
        assert client.test_webhook(hook.webhook_id).success
        client.create_registered_model("flights")
        client.create_model_version("flights", "s3://models/flights")
        client.set_registered_model_alias("flights", "champion", "1")
        example = {"name": "example", "alias": "example", "version": "1"}
        told = {"name": "flights", "alias": "champion", "version": "1"}
        assert [process.stdout.readline().split(" ", 1) for _ in range(2)] == [
            [events[0], json.dumps(data) + "\n"] for data in (example, told)
        ]
    finally:
        process.kill()
        process.wait()


def test_bad_events_are_named(url):
    body = {"name": "x", "url": "https://93.184.216.34/"}
    for event, reason in [
        ({"entity": "NONSENSE", "action": "CREATED"}, "nonsense"),
        ({"entity": "REGISTERED_MODEL", "action": "DELETED"}, "deleted"),
        ({}, "entity"),
    ]:
        answer = requests.post(url + "/api/2.0/mlflow/webhooks", json={**body, "events": [event]})
        assert answer.status_code == 400
        assert reason in answer.json()["message"]
    assert WebhookEvent.from_str("prompt.created")
