"""A store in an S3 bucket or an S3-compatible service, through obstore (extra `flowc[s3]`).

Credentials, region and endpoint come from the standard AWS variables and from the instance's or pod's role, as obstore
finds them. A plain-http endpoint is accepted only where `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL` names one outright.
Create-only puts are S3's `If-None-Match: *` (S3 API reference, PutObject, "conditional writes"), which obstore sends
only when `conditional_put` says so for S3.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from flowc.runtime.store import StoreError

try:
    import obstore
    from obstore import exceptions
    from obstore import store as stores
except ImportError as missing:
    raise StoreError("stores at s3:// need obstore; install it with: pip install 'flowc[s3]'") from missing

if TYPE_CHECKING:
    from obstore.store import ClientConfig, S3Config

# obstore streams a download in parts of this many bytes.
CHUNK = 8 << 20
# obstore's own limit is 30 s for a whole request, body included: a file that takes longer is fetched in bits, and after
# its 180 s for retries not at all. What has to be bounded is a server that says nothing more.
STALLED = "30s"
WHOLE_REQUEST = "1 day"


class S3Store:
    """Objects below `prefix` in `bucket`."""

    def __init__(self, bucket: str, prefix: str) -> None:
        if not bucket:
            raise StoreError("the store URL names no bucket; write it as s3://bucket/prefix")
        self.bucket = bucket
        self.prefix = prefix
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
        client: ClientConfig = {
            "allow_http": endpoint.startswith("http://"),
            "timeout": WHOLE_REQUEST,
            "read_timeout": STALLED,
        }
        config: S3Config = {"endpoint": endpoint} if endpoint else {}
        try:
            self._store = stores.S3Store(
                bucket, prefix=prefix or None, config={"conditional_put": "etag", **config}, client_options=client
            )
        except exceptions.BaseError as error:
            raise StoreError(f"cannot use the store {self.url}: {error}") from error

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def get(self, key: str) -> bytes | None:
        with self._faults("read"):
            try:
                return bytes(obstore.get(self._store, key).bytes())
            except (FileNotFoundError, exceptions.NotFoundError):
                return None

    def put(self, key: str, data: bytes) -> None:
        with self._faults("write"):
            obstore.put(self._store, key, data)

    def put_new(self, key: str, data: bytes) -> bool:
        with self._faults("write"):
            try:
                obstore.put(self._store, key, data, mode="create")
            except (exceptions.AlreadyExistsError, exceptions.PreconditionError):
                return False
            return True

    def age(self, key: str) -> float | None:
        with self._faults("read"):
            try:
                written = obstore.head(self._store, key)["last_modified"]
            except (FileNotFoundError, exceptions.NotFoundError):
                return None
            return max(0.0, (datetime.now(UTC) - written).total_seconds())

    def upload(self, key: str, path: Path) -> None:
        with self._faults("write"):
            obstore.put(self._store, key, path)

    def download(self, key: str, path: Path) -> bool:
        with self._faults("read"):
            try:
                stream = iter(obstore.get(self._store, key).stream(min_chunk_size=CHUNK))
            except (FileNotFoundError, exceptions.NotFoundError):
                return False
        # A full disk on this side is no fault of the store.
        with path.open("wb") as file:
            while True:
                with self._faults("read"):
                    chunk = next(stream, None)
                if chunk is None:
                    return True
                file.write(chunk)

    @contextmanager
    def _faults(self, verb: str) -> Iterator[None]:
        try:
            yield
        except (exceptions.BaseError, OSError) as error:
            # The first line names the fault; what follows are obstore's own debug structures.
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise StoreError(f"cannot {verb} the store {self.url}: {reason}") from error
