#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What tools/fetch.py keeps, refuses and never runs. Asks no network: pip finds a package made
here, and a program made here stands for npm and cargo."""

import hashlib
import io
import json
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import unittest

FETCH = pathlib.Path(__file__).resolve().parent.parent.parent / "tools" / "fetch.py"


def make_archive(path: pathlib.Path, files: dict) -> str:
    """Writes a .tar.gz of these files; its SHA-256."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content.encode()))
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Fetch(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.target = self.folder / "target"
        self.served = self.folder / "served"
        self.bin = self.folder / "bin"
        self.served.mkdir()
        self.bin.mkdir()

    def fetch(self, entry: dict) -> subprocess.CompletedProcess:
        lock = self.folder / "lock.json"
        lock.write_text(json.dumps([entry]))
        environment = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.served),
                       "PATH": f"{self.bin}:{os.environ['PATH']}",
                       "CARGO_HOME": str(self.folder / "cargo")}
        return subprocess.run([sys.executable, FETCH, lock, self.target], env=environment,
                              capture_output=True, text=True)

    def source_package(self) -> dict:
        """Its code, were it run, would leave a file."""
        code = f"open({str(self.folder / 'was-run')!r}, 'w')\n"
        sha = make_archive(self.served / "thing-1.0.tar.gz",
                           {"thing-1.0/setup.py": code, "thing-1.0/thing.c": "int thing;\n",
                            "thing-1.0/PKG-INFO": "Metadata-Version: 2.1\nName: thing\n"
                                                  "Version: 1.0\n"})
        return {"name": "thing", "version": "1.0", "kind": "pypi-source", "spec": "thing==1.0",
                "sha256": sha, "take": {"thing-1.0/thing.c": "thing/thing.c"}}

    def client(self, name: str, script: str) -> None:
        program = self.bin / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    def test_a_source_package_is_unpacked_and_its_code_never_run(self):
        done = self.fetch(self.source_package())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((self.target / "thing/thing.c").read_text(), "int thing;\n")
        self.assertFalse((self.folder / "was-run").exists())

    def test_a_source_package_with_another_hash_is_refused_before_its_code_runs(self):
        done = self.fetch({**self.source_package(), "sha256": "0" * 64})
        self.assertEqual(done.returncode, 1)
        self.assertIn("thing", done.stderr)
        self.assertFalse((self.target / "thing").exists())
        self.assertFalse((self.folder / "was-run").exists())

    def test_packages_of_npm_are_checked(self):
        sha = make_archive(self.served / "archive", {"package/a.txt": "a"})
        self.client("npm", f"cp {self.served}/archive thing-1.0.tgz")
        entry = {"name": "thing", "version": "1.0", "kind": "npm", "spec": "thing@1.0",
                 "sha256": sha, "take": {"package/a.txt": "thing/a.txt"}}
        done = self.fetch({**entry, "sha256": "0" * 64})
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"has SHA-256 {sha}", done.stderr)
        done = self.fetch(entry)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((self.target / "thing/a.txt").read_text(), "a")
        self.assertEqual(self.fetch(entry).stdout, "", "a second call does nothing")


if __name__ == "__main__":
    unittest.main()
