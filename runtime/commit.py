"""Commits: which attempt of a task counts.

A task instance has one `commit.json`, written last by one create-only put. The first commit counts for ever: an attempt
that finds another's discards its own work. Consumers read commits by exact key and then the outputs of the winning
attempt, whose digest the commit carries, so that nothing half-written is ever visible.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flowc.runtime import layout
from flowc.runtime.errors import STORE, Stop
from flowc.runtime.store import Store

COMMIT_VERSION = 1
# A commit is what an engine reads whole (Step Functions keeps it in a 256 KiB state); it holds no user data.
MAX_COMMIT = 64 * 1024

Outputs = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Commit:
    """The outcome of a task instance. `outputs` is the sha256 of the winning attempt's outputs document."""

    status: str
    run: str
    attempt: str
    outputs: str


def read_commit(store: Store, flow: str, run: str, step: str) -> Commit | None:
    """The task's commit, None while there is none."""
    data = store.get(layout.commit_key(flow, run, step))
    if data is None:
        return None
    try:
        record = json.loads(data)
        if record.pop("version") != COMMIT_VERSION:
            raise ValueError("another version")
        record.pop("control")
        return Commit(**record)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        key = layout.commit_key(flow, run, step)
        raise Stop(STORE, f"the store's object {key} is no commit of this version of flowc: {error}") from None


def write_outputs(store: Store, flow: str, run: str, step: str, attempt: str, outputs: Outputs) -> str:
    """Write an attempt's outputs document under the attempt's own prefix; gives its sha256."""
    # Not sorted: a json value keeps the order that its maker gave it.
    data = json.dumps({"version": COMMIT_VERSION, "outputs": outputs}).encode()
    store.put(layout.outputs_key(flow, run, step, attempt), data)
    return hashlib.sha256(data).hexdigest()


def read_outputs(store: Store, flow: str, step: str, commit: Commit) -> Outputs:
    """The outputs of the attempt that a commit names, checked against the commit's digest."""
    key = layout.outputs_key(flow, commit.run, step, commit.attempt)
    data = store.get(key)
    if data is None or hashlib.sha256(data).hexdigest() != commit.outputs:
        raise Stop(STORE, f"the store {store.url} does not hold the committed outputs of step {step!r} ({key})")
    outputs: Outputs = json.loads(data)["outputs"]
    return outputs


def commit_done(store: Store, flow: str, run: str, step: str, attempt: str, outputs: str) -> Commit:
    """Try to be the task's commit; gives the commit that counts, which may be another attempt's."""
    record = {
        "version": COMMIT_VERSION,
        "status": "done",
        "run": run,
        "attempt": attempt,
        "outputs": outputs,
        "control": {},
    }
    data = json.dumps(record, sort_keys=True).encode()
    assert len(data) <= MAX_COMMIT
    # On False the object may be our own, when the reply to an earlier try was lost: what is there tells.
    store.put_new(layout.commit_key(flow, run, step), data)
    commit = read_commit(store, flow, run, step)
    if commit is None:
        raise Stop(STORE, f"the store {store.url} took a commit and does not give it back: it lacks read-after-write")
    return commit
