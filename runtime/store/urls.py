"""Where a store is: the text after `--store` as a `Place`.

`locate` takes a folder, `file:///folder`, `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix` or
`abfss://container@account.dfs.core.windows.net/prefix`. It refuses, with `StoreError`, what is none of these, and every
URL that carries a secret: URLs reach logs, process lists and compiled documents. No message repeats such a part.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, unquote, urlsplit

Kind = Literal["local", "s3", "gs", "az"]

KINDS = "use s3://bucket/prefix, gs://bucket/prefix, az://container/prefix, file:///folder or a folder"
_SCHEMES: dict[str, Kind] = {"s3": "s3", "gs": "gs", "az": "az", "abfs": "az", "abfss": "az"}
# What other tools call the same things.
_ALIASES = {"s3a": "s3", "s3n": "s3", "gcs": "gs", "azure": "az", "adl": "az", "wasb": "az", "wasbs": "az"}
_SECRETS = "set them in the environment, where no log and no process list shows them"


class StoreError(Exception):
    """The store cannot do what was asked; the message names the store and the remedy."""


@dataclass(frozen=True, slots=True)
class Place:
    """`container` is a bucket, or for "local" the folder. `account` is Azure's, "" where the environment names it."""

    kind: Kind
    container: str
    prefix: str = ""
    account: str = ""

    @property
    def url(self) -> str:
        match self.kind:
            case "local":
                return Path(self.container).absolute().as_uri()
            case "az" if self.account:
                root = f"abfss://{self.container}@{self.account}"
            case _:
                root = f"{self.kind}://{self.container}"
        return f"{root}/{self.prefix}".rstrip("/")


def shown(url: str) -> str:
    """The URL without what may be a secret in it: user names, passwords, signatures."""
    return re.sub(r"[?#].*", "", re.sub(r"//[^/]*:[^/]*@", "//…@", url), flags=re.DOTALL)


def locate(url: str) -> Place:
    """The store's place; see the module for what is refused."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise StoreError(f"the store {shown(url)} is no URL: {error}") from None
    if not url or "\0" in url:
        raise StoreError(f"the store has no name; {KINDS}")
    if not parts.scheme:
        return Place("local", url)
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
            raise StoreError(f"{shown(url)} is no usable file URL; write it as file:///absolute/folder")
        return Place("local", unquote(parts.path))
    kind = _SCHEMES.get(parts.scheme)
    if kind is None:
        other = _ALIASES.get(parts.scheme)
        meant = f"did you mean {other}://{parts.netloc.rpartition('@')[2]}{parts.path}?" if other else KINDS
        raise StoreError(f"the store {shown(url)} is of an unknown kind; {meant}")
    return _cloud(url, kind, parts)


def _cloud(url: str, kind: Kind, parts: SplitResult) -> Place:
    word = "container" if kind == "az" else "bucket"
    container, account = parts.netloc, ""
    if parts.scheme.startswith("abfs"):
        container, _, account = parts.netloc.partition("@")
        if not account or ":" in parts.netloc:
            raise StoreError(
                f"the store {shown(url)} lacks an account; write {parts.scheme}://container@ACCOUNT.dfs.core.windows.net/x"
            )
    elif "@" in parts.netloc:
        raise StoreError(f"the store {shown(url)} carries credentials in its URL; {_SECRETS}")
    if parts.query or parts.fragment or "?" in url:
        raise StoreError(f"the store {shown(url)} has something after its path; keys and signatures: {_SECRETS}")
    if not container:
        raise StoreError(f"the store URL names no {word}; write it as {parts.scheme}://{word}/prefix")
    if ":" in container:
        raise StoreError(
            f"the store {shown(url)} names a host and a port where the {word} belongs; "
            "the server's address goes into AWS_ENDPOINT_URL_S3"
        )
    prefix = parts.path.strip("/")
    segments = prefix.split("/") if prefix else []
    if any(part in ("", ".", "..") or not part.isprintable() for part in segments):
        raise StoreError(f"the store {shown(url)!r} has an empty part, '.', '..' or a control character in its path")
    return Place(kind, container, prefix, account)
