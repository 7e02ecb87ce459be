#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the measurements of bench/ and keeps each result with the machine and commit it came from.

bench.py BUILD [NAME…]    NAME_bench.cc is the program BUILD/bin/NAME_bench; NAME_bench.py is called
                          with the path of BUILD/ciclo, and where both are there runs the program.
                          It prints one JSON document.

Results go to bench/results/NAME.json, and what they say to the rows of bench/RESULTS.md that name
`./dev bench NAME`, which are replaced. They say little on a machine that does other work beside.
"""

import json
import os
import pathlib
import platform
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def main() -> int:
    build, wanted = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:]
    sources = sorted([*ROOT.glob("bench/*_bench.cc"), *ROOT.glob("bench/*_bench.py")])
    names = {source.stem.removesuffix("_bench"): source for source in sources}
    unknown = [name for name in wanted if name not in names]
    if unknown:
        print(f"bench: there is no {unknown[0]}; there are {', '.join(names)}", file=sys.stderr)
        return 2
    failed = [name for name in wanted or names if not measure(name, names[name], build)]
    if failed:
        print(f"bench: failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def measure(name: str, source: pathlib.Path, build: pathlib.Path) -> bool:
    print(f"==> {name}", file=sys.stderr, flush=True)
    command = [str(build / "bin" / source.stem)]
    if source.suffix == ".py":
        command = [sys.executable, str(source), str(build / "ciclo")]
    load_before = os.getloadavg()[0]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        return False
    document = {
        "name": name,
        "commit": commit(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": {**machine(), "load_before": round(load_before, 2)},
        "result": json.loads(done.stdout),
    }
    file = ROOT / "bench" / "results" / f"{name}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(document, indent=2) + "\n")
    print(json.dumps(document["result"], indent=2), flush=True)
    write_rows(document)
    return True


def write_rows(document: dict) -> None:
    """The rows of this measurement take the place of its rows of before."""
    file = ROOT / "bench" / "RESULTS.md"
    name, machine = document["name"], document["machine"]
    mark = f"| `./dev bench {name}` |"
    place = f"{machine['cores']} × {machine['cpu']}, {machine['memory_gib']} GiB, load before " \
            f"{machine['load_before']}"
    rows = [f"| {document['time'][:10]} | {place} {mark} {what} | {beside} | {ratio:.2f} |"
            for what, beside, ratio in SUMMARIES[name](document["result"])]
    lines = file.read_text().splitlines()
    at = next((i for i, line in enumerate(lines) if mark in line), len(lines))
    kept = [line for line in lines if mark not in line]
    file.write_text("\n".join(kept[:at] + rows + kept[at:]) + "\n")


def of_client(result: dict):
    requests = 1e9 / result["synchronous"]["median_ns"]
    for threads, name in ((1, "1 thread"), (4, "4 threads")):
        row = result[f"threads_{threads}"]
        ours, limit = row["log_metric"]["median_ns"], row["limit"]["median_ns"]
        stored = row["sustained"]["metrics_per_second"]
        yield (f"libciclo_client, log_metric, {name}: {ours:.0f} ns a call",
               f"the clock and an atomic store: {limit:.0f} ns", ours / limit)
        yield (f"libciclo_client, {name}, 200,000 metrics to the last acknowledged: {stored:,} "
               "metrics/s", f"a request for each: {requests:,.0f} metrics/s", stored / requests)
    calls = 1e9 / result["threads_1"]["log_metric"]["median_ns"]
    yield (f"libciclo_client, bursts that fit the ring, 1 thread: {calls:,.0f} calls/s",
           f"a request for each: {requests:,.0f} calls/s", calls / requests)


def of_http(result: dict):
    for load in result["results"]:
        for way in ("loop", "worker"):
            ours, theirs = load[way], load["nginx"]
            yield (f"trivial route on the {way}, {load['connections']:,} connections: "
                   f"{ours['requests_per_second']:,.0f} requests/s, {ours['resident_mib']:.0f} MiB",
                   f"nginx `return 200`: {theirs['requests_per_second']:,.0f} requests/s, "
                   f"{theirs['resident_mib']:.0f} MiB",
                   ours["requests_per_second"] / theirs["requests_per_second"])


def of_history(result: dict):
    reads, rows = result["reads"], result["rows"]
    written, read = rows["batch_of_1000"]["median_ms"], rows["history"]["median_ms"]
    for keys in (1, 10, 1000):
        batch = result[f"log_batch_1000_points_{keys}_keys"]
        yield (f"log-batch of 1,000 points, {keys:,} keys, in process: "
               f"{batch['median_ms']:.2f} ms", f"1,000 bare rows of one table: {written:.2f} ms",
               batch["median_ms"] / written)
    yield (f"history of {reads['points']:,} points, in process: "
           f"{reads['history']['median_ms']:.1f} ms", f"the same as bare rows: {read:.1f} ms",
           reads["history"]["median_ms"] / read)
    yield (f"320 samples of {reads['points']:,} points: {reads['sampled_320']['median_ms']:.1f} ms",
           "the limit: 10 ms", reads["sampled_320"]["median_ms"] / 10)
    yield (f"a point of a long history: {reads['file_bytes_per_point']:.1f} bytes of the database",
           f"as a bare row: {rows['file_bytes_per_point']:.1f} bytes",
           reads["file_bytes_per_point"] / rows["file_bytes_per_point"])


def of_migrate(result: dict):
    few, many = result["results"]
    for one in (few, many):
        ours, bare = one["migrate"], one["bare"]
        yield (f"migrate {result['runs']:,} runs × {one['points_per_run']:,} points and "
               f"{one['file_bytes'] / 1e6:,.0f} MB of files, copied and compared: "
               f"{ours['rows_per_second']:,} rows/s, {ours['mb_per_second']:,} MB/s, "
               f"{ours['peak_mib']:.0f} MiB",
               f"bare SQLite insert of the rows and cp of the files: "
               f"{bare['rows_per_second']:,} rows/s", ours["rows_per_second"]
               / bare["rows_per_second"])
    yield (f"its memory with ten times the points: {many['migrate']['peak_mib']:.0f} MiB",
           f"with {few['points_per_run']:,} points a run: {few['migrate']['peak_mib']:.0f} MiB",
           many["migrate"]["peak_mib"] / few["migrate"]["peak_mib"])


def of_mlflow(result: dict):
    for engine, name in (("sqlite", "SQLite"), ("postgresql", "PostgreSQL")):
        if engine in result:
            for what, beside, ratio in of_mlflow_on(result[engine]):
                yield f"{name}: {what}", beside, ratio


WRITES = (("create_run_8", "create a run, 8 clients"),
          ("log_metric_64", "log one metric, 64 clients"),
          ("log_batch_1000_8", "log-batch of 1,000 metrics, 8 clients"))


def of_mlflow_on(result: dict):
    ours, theirs = result["ours"], result["mlflow"]
    yield from of_mlflow_writes(ours, theirs, "MLflow")
    if "mlflow_default" in result:
        yield from of_mlflow_writes(ours, result["mlflow_default"], "MLflow as it starts by itself")
    for load, what in WRITES if "bare" in result else ():
        mine, bare = ours[load]["per_second"], result["bare"][load]["per_second"]
        yield (f"{what}: {mine:,.0f} requests/s", f"bare inserts: {bare:,.0f}/s", mine / bare)
    for load in (key for key in ours if key.startswith("search_")):
        runs = int(load.removeprefix("search_"))
        for part, what in (("filtered_ms", "metric and param filter, ordered by a metric"),
                           ("first_page_ms", "first page without a filter"),
                           ("get_run_ms", "get one run")):
            yield (f"{runs:,} runs, {what}: {ours[load][part]:.1f} ms",
                   f"MLflow: {theirs[load][part]:,.1f} ms", theirs[load][part] / ours[load][part])
    for part, what in (("history_ms", "history of 100,000 points"),
                       ("sampled_ms", "320 points of them, sampled")):
        yield (f"{what}: {ours[part]:.1f} ms", f"MLflow: {theirs[part]:,.1f} ms",
               theirs[part] / ours[part])
    for part, what in (("up_mb_s", "artifact of 100 MiB up"), ("down_mb_s", "and down")):
        yield (f"{what}: {ours['artifact'][part]:,.0f} MB/s",
               f"MLflow: {theirs['artifact'][part]:,.0f} MB/s",
               ours["artifact"][part] / theirs["artifact"][part])
    if "raw" in result:
        mine, raw = ours["artifact"]["up_mb_s"], result["raw"]
        yield (f"artifact of 100 MiB up, on disk when answered: {mine:,.0f} MB/s",
               f"a file and its fsync: {raw['durable_mb_s']:,.0f} MB/s; without fsync "
               f"{raw['page_cache_mb_s']:,.0f} MB/s", mine / raw["durable_mb_s"])


def of_mlflow_writes(ours: dict, theirs: dict, name: str):
    for load, what in WRITES:
        mine, other = ours[load], theirs[load]
        errors = f", {other['failed']} answered with errors" if other["failed"] else ""
        yield (f"{what}: {mine['per_second']:,.0f} requests/s, p99 {mine['p99_ms']:,.1f} ms",
               f"{name}: {other['per_second']:,.1f} requests/s, p99 {other['p99_ms']:,.0f} ms"
               f"{errors}", mine["per_second"] / other["per_second"])
    for part, what, unit in (("start_ms", "cold start", "ms"), ("idle_mib", "idle memory", "MiB")):
        yield (f"{what}: {ours[part]:.1f} {unit}", f"{name}: {theirs[part]:,.1f} {unit}",
               theirs[part] / ours[part])


def of_pipeline(result: dict):
    yield (f"engine, a step that does nothing: {result['engine_ms_per_step']:.2f} ms a step, "
           f"{result['over_bare_ms_per_step']:.2f} ms over the process",
           f"bare process {result['bare_ms_per_step']:.2f} ms, fsync {result['fsync_ms']:.2f} ms; "
           f"the limit: {result['limit_ms_per_step']} ms over it",
           result["over_bare_ms_per_step"] / result["limit_ms_per_step"])


def of_predict(result: dict):
    for one in result["predict_one_row"]:
        yield (f"package, one row, {one['learner']}, {one['columns']}: p50 "
               f"{one['package_p50_us']:.1f} µs, {one['added_p50_us']:.1f} µs added",
               f"bare call of the library: p50 {one['bare_p50_us']:.1f} µs; the limit: 30 µs added",
               one["ratio_p50"])


def of_s3(result: dict):
    rates = result["mb_s"]
    for part, beside, what in (("up", "curl_up", "artifact of 100 MiB up, S3 store"),
                               ("down", "curl_down", "and down, from the store"),
                               ("down_cached", "curl_down", "and down, from the cache")):
        yield (f"{what}: {rates[part]:,.0f} MB/s", f"curl and the store: {rates[beside]:,.0f} MB/s",
               rates[part] / rates[beside])
    yield (f"memory after 5 uploads of 100 MiB to S3: {result['resident_mib_after_uploads']:.1f} "
           "MiB", f"idle: {result['idle_mib']:.1f} MiB",
           result["resident_mib_after_uploads"] / result["idle_mib"])


def of_serve(result: dict):
    for one in result["results"]:
        layers, bare = ("endpoint", "oip_body_to_body"), one["runtime"]["p50_us"]
        for layer in layers:
            yield (f"{layer}, one row, {one['learner']}: p50 {one[layer]['p50_us']:.1f} µs, "
                   f"{one[layer]['p50_over_runtime_us']:.1f} µs added",
                   f"bare runtime: p50 {bare:.1f} µs; the limit: 30 µs added",
                   one[layer]["p50_us"] / bare)


def of_server(result: dict):
    yield (f"cold start to a healthy answer: {result['cold_start_ms']:.0f} ms",
           "the limit: 150 ms", result["cold_start_ms"] / 150)
    yield (f"idle, web pages built in: {result['idle_mib']:.1f} MiB", "the limit: 60 MiB",
           result["idle_mib"] / 60)
    yield (f"log-batch of 1,000 over HTTP, one client: "
           f"{result['log_batch_rows_per_s']:,.0f} rows/s",
           f"bare SQLite in C, same tables, rows and durability: "
           f"{result['bare_sqlite_rows_per_s']:,.0f} rows/s", result["ratio"])


def of_sql(result: dict):
    for load in result["results"]:
        yield (f"sql::Database, SQLite, {load['load']}, {load['threads']} threads: "
               f"{load['database_sqlite']['rows_per_second']:,} rows/s",
               f"bare SQLite in one thread: {load['bare_sqlite']['rows_per_second']:,} rows/s",
               load["ratio_to_bare"])


def of_traces(result: dict):
    ours, theirs = result["ours"], result["mlflow"]
    yield (f"traces of 10 spans by OTLP, 8 clients: {ours['log_8']['per_second']:,.0f} traces/s, "
           f"p99 {ours['log_8']['p99_ms']:,.1f} ms",
           f"MLflow: {theirs['log_8']['per_second']:,.1f} traces/s, p99 "
           f"{theirs['log_8']['p99_ms']:,.0f} ms",
           ours["log_8"]["per_second"] / theirs["log_8"]["per_second"])
    yield (f"50 of them in a request, one client: {ours['fill_per_second']:,.0f} traces/s",
           f"MLflow: {theirs['fill_per_second']:,.1f} traces/s",
           ours["fill_per_second"] / theirs["fill_per_second"])
    for part, what in (("first_page_ms", "first page without a filter"),
                       ("tag_and_span_ms", "filter by a tag and a span's name"),
                       ("attribute_ms", "filter by part of a span's attribute"),
                       ("pattern_ms", "filter by a pattern for a tag"),
                       ("get_ms", "get one with its spans")):
        mine, other = ours["search"][part], theirs["search"][part]
        yield (f"{ours['traces']:,} traces, {what}: {mine:.1f} ms", f"MLflow: {other:,.1f} ms",
               other / mine)
    yield (f"a span of a kilobyte: {ours['bytes_per_span']:,.0f} bytes of the database",
           f"MLflow: {theirs['bytes_per_span']:,.0f} bytes",
           ours["bytes_per_span"] / theirs["bytes_per_span"])


# For each measurement: (what, beside what, ratio) of every row.
SUMMARIES = {"client": of_client, "history": of_history, "http": of_http, "migrate": of_migrate,
             "mlflow": of_mlflow, "pipeline": of_pipeline, "predict": of_predict, "s3": of_s3,
             "serve": of_serve, "server": of_server, "sql": of_sql, "traces": of_traces}


def commit() -> str:
    """The commit, marked when the tree holds changes beside it."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip() or "unknown"


def machine() -> dict:
    models = [
        line.partition(":")[2].strip()
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(pages / 2**30, 1),
        "kernel": platform.release(),
    }


if __name__ == "__main__":
    sys.exit(main())
