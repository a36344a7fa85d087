"""Buckets on the S3 server of the tests, and stores in them through a proxy or without."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from flowc.runtime.store import Store, open_store

from ..aws import server

_numbers = itertools.count()


def new_bucket() -> str:
    """The name of an empty bucket of its own."""
    name = f"bucket-{next(_numbers)}"
    server.client("s3").create_bucket(Bucket=name)
    return name


def store_in(bucket: str, monkeypatch: pytest.MonkeyPatch, endpoint: str | None = None, patience: float = 20) -> Store:
    """A store below `some/prefix`; the endpoint counts when the store is made."""
    for name, value in server.client_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint or server.moto_url())
    return open_store(f"s3://{bucket}/some/prefix", patience)


def objects(bucket: str) -> dict[str, bytes]:
    """What is in the bucket, seen without any proxy."""
    client: Any = server.client("s3")
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
    return {key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}
