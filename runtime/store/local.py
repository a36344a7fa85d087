"""A store in a local or shared folder, by the standard library alone.

Every object is written to a temporary file beside its place and then renamed (`put`) or hard-linked (`put_new`) into
it: `link(2)` fails where the name exists, which makes it the atomic create-only put that POSIX file systems offer, on
NFS too. Refuses keys that would leave the folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from flowc.runtime.store import StoreError

# Large enough that system calls do not matter, small enough that many transfers at once stay small.
CHUNK = 1 << 20


class LocalStore:
    """Objects as files below `root`, which is made at the first write."""

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.abspath(root))  # noqa: PTH100 - Path.resolve would follow links a user set on purpose

    @property
    def url(self) -> str:
        return self.root.as_uri()

    def _path(self, key: str) -> Path:
        parts = PurePosixPath(key).parts
        if not parts or key.startswith("/") or ".." in parts:
            raise StoreError(f"{key!r} is no key of a store")
        return self.root.joinpath(*parts)

    def get(self, key: str) -> bytes | None:
        with self._faults("read"):
            try:
                return self._path(key).read_bytes()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return None

    def put(self, key: str, data: bytes) -> None:
        with self._faults("write"), self._temporary(key) as (temporary, final):
            _write(temporary, data)
            temporary.replace(final)

    def put_new(self, key: str, data: bytes) -> bool:
        with self._faults("write"), self._temporary(key) as (temporary, final):
            _write(temporary, data)
            try:
                os.link(temporary, final)
            except FileExistsError:
                return False
            return True

    def age(self, key: str) -> float | None:
        with self._faults("read"):
            try:
                return max(0.0, time.time() - self._path(key).stat().st_mtime)
            except (FileNotFoundError, NotADirectoryError):
                return None

    def upload(self, key: str, path: Path) -> None:
        with self._faults("write"), self._temporary(key) as (temporary, final):
            shutil.copyfile(path, temporary)
            temporary.replace(final)

    def download(self, key: str, path: Path) -> bool:
        with self._faults("read"):
            try:
                source = self._path(key).open("rb")
            except FileNotFoundError:
                return False
        # A full disk on this side is no fault of the store.
        with source, path.open("wb") as target:
            while True:
                with self._faults("read"):
                    chunk = source.read(CHUNK)
                if not chunk:
                    return True
                target.write(chunk)

    @contextmanager
    def _temporary(self, key: str) -> Iterator[tuple[Path, Path]]:
        final = self._path(key)
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = final.parent / f".{uuid.uuid4().hex}.tmp"
        try:
            yield temporary, final
        finally:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()

    @contextmanager
    def _faults(self, verb: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise StoreError(f"cannot {verb} the store {self.root}: {reason} ({error.filename or '?'})") from error


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        # A commit that a power cut turns into an empty file would be worse than none.
        os.fsync(file.fileno())
