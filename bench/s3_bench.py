#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""s3_bench.py PROGRAM: artifacts in an S3 store through the server, beside curl and the store.

The store is SeaweedFS on this machine (tests/tools/s3.py). A file of 100 MiB goes up and comes down
as a client of MLflow moves it, through the server; first down from the store by a server that has
no copy of it yet, then from its cache. curl signs and sends the same file to the store. The median
of five; each time another file, so that nothing is deduplicated.
"""

import http.client
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

from mlflow_servers import ROOT, Server, free_port

FILE_BYTES = 100 << 20
TIMES = 5
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts/bench/"


def start(program, root):
    port = free_port()
    environment = {"AWS_ACCESS_KEY_ID": os.environ["CICLO_TEST_S3_ACCESS_KEY"],
                   "AWS_SECRET_ACCESS_KEY": os.environ["CICLO_TEST_S3_SECRET_KEY"]}
    command = [program, "server", "--listen", f"127.0.0.1:{port}", "--root", str(root),
               "--blobs", os.environ["CICLO_TEST_S3_URL"], "--http-access-log", "false"]
    return Server(command, f"http://127.0.0.1:{port}", None, environment)


def seconds_of(server, method, name, file):
    """Sends the file, or takes it and throws it away."""
    connection = http.client.HTTPConnection(server.url.split("//")[1], timeout=600)
    begin = time.monotonic()
    with open(file, "rb") as body:
        connection.request(method, ARTIFACTS + name, body if method == "PUT" else None,
                           {"Content-Length": str(FILE_BYTES)} if method == "PUT" else {})
        answer = connection.getresponse()
        size, buffer = 0, bytearray(1 << 20)
        while got := answer.readinto(buffer):
            size += got
    took = time.monotonic() - begin
    if answer.status != 200 or (method == "GET" and size != FILE_BYTES):
        sys.exit(f"s3_bench: {method} {name} answered {answer.status} and {size} bytes")
    return took


def curl_seconds(method, name, file):
    url = f"{os.environ['CICLO_TEST_S3_ENDPOINT']}/{os.environ['CICLO_TEST_S3_BUCKET']}/raw/{name}"
    user = f"{os.environ['CICLO_TEST_S3_ACCESS_KEY']}:{os.environ['CICLO_TEST_S3_SECRET_KEY']}"
    command = ["curl", "-sSf", "--config", "-", "--aws-sigv4", "aws:amz:us-east-1:s3", url]
    command += ["-T", str(file)] if method == "PUT" else ["-o", "/dev/null"]
    begin = time.monotonic()
    # By standard input: other users see a command's arguments.
    subprocess.run(command, input=f'user = "{user}"\n', text=True, check=True,
                   stdout=subprocess.DEVNULL)
    return time.monotonic() - begin


def measure(program, folder):
    chance, files = random.Random(5), []
    for number in range(TIMES):
        files.append(folder / f"file-{number}")
        files[-1].write_bytes(chance.randbytes(FILE_BYTES))
    writer = start(program, folder / "writer")
    taken = {"up": [], "curl_up": [], "down": [], "down_cached": [], "curl_down": []}
    idle = writer.resident_mib()
    for file in files:
        taken["curl_up"].append(curl_seconds("PUT", file.name, file))
        taken["up"].append(seconds_of(writer, "PUT", file.name, file))
    after = writer.resident_mib()
    reader = start_beside(writer, program, folder)
    for file in files:
        taken["curl_down"].append(curl_seconds("GET", file.name, file))
        taken["down"].append(seconds_of(reader, "GET", file.name, file))
        taken["down_cached"].append(seconds_of(reader, "GET", file.name, file))
    reader.stop()
    rates = {name: FILE_BYTES / statistics.median(times) / 1e6 for name, times in taken.items()}
    return {"mb_s": rates, "idle_mib": idle, "resident_mib_after_uploads": after}


def start_beside(writer, program, folder):
    """A server on the same state that has no copies: those of the writer stay where they are."""
    writer.stop()
    (folder / "reader").mkdir()
    (folder / "writer" / "ciclo.db").rename(folder / "reader" / "ciclo.db")
    return start(program, folder / "reader")


def main() -> int:
    if "CICLO_TEST_S3_URL" not in os.environ:
        tool = ROOT / "tests" / "tools" / "s3.py"
        return subprocess.run([sys.executable, str(tool), "run", "--", sys.executable,
                               *sys.argv]).returncode
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps(measure(sys.argv[1], pathlib.Path(name)), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
