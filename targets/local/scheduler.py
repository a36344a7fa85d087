"""Which task starts next: the part of the engine that needs no processes.

Takes a plan, the machine and a bound on steps at once; is told what started and how it ended. `questions` gives what
has to be computed before anything can start: decisions, and the sizes of gangs. `next_task` names a step's instance
whose needs are over and whose whole gang fits beside what runs. One that asks for more than the machine has starts when
nothing else runs, so every plan can proceed. Ready tasks are tried in the order of the file, earlier iterations first;
a smaller one may overtake a larger one that does not fit yet, which delays the larger one at most until the smaller
ones of this flow are done.

Tasks that ask for the same amounts stand in one heap, so finding the next one takes a look at the first of each.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from flowc.runtime.plan import Branch, Decision, FanOut, Json, Plan, Step

from .instances import Instances, News, Task
from .machine import Demand, Machine, demand_of, node_demand

# So many instances of a step in a loop are remembered, to show what they made.
_REMEMBERED = 3


class State(Enum):
    """The life of a step within a run. `RETRYING` waits for its next attempt; `ENDED` ran when the run ended."""

    WAITING = "waiting"
    RUNNING = "running"
    RETRYING = "retrying"
    DONE = "done"
    FAILED = "failed"
    ENDED = "ended"
    SKIPPED = "not taken"


@dataclass(slots=True)
class Tally:
    """What has become of a step's instances.

    `first` has the first items of the foreach around it, by their indexes, each with the last instance that was done;
    without a foreach there is one, and its indexes are empty. `has_more`: there are further items.
    """

    done: int = 0
    allowed: int = 0
    first: dict[tuple[int, ...], tuple[int, ...]] = field(default_factory=dict)
    has_more: bool = False

    def add(self, item: tuple[int, ...], path: tuple[int, ...]) -> None:
        self.done += 1
        self.first[item] = path
        if len(self.first) > _REMEMBERED:
            del self.first[max(self.first)]
            self.has_more = True


@dataclass(slots=True)
class _Running:
    demand: Demand
    gpus: tuple[tuple[str, ...], ...]


class Scheduler:
    """Time is passed in, in seconds of one monotonic clock."""

    def __init__(self, plan: Plan, machine: Machine, jobs: int | None) -> None:
        self._instances = Instances(plan)
        self._room = machine.room
        self._jobs = jobs
        self._free_gpus = list(machine.gpus)
        self._demands: dict[tuple[str, int], Demand] = {}
        # Never an empty heap.
        self._ready: dict[Demand, list[tuple[tuple[int, ...], Task]]] = {}
        self._retries: list[tuple[float, tuple[int, ...], Task]] = []
        self._questions: list[Task] = []
        self._asked: set[Task] = set()
        self._running: dict[Task, _Running] = {}
        self.tallies = {step.name: Tally() for step in plan.steps}
        # Which indexes of a step's path are those of items; the others are turns.
        self._items = {step.name: _item_indexes(plan, step) for step in plan.steps}

    def begin(self, *, final: bool = False) -> None:
        """Start with the flow's own nodes or, once nothing of them runs, with those of `finally`."""
        self._ready.clear()
        self._retries.clear()
        self._questions.clear()
        self._asked.clear()
        self._instances.begin(final=final)
        self._sort()

    # --- what to do next ----------------------------------------------------------------------------------------------

    def questions(self) -> list[Task]:
        """Tasks of which something has to be computed; each is given once, and answered by `ended` or `sized`."""
        found, self._questions = self._questions, []
        self._asked.update(found)
        return found

    def next_task(self, now: float) -> Task | None:
        while self._retries and self._retries[0][0] <= now:
            self._push(heapq.heappop(self._retries)[2])
        if self._jobs is not None and len(self._running) >= self._jobs:
            return None
        fitting = (heap[0] for demand, heap in self._ready.items() if not self._running or demand.fits(self._room))
        first = min(fitting, default=None, key=lambda entry: entry[0])
        return None if first is None else first[1]

    def next_retry(self) -> float | None:
        """When the next waiting attempt comes due; one that is due already waits for room, not for time."""
        return self._retries[0][0] if self._retries else None

    def news(self) -> list[News]:
        """What has happened to blocks since it was last asked."""
        found = list(self._instances.news)
        self._instances.news.clear()
        return found

    @property
    def is_idle(self) -> bool:
        """Nothing runs and nothing is left that could."""
        return not (self._running or self._ready or self._retries or self._questions or self._asked)

    # --- what has happened --------------------------------------------------------------------------------------------

    def sized(self, task: Task, nodes: int) -> None:
        """The answer to the question how many nodes a gang has."""
        self._asked.discard(task)
        task.nodes = nodes
        self._push(task)

    def started(self, task: Task) -> tuple[tuple[str, ...], ...]:
        """An attempt of the task that `next_task` gave starts now; gives the GPUs of each node, if all are there."""
        demand = self._demand(task)
        heap = self._ready[demand]
        assert heap[0][1] is task
        heapq.heappop(heap)
        if not heap:
            del self._ready[demand]
        gpus = self._take_gpus(task) if demand.gpu and demand.gpu <= len(self._free_gpus) else ()
        self._running[task] = _Running(demand, gpus)
        self._room -= demand
        task.attempts += 1
        self._instances.started(task)
        self._sort()
        return gpus

    def retries(self, task: Task, at: float) -> None:
        """The running task's attempt failed; the next one may start at `at`."""
        self._release(task)
        heapq.heappush(self._retries, (at, task.key, task))

    def ended(self, task: Task, controls: Mapping[str, Json]) -> None:
        """The task is done. `PlanError` where its control values make no sense."""
        self._release(task)
        tally = self.tallies.get(task.node.name)
        if tally is not None:
            tally.add(tuple(task.path[at] for at in self._items[task.node.name]), task.path)
        self._instances.over(task, dict(controls))
        self._sort()

    def failed(self, task: Task, *, allowed: bool = False) -> None:
        """The task has failed for good or was ended. Where that is `allowed`, what waits for it goes on."""
        self._release(task)
        if allowed:
            self.tallies[task.node.name].allowed += 1
            self._instances.over(task, {})
            self._sort()

    # --- inside -------------------------------------------------------------------------------------------------------

    def _sort(self) -> None:
        """What has become ready goes where it waits."""
        ready = self._instances.ready
        while ready:
            task = ready.popleft()
            if isinstance(task.node, Decision) or (task.node.gang is not None and task.node.gang.decided is not None):
                self._questions.append(task)
            else:
                task.nodes = task.node.nodes
                self._push(task)

    def _push(self, task: Task) -> None:
        heapq.heappush(self._ready.setdefault(self._demand(task), []), (task.key, task))

    def _demand(self, task: Task) -> Demand:
        key = (task.node.name, task.nodes)
        if key not in self._demands:
            self._demands[key] = demand_of(task.step, task.nodes)
        return self._demands[key]

    def _take_gpus(self, task: Task) -> tuple[tuple[str, ...], ...]:
        counts = [node_demand(task.step, main=node == 0).gpu for node in range(task.nodes)]
        taken, self._free_gpus = self._free_gpus[: sum(counts)], self._free_gpus[sum(counts) :]
        return tuple(tuple(taken.pop(0) for _ in range(count)) for count in counts)

    def _release(self, task: Task) -> None:
        self._asked.discard(task)
        held = self._running.pop(task, None)
        if held is not None:
            self._room += held.demand
            self._free_gpus += [name for names in held.gpus for name in names]


def _item_indexes(plan: Plan, step: Step) -> tuple[int, ...]:
    loops = [place.block for place in plan.chain(step.name) if not isinstance(place.block, Branch)]
    return tuple(at for at, block in enumerate(loops) if isinstance(block, FanOut))
