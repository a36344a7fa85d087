"""How an attempt and a run ended, and what can be said of a failure.

`judge` reads what an attempt left in the store: the task's commit, which alone says that it succeeded, and otherwise
the failure record that the runtime wrote. It gives a `Verdict` and never raises: a store that cannot be read is a
verdict too. `explain` puts an attempt's failure into words.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flowc.runtime import layout
from flowc.runtime.commit import read_commit
from flowc.runtime.errors import BAD_PLAN, PEER_FAILED, PEER_LOST, Stop
from flowc.runtime.plan import Json
from flowc.runtime.store import StoreError

from .attempt import Attempt, Place
from .instances import Task
from .processes import Node


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
    """`done`: the task has a good commit, with these control values. `trouble`: the store could not say."""

    done: bool
    record: FailureRecord | None = None
    trouble: str | None = None
    controls: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failure:
    """A step that failed for good; "" is the flow itself. `log` is the failed node's output, None where none started.

    `what` names the instance for a sentence such as "ended because … failed".
    """

    step: str
    what: str
    headline: str
    attempt: int = 0
    attempts: int = 0
    last_lines: tuple[str, ...] = ()
    log: Path | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """`signal` is set where the run was interrupted; `failures` are in their order. `survivors` could not be ended.

    `was_cut` says that the signal came early enough to leave something of the flow undone.
    """

    failures: tuple[Failure, ...]
    signal: signal.Signals | None
    was_cut: bool
    survivors: tuple[int, ...]

    @property
    def succeeded(self) -> bool:
        return not self.failures and not self.was_cut

    @property
    def failed_step(self) -> str:
        return next((failure.step for failure in self.failures if failure.step), "")


def judge(place: Place, task: Task, attempt: str) -> Verdict:
    step, ix = task.node.name, task.ix
    try:
        commit = read_commit(place.store, place.flow, place.run, step, ix)
        if commit is not None and commit.status == "done":
            return Verdict(True, controls=commit.control)
        data = place.store.get(layout.failure_key(place.flow, place.run, step, attempt, ix))
    except (StoreError, Stop) as error:
        return Verdict(False, trouble=str(error))
    return Verdict(False, _record(data) if data is not None else None)


def failed_node(attempt: Attempt, verdict: Verdict) -> Node:
    """Where no record says which node failed: the first that did not merely follow another."""
    if verdict.record is not None and verdict.record.node < len(attempt.nodes):
        return attempt.nodes[verdict.record.node]
    failed = [node for node in attempt.nodes if node.exit_code != 0]
    own = [node for node in failed if node.exit_code not in (PEER_FAILED, PEER_LOST)]
    return (own or failed or attempt.nodes)[0]


def explain(attempt: Attempt, verdict: Verdict, node: Node) -> tuple[str, str]:
    """Headline and reason of a failed attempt."""
    where = f"step {attempt.task.name!r}" + (f", node {node.number}" if attempt.task.nodes > 1 else "")
    if verdict.record is not None and attempt.ended_because is None:
        return verdict.record.message, verdict.record.reason
    if attempt.ended_because is not None:
        return f"{where}: {attempt.ended_because}", attempt.ended_because
    if verdict.trouble is not None:
        return f"{where}: {verdict.trouble}", verdict.trouble
    code = node.exit_code or 0
    if code == 0:
        reason = "its supervisor ended without committing the step's outputs"
    elif code == BAD_PLAN:
        reason = f"{describe_exit(code)} (the plan, an input or an output is wrong)"
    else:
        reason = f"its supervisor ended without a report ({describe_exit(code)})"
    return f"{where}: {reason}", reason


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
