#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A real PostgreSQL for tests: a fresh server on a loopback port, gone at the end.

postgres.py run [--durable] -- COMMAND…   starts a server, runs COMMAND, stops the server,
                                          exits as COMMAND did
postgres.py restart DATA_DIRECTORY [--mode MODE]
                                          restarts a server that `run` started; fast, or with
                                          the mode immediate as after a crash

COMMAND finds the server's URL in CICLO_TEST_POSTGRES_URL, and in CICLO_TEST_POSTGRES_RESTART a
command that restarts it. The server keeps its data in a temporary folder. When this runs as root,
the server runs as the user postgres, for PostgreSQL refuses root. Without --durable it does not
sync: faster, and no test cuts the power.
"""

import argparse
import ctypes
import os
import pathlib
import pwd
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from held_port import HeldPort

USER = "postgres"
START_SECONDS_MAX = 300
PR_SET_PDEATHSIG = 1


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    run_parser = verbs.add_parser("run")
    run_parser.add_argument("--durable", action="store_true")
    run_parser.add_argument("command", nargs=argparse.REMAINDER)
    restart_parser = verbs.add_parser("restart")
    restart_parser.add_argument("data", type=pathlib.Path)
    restart_parser.add_argument("--mode", choices=["fast", "immediate"], default="fast")
    arguments = parser.parse_args()
    programs = find_programs()
    if programs is None:
        sys.exit("postgres.py: no PostgreSQL server found: apt-get install postgresql")
    if arguments.verb == "restart":
        command = [programs / "pg_ctl", "restart", "-w", "-t", START_SECONDS_MAX,
                   "-m", arguments.mode, "-D", arguments.data]
        return as_server_user(command + ["-l", os.devnull], quiet=True).returncode
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        parser.error("run needs a command")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    return run(programs, command, arguments.durable)


def find_programs() -> pathlib.Path | None:
    """The folder of initdb and postgres: Debian keeps it out of PATH."""
    found = shutil.which("initdb")
    if found:
        return pathlib.Path(found).resolve().parent
    folders = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return folders[-1].parent if folders else None


def run(programs: pathlib.Path, command: list[str], durable: bool) -> int:
    with tempfile.TemporaryDirectory(prefix="ciclo-postgres.") as folder_name:
        folder = pathlib.Path(folder_name)
        if os.geteuid() == 0:
            owner = pwd.getpwnam(USER)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        data = folder / "data"
        password = secrets.token_hex(8)
        make_cluster(programs, data, password)
        held = HeldPort()  # also while the server is restarted
        port = held.number
        server = start(programs, data, port, durable)
        try:
            wait_until_ready(programs, server, port, folder / "server.log")
            environment = dict(os.environ)
            environment["CICLO_TEST_POSTGRES_URL"] = (
                f"postgresql://{USER}:{password}@127.0.0.1:{port}/postgres")
            environment["CICLO_TEST_POSTGRES_RESTART"] = shlex.join(
                [sys.executable, os.path.abspath(__file__), "restart", str(data)])
            return subprocess.run(command, env=environment, check=False).returncode
        finally:
            stop = [programs / "pg_ctl", "stop", "-w", "-m", "immediate", "-D", data]
            as_server_user(stop, quiet=True)
            server.wait()
            held.close()


def make_cluster(programs: pathlib.Path, data: pathlib.Path, password: str) -> None:
    # UTF-8 whatever the machine's settings are, and a collation that is not by byte, as most users'
    # databases have: what relies on the order of bytes without saying so fails here too. A
    # password, so that tests see it used.
    password_file = data.parent / "password"
    as_server_user(["/bin/sh", "-c", f"umask 077; echo {password} > {password_file}"], check=True)
    initdb = [programs / "initdb", "-D", data, "-U", USER, "--pwfile", password_file, "--no-sync",
              "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C",
              "--locale-provider=icu", "--icu-locale=en-US"]
    as_server_user(initdb, quiet=True, check=True)
    password_file.unlink()


def start(programs: pathlib.Path, data: pathlib.Path, port: int,
          durable: bool) -> subprocess.Popen:
    settings = {"listen_addresses": "127.0.0.1", "port": str(port), "unix_socket_directories": "",
                "max_connections": "200", "shared_buffers": "64MB",
                "fsync": "on" if durable else "off", "log_min_messages": "fatal"}
    with (data / "postgresql.auto.conf").open("a") as file:
        file.writelines(f"{key} = '{value}'\n" for key, value in settings.items())
    with (data.parent / "server.log").open("w") as log:
        return subprocess.Popen([programs / "postgres", "-D", data], stdout=log, stderr=log,
                                stdin=subprocess.DEVNULL, start_new_session=True,
                                preexec_fn=end_with_parent, **user_options())


def wait_until_ready(programs: pathlib.Path, server: subprocess.Popen, port: int,
                     log: pathlib.Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and server.poll() is None:
        probe = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        if subprocess.run(probe, check=False).returncode == 0:
            return
        time.sleep(0.05)
    sys.exit(f"postgres.py: the server did not start:\n{log.read_text()}")


def as_server_user(command: list, quiet: bool = False,
                   check: bool = False) -> subprocess.CompletedProcess:
    output = subprocess.DEVNULL if quiet else None
    return subprocess.run([str(word) for word in command], stdout=output, check=check, cwd="/",
                          **user_options())


def user_options() -> dict:
    return {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 else {}


def end_with_parent() -> None:
    """A killed test run leaves no server behind: SIGINT is PostgreSQL's fast shutdown."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main())
