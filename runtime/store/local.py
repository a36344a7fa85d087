"""A store in a local or shared folder, by the standard library alone.

Every object is written to a temporary file beside its place and then renamed (`put`) or hard-linked (`put_new`) into
it: `link(2)` fails where the name exists, which makes it the atomic create-only put that POSIX file systems offer, on
NFS too. Refuses keys that would leave the folder.

A power cut must not leave a commit without its blobs. Each file is synced before it gets its name, so a name never
stands for missing bytes; the names themselves are not synced, because the journals of ext4, XFS and btrfs keep them in
the order they were made: where the commit's name survives, so do the names of everything written before it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from flowc.runtime.store import Entry, StoreError

# Large enough that system calls do not matter, small enough that many transfers at once stay small.
CHUNK = 1 << 20
_SENT_AT_ONCE = 64 << 20
_TEMPORARY = re.compile(r"\.[0-9a-f]{32}\.tmp")
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class LocalStore:
    """Objects as files below `root`, which is made at the first write."""

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.abspath(root))  # noqa: PTH100 - Path.resolve would follow links a user set on purpose

    @property
    def url(self) -> str:
        return self.root.as_uri()

    def _path(self, key: str) -> Path:
        parts = PurePosixPath(key).parts
        if not parts or key.startswith("/") or ".." in parts or "\0" in key:
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
        with self._faults("write"):
            if os.path.lexists(self._path(key)):
                return False
            with self._temporary(key) as (temporary, final):
                _write(temporary, data)
                try:
                    os.link(temporary, final)
                except FileExistsError:
                    return False
                except OSError as error:
                    if error.errno not in _NO_LINKS:
                        raise
                    raise StoreError(
                        f"the file system of the store {self.root} has no hard links, and flowc's commits need them; "
                        "put the store on another one with --store FOLDER"
                    ) from None
                return True

    def age(self, key: str) -> float | None:
        modified = self.modified(key)
        return None if modified is None else max(0.0, time.time() - modified)

    def modified(self, key: str) -> float | None:
        with self._faults("read"):
            try:
                return self._path(key).stat().st_mtime
            except (FileNotFoundError, NotADirectoryError):
                return None

    def upload(self, key: str, path: Path, check: Callable[[], None] | None = None) -> None:
        # A file that cannot be read is no fault of the store.
        with path.open("rb") as source, self._faults("write"), self._temporary(key) as (temporary, final):
            with temporary.open("wb") as target:
                _copy(source, target)
                target.flush()
                os.fsync(target.fileno())
            if check is not None:
                check()
            temporary.replace(final)

    def download(self, key: str, path: Path) -> str | None:
        with self._faults("read"):
            try:
                source = self._path(key).open("rb")
            except (FileNotFoundError, NotADirectoryError):
                return None
        # A full disk on this side is no fault of the store.
        hasher = hashlib.sha256()
        with source, path.open("wb") as target:
            while True:
                with self._faults("read"):
                    chunk = source.read(CHUNK)
                if not chunk:
                    return hasher.hexdigest()
                hasher.update(chunk)
                target.write(chunk)

    def list(self, prefix: str) -> Iterator[Entry]:
        with self._faults("read"):
            yield from self._below(self._path(prefix) if prefix else self.root)

    def _below(self, folder: Path) -> Iterator[Entry]:
        try:
            with os.scandir(folder) as found:
                items = sorted(found, key=lambda item: item.name)
        except (FileNotFoundError, NotADirectoryError):
            return
        for item in items:
            if item.is_dir():
                yield from self._below(Path(item.path))
            elif not _TEMPORARY.fullmatch(item.name):
                with contextlib.suppress(FileNotFoundError):  # gone since
                    status = item.stat()
                    yield Entry(Path(item.path).relative_to(self.root).as_posix(), status.st_size, status.st_mtime)

    def folders(self, prefix: str) -> tuple[str, ...]:
        with self._faults("read"):
            try:
                with os.scandir(self._path(prefix) if prefix else self.root) as found:
                    return tuple(sorted(item.name for item in found if item.is_dir()))
            except (FileNotFoundError, NotADirectoryError):
                return ()

    def delete(self, key: str) -> None:
        with self._faults("write"), contextlib.suppress(FileNotFoundError, NotADirectoryError):
            self._path(key).unlink()

    def left_over(self, prefix: str, older: float) -> Iterator[str]:
        """Keys of temporary files that a killed writer left more than `older` seconds ago."""
        with self._faults("read"):
            for folder, _, names in os.walk(self.root / prefix):
                for name in filter(_TEMPORARY.fullmatch, names):
                    path = Path(folder, name)
                    with contextlib.suppress(FileNotFoundError):
                        if time.time() - path.stat().st_mtime > older:
                            yield path.relative_to(self.root).as_posix()

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


def _copy(source: BinaryIO, target: BinaryIO) -> None:
    """All bytes, by the kernel alone where it can (Linux: from file to file)."""
    if sys.platform == "linux":
        try:
            while os.sendfile(target.fileno(), source.fileno(), None, _SENT_AT_ONCE):
                pass
            return
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
                raise
            source.seek(0)
            target.seek(0)
            target.truncate()
    shutil.copyfileobj(source, target, CHUNK)


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        # A commit that a power cut turns into an empty file would be worse than none.
        os.fsync(file.fileno())
