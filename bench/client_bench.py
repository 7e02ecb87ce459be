#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""client_bench.py PROGRAM: starts the program as a server on an empty root and has client_bench,
which is built beside it, log to it; see client_bench.cc."""

import pathlib
import subprocess
import sys
import tempfile


def main() -> int:
    program = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as root:
        server = subprocess.Popen(
            [program, "server", "--listen", "127.0.0.1:0", "--root", root,
             "--http-access-log", "false"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            url = server.stdout.readline().removeprefix("ready ").strip()
            return subprocess.run([program.parent / "bin" / "client_bench", url]).returncode
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    sys.exit(main())
