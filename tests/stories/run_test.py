#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The story runner's own test: a small program that behaves as `ciclo`, a story that must come
true, and stories that must fail, each with a part of the message."""

import pathlib
import sys
import tempfile

import run

FAKE_PROGRAM = """#!/usr/bin/env python3
import http.server, json, os, pathlib, signal, sys
if sys.argv[1] != "server":
    print(json.dumps({"arguments": sys.argv[1:]}))
    print("said on standard error", file=sys.stderr)
    sys.exit(3 if "fail" in sys.argv else 0)
root = pathlib.Path(sys.argv[sys.argv.index("--root") + 1]); root.mkdir(exist_ok=True)
host, _, port = sys.argv[sys.argv.index("--listen") + 1].rpartition(":")
kept = root / "kept"; calls = [0]
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def answer(self, status, body):
        self.send_response(status); self.send_header("X-Kind", "fake-7"); self.end_headers()
        self.wfile.write(body.encode())
    def do_GET(self):
        calls[0] += 1
        if self.path == "/count": return self.answer(200, json.dumps({"calls": calls[0]}))
        if self.path == "/text": return self.answer(200, "one\\ntwo\\nthree\\n")
        if self.path == "/kept": return self.answer(200, kept.read_text())
        self.answer(404, json.dumps({"error": {"code": "not_found", "message": f"no {self.path}"}}))
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode(); kept.write_text(body)
        run = {"id": "r17", "n": 3}
        self.answer(200, json.dumps({"run": run, "items": [1, 2, 3], "got": json.loads(body)}))
server = http.server.HTTPServer((host, int(port)), Handler)
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
print(f"ready http://{host}:{server.server_address[1]}", flush=True)
server.serve_forever()
"""

TRUE_STORY = """# A story that comes true.

POST /run
X-Note: a header

{"name": "a"}
--- 200
< X-Kind: fake-{{kind=\\d+}}
{"run": {"id": "{{id=}}", "n": 3, "x": "{{none}}"}, "items": [1, "..."],
 "got": {"name": "{{/[a-z]/}}"}}

GET /{{id}}-{{kind}}
--- 404
{"error": {"code": "not_found", "message": "no /r17-{{any}}"}}

GET /text
--- 200
one
...
three

! crash

! restart

GET /kept
--- 200
{"name": "a"}

GET /count
--- 200 within 60 s
{"calls": 3}

> table.csv
a,b
1,2

$ cat table.csv
--- 0
a,b
1,2

$ ciclo runs --server {{server}}
--- 0
2> said on {{any}} error
{"arguments": ["runs", "--server", "{{/http:.*/}}"]}

$ ciclo fail
--- 3
"""

FALSE_STORIES = [
    ("GET /text\n--- 201\n", "expected status 201, found 200"),
    ("GET /text\n--- 200\none\ntwo\n", "expected:"),
    ('GET /count\n--- 200\n{"calls": 2}\n', ".calls: expected 2, found 1"),
    ('GET /count\n--- 200\n{"calls": true}\n', ".calls: expected true, found 1"),
    ('GET /count\n--- 200\n{"calls": "{{none}}"}\n', "should not be there"),
    ('GET /count\n--- 200\n{"none": 1}\n', ".none is missing"),
    ("GET /count\n--- 200\n< X-Kind: other\n", "header X-Kind"),
    ('POST /run\n\n{}\n--- 200\n{"items": [1, 2]}\n', ".items has 3 items"),
    ("GET /{{unknown}}\n--- 200\n", "nothing is remembered as unknown"),
    ("$ ciclo fail\n--- 0\n", "expected exit code 0, found 3"),
    ("$ ciclo x\n--- 0\n2> never said\n", "standard error holds no line"),
    ("GET /text\n", "no line `--- STATUS`"),
    ("GET /text\n--- fine\n", "expected `--- STATUS`"),
    ("! explode\n", "is unknown"),
    ("hello\n", "a step is expected"),
]


def main() -> int:
    failures = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        program = folder / "ciclo"
        program.write_text(FAKE_PROGRAM)
        program.chmod(0o755)
        story = folder / "test.story"
        for text, expected in [(TRUE_STORY, None), *FALSE_STORIES]:
            story.write_text(text)
            found = run.play_story(story, program, "sqlite")
            if (found is None) != (expected is None) or (expected and expected not in found):
                failures += 1
                print(f"self-test: expected {expected!r}, found {found!r} of:\n{run.indent(text)}")
    print(f"self-test: {1 + len(FALSE_STORIES) - failures} passed, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
