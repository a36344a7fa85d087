"""Commits: which attempt of a task counts.

An instance of a task has one `commit.json`, written last by one create-only put. The first commit counts for ever: an
attempt that finds another's discards its own work, and so does one that comes after its absence was sealed. Consumers
read commits by exact key and then the outputs of the winning attempt, whose digest the commit carries, so that nothing
half-written is ever visible.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flowc.runtime import layout
from flowc.runtime.errors import BAD_PLAN, STORE, Stop
from flowc.runtime.plan import Json
from flowc.runtime.store import Store

COMMIT_VERSION = 1
# A commit is what an engine reads whole (Step Functions keeps it in a 256 KiB state); it holds no user data.
MAX_COMMIT = 64 * 1024
_LONGEST_REASON = 4_000

Outputs = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Commit:
    """The outcome of a task instance: `done` or `failed`.

    `outputs` is the sha256 of the winning attempt's outputs document; it and `attempt` are "" where nothing won. `run`
    is the run in which the winning attempt ran, which may be an earlier one. `control` holds the control values, by
    name; `reason` says of a failure what it was.
    """

    status: str
    run: str
    attempt: str
    outputs: str
    control: Mapping[str, Json] = field(default_factory=dict)
    reason: str = ""


def read_commit(store: Store, flow: str, run: str, step: str, ix: str = "") -> Commit | None:
    """The instance's commit, None while there is none."""
    key = layout.commit_key(flow, run, step, ix)
    data = store.get(key)
    if data is None:
        return None
    try:
        record = json.loads(data)
        if record.pop("version") != COMMIT_VERSION:
            raise ValueError("another version")
        commit = Commit(**record)
        if commit.status not in ("done", "failed"):
            raise ValueError(f"unknown status {commit.status!r}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Stop(STORE, f"the store's object {key} is no commit of this version of flowc: {error}") from None
    return commit


def write_outputs(store: Store, flow: str, run: str, step: str, attempt: str, outputs: Outputs, *, ix: str = "") -> str:
    """Write an attempt's outputs document under the attempt's own prefix; gives its sha256."""
    return _write(store, layout.outputs_key(flow, run, step, attempt, ix), outputs)


def read_outputs(store: Store, flow: str, step: str, commit: Commit, ix: str = "") -> Outputs:
    """The outputs of the attempt that a commit names, checked against the commit's digest."""
    return read_attempt_outputs(store, flow, commit.run, step, commit.attempt, commit.outputs, ix=ix)


def read_attempt_outputs(
    store: Store, flow: str, run: str, step: str, attempt: str, digest: str, *, ix: str = ""
) -> Outputs:
    """An attempt's outputs document, which must have this digest."""
    return _read(store, layout.outputs_key(flow, run, step, attempt, ix), digest, layout.instance_name(step, ix))


def write_node_outputs(
    store: Store, flow: str, run: str, step: str, attempt: str, node: int, outputs: Outputs, *, ix: str = ""
) -> str:
    """Write what one node gives to the outputs of a gang; gives the document's sha256."""
    return _write(store, layout.node_outputs_key(flow, run, step, attempt, node, ix), outputs)


def read_node_outputs(
    store: Store, flow: str, run: str, step: str, attempt: str, node: int, digest: str, *, ix: str = ""
) -> Outputs:
    key = layout.node_outputs_key(flow, run, step, attempt, node, ix)
    return _read(store, key, digest, layout.instance_name(step, ix))


def _write(store: Store, key: str, outputs: Outputs) -> str:
    # Not sorted: a json value keeps the order that its maker gave it.
    data = json.dumps({"version": COMMIT_VERSION, "outputs": outputs}).encode()
    store.put(key, data)
    return hashlib.sha256(data).hexdigest()


def _read(store: Store, key: str, digest: str, name: str) -> Outputs:
    data = store.get(key)
    if data is None or hashlib.sha256(data).hexdigest() != digest:
        raise Stop(STORE, f"the store {store.url} does not hold the committed outputs of step {name!r} ({key})")
    outputs: Outputs = json.loads(data)["outputs"]
    return outputs


def commit_done(
    store: Store,
    flow: str,
    run: str,
    step: str,
    attempt: str,
    outputs: str,
    control: Mapping[str, Json] | None = None,
    of_run: str | None = None,
    *,
    ix: str = "",
) -> Commit:
    """Try to be the instance's commit; gives the one that counts, which may be another attempt's, or a sealed absence.

    `outputs` is "" for a decision, which has none. `of_run` is the run in which the attempt ran, where that is another
    one (cache, resume).
    """
    return _commit(store, flow, run, step, ix, Commit("done", of_run or run, attempt, outputs, control or {}))


def commit_failed(store: Store, flow: str, run: str, step: str, attempt: str, reason: str, *, ix: str = "") -> Commit:
    """Try to commit that the task failed for good in this attempt; gives the commit that counts."""
    return _commit(store, flow, run, step, ix, Commit("failed", run, attempt, "", {}, reason))


def seal(store: Store, flow: str, run: str, step: str, reason: str, *, ix: str = "") -> Commit:
    """The instance's commit, for a consumer that waits for no attempt any more.

    Where there is none, its absence is made final: `failed` is written by the same create-only put that an attempt
    would use, so every consumer sees the same, and an attempt that comes back later finds that it has lost.
    """
    found = read_commit(store, flow, run, step, ix)
    return found or commit_failed(store, flow, run, step, "", reason, ix=ix)


def _commit(store: Store, flow: str, run: str, step: str, ix: str, commit: Commit) -> Commit:
    record: dict[str, Any] = {
        "version": COMMIT_VERSION,
        "status": commit.status,
        "run": commit.run,
        "attempt": commit.attempt,
        "outputs": commit.outputs,
        "control": dict(commit.control),
    }
    if commit.reason:
        record["reason"] = commit.reason[:_LONGEST_REASON]
    data = json.dumps(record, sort_keys=True, separators=(",", ":")).encode()
    if len(data) > MAX_COMMIT:
        raise Stop(
            BAD_PLAN,
            f"what {layout.instance_name(step, ix)!r} decides takes {len(data):,} bytes in its commit, and engines "
            f"read at most {MAX_COMMIT:,}: a foreach has room for about 10,000 items; give each item more "
            "than one piece of work",
        )
    # On False the object may be our own, when the reply to an earlier try was lost: what is there tells.
    store.put_new(layout.commit_key(flow, run, step, ix), data)
    counts = read_commit(store, flow, run, step, ix)
    if counts is None:
        raise Stop(STORE, f"the store {store.url} took a commit and does not give it back: it lacks read-after-write")
    return counts
