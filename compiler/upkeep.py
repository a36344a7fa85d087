"""`flowc gc` and `flowc doctor`: looking after stores. Each gives its exit code; refuses what is no store.

What was found goes to standard output, a line each.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from flowc.runtime.doctor import Finding, check_store
from flowc.runtime.errors import Stop
from flowc.runtime.gc import Collected, collect, flows
from flowc.runtime.store import Store, StoreError, open_store

from .inputs import Refused

# Somebody waits at a terminal.
PATIENCE = 15.0
_MARKS = {"good": "ok", "warning": "warning", "bad": "unfit"}

Write = Callable[[str], None]


def gc(url: str, flow: str | None, *, dry_run: bool, write: Write) -> int:
    """Remove what nothing refers to, in one flow or all of the store."""
    try:
        store = _open(url)
        names = flows(store)
        if flow is not None and flow not in names:
            known = f"it holds {', '.join(names)}" if names else "it holds none"
            raise Refused(f"the store {store.url} has no blobs of a flow {flow!r}", known)
        if not names:
            write(f"{store.url} holds no blobs\n")
        for name in names if flow is None else (flow,):
            write(_told(collect(store, name, dry_run=dry_run), dry_run=dry_run))
    except (StoreError, Stop) as error:
        raise Refused(str(error)) from None
    return 0


def _told(done: Collected, *, dry_run: bool) -> str:
    word = "would remove" if dry_run else "removed"
    left = f"; {done.left} in use again or in the hands of another collection" if done.left else ""
    kept = done.blobs - done.removed
    return f"{done.flow}: {word} {done.removed} of {done.blobs} blobs ({_size(done.size)}), {kept} stay{left}\n"


def doctor(url: str, write: Write) -> int:
    """Try the store out; 1 where flows cannot rely on it."""
    try:
        store = _open(url)
        write(f"store {store.url}\n")
        found = [_shown(finding, write) for finding in check_store(store)]
    except StoreError as error:
        raise Refused(str(error)) from None
    return 1 if any(finding.verdict == "bad" for finding in found) else 0


def _shown(finding: Finding, write: Write) -> Finding:
    write(f"  {_MARKS[finding.verdict]}: {finding.what}\n")
    if finding.remedy:
        write(f"    = help: {finding.remedy}\n")
    return finding


def _open(url: str) -> Store:
    return open_store(url, PATIENCE)


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return re.sub(r"\.0$", "", f"{count:.1f}") + f" {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
