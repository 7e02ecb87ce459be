#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""traces_bench.py PROGRAM: traces logged and searched, beside MLflow's own server in the same run.

Spans go in as OpenTelemetry's exporters send them (protobuf to /v1/traces), a trace of 10 spans in
a request, 8 clients at once, driven by wrk. Then 10,000 traces of 10 spans are searched and read;
both servers must find the same. MLflow's server is started as mlflow_bench.py starts it: SQLite,
one worker, no job runner; ours acknowledges when the spans are on disk (synchronous=FULL).

CICLO_BENCH_TRACES=2000 chooses how many traces are searched.
"""

import http.client
import json
import os
import pathlib
import sqlite3
import struct
import sys
import tempfile
import time

from mlflow_bench import API, median_ms, with_server, wrk
from mlflow_servers import MLFLOW, SqliteFile, start_mlflow, start_ours

TRACES = int(os.environ.get("CICLO_BENCH_TRACES", "2000"))
SPANS = 10
BATCH = 50  # traces in a request, where they are only filled in
START_NS = 1_700_000_000_000_000_000
PLACE = b"@TRACE-ID-HERE!@"  # 16 bytes, of which wrk makes an id of its own
V3 = "/api/3.0/mlflow/"


# --- OpenTelemetry's messages


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def text(key, value):
    return field(1, key.encode()) + field(2, field(1, value.encode()))


def fixed(number, value):
    return varint(number << 3 | 1) + struct.pack("<Q", value)


def span(trace_id, number, trace):
    """A root and nine of its children, with about a kilobyte of inputs, outputs and attributes."""
    start = START_NS + trace * 1_000_000 + number * 10_000
    parent = b"" if number == 0 else field(4, struct.pack(">Q", 1))
    attributes = {
        "mlflow.spanType": '"TOOL"' if number else '"CHAIN"',
        "mlflow.spanInputs": json.dumps({"question": f"{trace}/{number} " + "what is it? " * 30}),
        "mlflow.spanOutputs": json.dumps({"answer": "it is this and that, " * 20}),
        "model": f"model-{trace % 50}-{number}",
        "temperature": "0.5",
    }
    return (
        field(1, trace_id)
        + field(2, struct.pack(">Q", number + 1))
        + parent
        + field(5, f"step-{number}".encode())
        + fixed(7, start)
        + fixed(8, start + 5_000)
        + b"".join(field(9, text(key, value)) for key, value in attributes.items())
    )


def resource_spans(trace_id, trace):
    spans = b"".join(field(2, span(trace_id, number, trace)) for number in range(SPANS))
    return field(1, field(1, field(1, text("team", f"team-{trace % 20}"))) + field(2, spans))


def trace_id_of(trace):
    return struct.pack(">QQ", 7, trace + 1)


# --- The loads

LUA = """
local thread = 0
function setup(t) t:set("first", thread); thread = thread + 1 end
function init() count = 0 end
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/x-protobuf"
wrk.headers["x-mlflow-experiment-id"] = "%(experiment)s"
local parts = {%(parts)s}
function request()
  count = count + 1
  return wrk.format(nil, nil, nil, table.concat(parts, string.format("T%%03d%%012d", first, count)))
end
"""


def lua_text(content):
    return '"' + "".join(f"\\{byte:03d}" for byte in content) + '"'


def write_load(server, folder, experiment):
    parts = resource_spans(PLACE, 0).split(PLACE)
    assert len(parts) == SPANS + 1
    lua = LUA % {"experiment": experiment, "parts": ", ".join(lua_text(part) for part in parts)}
    return wrk(server, folder, 8, "/v1/traces", lua)


def fill(server, experiment):
    begin = time.monotonic()
    connection = http.client.HTTPConnection(server.url.split("//")[1], timeout=600)
    for first in range(0, TRACES, BATCH):
        body = b"".join(
            resource_spans(trace_id_of(trace), trace)
            for trace in range(first, min(TRACES, first + BATCH))
        )
        connection.request(
            "POST",
            "/v1/traces",
            body,
            {"Content-Type": "application/x-protobuf", "x-mlflow-experiment-id": experiment},
        )
        answer = connection.getresponse()
        told = answer.read()
        if answer.status != 200:
            sys.exit(f"traces_bench: /v1/traces answered {answer.status}: {told[:300]!r}")
    return TRACES / (time.monotonic() - begin)


def search_load(server, experiment, repetitions):
    location = [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}]

    def search(words):
        body = {"locations": location, "max_results": 100, "filter": words}
        return json.loads(server.call("POST", V3 + "traces/search", body)).get("traces", [])

    searches = {
        "first_page": "",
        "tag_and_span": "tags.team = 'team-3' AND span.name = 'step-7'",
        "attribute": "span.attributes.model LIKE '%model-7-3%'",
        "pattern": "tags.team RLIKE '^team-1[0-4]$'",
    }
    result = {}
    for name, words in searches.items():
        result[f"{name}_found"] = [trace["trace_id"] for trace in search(words)]
        result[f"{name}_ms"] = median_ms(repetitions, lambda words=words: search(words))
    asked = {"trace_id": "tr-" + trace_id_of(TRACES // 2).hex()}
    got = json.loads(server.call("GET", V3 + "traces/get", query=asked))
    assert len(got["trace"]["spans"]) == SPANS
    result["get_ms"] = median_ms(
        repetitions * 5, lambda: server.call("GET", V3 + "traces/get", query=asked)
    )
    return result


def bytes_of(database):
    with sqlite3.connect(database.path, timeout=60) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return database.path.stat().st_size


def measure(server, folder, repetitions):
    def experiment(name):
        made = server.call("POST", API + "experiments/create", {"name": name})
        return json.loads(made)["experiment_id"]

    result = {"traces": TRACES, "log_8": write_load(server, folder, experiment("logged"))}
    searched, before = experiment("searched"), bytes_of(server.database)
    result["fill_per_second"] = fill(server, searched)
    result["bytes_per_span"] = (bytes_of(server.database) - before) / (TRACES * SPANS)
    result["search"] = search_load(server, searched, repetitions)
    return result


def main() -> int:
    if not MLFLOW.exists():
        sys.exit("traces_bench: MLflow is not installed; tests/clients/run.sh PROGRAM installs it")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        ours, theirs = SqliteFile(folder / "ours" / "ciclo.db"), SqliteFile(folder / "mlflow.db")
        result = {
            "ours": with_server(start_ours(sys.argv[1], folder, ours),
                                lambda server: measure(server, folder, 15)),
            "mlflow": with_server(start_mlflow(folder, theirs, 1),
                                  lambda server: measure(server, folder, 3)),
        }
    for key, found in result["ours"]["search"].items():
        if key.endswith("_found") and found != result["mlflow"]["search"][key]:
            sys.exit(f"traces_bench: the two servers found different traces: {key}")
    for side in result.values():
        side["search"] = {
            key: len(value) if key.endswith("_found") else value
            for key, value in side["search"].items()
        }
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
