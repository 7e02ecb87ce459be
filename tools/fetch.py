#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Brings the libraries pinned in third_party/lock.json into a folder.

fetch.py LOCK FOLDER [NAME…]

Each package is fetched by its registry's own client and refused unless its SHA-256 is the pinned
one, before anything in it is run or unpacked; the distribution's own packages are apt's to check.
Only the files named in "take" are kept. What is
there at the pinned version is left alone, so a second call does nothing. Packages marked "optional"
are fetched only when they are named; with names, only those are fetched. Only the standard library
is used: this runs before anything is installed.
"""

import fnmatch
import hashlib
import json
import os
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
    clients = {"npm": npm, "pypi": pypi, "pypi-source": pypi, "apt": apt}
    if entry["kind"] not in clients:
        raise Failure(f"unknown kind {entry['kind']!r}; known are {', '.join(clients)}")
    archive = clients[entry["kind"]](entry, work)
    if entry["kind"] != "apt":
        check_hash(entry, archive)
    return archive


def npm(entry: dict, work: pathlib.Path) -> pathlib.Path:
    run(["npm", "pack", "--silent", "--ignore-scripts", entry["spec"]], work)
    return only_file(work, "*.tgz")


def pypi(entry: dict, work: pathlib.Path) -> pathlib.Path:
    """pip checks the hash as it downloads, when the requirement names one."""
    name, version = entry["spec"].split("==")
    requirement = work / "requirement.txt"
    requirement.write_text(f"{entry['spec']} --hash=sha256:{entry['sha256']}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--dest", "got", "--require-hashes", "-r", requirement.name]
    if entry["kind"] == "pypi":
        run(command + ["--only-binary", ":all:", "--platform", "manylinux_2_28_x86_64"], work)
        return only_file(work / "got", "*.whl")
    # pip asks a source package for its metadata: it would run its code and first fetch what that
    # needs, which no hash of ours pins. Here a backend of ours answers instead.
    backend = work / "backend" / "setuptools"
    backend.mkdir(parents=True)
    (backend / "__init__.py").write_text("")
    (backend / "build_meta.py").write_text(BACKEND.format(name=name, version=version))
    environment = {"PYTHONPATH": str(backend.parent), "SETUPTOOLS_USE_DISTUTILS": "stdlib"}
    run(command + ["--no-binary", name, "--use-pep517", "--no-build-isolation"], work, environment)
    return only_file(work / "got", "*.tar.gz")


BACKEND = """\
import pathlib, sys

def prepare_metadata_for_build_wheel(directory, settings=None):
    folder = pathlib.Path(directory, "{name}-{version}.dist-info")
    folder.mkdir()
    folder.joinpath("METADATA").write_text(
        "Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
    return folder.name

__legacy__ = sys.modules[__name__]
"""


def apt(entry: dict, work: pathlib.Path) -> pathlib.Path:
    """A package of the distribution: apt checks its hash against the signed list."""
    run(["apt-get", "download", "-qq", entry["spec"]], work)
    return only_file(work, "*.deb")


def run(command: list, work: pathlib.Path, environment: dict | None = None) -> None:
    if shutil.which(command[0]) is None:
        raise Failure(f"{command[0]} is not installed; ./dev setup installs it")
    variables = {**os.environ, **(environment or {})}
    done = subprocess.run(command, cwd=work, env=variables, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"`{' '.join(map(str, command))}` failed: {done.stderr.strip()[-400:]}")


def only_file(folder: pathlib.Path, pattern: str) -> pathlib.Path:
    files = sorted(folder.glob(pattern))
    if len(files) != 1:
        raise Failure(f"the client brought {len(files)} files {pattern}, expected one")
    return files[0]


def check_hash(entry: dict, archive: pathlib.Path) -> None:
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
