"""Files and folders as content-addressed blobs: publish on one node, fetch on another.

A file becomes one blob named by its sha256; a folder becomes a manifest blob that lists its files, links and empty
folders. Equal content is stored once per flow. Transfers of a folder run in parallel; every file streams in bounded
memory and its digest is checked on the way in. `gc` removes only blobs older than seven days that nothing refers to,
so a writer uploads anew what is older than three days instead of relying on it.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from flowc.runtime import layout
from flowc.runtime.errors import BAD_PLAN, STORE, Stop
from flowc.runtime.store import Store

# A blob older than this may be about to be collected (after seven days), so it is written again.
TRUSTED_AGE = 3 * 24 * 3600.0
# Transfers at once for the files of a folder: enough to hide an object store's latency, few enough for its rate limits.
PARALLEL = 16
_CHUNK = 1 << 20


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
    if type_ != "dir":
        if not path.is_file():
            raise Stop(BAD_PLAN, _missing(path, what, "file"))
        digest, size = _publish_file(store, flow, path)
        return Artifact(type_, digest, size, path.name)
    if not path.is_dir():
        raise Stop(BAD_PLAN, _missing(path, what, "folder"))
    return _publish_folder(store, flow, path, what)


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
    if not _is_fresh(store, key):
        store.put(key, data)
    return digest


def get_blob(store: Store, flow: str, digest: str) -> bytes:
    data = store.get(layout.blob_key(flow, digest))
    if data is None:
        raise Stop(STORE, f"the store {store.url} has lost the blob {digest}")
    if hashlib.sha256(data).hexdigest() != digest:
        raise Stop(STORE, f"the store {store.url} gave wrong bytes for the blob {digest}")
    return data


def _publish_file(store: Store, flow: str, path: Path) -> tuple[str, int]:
    before = path.stat()
    digest, size = digest_of(path)
    key = layout.blob_key(flow, digest)
    if not _is_fresh(store, key):
        store.upload(key, path)
    after = path.stat()
    if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
        raise Stop(BAD_PLAN, f"{path} changed while it was published: something still writes to it")
    return digest, size


def _publish_folder(store: Store, flow: str, root: Path, what: str) -> Artifact:
    files: list[Path] = []
    entries: list[dict[str, Any]] = []
    for folder, folders, names in os.walk(root):
        folders.sort()
        here = Path(folder)
        for name in sorted([*folders, *names]):
            path = here / name
            relative = path.relative_to(root).as_posix()
            if path.is_symlink():
                target = os.readlink(path)  # noqa: PTH115 - the text of the link, not a Path of it
                if Path(target).is_absolute() or not (here / target).resolve().is_relative_to(root.resolve()):
                    raise Stop(BAD_PLAN, f"{what}: the link {relative} leaves the folder; copy what it points to")
                entries.append({"path": relative, "link": target})
            elif path.is_file():
                files.append(path)
            elif path.is_dir():
                if not any(path.iterdir()):
                    entries.append({"path": relative, "dir": True})
            else:
                raise Stop(BAD_PLAN, f"{what}: {relative} is neither a file nor a folder")
        folders[:] = [name for name in folders if not (here / name).is_symlink()]
    with ThreadPoolExecutor(PARALLEL) as pool:
        published = list(pool.map(lambda path: _publish_file(store, flow, path), files))
    for path, (digest, size) in zip(files, published, strict=True):
        executable = bool(path.stat().st_mode & stat.S_IXUSR)
        entries.append({"path": path.relative_to(root).as_posix(), "blob": digest, "size": size, "x": executable})
    entries.sort(key=lambda entry: str(entry["path"]))
    manifest = json.dumps({"version": 1, "entries": entries}, separators=(",", ":")).encode()
    total = sum(size for _, size in published)
    return Artifact("dir", put_blob(store, flow, manifest), total, root.name)


def _fetch_file(store: Store, flow: str, digest: str, target: Path) -> None:
    if not store.download(layout.blob_key(flow, digest), target):
        raise Stop(STORE, f"the store {store.url} has lost the blob {digest}")
    if digest_of(target)[0] != digest:
        raise Stop(STORE, f"the store {store.url} gave wrong bytes for the blob {digest}")


def _fetch_folder(store: Store, flow: str, digest: str, root: Path) -> None:
    manifest = json.loads(get_blob(store, flow, digest))
    root.mkdir(parents=True, exist_ok=True)
    files: list[tuple[dict[str, Any], Path]] = []
    links = {PurePosixPath(entry["path"]): str(entry["link"]) for entry in manifest["entries"] if "link" in entry}
    for entry in manifest["entries"]:
        # `_publish_folder` makes no such manifest, but whoever may write to the store may not write to this machine.
        relative = PurePosixPath(entry["path"])
        inside = relative.parts and not relative.is_absolute() and ".." not in relative.parts
        if not inside or not links.keys().isdisjoint(relative.parents):
            raise _leaves(store, digest, entry["path"])
        path = root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        if "link" in entry:
            continue
        if "dir" in entry:
            path.mkdir(exist_ok=True)
        else:
            files.append((entry, path))

    def fetch_one(item: tuple[dict[str, Any], Path]) -> None:
        entry, path = item
        _fetch_file(store, flow, entry["blob"], path)
        if entry["x"]:
            path.chmod(path.stat().st_mode | 0o111)

    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(fetch_one, files))
    for relative, target in links.items():
        (root / relative).symlink_to(target)
    # Only now does it show where a link leads by way of others.
    for relative in links:
        if not (root / relative).resolve().is_relative_to(root.resolve()):
            (root / relative).unlink()
            raise _leaves(store, digest, str(relative))


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
