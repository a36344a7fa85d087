"""Is this store fit for flows? `check_store` tries out what the runtime rests on and says what it found.

It writes below `.flowc-doctor/` in the store, reads, lists, and removes what it wrote. Whatever else `flowc doctor`
looks into will be another function that gives findings.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from flowc.runtime.store import Store, StoreError

FOLDER = ".flowc-doctor"
_RIVALS = 8
# S3 turns away requests that are signed by a clock fifteen minutes off.
_SKEW = 300.0
_UPDATE = "use another store, or a newer version of this server"


@dataclass(frozen=True, slots=True)
class Finding:
    """`bad` makes the store unfit; a `warning` costs something. `remedy` is "" where nothing is to be done."""

    verdict: Literal["good", "warning", "bad"]
    what: str
    remedy: str = ""


def check_store(store: Store) -> Iterator[Finding]:
    """What the store can do, one finding each; ends early where nothing further can be tried."""
    folder = f"{FOLDER}/{uuid.uuid4().hex}"
    try:
        yield from _reading(store, folder)
        yield from _creating(store, folder)
        yield from _listing(store, folder)
    except StoreError as error:
        yield Finding("bad", str(error))
        with suppress(StoreError):
            _clean(store, folder)
        return
    yield from _removing(store, folder)


def _reading(store: Store, folder: str) -> Iterator[Finding]:
    key = f"{folder}/read"
    # What is not there yet is asked for first: some caches remember a "not found".
    before = store.get(key)
    store.put(key, b"1")
    first = store.get(key)
    store.put(key, b"2")
    second = store.get(key)
    if before is None and first == b"1" and second == b"2":
        yield Finding("good", "what is written is read at once, and so is what is written over it")
    else:
        yield Finding(
            "bad",
            "what was just written is not what is read (no read-after-write), so steps would miss each other's outputs",
            "is a cache or a replica between? Address the store itself",
        )
    written = store.modified(key)
    if written is None:
        yield Finding("bad", "the store does not say when an object was written", _UPDATE)
    elif abs(skew := time.time() - written) > _SKEW:
        which = "ahead of" if skew > 0 else "behind"
        yield Finding(
            "warning", f"this machine's clock is {abs(skew):,.0f} s {which} the store's", "set the clock right"
        )


def _creating(store: Store, folder: str) -> Iterator[Finding]:
    remedy = f"two attempts of a task could both count; {_UPDATE}"
    key = f"{folder}/create"
    created, again = store.put_new(key, b"first"), store.put_new(key, b"second")
    if not created:
        yield Finding("bad", "a create-only put says of a new name that it is taken", remedy)
        return
    if again or store.get(key) != b"first":
        yield Finding("bad", "create-only puts are ignored: a second one replaced the first", remedy)
        return
    race = f"{folder}/race"
    texts = [str(number).encode() for number in range(_RIVALS)]
    with ThreadPoolExecutor(_RIVALS) as pool:
        answers = list(pool.map(lambda text: store.put_new(race, text), texts))
    won = [text for text, new in zip(texts, answers, strict=True) if new]
    if len(won) == 1 and store.get(race) == won[0]:
        yield Finding("good", f"of {_RIVALS} create-only puts at once, one wins")
    else:
        yield Finding("bad", f"of {_RIVALS} create-only puts at once, {len(won)} won", remedy)


def _listing(store: Store, folder: str) -> Iterator[Finding]:
    try:
        found = {entry.key for entry in store.list(folder)}
    except StoreError as error:
        yield Finding(
            "warning", str(error), "flows run all the same; `flowc gc` and lists of runs need the right to list"
        )
        return
    if found == {f"{folder}/{name}" for name in ("read", "create", "race")}:
        yield Finding("good", "what was written is listed")
    else:
        yield Finding("warning", "listings are behind what was written", "`flowc gc` must not be used with this store")


def _removing(store: Store, folder: str) -> Iterator[Finding]:
    try:
        _clean(store, folder)
    except StoreError as error:
        yield Finding(
            "warning",
            str(error),
            f"flows run all the same; `flowc gc` needs the right to remove, and what was tried lies in {folder}",
        )
        return
    if store.get(f"{folder}/read") is None:
        yield Finding("good", "what is removed is gone")
    else:
        yield Finding("warning", "what was removed is still there", "`flowc gc` may free nothing")


def _clean(store: Store, folder: str) -> None:
    for name in ("read", "create", "race"):
        store.delete(f"{folder}/{name}")
