"""How an attempt and a run ended.

`judge` reads what an attempt left in the store: the task's commit, which alone says that it succeeded, and otherwise
the failure record that the runtime wrote. It gives a `Verdict` and never raises: a store that cannot be read is a
verdict too.
"""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass
from pathlib import Path

from flowc.runtime import layout
from flowc.runtime.commit import read_commit
from flowc.runtime.errors import Stop
from flowc.runtime.store import Store, StoreError


@dataclass(frozen=True, slots=True)
class FailureRecord:
    """What the runtime knows about a failed attempt; `rank` is None where the node itself failed."""

    node: int
    rank: int | None
    reason: str
    message: str
    last_lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`done`: the task has a good commit. `trouble`: the store could not say."""

    done: bool
    record: FailureRecord | None
    trouble: str | None


@dataclass(frozen=True, slots=True)
class Failure:
    """The step that made the run fail. `log` is the failed node's whole output, None where nothing was started."""

    step: str
    attempt: int
    attempts: int
    headline: str
    last_lines: tuple[str, ...]
    log: Path | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """`signal` is set where the run was interrupted; `failure` where it failed. `survivors` could not be ended."""

    failure: Failure | None
    signal: signal.Signals | None
    survivors: tuple[int, ...]

    @property
    def succeeded(self) -> bool:
        return self.failure is None and self.signal is None


def judge(store: Store, flow: str, run: str, step: str, attempt: str) -> Verdict:
    try:
        commit = read_commit(store, flow, run, step)
        if commit is not None and commit.status == "done":
            return Verdict(True, None, None)
        data = store.get(layout.failure_key(flow, run, step, attempt))
    except (StoreError, Stop) as error:
        return Verdict(False, None, str(error))
    return Verdict(False, _record(data) if data is not None else None, None)


def _record(data: bytes) -> FailureRecord | None:
    try:
        record = json.loads(data)
        return FailureRecord(
            node=int(record["node"]),
            rank=None if record["rank"] is None else int(record["rank"]),
            reason=str(record["reason"]),
            message=str(record["message"]),
            last_lines=tuple(str(line) for line in record["last_lines"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def describe_exit(code: int) -> str:
    """A process's return code in words; negative is a signal."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
