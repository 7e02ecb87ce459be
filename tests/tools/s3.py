#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A real S3-compatible store for tests: a fresh server on loopback ports, gone at the end.

s3.py run -- COMMAND…   starts a server, makes a bucket, runs COMMAND, stops the server, exits as
                        COMMAND did

The server is SeaweedFS, pinned in third_party/lock.json and fetched when it is missing. It refuses
wrong secrets and signatures. COMMAND finds in its environment

CICLO_TEST_S3_URL           s3://BUCKET?endpoint=…&region=…
CICLO_TEST_S3_ENDPOINT      http://127.0.0.1:PORT
CICLO_TEST_S3_BUCKET        the bucket's name
CICLO_TEST_S3_ACCESS_KEY    and
CICLO_TEST_S3_SECRET_KEY    of a user who may do everything

Nothing is named AWS_…, so that only what asks for this store uses it.
"""

import argparse
import ctypes
import json
import os
import pathlib
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / ".tools" / "seaweedfs" / "weed"
BUCKET = "ciclo-test"
REGION = "us-east-1"
START_SECONDS_MAX = 120
PR_SET_PDEATHSIG = 1


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("run").add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        parser.error("run needs a command")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    fetch_program()
    return run(command)


def fetch_program() -> None:
    """Asks no network when the pinned version is there."""
    fetch = [sys.executable, ROOT / "tools" / "fetch.py", ROOT / "third_party" / "lock.json",
             ROOT / ".tools", "seaweedfs"]
    if subprocess.run(fetch, stdout=sys.stderr, check=False).returncode != 0:
        sys.exit("s3.py: the S3 server could not be fetched; the line above says why")
    PROGRAM.chmod(0o755)


def run(command: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="ciclo-s3.") as folder_name:
        folder = pathlib.Path(folder_name)
        keys = (secrets.token_hex(8).upper(), secrets.token_urlsafe(24) + "/+")
        server, port = start(folder, keys)
        try:
            endpoint = f"http://127.0.0.1:{port}"
            make_bucket(server, endpoint, keys, folder / "server.log")
            environment = dict(os.environ)
            environment["CICLO_TEST_S3_URL"] = (
                f"s3://{BUCKET}?endpoint={endpoint}&region={REGION}")
            environment["CICLO_TEST_S3_ENDPOINT"] = endpoint
            environment["CICLO_TEST_S3_BUCKET"] = BUCKET
            environment["CICLO_TEST_S3_ACCESS_KEY"], environment["CICLO_TEST_S3_SECRET_KEY"] = keys
            return subprocess.run(command, env=environment, check=False).returncode
        finally:
            server.kill()
            server.wait()


def start(folder: pathlib.Path, keys: tuple[str, str]) -> tuple[subprocess.Popen, int]:
    """Master, volume, filer and S3 gateway in one process; all on loopback."""
    data = folder / "data"
    data.mkdir()
    users = folder / "users.json"
    users.write_text(json.dumps({"identities": [{
        "name": "ciclo", "credentials": [{"accessKey": keys[0], "secretKey": keys[1]}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}))
    names = ["master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port",
             "filer.port.grpc", "s3.port", "s3.port.grpc"]
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    command = [PROGRAM, "-logtostderr", "server", f"-dir={data}", "-ip=127.0.0.1",
               "-ip.bind=127.0.0.1", "-filer", "-s3", f"-s3.config={users}",
               "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.volumeSizeLimitMB=512",
               "-volume.max=50", "-master.telemetry=false", f"-s3.localSocket={folder}/s3.sock",
               f"-filer.localSocket={folder}/filer.sock"]
    command += [f"-{name}={port}" for name, port in ports.items()]
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                  cwd=folder, env={**os.environ, "TMPDIR": str(folder)},
                                  start_new_session=True, preexec_fn=end_with_parent)
    return server, ports["s3.port"]


def make_bucket(server: subprocess.Popen, endpoint: str, keys: tuple[str, str],
                log: pathlib.Path) -> None:
    """The server is ready when this succeeds. curl signs the request."""
    request = ["curl", "-s", "-o", os.devnull, "-w", "%{http_code}", "-X", "PUT", "--config", "-",
               "--aws-sigv4", f"aws:amz:{REGION}:s3", f"{endpoint}/{BUCKET}"]
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and server.poll() is None:
        answer = subprocess.run(request, input=f'user = "{keys[0]}:{keys[1]}"\n', text=True,
                                capture_output=True, check=False)
        if answer.stdout == "200":
            return
        time.sleep(0.1)
    sys.exit(f"s3.py: the server did not start:\n{log.read_text()[-4000:]}")


def end_with_parent() -> None:
    """A killed test run leaves no server behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


if __name__ == "__main__":
    sys.exit(main())
