#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Receives webhooks: checks the signature, drops what came before, and prints the rest.

SECRET=… receiver.py [PORT]      needs Python's own library only
"""

import base64
import hashlib
import hmac
import http.server
import json
import os
import sys
import time

SECRET = os.environ["SECRET"].encode()
AGE_MAX_S = 300  # older ones may be replayed by somebody who has listened
seen = set()  # a real receiver keeps these where they survive a restart


def is_genuine(headers, body):
    delivery = headers.get("X-MLflow-Delivery-Id", "")
    timestamp = headers.get("X-MLflow-Timestamp", "")
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > AGE_MAX_S:
        return False
    signed = f"{delivery}.{timestamp}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
    return hmac.compare_digest(expected, headers.get("X-MLflow-Signature", ""))


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not is_genuine(self.headers, body):
            return self.answer(401)
        if self.headers["X-MLflow-Delivery-Id"] not in seen:
            event = json.loads(body)
            print(f"{event['entity']}.{event['action']}", json.dumps(event["data"]), flush=True)
            seen.add(self.headers["X-MLflow-Delivery-Id"])
        self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8090
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Receiver)
    print(f"listening on http://127.0.0.1:{server.server_address[1]}/", flush=True)
    server.serve_forever()
