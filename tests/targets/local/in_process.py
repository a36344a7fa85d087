"""The engine with attempts that are no processes: real scheduling, real decisions, real commits, in memory.

`run` gives what happened, in its order. Attempts begin when the engine starts them and end some turns of its loop
later, by chance, so that a seed is one of many orders in which things can happen.
"""

from __future__ import annotations

import io
import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest

from flowc.runtime import plan as plans
from flowc.runtime.artifacts import Artifact
from flowc.runtime.commit import commit_done, write_outputs
from flowc.runtime.decide import own_controls
from flowc.runtime.evaluate import evaluate
from flowc.runtime.reader import StoreReader
from flowc.runtime.run_record import read_run, start_run
from flowc.runtime.store import Store
from flowc.runtime.values import to_json
from flowc.targets.local import engine as engines
from flowc.targets.local.attempt import Place
from flowc.targets.local.engine import Engine
from flowc.targets.local.instances import Task
from flowc.targets.local.interrupts import Interrupts
from flowc.targets.local.machine import Machine
from flowc.targets.local.outcome import Outcome
from flowc.targets.local.scheduler import Scheduler
from flowc.targets.local.screen import Screen, Style

from .meaning import Key, World

DIGEST = "0" * 64
# One for all runs: its pipe is never closed.
_INTERRUPTS = Interrupts()


class MemoryStore:
    """A store for one process, as far as it is needed here."""

    url = "memory:"

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        return self.objects.get(key)

    def put(self, key: str, data: bytes) -> None:
        self.objects[key] = data

    def put_new(self, key: str, data: bytes) -> bool:
        return self.objects.setdefault(key, data) is data

    def age(self, key: str) -> float | None:
        return 0.0 if key in self.objects else None


@dataclass
class History:
    """`events` are ("start" | "end", name, path); `inputs` as the runtime reads them; `most` attempts at once."""

    events: list[tuple[str, str, tuple[int, ...]]] = field(default_factory=list)
    inputs: dict[Key, dict[str, Any]] = field(default_factory=dict)
    outcome: Outcome | None = None
    running: set[Task] = field(default_factory=set)
    most: int = 0
    text: str = ""


class _Node:
    """What the engine asks of the node of a failed attempt."""

    number = 0
    pid = -1
    pipe = 1 << 20
    watch = -1
    is_open = False
    exit_code = 1
    log = Path("a.log")
    tail: ClassVar[deque[str]] = deque(["broken"])

    def flush(self) -> None:
        pass


def run(plan: plans.Plan, world: World, params: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> History:
    history = History()
    store = cast("Store", MemoryStore())
    values = {param.name: to_json(param.type, params[param.name]) for param in plan.params}
    start_run(store, plan, "run", values, "local", DIGEST)
    found = read_run(store, plan.flow, "run")
    assert found is not None
    record = found
    rng = random.Random(world.seed)

    class Attempt:
        ended_because = None

        def __init__(self, task: Task, place: Place, gpus: tuple[tuple[str, ...], ...] = ()) -> None:
            self.task, self.step, self.number, self.name = (
                task,
                task.step,
                task.attempts,
                f"{task.name}.{task.attempts}",
            )
            self.nodes: list[_Node] = []

        def start(self, *_: object) -> None:
            path = self.task.path
            history.events.append(("start", self.step.name, path))
            history.running.add(self.task)
            history.most = max(history.most, len(history.running))
            reader = StoreReader(plan, record, store, self.step.name, self.task.ix)
            final = plan.is_final(self.step.name)
            history.inputs[self.step.name, path] = {
                item.name: evaluate(item.value, path, plan, reader, final=final) for item in self.step.inputs
            }

        def check(self, *_: object, **__: object) -> bool:
            if self.ended_because is None and rng.random() < 0.6:
                return False
            if self.ended_because is None and self.number > world.failures(self.step.name, self.task.path):
                self._commit()
            else:
                self.nodes.append(_Node())
            history.running.discard(self.task)
            history.events.append(("end", self.step.name, self.task.path))
            return True

        def _commit(self) -> None:
            step, ix = self.step, self.task.ix
            outputs = {}
            for output in step.outputs:
                value = world.output(step.name, self.task.path, output, self.task.nodes)
                one = [_record(output.type, item) for item in (value if output.each else [value])]
                outputs[output.name] = {"type": output.type, "each": one} if output.each else one[0]
            digest = write_outputs(store, plan.flow, "run", step.name, self.name, outputs, ix=ix)
            controls = own_controls(plan, record, store, step, ix, outputs)
            commit_done(store, plan.flow, "run", step.name, self.name, digest, controls, ix=ix)

        def end(self, because: str, *_: object) -> None:
            self.ended_because = because

        def kill(self) -> None:
            self.ended_because = "killed"

        def next_deadline(self) -> float:
            return 0.0

        def exit_codes(self) -> tuple[int, ...]:
            return (1,) if self.nodes else (0,)

        def close(self) -> None:
            pass

    monkeypatch.setattr(engines, "Attempt", Attempt)
    monkeypatch.setattr(engines, "adopt_orphans", lambda: None)
    monkeypatch.setattr(engines, "Family", _NoFamily)
    monkeypatch.setattr(engines, "failed_node", lambda attempt, _: attempt.nodes[0])
    output = io.StringIO()
    screen = Screen(plan, output, Style(color=False, live=False))
    # Whatever a generated step asks for, several run at a time.
    machine = Machine(rng.choice((1e4, 100.0, 4.0)), 1 << 50, tuple(map(str, range(100))))
    scheduler = Scheduler(plan, machine, rng.choice((None, None, 1, 2)))
    place = Place(store, plan.flow, "run", DIGEST, Path("nowhere"))
    try:
        history.outcome = Engine(plan, place, scheduler, screen, _INTERRUPTS).run()
    finally:
        screen.close()
    history.text = output.getvalue()
    return history


class _NoFamily:
    def __init__(self) -> None:
        self.owned: set[int] = set()

    def reap(self) -> None:
        pass

    def alive(self) -> list[Any]:
        return []


def _record(type_: str, value: Any) -> dict[str, Any]:
    return value.to_json() if isinstance(value, Artifact) else {"type": type_, "value": to_json(type_, value)}
