#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plays the stories of this folder; README.md tells how they are written.

run.py --program build/dev/ciclo [--database sqlite|postgresql] [--only PATTERN] [--jobs N]

PostgreSQL is the server that CICLO_TEST_POSTGRES_URL names; each story gets a schema of its own.
"""

import argparse
import concurrent.futures
import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.append(str(FOLDER.parent / "tools"))

from drop_schema import drop_schema  # noqa: E402
from held_port import HeldPort  # noqa: E402

START_TIMEOUT_S = 180
STEP_TIMEOUT_S = 300
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


class Failed(Exception):
    """A step's answer is not what the story says; the message tells where and how."""


# --- Reading a story


class Step:
    def __init__(self, line: int, kind: str, subject: str):
        self.line, self.kind, self.subject = line, kind, subject
        self.headers: list[tuple[str, str]] = []
        self.body: list[str] = []
        self.status: int | None = None
        self.within_s = 0.0
        self.expected_headers: list[tuple[str, str]] = []
        self.expected_errors: list[str] = []
        self.expected: list[str] = []


def parse(text: str) -> list[Step]:
    steps: list[Step] = []
    before_blank, part = True, "none"
    for number, line in enumerate(text.split("\n"), 1):
        kind = kind_of(line) if before_blank else None
        if kind:
            subject = line if kind == "request" else line[1:].strip()
            steps.append(Step(number, kind, subject))
            part = "headers" if kind == "request" else "body"
        elif line.startswith("--- ") and steps:
            read_status(steps[-1], line, number)
            part = "expected"
        elif steps:
            part = add_line(steps[-1], part, line)
        elif line and not line.startswith("#"):
            raise Failed(f"line {number}: a step is expected, found {line!r}")
        before_blank = line == ""
    for step in steps:
        for lines in (step.body, step.expected):
            while lines and lines[-1] == "":
                lines.pop()
        if step.status is None and step.kind in ("request", "command"):
            raise Failed(f"line {step.line}: there is no line `--- STATUS` after this step")
    return steps


def kind_of(line: str) -> str | None:
    if line.startswith(tuple(f"{method} /" for method in METHODS)):
        return "request"
    return {"$ ": "command", "> ": "file", "! ": "server"}.get(line[:2])


def read_status(step: Step, line: str, number: int) -> None:
    found = re.fullmatch(r"--- (\d+)(?: within (\d+(?:\.\d+)?) s)?", line)
    if not found:
        raise Failed(
            f"line {number}: expected `--- STATUS` or `--- STATUS within N s`, found {line!r}"
        )
    step.status, step.within_s = int(found.group(1)), float(found.group(2) or 0)


def add_line(step: Step, part: str, line: str) -> str:
    if part == "headers":
        found = re.fullmatch(r"([A-Za-z0-9-]+): (.*)", line)
        if found:
            step.headers.append((found.group(1), found.group(2)))
            return part
        part = "body"
        if line == "":
            return part
    if part == "body":
        if not line.startswith("# ") or step.body:
            step.body.append(line)
        return part
    if line.startswith("< ") and not step.expected:
        name, _, value = line[2:].partition(": ")
        step.expected_headers.append((name, value))
    elif line.startswith("2> "):
        step.expected_errors.append(line[3:])
    elif not line.startswith("# "):
        step.expected.append(line)
    return part


# --- Comparing

PLACEHOLDER = re.compile(r"\{\{(/.*?/|[a-z_]+(?:=.*?)?)\}\}")


class Memory:
    """What placeholders have remembered."""

    def __init__(self, values: dict):
        self.values = values

    def fill(self, text: str) -> str:
        def value(found):
            name = found.group(1)
            if name not in self.values:
                raise Failed(f"nothing is remembered as {name}")
            known = self.values[name]
            return known if isinstance(known, str) else json.dumps(known)

        return PLACEHOLDER.sub(value, text)

    def match_text(self, expected: str, found: str) -> bool:
        """A text with placeholders against a text; remembers only when the whole matches."""
        pattern, names, at = "", [], 0
        for place in PLACEHOLDER.finditer(expected):
            pattern += re.escape(expected[at : place.start()]) + self.pattern(place.group(1), names)
            at = place.end()
        pattern += re.escape(expected[at:])
        matched = re.fullmatch(pattern, found, re.DOTALL)
        if matched is None:
            return False
        for number, name in enumerate(names):
            self.values[name] = matched.group(f"g{number}")
        return True

    def pattern(self, inside: str, names: list) -> str:
        if inside == "any":
            return ".*?"
        if inside.startswith("/"):
            return f"(?:{inside[1:-1]})"
        name, equals, wanted = inside.partition("=")
        if not equals:
            return re.escape(self.fill("{{" + name + "}}"))
        names.append(name)
        return f"(?P<g{len(names) - 1}>{wanted or '.+?'})"

    def match(self, expected, found, path: str = "") -> str | None:
        """What is different, with its place; None when found is as expected."""
        if isinstance(expected, str):
            whole = PLACEHOLDER.fullmatch(expected)
            if whole and whole.group(1) == "any":
                return None
            if whole and whole.group(1).endswith("="):
                self.values[whole.group(1)[:-1]] = found
                return None
            if whole and whole.group(1) in self.values:
                return (
                    None
                    if self.values[whole.group(1)] == found
                    else self.differ(path, expected, found)
                )
            if isinstance(found, str) and self.match_text(expected, found):
                return None
            return self.differ(path, expected, found)
        if isinstance(expected, dict) and isinstance(found, dict):
            return self.match_members(expected, found, path)
        if isinstance(expected, list) and isinstance(found, list):
            return self.match_items(expected, found, path)
        same_kind = isinstance(expected, bool) == isinstance(found, bool)
        return None if same_kind and expected == found else self.differ(path, expected, found)

    def match_members(self, expected: dict, found: dict, path: str) -> str | None:
        for key, value in expected.items():
            if value == "{{none}}":
                if key in found:
                    return f"{path}.{key} should not be there, but is {json.dumps(found[key])}"
            elif key not in found:
                return f"{path}.{key} is missing; there are: {', '.join(found) or 'no members'}"
            else:
                different = self.match(value, found[key], f"{path}.{key}")
                if different:
                    return different
        return None

    def match_items(self, expected: list, found: list, path: str) -> str | None:
        is_open = expected[-1:] == ["..."]
        wanted = expected[:-1] if is_open else expected
        if len(found) < len(wanted) or (len(found) > len(wanted) and not is_open):
            return (
                f"{path} has {len(found)} items, expected {len(wanted)}: {json.dumps(found)[:400]}"
            )
        for number, value in enumerate(wanted):
            different = self.match(value, found[number], f"{path}[{number}]")
            if different:
                return different
        return None

    def differ(self, path: str, expected, found) -> str:
        return f"{path or 'the answer'}: expected {json.dumps(expected)}, found {json.dumps(found)}"

    def match_lines(self, expected: list[str], found: list[str]) -> bool:
        if not expected:
            return not found
        if expected[0] == "...":
            return any(self.match_lines(expected[1:], found[n:]) for n in range(len(found) + 1))
        return (
            bool(found)
            and self.match_text(expected[0], found[0])
            and self.match_lines(expected[1:], found[1:])
        )


def check_body(step: Step, memory: Memory, body: str) -> str | None:
    if not step.expected:
        return None
    wanted = "\n".join(step.expected)
    if wanted.lstrip().startswith(("{", "[", '"')) and not wanted.startswith("{{"):
        try:
            expected = json.loads(wanted)
        except ValueError as problem:
            raise Failed(f"line {step.line}: the expected JSON is not valid: {problem}") from None
        try:
            found = json.loads(body)
        except ValueError:
            return f"the answer is not JSON: {body[:400]!r}"
        return memory.match(expected, found)
    if not memory.match_lines(step.expected, body.rstrip("\n").split("\n")):
        return f"expected:\n{indent(wanted)}\nfound:\n{indent(body)}"
    return None


def indent(text: str) -> str:
    return "\n".join("    " + line for line in text.rstrip("\n").split("\n"))


# --- Playing


class Server:
    """`ciclo server` on a root of its own; started when first asked for."""

    def __init__(self, program: pathlib.Path, folder: pathlib.Path, database: str):
        self.program, self.folder, self.database = program, folder, database
        self.process: subprocess.Popen | None = None
        self.address = ""
        # The same after a restart, so that a remembered address stays right.
        self.port = HeldPort()

    def url(self) -> str:
        if self.process is None:
            self.start()
        return self.address

    def start(self) -> None:
        listen = f"127.0.0.1:{self.port.number}"
        command = [self.program, "server", "--listen", listen, "--root", self.folder / "root"]
        if self.database:
            command += ["--database", self.database]
        self.log = open(self.folder / "server.log", "ab")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        timer = threading.Timer(START_TIMEOUT_S, self.process.kill)
        timer.start()
        try:
            for line in self.process.stdout:
                if line.startswith("ready "):
                    self.address = line.split()[1]
                    return
        finally:
            timer.cancel()
        raise Failed(f"the server ended before it was ready:\n{indent(self.last_log())}")

    def stop(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            status = self.process.wait(STEP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failed(
                f"the server did not end within {STEP_TIMEOUT_S} s of {how.name}"
            ) from None
        finally:
            self.process.stdout.close()
            self.log.close()
            self.process = None
        if how == signal.SIGTERM and status != 0:
            raise Failed(f"the server ended with {status} on SIGTERM:\n{indent(self.last_log())}")

    def last_log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")[-3000:]


class Player:
    def __init__(self, server: Server, folder: pathlib.Path):
        self.server, self.folder = server, folder
        self.memory = Memory({})

    def play(self, step: Step) -> None:
        if any("{{server}}" in text for text in [step.subject, *step.body]):
            self.memory.values["server"] = self.server.url()
        if step.kind == "file":
            (self.folder / step.subject).write_text("\n".join(step.body) + "\n")
        elif step.kind == "server":
            self.restart(step)
        else:
            self.play_until_expected(step)

    def restart(self, step: Step) -> None:
        hows = {"restart": signal.SIGTERM, "crash": signal.SIGKILL}
        if step.subject not in hows:
            raise Failed(f"`! {step.subject}` is unknown; there are `! restart` and `! crash`")
        self.server.stop(hows[step.subject])
        self.server.start()

    def play_until_expected(self, step: Step) -> None:
        once = self.request if step.kind == "request" else self.command
        end = time.monotonic() + step.within_s
        while True:
            different = once(step)
            if different is None:
                return
            if time.monotonic() >= end:
                raise Failed(different)
            time.sleep(0.1)

    def request(self, step: Step) -> str | None:
        method, _, path = self.memory.fill(step.subject).partition(" ")
        url = urllib.parse.urlsplit(self.server.url())
        body = self.memory.fill("\n".join(step.body)) if step.body else None
        headers = {name: self.memory.fill(value) for name, value in step.headers}
        if body is not None and "Content-Type" not in headers:
            headers["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=STEP_TIMEOUT_S)
        try:
            connection.request(method, path, body.encode() if body is not None else None, headers)
            answer = connection.getresponse()
            found = answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as problem:
            return f"{method} {path}: {problem!r}"
        finally:
            connection.close()
        if answer.status != step.status:
            return f"expected status {step.status}, found {answer.status}:\n{indent(found)}"
        for name, value in step.expected_headers:
            if not self.memory.match_text(value, answer.headers.get(name, "")):
                return f"header {name}: expected {value!r}, found {answer.headers.get(name)!r}"
        return check_body(step, self.memory, found)

    def link(self) -> pathlib.Path:
        """The program under its name, as a script in the story's folder.

        Another process writes it: one that a second thread forks meanwhile would inherit this
        one's open file for a moment, and a file that is open for writing cannot be executed."""
        link = self.folder / "bin" / "ciclo"
        if not link.exists():
            link.parent.mkdir()
            script = f'#!/bin/sh\nexec "{self.server.program}" "$@"\n'
            write = ["sh", "-c", 'cat >"$0" && chmod 755 "$0"', str(link)]
            subprocess.run(write, input=script, text=True, check=True)
        return link

    def command(self, step: Step) -> str | None:
        environment = {
            **os.environ,
            "PATH": f"{self.link().parent}:{os.environ['PATH']}",
            "HOME": str(self.folder),
        }
        command = self.memory.fill(step.subject)
        done = subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env=environment,
            text=True,
            capture_output=True,
            timeout=STEP_TIMEOUT_S,
            errors="replace",
            stdin=subprocess.DEVNULL,
        )
        if done.returncode != step.status:
            return (
                f"expected exit code {step.status}, found {done.returncode}:\n"
                f"{indent(done.stdout + done.stderr)}"
            )
        errors = done.stderr.rstrip("\n").split("\n")
        for line in step.expected_errors:
            if not any(self.memory.match_text(line, error) for error in errors):
                return f"standard error holds no line `{line}`:\n{indent(done.stderr)}"
        return check_body(step, self.memory, done.stdout)


def play_story(path: pathlib.Path, program: pathlib.Path, database: str) -> str | None:
    """The failure, with file and line; None when the story came true."""
    line, failure = 1, None
    # What a killed server had started may still write there.
    with tempfile.TemporaryDirectory(prefix="ciclo-story.", ignore_cleanup_errors=True) as name:
        folder = pathlib.Path(name)
        with Schema(database) as url:
            server = Server(program, folder, url)
            try:
                player = Player(server, folder)
                for step in parse(path.read_text()):
                    line = step.line
                    player.play(step)
                server.stop(signal.SIGTERM)
            except Failed as problem:
                failure = f"{path}:{line}: {problem}"
            except subprocess.TimeoutExpired:
                failure = f"{path}:{line}: no end within {STEP_TIMEOUT_S} s"
            finally:
                try:
                    server.stop(signal.SIGKILL)
                except Failed:
                    pass
                server.port.close()
    return failure


class Schema:
    """An empty schema of the PostgreSQL server, dropped at the end; nothing for SQLite."""

    numbers = iter(range(1 << 30))

    def __init__(self, database: str):
        self.server = (
            os.environ.get("CICLO_TEST_POSTGRES_URL", "") if database == "postgresql" else ""
        )
        self.name = f"story_{os.getpid()}_{next(self.numbers)}"

    def __enter__(self) -> str:
        if not self.server:
            return ""
        self.psql(f"CREATE SCHEMA {self.name}")
        mark = "&" if "?" in self.server else "?"
        return f"{self.server}{mark}options=-csearch_path%3D{self.name}"

    def __exit__(self, *_):
        if self.server:
            drop_schema(self.server, self.name)

    def psql(self, statement: str) -> None:
        done = subprocess.run(
            ["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-c", statement, self.server],
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise SystemExit(f"stories: psql failed: {done.stderr.strip()}")


def run(
    program: pathlib.Path, databases: list[str], stories: list[pathlib.Path], jobs: int
) -> list[str]:
    failures = []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        work = {
            pool.submit(play_story, path, program, database): (database, path)
            for path in stories
            for database in databases
        }
        for future in concurrent.futures.as_completed(work):
            database, path = work[future]
            failure = future.result()
            print(f"{'FAILED' if failure else 'ok    '} {database:<10} {path}", flush=True)
            if failure:
                print(indent(failure), flush=True)
                failures.append(failure)
    return failures


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--program", type=pathlib.Path)
    arguments.add_argument("--database", choices=["sqlite", "postgresql"])
    arguments.add_argument("--only", default="")
    arguments.add_argument("--jobs", type=int, default=2)
    given = arguments.parse_args()
    if given.program is None or not given.program.is_file():
        raise SystemExit(f"stories: there is no program {given.program}; ./dev build makes it")
    databases = [given.database] if given.database else ["sqlite", "postgresql"]
    if "postgresql" in databases and not os.environ.get("CICLO_TEST_POSTGRES_URL"):
        if given.database:
            raise SystemExit("stories: CICLO_TEST_POSTGRES_URL names no server")
        print("CICLO_TEST_POSTGRES_URL names no server: the stories are not played on PostgreSQL")
        databases = ["sqlite"]
    stories = [
        path
        for path in sorted(FOLDER.rglob("*.story"))
        if given.only in str(path.relative_to(FOLDER))
    ]
    if not stories:
        raise SystemExit(f"stories: no story's path holds {given.only!r}")
    failures = run(given.program.resolve(), databases, stories, given.jobs)
    print(
        f"stories: {len(stories) * len(databases) - len(failures)} passed, {len(failures)} failed"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
