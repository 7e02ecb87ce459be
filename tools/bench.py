#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the measurements of bench/ and keeps each result with the machine and commit it came from.

bench.py BUILD [NAME…]    NAME_bench.cc is the program BUILD/bin/NAME_bench; NAME_bench.py is called
                          with the path of BUILD/ciclo. Both print one JSON document.

Results go to bench/results/NAME.json. They say little on a machine that does other work beside.
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
    return True


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
