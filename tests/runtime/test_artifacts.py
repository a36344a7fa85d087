"""Files and folders with all that file systems allow, in bounded memory."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flowc.runtime.artifacts import Artifact, each, fetch, publish, put_blob
from flowc.runtime.errors import BAD_PLAN, STORE, Stop
from flowc.runtime.store import Store, StoreError, open_store
from tests.engines.s3.buckets import new_bucket, store_in

HOSTILE = [
    "-rf",
    "--help",
    "a b",
    " ",
    "'",
    '"',
    "new\nline",
    "tab\t",
    "{{x}}",
    "$(reboot)",
    "`x`",
    "\\",
    "*",
    "?",
    "#",
    "%2e%2e",
    "%",
    ";",
    "...",
    "🙂",
    "é",
    "e\u0301",
    "\u202eright to left",
    "C:",
    "\x01\x7f",
    "n" * 255,
    os.fsdecode(b"\xff\xfe not utf-8"),
]


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    return open_store(str(tmp_path / "store")) if request.param == "local" else store_in(new_bucket(), monkeypatch)


def tree(root: Path) -> dict[bytes, object]:
    """Every path below the folder, with what is there."""
    found: dict[bytes, object] = {}
    for path in sorted(root.rglob("*")):
        name = os.fsencode(path.relative_to(root))
        if path.is_symlink():
            found[name] = ("link", os.readlink(path))  # noqa: PTH115 - the text of the link
        elif path.is_dir():
            found[name] = "folder"
        else:
            found[name] = (path.read_bytes(), bool(path.stat().st_mode & 0o100))
    return found


def test_names_of_any_bytes_keep_every_byte(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "made"
    for name in HOSTILE:
        (folder / "in" / name).mkdir(parents=True)
        (folder / "in" / name / name).write_bytes(os.fsencode(name))
        (folder / name).write_bytes(b"")
        (folder / "in" / name / "link").symlink_to(name)

    copy = fetch(store, "demo", publish(store, "demo", "dir", folder, "output 'x'"), tmp_path / "in")

    assert tree(copy) == tree(folder)
    assert len(tree(copy)) == 4 * len(HOSTILE) + 1


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", ["file", "dir"])
def test_artifacts_of_any_name(tmp_path: Path, name: str, kind: str) -> None:
    store = open_store(str(tmp_path / "store"))
    path = tmp_path / "made" / name
    path.parent.mkdir()
    if kind == "file":
        path.write_text("x")
    else:
        path.mkdir()

    record = json.dumps(publish(store, "demo", kind, path, "output 'x'").to_json()).encode()
    artifact = Artifact(**json.loads(record))

    assert os.fsencode(fetch(store, "demo", artifact, tmp_path / "in").name) == os.fsencode(name)


def test_links_stay_links_and_may_lead_nowhere_or_in_circles(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "made"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub/file").write_text("x")
    for name, target in [("a", "b"), ("b", "a"), ("self", "self"), ("dangling", "nothing"), ("up", "sub/../sub")]:
        (folder / name).symlink_to(target)

    artifact = publish(store, "demo", "dir", folder, "output 'x'")
    for _ in range(2):  # once more into the same place
        copy = fetch(store, "demo", artifact, tmp_path / "in")
        assert tree(copy) == tree(folder)
    assert artifact.size == 1, "what a link points to is not counted twice"


def test_an_empty_folder_is_a_folder(store: Store, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()

    copy = fetch(store, "demo", publish(store, "demo", "dir", tmp_path / "made", "x"), tmp_path / "in")

    assert tree(copy) == {}
    assert copy.is_dir()


def test_pipes_and_sockets_are_refused(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    (tmp_path / "a").mkdir()
    os.mkfifo(tmp_path / "a/pipe")
    with pytest.raises(Stop, match="output 'x': pipe is neither a file nor a folder"):
        publish(store, "demo", "dir", tmp_path / "a", "output 'x'")
    (tmp_path / "b").mkdir()
    with socket.socket(socket.AF_UNIX) as open_socket:
        open_socket.bind(str(tmp_path / "b/socket"))
        with pytest.raises(Stop, match="socket is neither"):
            publish(store, "demo", "dir", tmp_path / "b", "output 'x'")


def test_a_folder_that_may_not_be_read_is_no_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(str(tmp_path / "store"))
    (tmp_path / "made/locked").mkdir(parents=True)
    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)

    with pytest.raises(Stop, match=r"output 'x' cannot be read: Permission denied \(.*locked\)") as stop:
        publish(store, "demo", "dir", tmp_path / "made", "output 'x'")
    assert stop.value.code == BAD_PLAN


@pytest.mark.parametrize("size", [10, 2_000_000])
def test_a_file_that_changes_meanwhile_is_never_stored_under_a_false_name(
    store: Store, tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * size)
    real_open: Any = Path.open

    def open_late(self: Path, *args: str) -> object:
        # Somebody writes just after the file was looked at.
        monkeypatch.undo()
        path.write_bytes(b"y" * (size + 1))
        return real_open(self, *args)

    monkeypatch.setattr(Path, "open", open_late)
    with pytest.raises(Stop, match="changed while it was published"):
        publish(store, "demo", "file", path, "output 'x'")

    assert list(store.list("demo/blobs")) == []


def test_equal_files_are_sent_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(str(tmp_path / "store"))
    folder = tmp_path / "made"
    folder.mkdir()
    for number in range(50):
        (folder / str(number)).write_bytes(b"x" * 1_100_000)
    sent: list[str] = []
    upload: Any = type(store).upload

    def counted(self: Store, key: str, *rest: Any) -> None:
        sent.append(key)
        upload(self, key, *rest)

    monkeypatch.setattr(type(store), "upload", counted)

    publish(store, "demo", "dir", folder, "x")

    assert len(sent) == 1


def test_the_first_failure_of_many_transfers_ends_them_soon() -> None:
    started: list[int] = []

    def work(number: int) -> int:
        started.append(number)
        if number == 5:
            raise StoreError("gone")
        return number

    with pytest.raises(StoreError, match="gone"):
        list(each(work, range(100_000), 4))

    assert len(started) < 100
    assert list(each(lambda number: number * 2, range(1000), 4)) == list(range(0, 2000, 2))


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[]",
        b"{}",
        b'{"version":2,"entries":[]}',
        b'{"version":1,"entries":[{"path":"a"}]}',
        b'{"version":1,"entries":[{"path":"a","blob":"../../../etc/passwd","size":1,"x":false}]}',
        b'{"version":1,"entries":[{"path":"a","blob":"' + b"0" * 64 + b'"}]}',
        b'{"version":1,"entries":[{"path":"a\\u0000","dir":true}]}',
        b'{"version":1,"entries":[{"path":"a","dir":true},{"path":"a","dir":true}]}',
        b'{"version":1,"entries":[{"path":"a","link":""}]}',
        b'{"version":1,"entries":[{"path":7,"dir":true}]}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_manifest_is_not_taken_for_one(tmp_path: Path, manifest: bytes) -> None:
    store = open_store(str(tmp_path / "store"))
    artifact = Artifact("dir", put_blob(store, "demo", manifest), 1, "x")

    with pytest.raises(Stop, match="holds no folder of this version") as stop:
        fetch(store, "demo", artifact, tmp_path / "in")
    assert stop.value.code == STORE


_MEASURE = """
import sys
from pathlib import Path
from flowc.runtime.artifacts import Artifact, fetch, publish
from flowc.runtime.store import open_store
store = open_store(sys.argv[1])
artifact = publish(store, "demo", sys.argv[2], Path(sys.argv[3]), "x")
fetch(store, "demo", artifact, Path(sys.argv[4]))
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.parametrize(("kind", "mebibytes"), [("file", 320), ("dir", 400)])
def test_memory_does_not_grow_with_the_data(store: Store, tmp_path: Path, kind: str, mebibytes: int) -> None:
    """A file, and a folder of ten files, are each larger than the memory that their way there and back may take."""
    source = tmp_path / "source"
    if kind == "file":
        with source.open("wb") as file:
            file.truncate(mebibytes << 20)
    else:
        source.mkdir()
        for number in range(10):
            with (source / str(number)).open("wb") as file:
                file.write(str(number).encode())
                file.truncate(mebibytes * 104_857)

    command = [sys.executable, "-c", _MEASURE, store.url, kind, str(source), str(tmp_path / "in")]
    peak = int(subprocess.run(command, check=True, capture_output=True, text=True, timeout=200).stdout)

    assert peak * 1024 < 300 << 20
