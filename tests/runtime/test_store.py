"""The store's promises, the same for every kind of store."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from flowc.runtime.artifacts import Artifact, fetch, publish, put_blob
from flowc.runtime.errors import Stop
from flowc.runtime.store import Store, StoreError, open_store


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    """A real S3 API server on loopback."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    if request.param == "local":
        return open_store((tmp_path / "store with space é").as_uri())
    endpoint = request.getfixturevalue("s3_endpoint")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    import boto3

    bucket = "b" + tmp_path.name.replace("_", "").lower()[-40:].strip("-")
    boto3.client("s3", region_name="us-east-1", endpoint_url=endpoint).create_bucket(Bucket=bucket)
    return open_store(f"s3://{bucket}/some/prefix")


def test_what_is_put_is_read_and_what_is_not_there_is_none(store: Store) -> None:
    assert store.get("a/b.json") is None
    assert store.age("a/b.json") is None

    store.put("a/b.json", b"one")
    store.put("a/b.json", b"two")

    assert store.get("a/b.json") == b"two"
    age = store.age("a/b.json")
    assert age is not None
    assert age < 60
    assert store.get("a") is None


def test_only_the_first_create_counts(store: Store) -> None:
    assert store.put_new("commit", b"first")
    assert not store.put_new("commit", b"second")
    assert store.get("commit") == b"first"


def test_of_many_creators_at_once_one_wins(store: Store) -> None:
    won: list[int] = []
    barrier = threading.Barrier(8)

    def create(number: int) -> None:
        barrier.wait()
        if store.put_new("race", str(number).encode()):
            won.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(won) == 1
    assert store.get("race") == str(won[0]).encode()


def test_files_travel_whole(store: Store, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(bytes(range(256)) * 80_000)  # 20 MB: several parts on S3

    store.upload("blob", source)

    assert store.download("blob", target)
    assert target.read_bytes() == source.read_bytes()
    assert not store.download("no-blob", target)


def test_a_folder_is_published_and_fetched_with_links_modes_and_empty_folders(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "made"
    (folder / "sub/empty").mkdir(parents=True)
    for number in range(40):
        (folder / f"sub/{number} é.txt").write_text(str(number))
    (folder / "run").write_text("x")
    (folder / "run").chmod(0o755)
    (folder / "link").symlink_to("sub/1 é.txt")

    artifact = publish(store, "demo", "dir", folder, "output 'x'")
    fetched = fetch(store, "demo", artifact, tmp_path / "in")

    assert fetched.name == "made"
    assert (fetched / "sub/empty").is_dir()
    assert [(fetched / f"sub/{number} é.txt").read_text() for number in range(40)] == [str(n) for n in range(40)]
    assert (fetched / "run").stat().st_mode & 0o100
    assert (fetched / "link").read_text() == "1"
    assert publish(store, "demo", "dir", folder, "output 'x'") == artifact, "the same folder has the same name"


def test_a_link_that_leaves_the_folder_is_refused(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "out").symlink_to("/etc/hostname")

    with pytest.raises(Stop, match="the link out leaves the folder"):
        publish(store, "demo", "dir", folder, "output 'x'")


def test_a_full_disk_is_no_fault_of_the_store(store: Store) -> None:
    store.put("blob", b"x" * 100_000)

    with pytest.raises(OSError, match="No space left"):
        store.download("blob", Path("/dev/full"))


class Slow(BaseHTTPRequestHandler):
    """An S3 server that gives an object of 300 bytes in three seconds."""

    requests = 0

    def do_GET(self) -> None:
        Slow.requests += 1
        self.send_response(200)
        self.send_header("Content-Length", "300")
        self.send_header("ETag", '"one"')
        self.send_header("Last-Modified", "Sun, 22 Nov 2026 10:00:00 GMT")
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(30):
                self.wfile.write(b"x" * 10)
                time.sleep(0.1)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Nothing."""


def test_a_download_may_take_longer_than_a_server_may_be_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flowc.runtime.store import cloud

    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(cloud, "STALLED_BULK", "1s")
    for name, value in [("ACCESS_KEY_ID", "test"), ("SECRET_ACCESS_KEY", "test"), ("REGION", "us-east-1")]:
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_port}")

    assert open_store("s3://bucket/prefix").download("blob", tmp_path / "blob")

    server.shutdown()
    server.server_close()
    assert (tmp_path / "blob").read_bytes() == b"x" * 300
    assert Slow.requests == 1


def test_a_store_that_cannot_be_used_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write the store"):
        open_store(str(tmp_path / "file")).put("a", b"")
    with pytest.raises(StoreError, match="unknown kind"):
        open_store("gopher://x")
    with pytest.raises(StoreError, match="absolute"):
        open_store("file://relative/x")
    with pytest.raises(StoreError, match="names no bucket"):
        open_store("s3:///x")
    for key in ("", "/etc/passwd", "a/../../b", ".."):
        with pytest.raises(StoreError, match="no key of a store"):
            open_store(str(tmp_path)).get(key)


@pytest.mark.parametrize(
    "entries",
    [
        [{"path": "../out", "dir": True}],
        [{"path": "/tmp/flowc-out", "dir": True}],
        [{"path": "", "dir": True}],
        [{"path": "a/../../out", "dir": True}],
        [{"path": "a", "link": "/etc"}],
        [{"path": "a", "link": ".."}],
        [{"path": "a", "link": "."}, {"path": "a/b", "dir": True}],
        [{"path": "a", "link": "b/.."}, {"path": "b", "link": "."}],
    ],
)
def test_a_manifest_that_would_write_outside_its_folder_is_refused(
    tmp_path: Path, entries: list[dict[str, object]]
) -> None:
    """Whoever runs `flowc show` has rights that the steps of a run do not have."""
    store = open_store((tmp_path / "store").as_uri())
    blob = put_blob(store, "demo", json.dumps({"version": 1, "entries": entries}).encode())

    with pytest.raises(Stop, match="leaves the folder"):
        fetch(store, "demo", Artifact("dir", blob, 0, "x"), tmp_path / "in")

    assert not (tmp_path / "in/out").exists()
    assert not (tmp_path / "out").exists()


def test_no_file_is_written_through_a_link(tmp_path: Path) -> None:
    store = open_store((tmp_path / "store").as_uri())
    (tmp_path / "in").mkdir()
    evil = put_blob(store, "demo", b"evil")
    entries = [{"path": "a", "link": str(tmp_path)}, {"path": "a/evil", "blob": evil, "size": 4, "x": False}]
    blob = put_blob(store, "demo", json.dumps({"version": 1, "entries": entries}).encode())

    with pytest.raises(Stop, match="leaves the folder"):
        fetch(store, "demo", Artifact("dir", blob, 4, "x"), tmp_path / "in")

    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("name", ["../x", "a/b", "..", "", "/etc/x"])
def test_an_artifact_whose_name_is_a_path_is_refused(tmp_path: Path, name: str) -> None:
    store = open_store((tmp_path / "store").as_uri())
    blob = put_blob(store, "demo", b"evil")

    with pytest.raises(Stop, match="no name of a file"):
        fetch(store, "demo", Artifact("file", blob, 4, name), tmp_path / "in/deep")
