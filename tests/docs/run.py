#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does what README.md says, and looks whether it is true.

run.py PROGRAM [FILE]: the ```sh blocks of the section "Five minutes" are run in order, by one
shell, in a new folder with a table of customers. A ```text block tells what the block before it
prints: each of its lines must be there. After a command that ends with `&` the server that it
starts is waited for. The port is replaced by a free one; building (`./dev`) has been done by
whoever runs this.
"""

import http.client
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "tools"))

from held_port import HeldPort  # noqa: E402

README = pathlib.Path(__file__).resolve().parents[2] / "README.md"
SECTION = "Five minutes"
PORT = "5080"


def blocks_of(text):
    """(language, lines) of each fenced block of the section."""
    section = re.search(rf"^## {SECTION}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    if not section:
        sys.exit(f"README.md has no section {SECTION!r}")
    found = re.findall(r"^```(\w+)\n(.*?)^```", section[1], re.M | re.S)
    return [(language, body.splitlines()) for language, body in found]


def make_table(path):
    """Customers of whom the young on the basic plan leave."""
    chance = random.Random(5)
    lines = ["age,plan,months,churn"]
    for _ in range(1500):
        age, months = chance.randint(18, 80), chance.randint(1, 60)
        plan = chance.choice(["basic", "plus", "pro"])
        leaves = chance.random() < (0.7 if plan == "basic" and age < 45 else 0.1)
        lines.append(f"{age},{plan},{months},{int(leaves)}")
    path.write_text("\n".join(lines) + "\n")


def wait_for_server(port):
    end = time.monotonic() + 180
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                return
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)
    sys.exit("the server of the README did not get ready")


class Shell:
    """One bash that gets block after block, as a reader's terminal does."""

    def __init__(self, folder, program):
        path = f"{program.parent}:{os.environ['PATH']}"
        environment = dict(os.environ, HOME=str(folder), PATH=path)
        for name in [name for name in environment if name.startswith("CICLO_")]:
            del environment[name]
        self.process = subprocess.Popen(
            ["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, cwd=folder, env=environment, start_new_session=True)

    def run(self, lines):
        """What the lines print; ends the test when one of them fails."""
        script = "\n".join(line if self.is_open(line) else f'{line}\necho "[$?]"' for line in lines)
        self.process.stdin.write(script + "\necho \"[end]\"\n")
        self.process.stdin.flush()
        printed = []
        for line in self.process.stdout:
            line = line.rstrip("\n")
            if line == "[end]":
                return printed
            failed = re.fullmatch(r".*\[(\d+)\]", line)
            if failed and failed[1] != "0":
                sys.exit("\n".join(["the README's commands fail:", *lines, "", *printed]))
            if not failed:
                printed.append(line)
            elif not line.startswith("["):
                printed.append(line[:line.rindex("[")])  # output without a newline at its end
        sys.exit("\n".join(["the shell ended at:", *lines, "", *printed]))

    @staticmethod
    def is_open(line):
        """Whether the command goes on in the next line."""
        return line.endswith("\\") or not line.strip()

    def end(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def squeezed(line):
    return " ".join(line.split())


def main():
    if not 2 <= len(sys.argv) <= 3:
        sys.exit("usage: run.py PROGRAM [FILE]")
    program = pathlib.Path(sys.argv[1]).resolve()
    blocks = blocks_of(pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else README).read_text())
    if not any(language == "sh" for language, _ in blocks):
        sys.exit(f"the section {SECTION!r} has no sh block")
    held = HeldPort()
    port = str(held.number)
    # The killed server may still write there for a moment.
    with tempfile.TemporaryDirectory(prefix="ciclo-readme.", ignore_cleanup_errors=True) as name:
        folder = pathlib.Path(name)
        make_table(folder / "customers.csv")
        (folder / "dev").write_text("#!/bin/sh\n")  # what it would build is PROGRAM
        (folder / "dev").chmod(0o755)
        (folder / ".curlrc").write_text("fail\nshow-error\n")  # a 404 is no answer
        shell = Shell(folder, program)
        printed = []
        missing = []
        try:
            for language, lines in blocks:
                lines = [line.replace(PORT, port) for line in lines]
                if language == "sh":
                    printed = shell.run(lines)
                    if any(line.split("#")[0].rstrip().endswith("&") for line in lines):
                        wait_for_server(port)
                elif language == "text":
                    seen = {squeezed(line) for line in printed}
                    missing += [(line, printed) for line in lines if squeezed(line) not in seen]
        finally:
            shell.end()
            held.close()
    for line, output in missing:
        print(f"README.md says that this is printed: {line}\nbut it is:\n  " + "\n  ".join(output))
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
