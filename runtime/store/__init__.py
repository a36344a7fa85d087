"""The artifact store: the only way data moves between steps.

`open_store(url)` gives a `Store` for `file:///folder` (or a plain path) and `s3://bucket/prefix`. A store gives
read-after-write and create-only puts; everything the runtime promises about attempts rests on `put_new`.

Errors: `StoreError` when the store cannot be used (a bad URL, no access, an outage that outlasts the retries).
A key that is not there is no error: `get` gives None.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit


class StoreError(Exception):
    """The store cannot do what was asked; the message names the store and the remedy."""


class Store(Protocol):
    """Objects under keys such as `flow/run/step/commit.json`."""

    @property
    def url(self) -> str: ...

    def get(self, key: str) -> bytes | None:
        """The object's bytes, None where there is none."""

    def put(self, key: str, data: bytes) -> None:
        """Write the object, replacing one that is there. Readers see the old or the new bytes, never a mixture."""

    def put_new(self, key: str, data: bytes) -> bool:
        """Write the object only if there is none (one atomic create); False where one exists.

        False may also answer the caller's own earlier try whose reply was lost: read and compare.
        """

    def age(self, key: str) -> float | None:
        """Seconds since the object was written, None where there is none."""

    def upload(self, key: str, path: Path) -> None:
        """Write a file's content as the object, in bounded memory."""

    def download(self, key: str, path: Path) -> bool:
        """Write the object's bytes to a file, in bounded memory; False where there is no such object."""


def open_store(url: str) -> Store:
    """The store at `url`: `file:///folder`, a plain folder path, or `s3://bucket/prefix`."""
    parts = urlsplit(url)
    if parts.scheme in ("", "file"):
        from flowc.runtime.store.local import LocalStore

        if parts.scheme == "file" and (parts.netloc not in ("", "localhost") or not parts.path.startswith("/")):
            raise StoreError(f"{url} is no usable file URL; write it as file:///absolute/folder")
        return LocalStore(Path(unquote(parts.path) if parts.scheme else url))
    if parts.scheme == "s3":
        from flowc.runtime.store.s3 import S3Store

        return S3Store(bucket=parts.netloc, prefix=parts.path.strip("/"))
    raise StoreError(f"the store {url} is of an unknown kind; use file:///folder or s3://bucket/prefix")
