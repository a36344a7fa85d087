"""Garbage: blobs that nothing refers to, removed once they are older than seven days.

`collect(store, flow)` reads every `.json` document of the flow and the manifests of folders these name; what no
document names and the store's own clock calls older than seven days is removed. Needed are the rights to list and to
delete. Bundles, records and logs are never removed.

Safe beside running flows. Whoever publishes content that is in the store already relies on a blob for at most three
days of age and writes an older one anew, so a young blob is nobody's garbage even while no document names it yet. The
one race left, a blob that is written anew between the look at its age and its removal, is closed by a mark: the
collector writes it first and takes it away last, and the writer looks for it (`flowc.runtime.artifacts`). Each removal
is asked for once and within seconds of the look; one that ended in doubt leaves its mark until it can have no effect.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from flowc.runtime import layout
from flowc.runtime.artifacts import MARK_LIFE, each, manifest_entries
from flowc.runtime.errors import STORE, Stop
from flowc.runtime.store import Entry, Store, StoreError
from flowc.runtime.store.local import LocalStore

GARBAGE_AGE = 7 * 24 * 3600.0
# Of temporary files that killed writers left in a local store: no upload takes longer.
_LEFT_OVER_AGE = 24 * 3600.0
# A removal that was not asked for so soon after the look at the age is not asked for at all.
_SOON = 30.0
_DIGEST = re.compile(rb"\b[0-9a-f]{64}\b")


@dataclass(frozen=True, slots=True)
class Collected:
    """`blobs` were looked at; `removed` (of `size` bytes) are gone, or would be; `left` could not be removed now."""

    flow: str
    blobs: int
    removed: int
    size: int
    left: int


def flows(store: Store) -> tuple[str, ...]:
    """The flows that have blobs in the store."""
    return tuple(name for name in store.folders("") if "blobs" in store.folders(name))


def collect(store: Store, flow: str, *, dry_run: bool = False) -> Collected:
    """Remove the flow's garbage; a dry run writes and removes nothing, and goes by this machine's clock."""
    clock = time.time if dry_run else _clock(store, flow)
    blobs, old = 0, dict[str, Entry]()
    for entry in store.list(layout.blob_folder(flow)):
        blobs += 1
        if clock() - entry.modified > GARBAGE_AGE:
            old[entry.key.rpartition("/")[2]] = entry
    for digest in _referred(store, flow) if old else ():
        old.pop(digest, None)
    garbage = sorted(old.values(), key=lambda entry: entry.key)
    gone = (
        [True] * len(garbage) if dry_run else list(each(lambda entry: _remove(store, flow, entry.key, clock), garbage))
    )
    if not dry_run and isinstance(store, LocalStore):
        for key in list(store.left_over(flow, _LEFT_OVER_AGE)):
            store.delete(key)
    size = sum(entry.size for entry, removed in zip(garbage, gone, strict=True) if removed)
    return Collected(flow, blobs, sum(gone), size, len(gone) - sum(gone))


def _clock(store: Store, flow: str) -> Callable[[], float]:
    """The store's own clock: the time it gives to an object that is written now."""
    key = layout.clock_key(flow, uuid.uuid4().hex)
    store.put(key, b"")
    began, written = time.monotonic(), store.modified(key)
    store.delete(key)
    if written is None:
        raise StoreError(f"the store {store.url} does not give back what it took: it lacks read-after-write")
    return lambda: written + time.monotonic() - began


def _referred(store: Store, flow: str) -> Iterator[str]:
    """The digests that documents and manifests name; more than blobs, which does no harm."""
    folders: set[str] = set()
    documents = (entry.key for entry in store.list(flow) if _is_document(flow, entry.key))
    for data in each(lambda key: store.get(key) or b"", documents):
        yield from (digest.decode() for digest in _DIGEST.findall(data))
        folders |= _folders(data)
    for digest in each(lambda folder: _named_in(store, flow, folder), sorted(folders)):
        yield from digest


def _is_document(flow: str, key: str) -> bool:
    kept_apart = (f"{flow}/blobs/", f"{flow}/bundles/", f"{flow}/gc/")
    return key.endswith(".json") and not key.startswith(kept_apart)


def _folders(data: bytes) -> set[str]:
    """The manifests that a document names: wherever an artifact of type `dir` stands in it."""
    found: set[str] = set()
    try:
        waiting: list[Any] = [json.loads(data)]
    except (ValueError, RecursionError):
        return found  # no document of ours names a folder then; the digests in it are kept all the same
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if value.get("type") == "dir" and isinstance(value.get("blob"), str):
                found.add(value["blob"])
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return found


def _named_in(store: Store, flow: str, folder: str) -> list[str]:
    if store.modified(layout.blob_key(flow, folder)) is None:
        return []  # lost already, and with it the names of its files
    return [entry["blob"] for entry in manifest_entries(store, flow, folder) if "blob" in entry]


def _remove(store: Store, flow: str, key: str, clock: Callable[[], float]) -> bool:
    """Remove one blob if it is still old; False where another collector or a doubtful end is in the way."""
    mark = layout.condemned_key(flow, key.rpartition("/")[2])
    began = time.monotonic()
    if not store.put_new(mark, uuid.uuid4().hex.encode()):
        marked = store.modified(mark)
        if marked is not None and clock() - marked > 2 * MARK_LIFE:
            store.delete(mark)  # of a collector that was cut off; the next collection comes to this blob again
        return False
    modified = store.modified(key)
    old = modified is not None and clock() - modified > GARBAGE_AGE
    if old and time.monotonic() - began < _SOON:
        try:
            store.delete(key)
        except StoreError as error:
            # The mark stays: the request may yet have its effect.
            raise Stop(STORE, f"{error} (a blob was to be removed)") from None
    store.delete(mark)
    return old
