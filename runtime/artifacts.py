"""Files and folders as content-addressed blobs: publish on one node, fetch on another.

A file becomes one blob named by its sha256; a folder becomes a manifest blob that lists its files, links and empty
folders. Equal content is stored once per flow. Transfers of a folder run in parallel; every file streams in bounded
memory and its digest is checked on the way in. Kept are names of any bytes, the right to execute, empty folders, and
links that stay inside the folder, as links; refused are links that leave it, devices and pipes. Owners, times and other
rights are not kept.

`flowc.runtime.gc` removes only blobs older than seven days that nothing refers to, so a writer uploads anew what is
older than three days instead of relying on it, and sees to it that no collection was under way (`_refresh`).
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from flowc.runtime import layout
from flowc.runtime.errors import BAD_PLAN, STORE, Stop
from flowc.runtime.store import Store

A = TypeVar("A")
B = TypeVar("B")

# A blob older than this may be about to be collected (after seven days), so it is written again.
TRUSTED_AGE = 3 * 24 * 3600.0
# A collection that was cut off leaves its mark on a blob; after this many seconds nobody minds it any more.
MARK_LIFE = 300.0
# Transfers at once for the files of a folder: enough to hide an object store's latency, few enough for its rate limits.
PARALLEL = 32
# Of larger files fewer, since they are in memory whole (up to the first size) or in several parts of that size.
_LARGER = ((8 << 20, threading.BoundedSemaphore(2)), (1 << 20, threading.BoundedSemaphore(6)))
# Up to this size one create-only put is cheaper than to ask first whether the blob is there.
SMALL = 256 << 10
_CHUNK = 1 << 20
# A blob that arrives damaged is asked for so often: a cache on the way may have been at fault.
_TRIES = 3
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Artifact:
    """A published file or folder; a pickle is a file. `size` is the sum of its files in bytes, `name` its base name."""

    type: str
    blob: str
    size: int
    name: str

    def to_json(self) -> dict[str, Any]:
        return {"type": self.type, "blob": self.blob, "size": self.size, "name": self.name}


def publish(store: Store, flow: str, type_: str, path: Path, what: str) -> Artifact:
    """Store the file or folder at `path`; `Stop` when it is missing or of the other kind. `what` is for messages."""
    if type_ != "dir" and not path.is_file():
        raise Stop(BAD_PLAN, _missing(path, what, "file"))
    if type_ == "dir" and not path.is_dir():
        raise Stop(BAD_PLAN, _missing(path, what, "folder"))
    try:
        if type_ == "dir":
            return _publish_folder(store, flow, path, what)
        digest, size = _Publisher(store, flow).publish(path)
        return Artifact(type_, digest, size, path.name)
    except OSError as error:
        reason = f"{error.strerror or error} ({error.filename or path})"
        raise Stop(BAD_PLAN, f"{what} cannot be read: {reason}") from None


def fetch(store: Store, flow: str, artifact: Artifact, into: Path) -> Path:
    """Bring an artifact to `into/NAME`; gives that path."""
    if artifact.name in ("", ".", "..") or "/" in artifact.name:
        raise Stop(
            STORE, f"the store {store.url} gives an artifact the name {artifact.name!r}: it is no name of a file"
        )
    into.mkdir(parents=True, exist_ok=True)
    target = into / artifact.name
    if artifact.type != "dir":
        _fetch_file(store, flow, artifact.blob, target)
    else:
        _fetch_folder(store, flow, artifact.blob, target)
    return target


def digest_of(path: Path) -> tuple[str, int]:
    """sha256 (hex) and size in bytes of a file."""
    hasher = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            hasher.update(chunk)
            size += len(chunk)
    return hasher.hexdigest(), size


def put_blob(store: Store, flow: str, data: bytes) -> str:
    """Store bytes as a blob, unless a fresh one is there; gives the digest."""
    digest = hashlib.sha256(data).hexdigest()
    key = layout.blob_key(flow, digest)
    if len(data) <= SMALL:
        if store.put_new(key, data):
            return digest
    elif store.age(key) is None:
        store.put(key, data)
        return digest
    if not _is_fresh(store, key):
        _refresh(store, flow, digest, lambda: store.put(key, data))
    return digest


def get_blob(store: Store, flow: str, digest: str) -> bytes:
    key = layout.blob_key(flow, digest)
    for _ in range(_TRIES):
        data = store.get(key)
        if data is None:
            raise _lost(store, digest)
        if hashlib.sha256(data).hexdigest() == digest:
            return data
    raise _damaged(store, key)


# --- publishing -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Publisher:
    """Publishes files, equal ones once."""

    store: Store
    flow: str
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _seen: set[str] = field(default_factory=set)

    def publish(self, path: Path) -> tuple[str, int]:
        """Digest and size in bytes; `Stop` for a file that changes meanwhile."""
        before = path.stat()

        def unchanged() -> None:
            after = path.stat()
            if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
                raise Stop(BAD_PLAN, f"{path} changed while it was published: something still writes to it")

        if before.st_size <= SMALL:
            with path.open("rb") as file:
                data = file.read(SMALL + 1)
            unchanged()
            if self._first(hashlib.sha256(data).hexdigest()):
                put_blob(self.store, self.flow, data)
            return hashlib.sha256(data).hexdigest(), len(data)
        digest, size = digest_of(path)
        if self._first(digest):
            with _turn(size):
                self._upload(digest, path, unchanged)
        unchanged()
        return digest, size

    def _upload(self, digest: str, path: Path, unchanged: Callable[[], None]) -> None:
        key = layout.blob_key(self.flow, digest)
        age = self.store.age(key)
        if age is None:
            self.store.upload(key, path, unchanged)
        elif age >= TRUSTED_AGE:
            _refresh(self.store, self.flow, digest, lambda: self.store.upload(key, path, unchanged))

    def _first(self, digest: str) -> bool:
        with self._lock:
            new = digest not in self._seen
            self._seen.add(digest)
            return new


def _refresh(store: Store, flow: str, digest: str, write: Callable[[], object]) -> None:
    """Write a blob over its old self, and make sure that no collection that took it for old removes it after that.

    A collector marks a blob, then looks at its age, then removes it, then takes the mark away. So if there is no mark
    after the write, every collector that saw the old age is done; whether the blob is there then tells how it ended.
    """
    key, mark = layout.blob_key(flow, digest), layout.condemned_key(flow, digest)
    deadline = time.monotonic() + 2 * MARK_LIFE
    while time.monotonic() < deadline:
        write()
        since, written, pause = time.monotonic(), store.modified(key), 0.05
        # The ages of marks are told by the store's clock alone, which the blob's own time has just shown.
        while written is not None and (marked := store.modified(mark)) is not None:
            if written + time.monotonic() - since - marked > MARK_LIFE:
                break
            time.sleep(pause)
            pause = min(2 * pause, 2.0)
        if written is not None and store.modified(key) is not None:
            return
    raise Stop(STORE, f"the store {store.url} loses the blob {digest} as often as it is written")


def _publish_folder(store: Store, flow: str, root: Path, what: str) -> Artifact:
    entries: list[dict[str, Any]] = []
    total = 0
    publisher = _Publisher(store, flow)
    files: list[str] = []
    for relative, path in _walk(root):
        if path.is_symlink():
            target = os.readlink(path)  # noqa: PTH115 - the text of the link, not a Path of it
            if target.startswith("/") or not _inside(path.parent / target, root):
                raise Stop(BAD_PLAN, f"{what}: the link {relative} leaves the folder; copy what it points to")
            entries.append({"path": relative, "link": target})
        elif path.is_file():
            files.append(relative)
        elif path.is_dir():
            entries.append({"path": relative, "dir": True})
        else:
            raise Stop(BAD_PLAN, f"{what}: {relative} is neither a file nor a folder")

    def publish_one(relative: str) -> dict[str, Any]:
        path = root / relative
        digest, size = publisher.publish(path)
        return {"path": relative, "blob": digest, "size": size, "x": bool(path.stat().st_mode & stat.S_IXUSR)}

    for entry in each(publish_one, files):
        total += entry["size"]
        entries.append(entry)
    entries.sort(key=lambda entry: str(entry["path"]))
    manifest = json.dumps({"version": 1, "entries": entries}, separators=(",", ":")).encode()
    return Artifact("dir", put_blob(store, flow, manifest), total, root.name)


def _walk(root: Path) -> Iterator[tuple[str, Path]]:
    """Everything below the folder that a manifest names: files, links, empty folders. Raises where it may not look."""

    def give_up(error: OSError) -> None:
        raise error

    for folder, folders, names in os.walk(root, onerror=give_up):
        here = Path(folder)
        inner = [name for name in folders if not (here / name).is_symlink()]
        if not folders and not names and here != root:
            yield here.relative_to(root).as_posix(), here
        for name in [*(set(folders) - set(inner)), *names]:
            yield (here / name).relative_to(root).as_posix(), here / name
        folders[:] = inner


def _inside(path: Path, root: Path) -> bool:
    # Not Path.resolve: it raises for links that go in circles, and such a link is the user's to keep.
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))


# --- fetching ---------------------------------------------------------------------------------------------------------


def _fetch_file(store: Store, flow: str, digest: str, target: Path) -> None:
    key = layout.blob_key(flow, digest)
    try:
        for _ in range(_TRIES):
            found = store.download(key, target)
            if found is None:
                raise _lost(store, digest)
            if found == digest:
                return
        raise _damaged(store, key)
    except BaseException:
        # What arrived in part must not be taken for the file.
        with suppress(OSError):
            target.unlink()
        raise


def _fetch_folder(store: Store, flow: str, digest: str, root: Path) -> None:
    entries = manifest_entries(store, flow, digest)
    root.mkdir(parents=True, exist_ok=True)
    files: list[tuple[dict[str, Any], Path]] = []
    links = {PurePosixPath(entry["path"]): str(entry["link"]) for entry in entries if "link" in entry}
    made: set[Path] = set()
    for entry in entries:
        # `_publish_folder` makes no such manifest, but whoever may write to the store may not write to this machine.
        relative = PurePosixPath(entry["path"])
        inside = relative.parts and not relative.is_absolute() and ".." not in relative.parts
        if not inside or not links.keys().isdisjoint(relative.parents):
            raise _leaves(store, digest, entry["path"])
        path = root / relative
        folder = path if "dir" in entry else path.parent
        if folder not in made:
            folder.mkdir(parents=True, exist_ok=True)
            made.add(folder)
        if "blob" in entry:
            files.append((entry, path))

    def fetch_one(item: tuple[dict[str, Any], Path]) -> None:
        entry, path = item
        with _turn(entry["size"]):
            _fetch_file(store, flow, entry["blob"], path)
        if entry["x"]:
            path.chmod(path.stat().st_mode | 0o111)

    for _ in each(fetch_one, files):
        pass
    for relative, target in links.items():
        if (root / relative).is_symlink():
            (root / relative).unlink()
        (root / relative).symlink_to(target)
    # Only now does it show where a link leads by way of others.
    for relative in links:
        if not _inside(root / relative, root):
            (root / relative).unlink()
            raise _leaves(store, digest, str(relative))


def manifest_entries(store: Store, flow: str, digest: str) -> list[dict[str, Any]]:
    """The entries of a folder's manifest, each of the right form: `link`, `dir`, or `blob` with `size` and `x`."""
    try:
        manifest = json.loads(get_blob(store, flow, digest))
        entries: list[dict[str, Any]] = manifest["entries"]
        if manifest["version"] != 1 or not all(map(_well_formed, entries)):
            raise ValueError
        if len({entry["path"] for entry in entries}) != len(entries):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Stop(STORE, f"the store {store.url} holds no folder of this version of flowc in {digest}") from None
    return entries


def _well_formed(entry: dict[str, Any]) -> bool:
    path, kinds = entry["path"], entry.keys() & {"link", "dir", "blob"}
    if not isinstance(path, str) or "\0" in path or len(kinds) != 1:
        return False
    if "link" in entry:
        return isinstance(entry["link"], str) and entry["link"] != "" and "\0" not in entry["link"]
    return "dir" in entry or bool(_DIGEST.fullmatch(entry["blob"]) and int(entry["size"]) >= 0 and "x" in entry)


def each(function: Callable[[A], B], items: Iterable[A], parallel: int = PARALLEL) -> Iterator[B]:
    """The function's results in the order of the items, many at once; the first failure ends it soon.

    Only a few times `parallel` items are held at a time, however many there are.
    """
    waiting: deque[Future[B]] = deque()
    source = iter(items)
    pool = ThreadPoolExecutor(parallel)
    try:
        for item in itertools.islice(source, 4 * parallel):
            waiting.append(pool.submit(function, item))
        while waiting:
            yield waiting.popleft().result()
            for item in itertools.islice(source, 1):
                waiting.append(pool.submit(function, item))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _turn(size: int) -> AbstractContextManager[object]:
    return next((turns for limit, turns in _LARGER if size > limit), nullcontext())


def _lost(store: Store, digest: str) -> Stop:
    return Stop(STORE, f"the store {store.url} has lost the blob {digest}")


def _damaged(store: Store, key: str) -> Stop:
    return Stop(
        STORE,
        f"the store {store.url} gave wrong bytes for the blob {key.rpartition('/')[2]}; remove its object {key}, "
        "and the next attempt that makes the same content writes it anew",
    )


def _leaves(store: Store, digest: str, path: str) -> Stop:
    return Stop(STORE, f"the store {store.url} holds a folder ({digest}) of which {path!r} leaves the folder")


def _is_fresh(store: Store, key: str) -> bool:
    age = store.age(key)
    return age is not None and age < TRUSTED_AGE


def _missing(path: Path, what: str, kind: str) -> str:
    if path.exists():
        return f"{what} is not a {kind}: the body wrote something else at {path}"
    # numpy.savez, for one, adds its own ending to a path that has none.
    longer = sorted(path.parent.glob(f"{path.name}.*")) if path.parent.is_dir() else []
    hint = f"; there is {longer[0].name!r}: the program added an ending to the path it was given" if longer else ""
    return f"{what} was not written: the body ended well but left no {kind} at its path{hint}"
