#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Brings the libraries pinned in third_party/lock.json into a folder.

fetch.py LOCK FOLDER [NAME…]

Each package is fetched by its registry's own client, refused unless its SHA-256 is the pinned one,
and only the files named in "take" are kept. What is there at the pinned version is left alone, so a
second call does nothing. Packages marked "optional" are fetched only when they are named; with
names, only those are fetched. Only the standard library is used: this runs before anything is
installed.
"""

import fnmatch
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile


def main() -> int:
    lock_file, target = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    lock = select(json.loads(lock_file.read_text()), sys.argv[3:])
    target.mkdir(parents=True, exist_ok=True)
    missing = [entry for entry in lock if not is_current(entry, target)]
    for number, entry in enumerate(missing, 1):
        print(f"  [{number}/{len(missing)}] {entry['name']} {entry['version']}", flush=True)
        try:
            bring(entry, target)
        except Failure as failure:
            print(f"fetch: {entry['name']}: {failure}", file=sys.stderr)
            return 1
    return 0


def select(lock: list, names: list) -> list:
    if names:
        return [entry for entry in lock if entry["name"] in names]
    return [entry for entry in lock if not entry.get("optional")]


class Failure(Exception):
    pass


def stamp_path(entry: dict, target: pathlib.Path) -> pathlib.Path:
    return target / ".stamps" / entry["name"]


def stamp_text(entry: dict) -> str:
    return json.dumps(entry, sort_keys=True)


def is_current(entry: dict, target: pathlib.Path) -> bool:
    stamp = stamp_path(entry, target)
    return (
        stamp.is_file()
        and stamp.read_text() == stamp_text(entry)
        and all((target / path).exists() for path in entry["take"].values())
    )


def bring(entry: dict, target: pathlib.Path) -> None:
    with tempfile.TemporaryDirectory(dir=target) as work:
        archive = download(entry, pathlib.Path(work))
        unpacked = pathlib.Path(work) / "unpacked"
        unpack(archive, unpacked)
        for pattern, destination in entry["take"].items():
            place(find(unpacked, pattern), target / destination)
    stamp = stamp_path(entry, target)
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(stamp_text(entry))


def download(entry: dict, work: pathlib.Path) -> pathlib.Path:
    commands = {
        "npm": ["npm", "pack", "--silent", entry["spec"]],
        "pypi": [
            "python3",
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary",
            ":all:",
            "--platform",
            "manylinux_2_28_x86_64",
            "--dest",
            ".",
            entry["spec"],
        ],
        "pypi-source": [
            "python3",
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--no-binary",
            entry["spec"].split("==")[0],
            "--dest",
            ".",
            entry["spec"],
        ],
        "apt": ["apt-get", "download", "-qq", entry["spec"]],
    }
    command = commands[entry["kind"]]
    if shutil.which(command[0]) is None:
        raise Failure(f"{command[0]} is not installed; ./dev setup installs it")
    done = subprocess.run(command, cwd=work, capture_output=True, text=True)
    files = [path for path in work.iterdir() if path.is_file()]
    if done.returncode != 0 or len(files) != 1:
        raise Failure(f"`{' '.join(command)}` failed: {done.stderr.strip()[-400:]}")
    check_hash(entry, files[0])
    return files[0]


def check_hash(entry: dict, archive: pathlib.Path) -> None:
    if "sha256" not in entry:
        return
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != entry["sha256"]:
        raise Failure(
            f"{archive.name} has SHA-256 {found}, third_party/lock.json pins {entry['sha256']}"
        )


def unpack(archive: pathlib.Path, to: pathlib.Path) -> None:
    to.mkdir()
    if archive.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(archive) as file:
            file.extractall(to)
    elif archive.suffix == ".deb":
        subprocess.run(["dpkg-deb", "-x", archive, to], check=True)
    else:
        with tarfile.open(archive) as file:
            file.extractall(to)


def find(root: pathlib.Path, pattern: str) -> pathlib.Path:
    for path in sorted(root.rglob("*")):
        if fnmatch.fnmatchcase(str(path.relative_to(root)), pattern):
            return path
    raise Failure(f"the package holds no {pattern}")


def place(source: pathlib.Path, destination: pathlib.Path) -> None:
    if destination.is_dir():
        shutil.rmtree(destination)
    destination.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(source, destination)


if __name__ == "__main__":
    sys.exit(main())
