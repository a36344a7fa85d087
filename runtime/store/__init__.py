"""The artifact store: the only way data moves between steps.

`open_store(url)` gives a `Store` for a folder, S3 and what speaks its language, Google Cloud Storage or Azure (see
`flowc.runtime.store.urls`). A store gives read-after-write and create-only puts; everything the runtime promises about
attempts rests on `put_new`. Faults that pass are retried, for `patience` seconds.

Errors: `StoreError` when the store cannot be used (a bad URL, no access, an outage that outlasts the retries).
A key that is not there is no error: `get` gives None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from flowc.runtime.store.urls import StoreError, locate

__all__ = ["PATIENCE", "Entry", "Store", "StoreError", "open_store"]

# Longer than a leader election or a throttled minute of an object store, shorter than anybody waits at a terminal.
PATIENCE = 90.0


@dataclass(frozen=True, slots=True)
class Entry:
    """An object in a listing; `modified` is when it was written, by the store's clock, in seconds since 1970."""

    key: str
    size: int
    modified: float


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

        A reply may be lost after the put took effect, so where a try ended in doubt the object is read and compared:
        True also for an object of just these bytes. Callers whose bytes could equal another's read what is there.
        """

    def age(self, key: str) -> float | None:
        """Seconds since the object was written, by this machine's clock; None where there is none."""

    def modified(self, key: str) -> float | None:
        """When the object was written, by the store's clock, in seconds since 1970; None where there is none."""

    def upload(self, key: str, path: Path, check: Callable[[], None] | None = None) -> None:
        """Write a file's content as the object, in bounded memory.

        `check` is called when all is read and nothing is visible yet; what it raises ends the upload without a trace.
        """

    def download(self, key: str, path: Path) -> str | None:
        """Write the object's bytes to a file, in bounded memory; gives their sha256, None where there is no object."""

    def list(self, prefix: str) -> Iterator[Entry]:
        """The objects below the folder `prefix`, in any order, each once; "" lists all."""

    def folders(self, prefix: str) -> tuple[str, ...]:
        """The names of the folders right below the folder `prefix`, sorted; "" is the store's root."""

    def delete(self, key: str) -> None:
        """Remove the object, if it is there. Asked once: no late copy of the request may strike."""


def open_store(url: str, patience: float = PATIENCE) -> Store:
    """The store at `url`; faults that may pass are tried again for `patience` seconds."""
    place = locate(url)
    if place.kind == "local":
        from flowc.runtime.store.local import LocalStore

        return LocalStore(Path(place.container))
    from flowc.runtime.store.cloud import CloudStore

    return CloudStore(place, patience)
