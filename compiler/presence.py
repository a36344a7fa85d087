"""presence: is everything that a flow reads there when it is read?

Takes a `Model`; gives diagnostics: plain references to what an `if` may skip or what may fail, starred ones that may
lack items, `either`s that leave a case out, arguments of `either` that can never be used. What `finally` reads of the
rest of the flow may always be absent.

Each value is looked at from where it is read: `At` is the blocks around that place, and `Gather`, `LastTurn` and
`Previous` lead into the block they name. Whatever lies between there and the step has to have happened. `after` asks
for nothing. What reads itself, or as a head its own block, is the fault of the graph, unless it reads the turn before.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from flowc.dsl.diagnostics import Diagnostic, Label
from flowc.dsl.spans import Span

from . import graph_faults as faults
from .coverage import ALWAYS, Condition, Question, Term, together, uncovered
from .model import Branch, FanOut, Loop, Model, Node, Place, Step
from .values import (
    Either,
    Gather,
    LastTurn,
    ListOf,
    OutputRef,
    Previous,
    Text,
    UnknownType,
    Unresolved,
    Value,
    parts,
    walk,
)

_INSTEAD = {"string": '""', "int": "0", "float": "0.0", "bool": "false", "json": "{}"}
_CASES_TOLD, _ARGUMENTS_TOLD = 3, 3


def presence(model: Model) -> Iterator[Diagnostic]:
    for node in model.nodes:
        for value, chain in _read_by(model, node):
            reader = _Reader(model, node)
            reader.need(value, _At(chain))
            yield from reader.say


def _read_by(model: Model, node: Node) -> Iterator[tuple[Value, tuple[Place, ...]]]:
    """The values that a node reads, each with the blocks around the place where that happens."""
    chain = model.chain(node.name)
    match node:
        case Step():
            yield from ((item.value, chain) for item in node.inputs)
            if node.gang is not None and not isinstance(node.gang.nodes, int):
                yield node.gang.nodes, chain
        case FanOut():
            yield node.items, chain
        case Branch():
            yield from ((arm.condition, chain) for arm in node.arms if arm.condition is not None)
        case Loop():
            yield node.until, (*chain, Place(node, 0))


@dataclass(frozen=True, slots=True)
class _At:
    """A place to read from. `turn`: the loops whose turn before is meant. `stars`: the fan-outs whose items are read.

    `in_text`: inside a string, where only plain references may stand. `reached`: that the run may not have come as far
    as a fan-out is counted already, so its items may be taken as done.
    """

    chain: tuple[Place, ...]
    turn: tuple[str, ...] = ()
    stars: int = 0
    in_text: bool = False
    reached: bool = False


class _Absent(Exception):
    """A value cannot be looked at any further: a diagnostic exists already."""


@dataclass(frozen=True, slots=True)
class _Missing:
    """Something that may keep a value away."""

    condition: Condition
    step: Step | None = None
    place: Place | None = None


class _Reader:
    """One node that reads; `say` is what there is to be said."""

    def __init__(self, model: Model, node: Node) -> None:
        self.model = model
        self.node = node
        self.final = node.name in model.final_names
        self.say: list[Diagnostic] = []

    # --- where a value has to be there --------------------------------------------------------------------------------

    def need(self, value: Value, at: _At) -> None:
        match value:
            case OutputRef() | Gather() | LastTurn():
                self.need_reference(value, value, at)
            case Previous():
                self.need(value.value, self.turn_before(value, at))
                self.need(value.first, at)
            case Either():
                self.need_either(value, at)
            case _:
                inside = replace(at, in_text=True) if isinstance(value, Text) else at
                for part in parts(value):
                    self.need(part, inside)

    def need_reference(self, value: Value, whole: Value, at: _At) -> None:
        """`whole` is all of the reference, `value` what is left of it at this place."""
        try:
            match value:
                case Gather() | LastTurn():
                    missing = self.missing(value.block, value, at)
                case OutputRef():
                    missing = self.missing(value.step, value, at)
                case _:
                    self.need(value, at)
                    return
        except _Absent:
            return
        if missing and _step(value) is not None:
            self.say.append(self.absent(missing[0], value, whole, at))
        elif isinstance(value, (Gather, LastTurn)):
            stars = at.stars + isinstance(value, Gather)
            self.need_reference(value.value, whole, replace(self.inside(value.block, at), stars=stars))

    def absent(self, missing: _Missing, value: Value, whole: Value, at: _At) -> Diagnostic:
        step = _step(value)
        assert step is not None
        read, span = self.written(whole), whole.span
        said = faults.items_may_be_skipped if at.stars else faults.may_be_skipped
        if missing.step is not None:
            failing = faults.items_may_have_failed if at.stars else faults.may_have_failed
            return failing(step, read, span, _allowed(missing.step), self.remedy(value, at))
        if missing.place is None:
            return faults.finally_may_lack(step, read, span, self.remedy(value, at))
        return said(step, read, span, _arm_span(missing.place), self.remedy(value, at))

    def remedy(self, value: Value, at: _At) -> str:
        given = f"either({self.written(value)}, {_instead(value)}){'[*]' * at.stars}"
        if at.in_text:
            return f"a string takes plain references only: make it an input, `in NAME = {given}`, and use that"
        return f"say what stands in for {'an absent item' if at.stars else 'it then'}: `{given}`{_no_literal(value)}"

    # --- either -------------------------------------------------------------------------------------------------------

    def need_either(self, value: Either, at: _At) -> None:
        try:
            terms = self.either_terms(value, at)
        except _Absent:
            return
        case = uncovered(terms)
        if case is not None:
            self.say.append(self.not_total(value, case))

    def either_terms(self, value: Either, at: _At) -> Sequence[Term]:
        if any(isinstance(part, Unresolved) for part in walk(value)):
            raise _Absent
        at = replace(at, stars=0)
        by_argument: list[Sequence[Term]] = []
        said = len(self.say)
        silent = False
        for argument in value.args:
            try:
                by_argument.append(self.terms(argument, at))
            except _Absent:
                silent = True  # the others are still worth a look
        if silent:
            raise _Absent
        if len(self.say) == said:
            self.never_used(value, by_argument)
        return tuple(term for terms in by_argument for term in terms)

    def never_used(self, value: Either, by_argument: Sequence[Sequence[Term]]) -> None:
        """The first argument before which there is always one."""

        def enough(count: int) -> bool:
            return uncovered([term for terms in by_argument[:count] for term in terms]) is None

        first = bisect_left(range(1, len(by_argument)), True, key=enough) + 1  # more arguments never cover less
        if first < len(by_argument):
            self.say.append(faults.never_used(value.args[first].span, value.args[first - 1].span))

    def terms(self, value: Value, at: _At) -> Sequence[Term]:
        """When a value inside an `either` is there; says what is wrong further inside."""
        match value:
            case OutputRef():
                return (_term(self.missing(value.step, value, at)),)
            case Gather():
                own = _term(self.missing(value.block, value, at))
                # What a list is made of has to be there, in an `either` too.
                items = replace(self.inside(value.block, at), stars=at.stars + 1, reached=True)
                self.need_reference(value.value, value, items)
                return (own,)
            case LastTurn():
                own = _term(self.missing(value.block, value, at))
                return together(((own,), self.terms(value.value, self.inside(value.block, at))))
            case Previous():
                before = self.terms(value.value, self.turn_before(value, at))
                return together((before, self.terms(value.first, at)))
            case Either():
                inner = self.either_terms(value, at)
                return (ALWAYS,) if uncovered(inner) is None else inner
        return together([self.terms(part, at) for part in parts(value)])

    def not_total(self, value: Either, case: Term) -> Diagnostic:
        told = [self.in_words(condition) for condition in case[:_CASES_TOLD]]
        related = tuple(self.label(condition) for condition in case[-1:] if condition.question.kind == "arm")
        args = [self.written(argument) for argument in value.args]
        shown = ", ".join([*(args if len(args) <= _ARGUMENTS_TOLD else [args[0], "…"]), _instead(value)])
        remedy = f"add a last argument that is always there: `either({shown})`{_no_literal(value)}"
        return faults.either_not_total(value.span, " and ".join(told) or "other cases hold", related, remedy)

    def label(self, condition: Condition) -> Label:
        branch = self.branch(condition)
        if condition.choice == len(branch.arms):
            return Label(branch.arms[-1].span, "no `else` follows")
        return Label(branch.arms[condition.choice].span, "no argument is present in this arm")

    def branch(self, condition: Condition) -> Branch:
        branch = self.model.node(condition.question.name)
        assert isinstance(branch, Branch)
        return branch

    def in_words(self, condition: Condition) -> str:
        question, choice = condition
        before = "in the turn before, " if question.turn else ""
        if question.kind == "run":
            return "the run has failed before"
        if question.kind == "success":
            return f"{before}`{question.name}` has failed"
        branch = self.branch(condition)
        if choice == len(branch.arms):
            if choice == 1:
                return f"{before}the condition in line {branch.line} does not hold"
            return f"{before}no condition of the `if` in line {branch.line} holds"
        arm = branch.arms[choice]
        line = self.model.source.position(arm.span.start).line
        word = "the `else`" if arm.condition is None else "the arm"
        return f"{before}{word} in line {line} is taken"

    # --- what must have happened --------------------------------------------------------------------------------------

    def missing(self, name: str, value: Value, at: _At) -> tuple[_Missing, ...]:
        """What a step, or a block, needs to be there, seen from a place; outermost first."""
        chain = self.model.chain(name)
        turn = _turn(at, chain)
        if not turn and not isinstance(self.node, Loop) and self.node.name in (name, *(it.block.name for it in chain)):
            raise _Absent  # it waits for itself; in the turn before it was like any other
        found: list[_Missing] = []
        if self.final and name not in self.model.final_names and not at.reached:
            found.append(_Missing(Condition(Question("run", "", 2), 0)))
        common = 0
        for here, there in zip(at.chain, chain, strict=False):
            if here.block.name != there.block.name:
                break
            if here.arm != there.arm:
                self.other_arm(value, there, here)
                raise _Absent
            common += 1
        for index in range(common, len(chain)):
            branch = chain[index].block
            if isinstance(branch, Branch):
                choices = len(branch.arms) + (not branch.total)
                question = Question("arm", branch.name, choices, _turn(at, chain[:index]))
                found.append(_Missing(Condition(question, chain[index].arm), place=chain[index]))
        node = self.model.node(name)
        if isinstance(node, Step) and node.settings.allow_failure:
            found.append(_Missing(Condition(Question("success", name, 2, turn), 0), step=node))
        return tuple(found)

    def other_arm(self, value: Value, there: Place, here: Place) -> None:
        step = _step(value)
        if step is None:
            return
        self.say.append(
            faults.other_arm(
                step, self.written(value), value.span, _arm_span(there), faults.called(self.node), _arm_span(here)
            )
        )

    def inside(self, block: str, at: _At) -> _At:
        return replace(at, chain=self.whole(block))

    def turn_before(self, value: Previous, at: _At) -> _At:
        return replace(at, chain=self.whole(value.block), turn=(*at.turn, value.block))

    def whole(self, block: str) -> tuple[Place, ...]:
        """The blocks around a place directly inside a fan-out or a loop."""
        node = self.model.node(block)
        assert isinstance(node, (FanOut, Loop))
        return (*self.model.chain(block), Place(node, 0))

    def written(self, value: Value) -> str:
        """A reference as it stands, or could stand, in the file."""
        stars, left = 0, value
        while isinstance(left, (Gather, LastTurn)):
            stars, left = stars + isinstance(left, Gather), left.value
        if isinstance(left, OutputRef):
            return f"{left.step}{'[*]' * (stars + left.each)}.{left.output}"
        return " ".join(self.model.source.text[slice(*value.span)].split())


def _step(value: Value) -> str | None:
    """The step that is read; None where all steps in the value are unresolved."""
    return next((item.step for item in walk(value) if isinstance(item, OutputRef)), None)


def _turn(at: _At, chain: Sequence[Place]) -> tuple[str, ...]:
    """Only what is inside a loop has another turn."""
    return tuple(loop for loop in at.turn if any(place.block.name == loop for place in chain))


def _term(missing: Sequence[_Missing]) -> Term:
    return tuple(item.condition for item in missing)


def _arm_span(place: Place) -> Span:
    assert isinstance(place.block, Branch)
    return place.block.arms[place.arm].span


def _allowed(step: Step) -> Span:
    """Where it says that the step may fail."""
    found = (origin.span for origin in step.origins if origin.name == "allow_failure")
    return next(found, None) or step.span


def _instead(value: Value) -> str:
    """A literal of the value's type, as far as there are any."""
    return "[]" if isinstance(value.type, ListOf) else _INSTEAD.get(str(value.type), "…")


def _no_literal(value: Value) -> str:
    """What is meant by the dots."""
    known = _instead(value) != "…" or isinstance(value.type, UnknownType)
    return "" if known else f", with a {value.type} of a step that always runs"
