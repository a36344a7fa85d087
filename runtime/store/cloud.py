"""A store in S3 and what speaks its language, in Google Cloud Storage or in Azure, through obstore.

Credentials, region and endpoint come from each service's standard variables, from AWS's own files of profiles (see
`flowc.runtime.store.aws`), and from the instance's or pod's role. A plain-http endpoint is accepted only where a
variable names one outright. Extras: `flowc[s3]`, `flowc[gcs]`, `flowc[azure]`.

Create-only puts are `If-None-Match: *` on S3 and Azure and `x-goog-if-generation-match: 0` on Google's store. Their
requests are never repeated blindly: after a try that ended in doubt the object is read and compared. obstore repeats
the requests of which a copy does no harm; what outlasts that, or breaks in the middle of a body, is begun anew here.
"""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from flowc.runtime.store import PATIENCE, Entry, StoreError
from flowc.runtime.store.faults import explain, final, lost_upload, missing_container
from flowc.runtime.store.urls import Place

try:
    import obstore
    from obstore import exceptions
    from obstore import store as stores
except ImportError as missing:
    raise StoreError("stores in a cloud need obstore; install it with: pip install 'flowc[s3]'") from missing

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

T = TypeVar("T")

# Uploads go in parts of this many bytes, PARTS of them at once; downloads are handed on in smaller pieces.
CHUNK = 8 << 20
PARTS = 4
_STREAMED = 1 << 20
# S3 has at most 10,000 parts in an upload.
_MOST_PARTS = 9_000
# Larger objects come in ranges, PARTS at once: one connection of S3 gives some 80 MB/s.
_RANGED = 64 << 20
# obstore's own limit is 30 s for a whole request, body included: a file that takes longer is fetched in bits, and after
# its 180 s for retries not at all. What has to be bounded is a server that says nothing more; it says nothing while a
# part of a file is on its way up a thin line, either.
STALLED = "30s"
STALLED_BULK = "5min"
WHOLE_REQUEST = "1 day"
_MISSING = (FileNotFoundError, exceptions.NotFoundError)
_EXISTS = (exceptions.AlreadyExistsError, exceptions.PreconditionError)
_FAULTS = (exceptions.BaseError, OSError, ValueError)
_ENDPOINTS = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
    "gs": ("GOOGLE_BASE_URL",),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}


class CloudStore:
    """Objects below a prefix in a bucket or container."""

    def __init__(self, place: Place, patience: float = PATIENCE) -> None:
        self._place = place
        self._patience = patience
        self._reads  # noqa: B018 - what is wrong with the settings is said at once

    @property
    def url(self) -> str:
        return self._place.url

    # Three clients: for small requests, for bodies, and for requests of which there must never be a second copy.

    @cached_property
    def _reads(self) -> ObjectStore:
        return self._client(STALLED, retries=10)

    @cached_property
    def _bulk(self) -> ObjectStore:
        return self._client(STALLED_BULK, retries=10)

    @cached_property
    def _once(self) -> ObjectStore:
        return self._client(STALLED, retries=0)

    def _client(self, stalled: str, retries: int) -> ObjectStore:
        place = self._place
        endpoint = next(filter(None, (os.environ.get(name) for name in _ENDPOINTS[place.kind])), "")
        client: ClientConfig = {
            "allow_http": endpoint.startswith("http://"),
            "timeout": WHOLE_REQUEST,
            "read_timeout": stalled,
        }
        retry: RetryConfig = {"max_retries": retries, "retry_timeout": timedelta(seconds=self._patience)}
        options: dict[str, Any] = {
            "prefix": place.prefix or None,
            "client_options": client,
            "retry_config": retry,
        }
        try:
            match place.kind:
                case "gs":
                    config: Any = {"base_url": endpoint} if endpoint else {}
                    return stores.GCSStore(place.container, config=config, **options)
                case "az":
                    config = {"endpoint": endpoint} if endpoint else {}
                    if place.account:
                        config["account_name"] = place.account.split(".")[0]
                    return stores.AzureStore(place.container, config=config, **options)
                case _:
                    from flowc.runtime.store.aws import settings

                    config, provider = settings(os.environ)
                    credentials: Any = provider
                    if endpoint:
                        config["endpoint"] = endpoint
                    elif config.get("endpoint", "").startswith("http://"):
                        client["allow_http"] = True
                    config["conditional_put"] = "etag"
                    return stores.S3Store(place.container, config=config, credential_provider=credentials, **options)
        except (exceptions.BaseError, ValueError) as error:
            raise StoreError(f"cannot use the store {self.url}: {explain(error, place)}") from None

    # --- small objects ---

    def get(self, key: str) -> bytes | None:
        return self._patiently("read", lambda: bytes(obstore.get(self._reads, key).bytes()))

    def put(self, key: str, data: bytes) -> None:
        client = self._bulk if len(data) > CHUNK else self._reads
        self._must(key, lambda: obstore.put(client, key, data, max_concurrency=PARTS))

    def put_new(self, key: str, data: bytes) -> bool:
        waits, doubt = _Waits(self._patience), False
        while True:
            try:
                obstore.put(self._once, key, data, mode="create")
            except _EXISTS as error:
                there = self.get(key)
                if there is not None:
                    return doubt and there == data
                # S3's 409: another request for the key was under way, and left nothing.
                fault: Exception = error
            except _MISSING as error:
                raise self._error("write", error) from None
            except _FAULTS as error:
                if final(error):
                    raise self._error("write", error) from None
                fault, doubt = error, True
            else:
                return True
            if not waits.another():
                raise self._error("write", fault)

    def age(self, key: str) -> float | None:
        modified = self.modified(key)
        return None if modified is None else max(0.0, time.time() - modified)

    def modified(self, key: str) -> float | None:
        return self._patiently("read", lambda: obstore.head(self._reads, key)["last_modified"].timestamp())

    def list(self, prefix: str) -> Iterator[Entry]:
        waits, last = _Waits(self._patience), None
        while True:
            try:
                for page in obstore.list(self._reads, prefix or None, offset=last, chunk_size=1000):
                    for item in page:
                        last = item["path"]
                        yield Entry(last, item["size"], item["last_modified"].timestamp())
                return
            except _FAULTS as error:
                if final(error) or missing_container(error) or not waits.another():
                    raise self._error("list", error) from None

    def folders(self, prefix: str) -> tuple[str, ...]:
        found = self._patiently("list", lambda: obstore.list_with_delimiter(self._reads, prefix or None))
        paths = () if found is None else found["common_prefixes"]
        return tuple(sorted(path.rstrip("/").rpartition("/")[2] for path in paths))

    def delete(self, key: str) -> None:
        try:
            obstore.delete(self._once, key)
        except _MISSING:
            return
        except _FAULTS as error:
            raise self._error("delete from", error) from None

    # --- files ---

    def upload(self, key: str, path: Path, check: Callable[[], None] | None = None) -> None:
        size = path.stat().st_size
        part = max(CHUNK, -(-size // _MOST_PARTS))
        at_once = max(1, min(PARTS, PARTS * CHUNK // part))
        ended: list[BaseException] = []

        def parts() -> Iterator[bytes]:
            # What goes wrong on this side is kept, since obstore would make an error of its own of it.
            try:
                with path.open("rb") as file:
                    while chunk := file.read(_STREAMED):
                        yield chunk
                if check is not None:
                    check()
            except Exception as error:
                ended.append(error)
                raise

        def send() -> None:
            if ended:
                raise ended[0]
            try:
                if size <= CHUNK:
                    obstore.put(self._bulk, key, b"".join(parts()), use_multipart=False)
                else:
                    obstore.put(self._bulk, key, parts(), chunk_size=part, max_concurrency=at_once)
            except BaseException:
                if ended:
                    raise _OwnFaultError from None
                raise

        try:
            self._must(key, send)
        except _OwnFaultError:
            raise ended[0] from None

    def download(self, key: str, path: Path) -> str | None:
        waits = _Waits(self._patience)
        while True:
            got = self._patiently("read", lambda: obstore.get(self._bulk, key))
            if got is None:
                return None
            chunks = self._ranges(key, got.meta) if got.meta["size"] > _RANGED else iter(got.stream(_STREAMED))
            hasher, written = hashlib.sha256(), 0
            # A full disk on this side is no fault of the store.
            with path.open("wb") as file:
                try:
                    while (chunk := _next(chunks)) is not None:
                        hasher.update(chunk)
                        file.write(chunk)
                        written += len(chunk)
                    if written == got.meta["size"]:
                        return hasher.hexdigest()
                    fault: Exception = exceptions.GenericError("the server closed in the middle of an object")
                except _Broken as broken:
                    fault = broken.fault
            if final(fault) or not waits.another():
                raise self._error("read", fault)

    def _ranges(self, key: str, meta: Any) -> Iterator[bytes]:
        """The object in order, a few parts of it on their way at once."""
        size = meta["size"]

        def part(start: int) -> bytes:
            # What is this large has the name of its content: a range is of the same bytes whenever it is asked for.
            end = min(start + CHUNK, size)
            got = self._patiently("read", lambda: bytes(obstore.get_range(self._bulk, key, start=start, end=end)))
            return got or b""

        with ThreadPoolExecutor(PARTS) as pool:
            coming: list[Future[bytes]] = []
            for start in range(0, size, CHUNK):
                coming.append(pool.submit(part, start))
                if len(coming) == PARTS:
                    yield coming.pop(0).result()
            for future in coming:
                yield future.result()

    # --- faults ---

    def _must(self, key: str, call: Callable[[], object]) -> None:
        """A write; where there is nothing to write to, there is no bucket."""

        def done() -> bool:
            call()
            return True

        if self._patiently("write", done) is None:
            raise self._error("write", FileNotFoundError(key))

    def _patiently(self, verb: str, call: Callable[[], T]) -> T | None:
        """What `call` gives; None where there is no such object."""
        waits = _Waits(self._patience)
        while True:
            try:
                return call()
            except _OwnFaultError:
                raise
            except _MISSING as error:
                if missing_container(error):
                    raise self._error(verb, error) from None
                if not lost_upload(error):
                    return None
                if not waits.another():
                    raise self._error(verb, error) from None
            except _FAULTS as error:
                if final(error) or not waits.another():
                    raise self._error(verb, error) from None

    def _error(self, verb: str, error: Exception) -> StoreError:
        return StoreError(f"cannot {verb} the store {self.url}: {explain(error, self._place)}")


class _OwnFaultError(Exception):
    """A fault of this machine's files in the middle of a request."""


class _Broken(Exception):
    """A body that ended early."""

    def __init__(self, fault: Exception) -> None:
        super().__init__(str(fault))
        self.fault = fault


def _next(chunks: Iterator[Any]) -> Any:
    try:
        return next(chunks, None)
    except _FAULTS as error:
        raise _Broken(error) from None


class _Waits:
    """Pauses between tries: doubling, with jitter so that many clients do not come back together, within a bound."""

    def __init__(self, patience: float) -> None:
        self._until = time.monotonic() + patience
        self._pause = 0.1

    def another(self) -> bool:
        """Wait for the next try; False where the time is over."""
        left = self._until - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(left, self._pause * random.uniform(0.5, 1.0)))  # noqa: S311 - jitter
        self._pause = min(self._pause * 2, 5.0)
        return True
