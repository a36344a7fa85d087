"""Compiling needs the folder of the flow and nothing else: no network, no credentials, no store, no heavy library.

The whole command runs in a process in which every connection, name look-up and import of such a library is an error.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DIGITS = Path(__file__).parents[2] / "examples/digits_torch"

ALONE = """
import socket, sys

HEAVY = {"hera", "boto3", "botocore", "torch", "jsonschema", "moto", "obstore", "rich", "cryptography", "numpy"}

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HEAVY:
            raise AssertionError(f"compiling imported {name}")

def refuse(*args, **kwargs):
    raise AssertionError(f"compiling reached for the network: {args}")

sys.meta_path.insert(0, Refuse())
socket.socket.connect = socket.socket.connect_ex = socket.socket.bind = refuse
socket.getaddrinfo = socket.create_connection = refuse

from flowc.compiler.cli import main
sys.exit(main(sys.argv[1:]))
"""


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("target", ["argo", "sfn"])
def test_compile_is_alone_with_the_folder_and_gives_the_same_bytes_anywhere(tmp_path: Path, target: str) -> None:
    written = []
    for place, seed in (("here", "0"), ("there é", "12345")):
        code = tmp_path / place / "digits_torch"
        shutil.copytree(DIGITS, code, ignore=shutil.ignore_patterns(".flowc", "__pycache__"))
        out = tmp_path / place / "out"
        done = subprocess.run(
            [sys.executable, "-c", ALONE, "compile", str(code / "digits.flow"), "--target", target, "-o", str(out)],
            # Nothing of ours: no home with a cache or credentials, no AWS or Kubernetes variables.
            env={
                "PATH": "/usr/bin:/bin",
                "PYTHONHASHSEED": seed,
                "HOME": str(tmp_path / "nowhere"),
                "TZ": f"UTC{seed[0]}",
            },
            cwd=tmp_path / place,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        written.append(files(out))

    assert written[0] == written[1]
    assert len(written[0]) >= 3
