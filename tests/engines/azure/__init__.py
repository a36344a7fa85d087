"""An Azure Blob Storage server on loopback: Microsoft's Azurite, from npm, with the account it is always born with."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

from tests import npm

ACCOUNT = "devstoreaccount1"
# Azurite's documentation prints it: it opens nothing but such servers.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_VERSION = "2021-08-06"
_numbers = itertools.count()


@contextmanager
def serving() -> Iterator[str]:
    """The server's address, the account's name included, until the end of the block."""
    program = npm.installed(Path(__file__).parent) / "node_modules" / ".bin" / "azurite-blob"
    options = ("--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence", "--skipApiVersionCheck")
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen([str(program), *options], cwd=folder, stdout=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if "listening at" in line or "listens on" in line:
                    yield f"{line.split()[-1].rstrip('/')}/{ACCOUNT}"
                    break
            else:
                raise AssertionError("Azurite did not start")
        finally:
            process.terminate()


def new_container(address: str) -> str:
    """Make an empty container; the request is signed as the service's documentation has it."""
    name, date = f"container{next(_numbers)}", formatdate(usegmt=True)
    text = f"PUT{chr(10) * 12}x-ms-date:{date}\nx-ms-version:{_VERSION}\n/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
    signature = base64.b64encode(hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()).decode()
    headers = {"x-ms-date": date, "x-ms-version": _VERSION, "Authorization": f"SharedKey {ACCOUNT}:{signature}"}
    request = urllib.request.Request(f"{address}/{name}?restype=container", method="PUT", headers=headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.status == 201
    return name
