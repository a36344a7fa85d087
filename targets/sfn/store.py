"""The store's URL as a bucket and a prefix. Takes text; gives a `Location`, or None where it is none S3 understands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# Characters that are safe in keys, as S3's documentation has it, without the quote: the prefix stands in a quoted
# literal of the state machine.
_PREFIX = re.compile(r"([A-Za-z0-9!_.*()-]+/)*")


@dataclass(frozen=True, slots=True)
class Location:
    """`prefix` is empty or ends in a slash."""

    bucket: str
    prefix: str


def locate(url: str) -> Location | None:
    parts = urlsplit(url)
    path = parts.path.strip("/")
    prefix = f"{path}/" if path else ""
    if parts.scheme != "s3" or parts.query or parts.fragment:
        return None
    if not _BUCKET.fullmatch(parts.netloc) or not _PREFIX.fullmatch(prefix):
        return None
    return Location(parts.netloc, prefix)
