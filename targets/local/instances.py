"""Which tasks of a plan may start, as the run unfolds: the part of the engine that knows regions and no machine.

A task is one instance of a step or a decision: the node and the path of indexes of the blocks around it. `begin` opens
a region without indexes (the flow's nodes, or those of `finally`), `over` says that a task is over and which control
values it computed; whatever may start then stands in `ready`, and what a reader wants to hear about blocks in `news`.

Nothing exists before it is needed. A fan-out opens an iteration when its limit allows one and when fewer than
LOOKAHEAD of its open iterations have not started a step yet; a region that is over is forgotten. So a thousand items
cost no more than those that are at work, and the work of an event depends on the nodes that it concerns alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from flowc.runtime.layout import instance_name, ix_of
from flowc.runtime.plan import Branch, Decision, FanOut, Json, Loop, Node, Plan, PlanError, Step, inside

# Iterations of one fan-out that are open before anything of theirs has started: enough to decide some side by side.
LOOKAHEAD = 4
# From so many iterations on, a reader is told how far a block is and not of every task in it.
MANY = 20


@dataclass(frozen=True, slots=True)
class _Shape:
    """What all instances of a region share: by the node's number, how many it needs and who needs it."""

    nodes: tuple[Node, ...]
    missing: tuple[int, ...]
    followers: tuple[tuple[int, ...], ...]


@dataclass(slots=True, eq=False)
class _Region:
    """An open region. `key` puts tasks into the order of the file, earlier iterations first."""

    shape: _Shape
    path: tuple[int, ...]
    key: tuple[int, ...]
    owner: _Block | None
    missing: list[int]
    left: int
    is_quiet: bool
    has_started: bool = False
    controls: dict[str, Json] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Fan:
    """A fan-out at work. `idle` counts the open iterations in which no step has started."""

    node: FanOut
    at: _Region
    number: int
    total: int
    opened: int = 0
    open: int = 0
    idle: int = 0
    over: int = 0


@dataclass(slots=True, eq=False)
class _Choice:
    """The arm of a branch that was taken."""

    node: Branch
    at: _Region
    number: int


@dataclass(slots=True, eq=False)
class _Turns:
    """A loop at work."""

    node: Loop
    at: _Region
    number: int
    turn: int = 0


_Block: TypeAlias = _Fan | _Choice | _Turns


@dataclass(slots=True, eq=False)
class Task:
    """One instance of a step or a decision. The numbers of nodes and of attempts are the scheduler's to set."""

    node: Step | Decision
    region: _Region = field(repr=False)
    number: int
    nodes: int = 1
    attempts: int = 0
    began: float | None = None

    @property
    def path(self) -> tuple[int, ...]:
        return self.region.path

    @property
    def ix(self) -> str:
        return ix_of(self.region.path)

    @property
    def name(self) -> str:
        """As people read it."""
        return instance_name(self.node.name, self.ix)

    @property
    def key(self) -> tuple[int, ...]:
        return (*self.region.key, self.number)

    @property
    def is_quiet(self) -> bool:
        """One of so many that nobody wants to hear of each."""
        return self.region.is_quiet

    @property
    def step(self) -> Step:
        assert isinstance(self.node, Step)
        return self.node


@dataclass(frozen=True, slots=True)
class Progress:
    """A fan-out was opened (`done` is 0), or `done` of its iterations are over; of a loop, turns."""

    block: FanOut | Loop
    path: tuple[int, ...]
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """Steps outside of loops that will not run, because another arm was taken."""

    steps: tuple[str, ...]


News: TypeAlias = Progress | Skipped


class Instances:
    """See the module. `over` raises `PlanError` where a control value is missing or makes no sense."""

    def __init__(self, plan: Plan) -> None:
        self._shapes = {"": _shape(plan.nodes), "finally": _shape(plan.finals)}
        for node in plan.all_nodes:
            for arm, nodes in enumerate(inside(node)):
                self._shapes[f"{node.name} {arm}"] = _shape(nodes)
        self.ready: deque[Task] = deque()
        self.news: deque[News] = deque()
        # What is still to be done for an event. Calls would go as deep as there are iterations in which nothing runs.
        self._agenda: deque[Callable[[], None]] = deque()

    def begin(self, *, final: bool = False) -> None:
        self.ready.clear()
        self._open(self._shapes["finally" if final else ""], (), (), None, quiet=False)
        self._settle()

    def started(self, task: Task) -> None:
        """A step's first attempt has started: its iterations are no longer idle."""
        region: _Region | None = task.region
        while region is not None and not region.has_started:
            region.has_started = True
            if isinstance(region.owner, _Fan):
                region.owner.idle -= 1
                self._agenda.append(partial(self._fill, region.owner))
            region = region.owner.at if region.owner is not None else None
        self._settle()

    def over(self, task: Task, controls: dict[str, Json]) -> None:
        """The task is over: done, or failed where that is allowed."""
        task.region.controls.update(controls)
        self._node_over(task.region, task.number)
        self._settle()

    # --- regions ------------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        while self._agenda:
            self._agenda.popleft()()

    def _open(
        self, shape: _Shape, path: tuple[int, ...], key: tuple[int, ...], owner: _Block | None, *, quiet: bool
    ) -> None:
        quiet = quiet or (owner is not None and owner.at.is_quiet)
        region = _Region(shape, path, key, owner, list(shape.missing), len(shape.nodes), quiet)
        if not shape.nodes:
            self._region_over(region)
        for number, missing in enumerate(shape.missing):
            if missing == 0:
                self._agenda.append(partial(self._begin_node, region, number))

    def _begin_node(self, region: _Region, number: int) -> None:
        node = region.shape.nodes[number]
        match node:
            case Step() | Decision():
                self.ready.append(Task(node, region, number))
            case FanOut():
                self._begin_fan(node, region, number)
            case Branch():
                self._begin_branch(node, region, number)
            case Loop():
                turns = _Turns(node, region, number)
                self._open_turn(turns)

    def _node_over(self, region: _Region, number: int) -> None:
        for follower in region.shape.followers[number]:
            region.missing[follower] -= 1
            if region.missing[follower] == 0:
                self._agenda.append(partial(self._begin_node, region, follower))
        region.left -= 1
        if region.left == 0:
            self._agenda.append(partial(self._region_over, region))

    def _region_over(self, region: _Region) -> None:
        match region.owner:
            case _Fan() as fan:
                self._iteration_over(fan, region)
            case _Choice() as choice:
                self._node_over(choice.at, choice.number)
            case _Turns() as turns:
                self._turn_over(turns, region)

    # --- blocks -------------------------------------------------------------------------------------------------------

    def _begin_fan(self, node: FanOut, region: _Region, number: int) -> None:
        indexes = _control(region, node.decided.control)
        if not isinstance(indexes, list) or indexes != list(range(len(indexes))):
            raise PlanError(f"{node.decided.task!r} gives no list of indexes for the foreach of {node.name!r}")
        fan = _Fan(node, region, number, len(indexes))
        self.news.append(Progress(node, region.path, 0, fan.total))
        if fan.total == 0:
            self._node_over(region, number)
        self._fill(fan)

    def _fill(self, fan: _Fan) -> None:
        most = fan.total if fan.node.limit is None else fan.node.limit
        shape = self._shapes[f"{fan.node.name} 0"]
        while fan.opened < fan.total and fan.open < most and fan.idle < LOOKAHEAD:
            index = fan.opened
            fan.opened += 1
            fan.open += 1
            fan.idle += 1
            key = (*fan.at.key, fan.number, index)
            self._open(shape, (*fan.at.path, index), key, fan, quiet=fan.total > MANY)

    def _iteration_over(self, fan: _Fan, region: _Region) -> None:
        fan.open -= 1
        fan.over += 1
        if not region.has_started:
            fan.idle -= 1
        self.news.append(Progress(fan.node, fan.at.path, fan.over, fan.total))
        if fan.over == fan.total:
            self._node_over(fan.at, fan.number)
        else:
            self._agenda.append(partial(self._fill, fan))

    def _begin_branch(self, node: Branch, region: _Region, number: int) -> None:
        arm = _control(region, node.decided.control)
        if type(arm) is not int or not 0 <= arm <= len(node.arms) - node.total:
            raise PlanError(f"{node.decided.task!r} gives no arm for {node.name!r}")
        if not region.path:
            others = (other for at, other in enumerate(node.arms) if at != arm)
            self.news.append(Skipped(tuple(name for other in others for name in _step_names(other.nodes))))
        if arm == len(node.arms):
            self._node_over(region, number)
            return
        shape = self._shapes[f"{node.name} {arm}"]
        self._open(shape, region.path, (*region.key, number, arm), _Choice(node, region, number), quiet=False)

    def _open_turn(self, turns: _Turns) -> None:
        at, turn = turns.at, turns.turn
        key = (*at.key, turns.number, turn)
        self._open(self._shapes[f"{turns.node.name} 0"], (*at.path, turn), key, turns, quiet=turn >= MANY)

    def _turn_over(self, turns: _Turns, region: _Region) -> None:
        ends = _control(region, turns.node.decided.control)
        if not isinstance(ends, bool):
            raise PlanError(f"{turns.node.decided.task!r} does not say whether {turns.node.name!r} ends")
        turns.turn += 1
        self.news.append(Progress(turns.node, turns.at.path, turns.turn, turns.node.limit))
        if ends or turns.turn >= turns.node.limit:
            self._node_over(turns.at, turns.number)
        else:
            self._open_turn(turns)


def _control(region: _Region, name: str) -> Json:
    """The task that computes it stands in this region or in one around it."""
    at: _Region | None = region
    while at is not None:
        if name in at.controls:
            return at.controls[name]
        at = at.owner.at if at.owner is not None else None
    raise PlanError(f"no task has computed the control value {name!r}")


def _shape(nodes: tuple[Node, ...]) -> _Shape:
    numbers = {node.name: number for number, node in enumerate(nodes)}
    followers: list[list[int]] = [[] for _ in nodes]
    missing = []
    for number, node in enumerate(nodes):
        needs = dict.fromkeys(node.needs)
        missing.append(len(needs))
        for need in needs:
            followers[numbers[need]].append(number)
    return _Shape(nodes, tuple(missing), tuple(map(tuple, followers)))


def _step_names(nodes: tuple[Node, ...]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, Step):
            yield node.name
        for region in inside(node):
            yield from _step_names(region)
