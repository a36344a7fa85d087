"""The same promises in Google Cloud Storage.

No server that speaks its XML interface can be had for tests, so a small one stands in for it, made after what is
documented: it shows that the right requests are sent and their answers understood, not that the service keeps them.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest

from flowc.runtime.artifacts import put_blob
from flowc.runtime.commit import commit_done, seal
from flowc.runtime.doctor import check_store
from flowc.runtime.gc import flows
from flowc.runtime.store import Store, StoreError, open_store

_TIME = "2026-11-22T10:00:00Z"


class Bucket(BaseHTTPRequestHandler):
    """Objects of the bucket `bucket`: PUT, GET, HEAD, DELETE, and listings of version 2."""

    protocol_version = "HTTP/1.1"
    objects: dict[str, tuple[bytes, float]]
    lock = threading.Lock()

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        parts = urlsplit(self.path)
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        if bucket != "bucket":
            self.reply(404, b"<Error><Code>NoSuchBucket</Code></Error>")
        elif "list-type=2" in parts.query:
            self.reply(200, self.listing({name: value[0] for name, value in parse_qs(parts.query).items()}))
        elif self.command == "PUT":
            with self.lock:
                if self.headers.get("x-goog-if-generation-match") == "0" and key in self.objects:
                    self.reply(412, b"<Error><Code>PreconditionFailed</Code></Error>")
                    return
                self.objects[key] = (body, time.time())
            self.reply(200)
        elif key not in self.objects:
            self.reply(404, b"<Error><Code>NoSuchKey</Code></Error>")
        elif self.command == "DELETE":
            del self.objects[key]
            self.reply(204)
        else:
            self.reply(200, *self.objects[key])

    def listing(self, query: dict[str, str]) -> bytes:
        prefix, end = query.get("prefix", ""), query.get("delimiter")
        found = [key for key in sorted(self.objects) if key.startswith(prefix)]
        folders = {
            prefix + key[len(prefix) :].split(end)[0] + end for key in found if end and end in key[len(prefix) :]
        }
        items = "".join(
            f'<Contents><Key>{escape(key)}</Key><Size>{len(self.objects[key][0])}</Size><ETag>"1"</ETag>'
            f"<LastModified>{_TIME}</LastModified></Contents>"
            for key in found
            if not any(key.startswith(folder) for folder in folders)
        )
        common = "".join(f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>" for folder in folders)
        return f"<ListBucketResult>{items}{common}</ListBucketResult>".encode()

    def reply(self, status: int, body: bytes = b"", written: float = 0) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"1"')
        self.send_header("x-goog-generation", "1")
        self.send_header("Last-Modified", formatdate(written, usegmt=True))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Nothing."""


for method in ("GET", "PUT", "HEAD", "DELETE"):
    setattr(Bucket, f"do_{method}", Bucket.answer)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    Bucket.objects = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    monkeypatch.setenv("GOOGLE_BASE_URL", f"http://127.0.0.1:{server.server_port}")
    key = {"disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": ""}
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_KEY", json.dumps(key))
    yield open_store("gs://bucket/some/prefix", 5)
    server.shutdown()
    server.server_close()


def test_it_is_fit(store: Store) -> None:
    assert [(finding.verdict, finding.what) for finding in check_store(store) if finding.verdict != "good"] == []
    assert Bucket.objects == {}


def test_objects_lie_below_the_prefix(store: Store) -> None:
    store.put("a/b", b"1")

    assert [(key, data) for key, (data, _) in Bucket.objects.items()] == [("some/prefix/a/b", b"1")]
    assert [entry.key for entry in store.list("a")] == ["a/b"]


def test_commits_and_flows(store: Store) -> None:
    sealed = seal(store, "demo", "run", "step", "none came")
    put_blob(store, "demo", b"1")

    assert commit_done(store, "demo", "run", "step", "zombie", "0" * 64) == sealed
    assert flows(store) == ("demo",)


def test_no_such_bucket(store: Store) -> None:
    with pytest.raises(StoreError, match="there is no bucket nowhere"):
        open_store("gs://nowhere/x", 1).put("key", b"")
