#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes to a Ciclo server that may go away at any moment, each call once.

send_again.py URL [SECONDS]: makes a run and logs a point of the metric "beat" every 50 ms, for
SECONDS (default 3). Kill the server and start it again meanwhile: no point is lost, none is there
twice. Prints the run and how many calls had to be sent again.
"""

import json
import sys
import time
import urllib.error
import urllib.request
import uuid


class Server:
    """Calls of a server that are sent until they are answered, and done once."""

    def __init__(self, url, patience_s=60):
        self.url = url
        self.patience_s = patience_s
        self.sent_again = 0

    def call(self, path, body):
        key = str(uuid.uuid4())  # one for each call, the same for all its attempts
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(),
            {"Content-Type": "application/json", "Idempotency-Key": key})
        end = time.monotonic() + self.patience_s
        while True:
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as refused:
                # 503: not now. Whatever else was refused would be refused again.
                if refused.code != 503 or time.monotonic() > end:
                    raise
            except (OSError, ValueError):
                # No answer, or half of one: nobody knows whether it was done. The key does.
                if time.monotonic() > end:
                    raise
            self.sent_again += 1
            time.sleep(0.2)


def main():
    server = Server(sys.argv[1])
    end = time.monotonic() + float(sys.argv[2] if len(sys.argv) > 2 else 3)
    run = server.call("/api/2.0/mlflow/runs/create", {"experiment_id": "0"})
    run_id = run["run"]["info"]["run_id"]
    points = 0
    while time.monotonic() < end:
        server.call("/api/2.0/mlflow/runs/log-metric",
                    {"run_id": run_id, "key": "beat", "value": points, "step": points,
                     "timestamp": time.time_ns() // 1_000_000})
        points += 1
        time.sleep(0.05)
    print(f"run {run_id}: {points} points, {server.sent_again} calls sent again")


if __name__ == "__main__":
    main()
