# SPDX-License-Identifier: Apache-2.0
"""No name of an artifact leads out of the tree: each way to send one, each way to spell it."""

import http.client
import json
import os
import pathlib
import urllib.parse

import mlflow
import pytest
import requests

# What stands in the target of a request, as it is sent.
HOSTILE = {
    "parent": "../escape",
    "parent_far": "../../../../escape",
    "parent_inside": "a/../../escape",
    "parent_at_the_end": "a/..",
    "parent_encoded": "%2e%2e/escape",
    "parent_encoded_mixed": ".%2E/escape",
    "slash_encoded": "..%2fescape",
    "encoded_twice": "%252e%252e/escape",
    "encoded_twice_slash": "..%252fescape",
    "encoded_thrice": "%25252e%25252e%25252fescape",
    "absolute": "/etc/passwd",
    "absolute_encoded": "%2Fetc%2Fpasswd",
    "two_slashes": "//etc/passwd",
    "backslash": "..%5cescape",
    "backslash_inside": "a%5C..%5C..%5Cescape",
    "drive": "C%3A/escape",
    "drive_relative": "c%3Aescape",
    "nul": "a%00b",
    "nul_then_ending": "escape%00.txt",
    "line_break": "a%0Ab",
    "overlong_utf8": "%c0%ae%c0%ae/escape",
    "no_utf8": "%ff%fe",
    "long_part": "a" * 256,
    "long_path": "a/" * 600 + "b",
    "broken_escape": "%zz",
}


class Place:
    """A server whose root stands in a folder that must not change, beside a file to steal."""

    def __init__(self, server, folder):
        self.folder = folder
        self.url = server.url
        self.root = folder / "root"
        self.secret = folder / "escape"
        self.secret.write_text("the secret")
        run = self.post("runs/create", {"experiment_id": "0"})["run"]["info"]
        self.run = run["run_id"]
        self.artifacts = f"0/{self.run}/artifacts"
        self.upload("kept.txt")
        model = self.post("logged-models", {"experiment_id": "0", "name": "m"})
        self.model = model["model"]["info"]["model_id"]
        self.post("registered-models/create", {"name": "m"})
        self.post(
            "model-versions/create",
            {"name": "m", "run_id": self.run, "source": run["artifact_uri"]},
        )
        self.before = self.outside()

    def post(self, path, body):
        answer = requests.post(f"{self.url}/api/2.0/mlflow/{path}", json=body, timeout=120)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def upload(self, name, data=b"kept"):
        target = f"{self.url}/api/2.0/mlflow-artifacts/artifacts/{self.artifacts}/{name}"
        assert requests.put(target, data=data, timeout=120).status_code == 200

    def send(self, method, target, body=b""):
        """Sends the target as it is: HTTP libraries would normalise it."""
        place = urllib.parse.urlsplit(self.url)
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=120)
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            connection.putheader("Content-Type", "application/json")
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def outside(self):
        """Everything but the database and the blobs, whose names are hashes."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            place = path.relative_to(self.folder).as_posix()
            if place.startswith(("root/ciclo.db", "root/blobs/objects/")) or place == "server.log":
                continue
            is_file = path.is_file() and not path.is_symlink()
            found[place] = path.read_bytes() if is_file else None
        return found

    def check_untouched(self):
        assert self.outside() == self.before
        listed = requests.get(
            f"{self.url}/api/2.0/mlflow/artifacts/list", params={"run_id": self.run}, timeout=120
        ).json()["files"]
        assert [file["path"] for file in listed] == ["kept.txt"]
        for path in (self.root / "blobs" / "objects").rglob("*"):
            parts = path.relative_to(self.root / "blobs" / "objects").parts
            assert [len(part) for part in parts] in ([2], [2, 62]), path


@pytest.fixture
def place(start_server, tmp_path):
    return Place(start_server(), tmp_path)


PROXY = "/api/2.0/mlflow-artifacts/"
API = "/api/2.0/mlflow/"

# (name, method, target with the path as {}, body): all that takes the path of an artifact.
WAYS = {
    "upload": ("PUT", PROXY + "artifacts/{artifacts}/{}", b"written"),
    "upload_at_the_root": ("PUT", PROXY + "artifacts/{}", b"written"),
    "upload_ajax": ("PUT", "/ajax-api/2.0/mlflow-artifacts/artifacts/{artifacts}/{}", b"written"),
    "download": ("GET", PROXY + "artifacts/{artifacts}/{}", b""),
    "download_at_the_root": ("GET", PROXY + "artifacts/{}", b""),
    "delete": ("DELETE", PROXY + "artifacts/{artifacts}/{}", b""),
    "delete_at_the_root": ("DELETE", PROXY + "artifacts/{}", b""),
    "list": ("GET", PROXY + "artifacts?path={}", b""),
    "list_of_run": ("GET", API + "artifacts/list?run_id={run}&path={}", b""),
    "upload_artifact": (
        "POST",
        "/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path={}",
        b"written",
    ),
    "get_artifact": ("GET", "/get-artifact?run_id={run}&path={}", b""),
    "get_artifact_of_version": (
        "GET",
        "/model-versions/get-artifact?name=m&version=1&path={}",
        b"",
    ),
    "model_file": (
        "GET",
        "/ajax-api/2.0/mlflow/logged-models/{model}/artifacts/files?artifact_file_path={}",
        b"",
    ),
    "model_directory": (
        "GET",
        API + "logged-models/{model}/artifacts/directories?artifact_directory_path={}",
        b"",
    ),
}


# Below a directory these are names like others: an empty part is dropped, "C:" is no drive.
ONLY_AT_THE_ROOT = {"absolute", "absolute_encoded", "two_slashes", "drive", "drive_relative"}


@pytest.mark.parametrize("way", WAYS)
def test_a_hostile_path_is_refused(place, way):
    method, target, body = WAYS[way]
    for spelling, path in HOSTILE.items():
        if "{artifacts}/{}" in target and spelling in ONLY_AT_THE_ROOT:
            continue
        sent = target.replace("{artifacts}", place.artifacts).replace("{run}", place.run)
        sent = sent.replace("{model}", place.model).replace("{}", path)
        status, answer = place.send(method, sent, body)
        assert status == 400, (spelling, status, answer[:300])
        assert json.loads(answer), spelling
        assert b"secret" not in answer and b"root:" not in answer, spelling
        assert b"SELECT" not in answer and str(place.folder).encode() not in answer, spelling
    place.check_untouched()


@pytest.mark.parametrize("spelling", sorted(ONLY_AT_THE_ROOT))
def test_what_is_hostile_at_the_root_only_stays_below_a_directory(place, spelling):
    target = f"{PROXY}artifacts/{place.artifacts}/{HOSTILE[spelling]}"
    assert place.send("PUT", target, b"written")[0] == 200
    assert place.send("GET", target) == (200, b"written")
    assert place.send("DELETE", target)[0] == 200
    listed = requests.get(place.url + PROXY + "artifacts", params={"path": ""}, timeout=120).json()
    assert [file["path"] for file in listed["files"]] == ["0"]
    assert place.outside() == place.before


@pytest.mark.parametrize("step", ["create", "complete", "abort"])
def test_an_upload_in_parts_has_no_hostile_path(place, step):
    for spelling, path in HOSTILE.items():
        body = json.dumps({"path": path, "num_parts": 2, "upload_id": "u", "parts": []}).encode()
        status, answer = place.send("POST", f"{PROXY}mpu/{step}/{path}", body)
        # 501: the store of this server takes no upload in parts, whatever the path.
        assert status in (400, 501), (spelling, status, answer[:300])
    place.check_untouched()


@pytest.mark.parametrize("direction", ["upload", "download"])
def test_no_url_is_signed_for_a_hostile_path(place, direction):
    for spelling, path in HOSTILE.items():
        decoded = urllib.parse.unquote(path, errors="replace")
        body = json.dumps({"run_id": place.run, "path": decoded}).encode()
        status, answer = place.send("POST", f"{API}artifacts/presigned-{direction}-url", body)
        assert status == 400, (spelling, status, answer[:300])
        if direction == "download":
            status, answer = place.send("GET", f"{PROXY}presigned/{path}")
            assert status in (400, 501), (spelling, status, answer[:300])
    place.check_untouched()


@pytest.mark.parametrize(
    "source",
    [
        "mlflow-artifacts:/0/{run}/artifacts/../../../escape",
        "mlflow-artifacts:/0/{run}/artifacts/%2e%2e/escape",
        "mlflow-artifacts:/../escape",
        "mlflow-artifacts://host/../escape",
        "../escape",
        "/etc/passwd",
        "file:///etc/passwd",
        "file://{run}/../escape",
        "s3://bucket/../escape",
        "s3://bucket/%252E%252e%252fescape",
        "s3://bucket/a%00b",
        "models:/m/../escape",
    ],
)
def test_a_version_has_no_hostile_source(place, source):
    source = source.replace("{run}", place.run)
    for run in ({"run_id": place.run}, {}):
        body = json.dumps({"name": "m", "source": source, **run}).encode()
        status, answer = place.send("POST", API + "model-versions/create", body)
        assert status in (400, 404), (status, answer[:300])
    place.check_untouched()


@pytest.mark.parametrize(
    "location",
    [
        "mlflow-artifacts:/../escape",
        "mlflow-artifacts:/a/%2e%2e/escape",
        "mlflow-artifacts:/a\\..\\escape",
    ],
)
def test_artifacts_of_an_experiment_stay_in_the_tree(place, location):
    body = json.dumps({"name": "hostile", "artifact_location": location}).encode()
    status, answer = place.send("POST", API + "experiments/create", body)
    if status == 200:
        experiment = json.loads(answer)["experiment_id"]
        run = place.post("runs/create", {"experiment_id": experiment})["run"]["info"]["run_id"]
        upload = f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path=a"
        status, answer = place.send("POST", upload, b"written")
    assert status == 400, answer[:300]
    place.check_untouched()


def test_a_link_below_the_root_is_not_followed(place):
    """The tree of names is not the tree of folders: nothing on the disk has an artifact's name."""
    for folder in (place.root, place.root / "blobs", place.root / "blobs" / "tmp"):
        os.symlink(place.folder, folder / "link")
    place.before = place.outside()
    for name in ("link/escape", "blobs/link/escape", "root/link/escape"):
        for method, body in (("GET", b""), ("DELETE", b"")):
            status, answer = place.send(method, f"{PROXY}artifacts/{name}", body)
            assert (status, b"secret" in answer) in ((404, False), (200, False)), (method, name)
        assert place.send("PUT", f"{PROXY}artifacts/{name}", b"written")[0] == 200
        assert place.send("GET", f"{PROXY}artifacts/{name}") == (200, b"written")
        assert place.send("DELETE", f"{PROXY}artifacts/{name}")[0] == 200
    assert place.secret.read_text() == "the secret"
    place.check_untouched()


def test_a_link_in_the_place_of_a_blob_is_not_read(place):
    (blob,) = [path for path in (place.root / "blobs" / "objects").rglob("*") if path.is_file()]
    blob.unlink()
    os.symlink(place.secret, blob)
    target = f"{PROXY}artifacts/{place.artifacts}/kept.txt"
    status, answer = place.send("GET", target)
    assert (status, b"secret" in answer) == (500, False), answer[:300]
    assert json.loads(answer)["error_code"] == "DATA_LOSS"
    # Written again, it is whole again, and what the link leads to is as it was.
    place.upload("kept.txt")
    assert place.send("GET", target) == (200, b"kept")
    assert place.secret.read_text() == "the secret"


def test_links_in_a_folder_are_uploaded_as_what_they_lead_to(place, tmp_path):
    """The client follows them; the server sees names and bytes."""
    source = tmp_path / "elsewhere"
    source.mkdir()
    (source / "real.txt").write_text("real")
    os.symlink(source / "real.txt", source / "link.txt")
    client = mlflow.MlflowClient(tracking_uri=place.url)
    client.log_artifacts(place.run, str(source), "folder")
    down = pathlib.Path(client.download_artifacts(place.run, "folder", str(tmp_path)))
    assert {path.name: path.read_text() for path in down.iterdir()} == {
        "real.txt": "real",
        "link.txt": "real",
    }
    assert not any(path.is_symlink() for path in down.iterdir())
