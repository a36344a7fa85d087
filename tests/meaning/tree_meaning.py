"""What a program means, straight from its syntax tree: a second opinion on what a run of its plan did.

`compare(flow, record)` walks through the program as it is written and says which steps have to run, with which inputs
and on how many nodes; `Violation` where the record of a run differs. Only what steps made and which of them failed is
taken from the record. Nothing here knows of plans, decisions or models, nor how they come to be: it is the manual's
words in code, slow and plain. The run has to have come to its end.

A **place** is where something stands: the blocks around it, outermost first, each with the item, the turn or the arm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

from flowc.dsl import ast
from tests.meaning.record import Instance, Path, Record, Violation

Block: TypeAlias = "ast.Foreach | ast.If | ast.Repeat"
Place: TypeAlias = "tuple[tuple[Block, int], ...]"
Reading: TypeAlias = "Callable[[Place], Any]"


class _Absent:
    def __repr__(self) -> str:
        return "absent"


_ABSENT: Final = _Absent()

# What a gang of an impossible size starts with: one node, which says so.
_MOST_NODES = 10_000


def compare(flow: ast.Flow, record: Record) -> int:
    """How many inputs were compared."""
    return _Meaning(flow, record).compare()


class _Meaning:
    def __init__(self, flow: ast.Flow, record: Record) -> None:
        self.flow = flow
        self.record = record
        self.steps: dict[str, ast.Step] = {}
        # Around each step; the number is that of the arm, and says nothing for a loop.
        self.around: dict[str, Place] = {}
        self._declare(flow.nodes, ())
        for final in flow.finals:
            self._declare(final.steps, ())
        self.known: dict[tuple[int, Path], Any] = {}
        self.seen: set[Instance] = set()
        self.compared = 0

    def _declare(self, nodes: tuple[ast.Node, ...], around: Place) -> None:
        for node in nodes:
            match node:
                case ast.Step():
                    self.steps[node.name.text] = node
                    self.around[node.name.text] = around
                case ast.If():
                    for number, arm in enumerate(node.arms):
                        self._declare(arm.nodes, (*around, (node, number)))
                case _:
                    self._declare(node.nodes, (*around, (node, 0)))

    # --- what has to have run -----------------------------------------------------------------------------------------

    def compare(self) -> int:
        self._region(self.flow.nodes, ())
        for final in self.flow.finals:
            self._region(final.steps, ())
        if extra := self.record.inputs.keys() - self.seen:
            raise Violation(f"ran, but should not: {sorted(extra)}")
        return self.compared

    def _region(self, nodes: tuple[ast.Node, ...], place: Place) -> None:
        for node in nodes:
            match node:
                case ast.Step():
                    self._step(node, place)
                case ast.Foreach():
                    for number in range(len(self._items(node, place))):
                        self._region(node.nodes, (*place, (node, number)))
                case ast.If():
                    taken = self._arm(node, place)
                    if taken < len(node.arms):
                        self._region(node.arms[taken].nodes, (*place, (node, taken)))
                case ast.Repeat():
                    for turn in range(self._turns(node, place)):
                        self._region(node.nodes, (*place, (node, turn)))

    def _step(self, step: ast.Step, place: Place) -> None:
        instance = step.name.text, _path(place)
        self.seen.add(instance)
        if instance not in self.record.inputs:
            raise Violation(f"should have run: {instance}")
        for item in step.inputs:
            meant = self._value(item.value or ast.Ref(item.name, None, (), item.span), place)
            got = self.record.inputs[instance][item.name.text]
            # The same object first, for nan.
            if meant is not got and meant != got:
                raise Violation(f"{instance}: `in {item.name.text}` means {meant!r}, and was {got!r}")
            self.compared += 1
        size = self._value(step.parallel.count, place) if step.parallel else 1
        size = size if 1 <= size <= _MOST_NODES else 1
        if size != self.record.sizes[instance]:
            raise Violation(f"{instance} means {size} nodes, and had {self.record.sizes[instance]}")

    # --- blocks -------------------------------------------------------------------------------------------------------

    def _items(self, block: ast.Foreach, place: Place) -> list[Any]:
        found: list[Any] = self._once(block, block.items, place, list)
        return found

    def _arm(self, block: ast.If, place: Place) -> int:
        """The number of the arm taken; as many as there are where none is."""
        for number, arm in enumerate(block.arms):
            if arm.condition is None or self._once(arm, arm.condition, place, bool):
                return number
        return len(block.arms)

    def _turns(self, block: ast.Repeat, place: Place) -> int:
        assert isinstance(block.limit, ast.Int)
        turns = range(block.limit.value)
        ends = (turn + 1 for turn in turns if self._once(block, block.until, (*place, (block, turn)), bool))
        return next(ends, len(turns))

    def _once(self, owner: object, expr: ast.Expr, place: Place, kind: type) -> Any:
        """What a block asks for has to be there; and it is asked for again and again."""
        key = id(owner), tuple(number for _, number in place)
        if key not in self.known:
            found = self._value(expr, place)
            if type(found) is not kind:
                raise Violation(f"a block at {_path(place)} asks for a {kind.__name__}, and this is {found!r}: {expr}")
            self.known[key] = found
        return self.known[key]

    # --- references ---------------------------------------------------------------------------------------------------

    def _reference(self, ref: ast.Ref, place: Place) -> Any:
        name = ref.name.text
        if ref.field is not None:
            here = self._shared(name, place)
            return self._output(name, ref.field.text, place[:here], self.around[name][here:])
        for number, (block, index) in enumerate(place):
            if isinstance(block, ast.Foreach) and block.name.text == name:
                return self._items(block, place[:number])[index]
        return self.record.params[name]

    def _shared(self, step: str, place: Place) -> int:
        """How many blocks are around both."""
        count = 0
        for (block, index), (other, arm) in zip(place, self.around[step], strict=False):
            if block is not other or (isinstance(block, ast.If) and index != arm):
                break
            count += 1
        return count

    def _output(self, step: str, output: str, place: Place, inner: Place) -> Any:
        """An output as `place` sees it; `inner` are the blocks that the step is further in."""
        if inner:
            return self._through(inner[0], place, lambda deeper: self._output(step, output, deeper, inner[1:]))
        instance = step, _path(place)
        if instance in self.record.failed:
            return _ABSENT
        if instance not in self.record.outputs:
            raise Violation(f"{instance} has made no outputs, and has not failed")
        value = self.record.outputs[instance][output]
        return list(value) if isinstance(value, tuple) else value

    def _through(self, inner: tuple[Block, int], place: Place, read: Reading) -> Any:
        """What `read` finds inside a block: of all items, of the last turn, or nothing if the arm was not taken."""
        block, arm = inner
        match block:
            case ast.If():
                return read((*place, inner)) if self._arm(block, place) == arm else _ABSENT
            case ast.Repeat():
                return read((*place, (block, self._turns(block, place) - 1)))
            case ast.Foreach():
                count = len(self._items(block, place))
                return _whole([read((*place, (block, number))) for number in range(count)])

    def _starred(self, either: ast.Either, place: Place) -> Any:
        """`either(…)[*]`: as if it stood inside the loops, which are those of the first step that is in so many."""
        wanted = len(either.stars)
        for step in _steps(either):
            here = self._shared(step, place)
            inner = self.around[step][here:]
            loops = [number for number, (block, _) in enumerate(inner) if isinstance(block, ast.Foreach)]
            if len(loops) >= wanted:
                return self._spread(either, place[:here], inner[: loops[wanted - 1] + 1])
        raise Violation(f"no step here is in {wanted} loops: {either}")

    def _spread(self, either: ast.Either, place: Place, inner: Place) -> Any:
        if inner:
            return self._through(inner[0], place, lambda deeper: self._spread(either, deeper, inner[1:]))
        return self._first_present(either, place)

    def _first_present(self, either: ast.Either, place: Place) -> Any:
        found = (self._value(arg, place) for arg in either.args)
        return next((value for value in found if value is not _ABSENT), _ABSENT)

    def _previous(self, expr: ast.Previous, place: Place) -> Any:
        """Of the innermost loop around here that is also around a step of the value."""
        steps = list(_steps(expr.value))
        for number, (block, turn) in reversed(list(enumerate(place))):
            around = (other for step in steps for other, _ in self.around[step])
            if isinstance(block, ast.Repeat) and any(other is block for other in around):
                before = (*place[:number], (block, turn - 1))
                return self._value(expr.value, before) if turn else self._value(expr.first, place)
        raise Violation(f"the turn before of no loop: {expr}")

    # --- expressions --------------------------------------------------------------------------------------------------

    def _value(self, expr: ast.Expr, place: Place) -> Any:
        match expr:
            case ast.Int() | ast.Float() | ast.Bool() | ast.String():
                return expr.value
            case ast.Ref():
                return self._reference(expr, place)
            case ast.OwnRef():
                return self.record.run[expr.name.text]
            case ast.Either():
                return self._starred(expr, place) if expr.stars else self._first_present(expr, place)
            case ast.Previous():
                return self._previous(expr, place)
            case ast.List():
                return _whole([self._value(item, place) for item in expr.items])
            case ast.Object():
                values = _whole([self._value(member.value, place) for member in expr.members])
                names = [member.name.text for member in expr.members]
                return _ABSENT if values is _ABSENT else dict(zip(names, values, strict=True))
            case ast.Template():
                parts = [part if isinstance(part, str) else self._value(part, place) for part in expr.parts]
                return _ABSENT if _whole(parts) is _ABSENT else "".join(map(_text, parts))
            case _:
                return self._condition(expr, place)

    def _condition(self, expr: ast.Expr, place: Place) -> Any:
        match expr:
            case ast.Not():
                value = self._value(expr.operand, place)
                return _ABSENT if value is _ABSENT else not value
            case ast.Logic():
                for operand in expr.operands:
                    value = self._value(operand, place)
                    if value is _ABSENT or value == (expr.word == "or"):
                        return value
                return expr.word == "and"
            case ast.Compare():
                pair = _whole([self._value(expr.left, place), self._value(expr.right, place)])
                return _ABSENT if pair is _ABSENT else _holds(expr.sign, *pair)
            case _:
                raise Violation(f"this has no value: {expr}")


def _path(place: Place) -> Path:
    return tuple(number for block, number in place if not isinstance(block, ast.If))


def _whole(values: list[Any]) -> Any:
    return _ABSENT if any(value is _ABSENT for value in values) else values


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _holds(sign: str, left: Any, right: Any) -> bool:
    match sign:
        case "==":
            return bool(left == right)
        case "!=":
            return bool(left != right)
        case "<":
            return bool(left < right)
        case "<=":
            return bool(left <= right)
        case ">":
            return bool(left > right)
        case _:
            return bool(left >= right)


def _steps(expr: ast.Expr) -> Iterator[str]:
    """The steps that a value reads, in their order; not what `previous` begins with, which is of no turn."""
    match expr:
        case ast.Ref():
            if expr.field is not None:
                yield expr.name.text
        case ast.Either():
            for arg in expr.args:
                yield from _steps(arg)
        case ast.Previous():
            yield from _steps(expr.value)
        case ast.List():
            for item in expr.items:
                yield from _steps(item)
        case ast.Object():
            for member in expr.members:
                yield from _steps(member.value)
        case ast.Template():
            for part in expr.parts:
                if isinstance(part, ast.Ref):
                    yield from _steps(part)
        case ast.Not():
            yield from _steps(expr.operand)
        case ast.Logic():
            for operand in expr.operands:
                yield from _steps(operand)
        case ast.Compare():
            yield from _steps(expr.left)
            yield from _steps(expr.right)
