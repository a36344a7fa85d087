"""The parser's tables: built from `grammar.lark`, or read from the user's cache, which is five times faster.

Gives one Lark instance per process. The cache lies in `$XDG_CACHE_HOME/flowc` (or `~/.cache/flowc`), one file per
version of Lark, flowc, Python and the grammar. A cache that cannot be read or written, is damaged, belongs to somebody
else or could have been written by somebody else is passed over in silence: it is only there to save time, and a pickle
is only ever loaded from a file that nobody but the user can have made.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import stat
import sys
from functools import cache
from importlib.resources import files
from pathlib import Path

import lark

from .version import VERSION


@cache
def parser() -> lark.Lark:
    grammar = files("flowc.dsl").joinpath("grammar.lark").read_bytes()
    place = _cache_file(grammar)
    return (place and _read(place)) or _build(grammar, place)


def build(grammar: bytes) -> lark.Lark:
    return lark.Lark(grammar.decode(), parser="lalr", lexer="basic")


def _build(grammar: bytes, place: Path | None) -> lark.Lark:
    built = build(grammar)
    if place:
        _write(place, built)
    return built


def _cache_file(grammar: bytes) -> Path | None:
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # noqa: PTH117 - relative or empty: to be ignored, says the XDG specification
        base = os.path.expanduser("~/.cache")  # noqa: PTH111 - Path.expanduser raises where there is no home
    if not os.path.isabs(base):  # noqa: PTH117
        return None
    words = (VERSION, lark.__version__, sys.version, hashlib.sha256(grammar).hexdigest())
    key = hashlib.sha256("\n".join(words).encode()).hexdigest()[:24]
    return Path(base, "flowc", f"grammar-{key}.pickle")


def _read(place: Path) -> lark.Lark | None:
    try:
        with open(os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
                return None
            digest, payload = file.read(32), file.read()
        if hashlib.sha256(payload).digest() != digest:
            return None
        return lark.Lark.load(io.BytesIO(payload))
    except Exception:
        # Whatever a foreign or half-written file does to Lark, building anew is the answer.
        return None


def _write(place: Path, built: lark.Lark) -> None:
    temporary = place.with_name(f"{place.name}.{os.getpid()}")
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        payload = io.BytesIO()
        built.save(payload)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123
                file.write(hashlib.sha256(payload.getvalue()).digest() + payload.getvalue())
            temporary.replace(place)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except (OSError, pickle.PicklingError):
        pass
