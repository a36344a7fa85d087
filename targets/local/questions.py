"""What the engine asks the store: decisions, the sizes of gangs, and what it writes there itself.

Runs in threads of the engine's own process; a process for each decision would cost more than a small step. Each gives
its answer, or a `Trouble` for what a store or a user's value did. A store that is out of order for a moment is asked
again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from flowc.runtime.commit import Commit, commit_failed, read_commit
from flowc.runtime.decide import decide, gang_size
from flowc.runtime.errors import STORE, Stop
from flowc.runtime.plan import Decision, Json, Plan
from flowc.runtime.run_record import Run, Status, read_run, record_status
from flowc.runtime.store import StoreError

from .attempt import Place
from .instances import Task

T = TypeVar("T")

# Seconds before each further try.
_WAITS = (0.5, 2.0)


@dataclass(frozen=True, slots=True)
class Trouble:
    """`is_lasting`: not the store's fault, so that another time the answer would be the same."""

    reason: str
    is_lasting: bool = False


def controls_of(plan: Plan, place: Place, task: Task) -> Mapping[str, Json] | Trouble:
    """Decide."""
    assert isinstance(task.node, Decision)
    commit = _insist(lambda: decide(plan, _run(place), place.store, task.node.name, task.ix))
    if isinstance(commit, Trouble) or commit.status == "done":
        return commit if isinstance(commit, Trouble) else commit.control
    return Trouble(f"it was given up: {commit.reason or 'its absence is on record'}", is_lasting=True)


def size_of(plan: Plan, place: Place, task: Task) -> int | Trouble:
    """How many nodes a gang has."""
    return _insist(lambda: gang_size(plan, _run(place), place.store, task.step, task.ix))


def seal_failure(place: Place, task: Task, attempt: str, reason: str) -> Commit | Trouble:
    """Commit that a task has failed for good, so that all its readers agree; gives the commit that counts."""
    names = place.flow, place.run, task.node.name

    def seal() -> Commit:
        found = read_commit(place.store, *names, task.ix)
        return found or commit_failed(place.store, *names, attempt, reason, ix=task.ix)

    return _insist(seal)


def note_status(place: Place, status: Status) -> Status | Trouble:
    """Write down how the flow ended, for the steps of `finally`."""
    return _insist(lambda: record_status(place.store, place.flow, place.run, status))


def _insist(ask: Callable[[], T]) -> T | Trouble:
    for wait in _WAITS:
        try:
            return ask()
        except Stop as stop:
            return Trouble(stop.message, is_lasting=stop.code != STORE)
        except StoreError:
            time.sleep(wait)
    try:
        return ask()
    except Stop as stop:
        return Trouble(stop.message, is_lasting=stop.code != STORE)
    except StoreError as error:
        return Trouble(str(error))


def _run(place: Place) -> Run:
    found = read_run(place.store, place.flow, place.run)
    if found is None:
        raise StoreError(f"the store {place.store.url} does not hold the record of run {place.run}")
    return found
