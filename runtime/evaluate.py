"""evaluate: what a value of the plan is, on one instance's path.

Takes a value, the path of indexes of its reader and a `Reader`, through which parameters, outputs and control values
come; gives the value, or `ABSENT`. Conditions, lists, loop ends and gang sizes are evaluated here on every target, so
that all targets agree. An output is whatever the reader gives for it: a Python value, or its handle on an artifact.

Paths: a value is read on its reader's path. An output's instance is the beginning of that path, as long as its step
needs; `Gather`, `LastTurn` and `Previous` cut the path where their block stands and add one index. Which arms were
taken is asked for, never guessed from what exists.

A value of the wrong kind is the plan's fault or the store's, not the user's: `PlanError`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Protocol, TypeAlias

from . import plan as plans
from .values import to_text

Path: TypeAlias = "tuple[int, ...]"


class _Absent:
    """The type of `ABSENT`."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()


class Reader(Protocol):
    """Where values come from. Every answer is final: asked again, it is the same."""

    def expect(self, instances: Iterable[tuple[str, Path]]) -> None:
        """What is about to be asked for, step by step and decision by decision: a reader may get it all at once."""

    def param(self, name: str) -> Any:
        """The Python value of a parameter."""

    def run_value(self, name: str) -> str:
        """`id`, `status` or `failed_step`."""

    def has_outputs(self, step: str, path: Path) -> bool:
        """Whether an instance is committed as done. Where it is not, its absence has to be sealed first."""

    def output(self, step: str, path: Path, output: str, *, each: bool) -> Any:
        """An output of an instance that is done; a list with one value per node for `each`."""

    def control(self, task: str, path: Path, name: str) -> Any:
        """A control value in the commit of an instance of a task; None where that instance has not been done."""


def evaluate(value: plans.Value, path: Path, plan: plans.Plan, reader: Reader, *, final: bool = False) -> Any:
    """The value, or `ABSENT`. `final`: the reader stands in `finally`, where any other step may be missing."""
    return _Evaluation(plan, reader, final).value(value, path)


def evaluate_control(
    control: plans.Control, path: Path, plan: plans.Plan, reader: Reader, *, final: bool = False
) -> Any:
    """What a task writes into its commit: an index list, the number of an arm, whether a loop ends, a gang's size."""
    evaluation = _Evaluation(plan, reader, final)
    match control:
        case plans.Items():
            return list(range(len(_present(evaluation.value(control.value, path), list, control.name))))
        case plans.Choice():
            for number, condition in enumerate(control.conditions):
                if _present(evaluation.value(condition, path), bool, control.name):
                    return number
            return len(control.conditions)
        case plans.Ends():
            return _present(evaluation.value(control.value, path), bool, control.name)
        case plans.Size():
            size = _present(evaluation.value(control.value, path), int, control.name)
            # See `plans.Size`: the one node that starts then says what is wrong.
            return size if 1 <= size <= plans.MOST_NODES else 1


def _present(value: Any, kind: type, name: str) -> Any:
    if value is ABSENT:
        raise plans.PlanError(f"the control value {name!r} has no value: nothing that it could be read from exists")
    if type(value) is not kind:
        raise plans.PlanError(f"the control value {name!r} should be of type {kind.__name__}, not {value!r}")
    return value


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class _Evaluation:
    def __init__(self, plan: plans.Plan, reader: Reader, final: bool) -> None:
        self.plan = plan
        self.reader = reader
        self.final = final

    def value(self, value: plans.Value, path: Path) -> Any:
        match value:
            case plans.Const():
                return value.value
            case plans.FromParam():
                return self.reader.param(value.name)
            case plans.FromRun():
                return self.reader.run_value(value.name)
            case plans.FromItem():
                return self._item(value, path)
            case plans.FromStep():
                return self._output(value, path)
            case plans.Gather():
                return self._gather(value, path)
            case plans.LastTurn():
                around = path[: self.plan.depth(value.block)]
                turn = self._last_turn(value.block, around)
                return ABSENT if turn is None else self.value(value.value, (*around, turn))
            case plans.Previous():
                depth = self.plan.depth(value.block)
                if path[depth] == 0:
                    return self.value(value.first, path)
                return self.value(value.value, (*path[:depth], path[depth] - 1))
            case plans.Either():
                found = (self.value(item, path) for item in value.args)
                return next((item for item in found if item is not ABSENT), ABSENT)
            case plans.Logic():
                return self._logic(value, path)
            case _:
                return self._made(value, path)

    def _made(
        self, value: plans.Not | plans.Compare | plans.Text | plans.MakeList | plans.MakeObject, path: Path
    ) -> Any:
        """What is made from all of its parts."""
        match value:
            case plans.Not():
                parts = self._all((value.operand,), path)
                return ABSENT if parts is None else not parts[0]
            case plans.Compare():
                parts = self._all((value.left, value.right), path)
                return ABSENT if parts is None else _COMPARISONS[value.sign](*parts)
            case plans.Text():
                parts = self._all(value.parts, path)
                return ABSENT if parts is None else "".join(map(_text, parts))
            case plans.MakeList():
                parts = self._all(value.items, path)
                return ABSENT if parts is None else parts
            case plans.MakeObject():
                parts = self._all(tuple(member.value for member in value.members), path)
                names = [member.name for member in value.members]
                return ABSENT if parts is None else dict(zip(names, parts, strict=True))

    def _all(self, values: tuple[plans.Value, ...], path: Path) -> list[Any] | None:
        found = [self.value(value, path) for value in values]
        return None if any(item is ABSENT for item in found) else found

    def _logic(self, value: plans.Logic, path: Path) -> Any:
        ends_with = value.word == "or"
        for operand in value.operands:
            found = self.value(operand, path)
            if found is ABSENT or found is ends_with:
                return found
        return not ends_with

    # --- what other tasks have left -----------------------------------------------------------------------------------

    def _item(self, value: plans.FromItem, path: Path) -> Any:
        block = self.plan.node(value.block)
        assert isinstance(block, plans.FanOut)
        depth = self.plan.depth(block.name)
        items = self.value(block.items, path[:depth])
        if items is ABSENT:
            return ABSENT
        if path[depth] >= len(items):
            raise plans.PlanError(f"{value.block!r} has {len(items)} items, and this is the one at {path[depth]}")
        return items[path[depth]]

    def _output(self, value: plans.FromStep, path: Path) -> Any:
        if not self._reached(value.step, path):
            return ABSENT
        instance = path[: self.plan.depth(value.step)]
        may_miss = self.plan.step(value.step).settings.allow_failure or self.final
        if may_miss and not self.reader.has_outputs(value.step, instance):
            return ABSENT
        return self.reader.output(value.step, instance, value.output, each=value.each)

    def _reached(self, node: str, path: Path) -> bool:
        """Whether all arms around a node were taken on this path."""
        branches = ((place.block, place.arm) for place in self.plan.chain(node))
        return all(not isinstance(block, plans.Branch) or self._decided(block, path) == arm for block, arm in branches)

    def _decided(self, block: plans.FanOut | plans.Branch, path: Path) -> Any:
        task, control = block.decided.task, block.decided.control
        return self.reader.control(task, path[: self.plan.depth(task)], control)

    def _gather(self, value: plans.Gather, path: Path) -> Any:
        block = self.plan.node(value.block)
        assert isinstance(block, plans.FanOut)
        around = path[: self.plan.depth(block.name)]
        # An empty list in an arm that was not taken is absent all the same.
        indexes = self._decided(block, around) if self._reached(block.name, around) else None
        if indexes is None:
            return ABSENT
        self.reader.expect(self._asked_for(value.value, [(*around, index) for index in indexes]))
        found = []
        for index in indexes:
            if (item := self.value(value.value, (*around, index))) is ABSENT:
                return ABSENT
            found.append(item)
        return found

    def _asked_for(self, value: plans.Value, paths: list[Path]) -> Iterator[tuple[str, Path]]:
        """The instances that a value asks for in its own right on each of these paths."""
        for name in _tasks_of(value, self.plan):
            # Further out there is one for all paths.
            if paths and (depth := self.plan.depth(name)) == len(paths[0]):
                yield from ((name, path[:depth]) for path in paths)

    def _last_turn(self, name: str, around: Path) -> int | None:
        loop = self.plan.node(name)
        assert isinstance(loop, plans.Loop)
        task, control = loop.decided.task, loop.decided.control
        if not self._reached(name, around):
            return None
        for turn in range(loop.limit):
            ends = self.reader.control(task, (*around, turn)[: self.plan.depth(task)], control)
            if ends is None:
                return None
            if ends:
                return turn
        return loop.limit - 1


def _tasks_of(value: plans.Value, plan: plans.Plan) -> dict[str, None]:
    """The steps that a value reads outside of inner loops, and what decides on the arms around them."""
    match value:
        case plans.FromStep():
            branches = (place.block for place in plan.chain(value.step) if isinstance(place.block, plans.Branch))
            return dict.fromkeys((*(block.decided.task for block in branches), value.step))
        case plans.Either():
            return {name: None for part in value.args for name in _tasks_of(part, plan)}
        case _:
            return {}


def _text(value: Any) -> str:
    """A scalar's text, as in argv."""
    kinds = {bool: "bool", int: "int", float: "float", str: "string"}
    if type(value) not in kinds:
        raise plans.PlanError(f"a text cannot hold {value!r}")
    return to_text(kinds[type(value)], value)
