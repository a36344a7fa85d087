"""resolve, second part: references in the scope of the flow.

Takes `name`, `step[*].output`, `run.x` and their like, and where they stand (`At`); gives `Value`s, and diagnostics. A
reference passes through the blocks that are around the step and not around its reader, outermost first: a `foreach`
takes a star, a `repeat` gives its last turn, an `if` adds nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from flowc.dsl import ast
from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.spans import Span
from flowc.dsl.suggest import listed

from . import constants, faults, scope_faults, type_faults
from .model import Output
from .resolve_names import Block, Declared, Names, Scope
from .values import (
    JSON,
    STRING,
    Gather,
    ItemRef,
    LastTurn,
    ListOf,
    OutputRef,
    ParamRef,
    RunValue,
    Type,
    Unresolved,
    Value,
)

# Of the run, as `run.status`; known when all is over.
RUN_VALUES = ("status", "failed_step")

# What other languages put before the name of a value. Here it stands for itself.
_ROOTS = {"args", "inputs", "outputs", "parameters", "params", "steps", "tasks", "var", "variables", "vars", "workflow"}
_ROOTS |= {"input", "output", "param", "parameter", "step", "task"}


@dataclass(frozen=True, slots=True)
class At:
    """Where an expression stands: its region, and the inputs of the step whose line it is, which it cannot see.

    `single`: in a place that takes no list. `turn_over`: in the first argument of `previous`. `left`: the regions
    around the reader that are not around this place: of the loops that run meanwhile, nothing can be read here.
    `reader` is the step whose line it is.
    """

    scope: Scope
    inputs: Mapping[str, ast.Input] = field(default_factory=dict)
    single: bool = False
    turn_over: bool = False
    left: tuple[Scope, ...] = ()
    reader: str = ""

    def inside(self, scope: Scope) -> At:
        """In a region of other loops: that of an `either(…)[*]`."""
        return replace(self, scope=scope, left=(*self.left, *self.scope.beyond(scope)))

    def turn_before(self, loop: Scope) -> At:
        """In the turn before, where all is over that is inside the loop."""
        left = tuple(scope for scope in self.left if loop not in scope.around)
        return replace(self, scope=loop, turn_over=True, left=left)

    def running(self, scopes: Sequence[Scope]) -> Block | None:
        """The first loop among these regions that runs meanwhile."""
        left = (scope.block for scope in scopes if scope in self.left)
        return next((block for block in left if block and not isinstance(block.node, ast.If)), None)


def fans(scopes: Sequence[Scope]) -> int:
    """How many stars it takes to read out of these regions."""
    return sum(scope.variable is not None for scope in scopes)


def through(scopes: Sequence[Scope], value: Value, span: Span) -> Value:
    """The value as it is read from outside of these regions."""
    for scope in reversed(scopes):
        assert scope.block is not None
        if scope.variable is not None:
            value = Gather(scope.block.name, value, ListOf(value.type), span)
        elif scope.loop is not None:
            value = LastTurn(scope.block.name, value, value.type, span)
    return value


def refs_in(expr: ast.Expr) -> Iterator[ast.Ref]:
    if isinstance(expr, ast.Ref):
        yield expr
    for part in constants.expressions(expr):
        yield from refs_in(part)


class References:
    """`item_type` gives the type of a loop variable."""

    def __init__(self, names: Names, item_type: Callable[[Block], Type], say: Callable[[Diagnostic], None]) -> None:
        self.names = names
        self.item_type = item_type
        self.say = say

    def steps_in(self, expr: ast.Expr) -> Iterator[tuple[ast.Ref, Declared]]:
        """The outputs that an expression reads, with their steps, as far as these are known."""
        for ref in refs_in(expr):
            if ref.field is not None and (declared := self.names.steps.get(ref.name.text)) is not None:
                yield ref, declared

    # --- names --------------------------------------------------------------------------------------------------------

    def short_form(self, name: ast.Name, at: At) -> Value:
        """`in name`: the parameter or loop variable of that name."""
        names = self.names
        if (found := self._plain(name.text, name.span, at)) is not None:
            return found
        if (declared := names.steps.get(name.text)) is not None:
            self.say(faults.step_without_output(name.text, name.span, tuple(declared.outputs)))
        elif (block := names.variables.get(name.text)) is not None:
            self.say(scope_faults.outside_its_loop(name.text, name.span, block.head))
        elif name.text in names.secrets:
            self.say(type_faults.secret_outside_env(name.text, name.span))
        elif not names.misnamed(name.text):
            known = names.candidates(names.visible(at.scope))
            outputs = names.with_output(name.text)
            self.say(faults.no_such_param(name.text, name.span, known, outputs, loops=bool(at.scope.variables)))
        return Unresolved(name.span)

    def reference(self, ref: ast.Ref, at: At) -> Value:
        name = ref.name.text
        found = self._plain(name, ref.span, at)
        declared = self.names.steps.get(name)
        if declared is not None and (ref.field is not None or found is None):
            return self._output(ref, declared, at)
        if found is None and self.names.misnamed(name):
            return Unresolved(ref.span)
        if found is None:
            self.say(self._unknown(ref, at))
            return Unresolved(ref.span)
        what = f"the {'parameter' if isinstance(found, ParamRef) else 'loop variable'} `{name}`"
        if ref.field is not None:
            self.say(faults.no_fields(f"{name}.{ref.field.text}", what, ref.field.span, json=found.type == JSON))
        elif ref.stars:
            written, stars = name + "[*]" * len(ref.stars), ref.stars[0].to(ref.stars[-1])
            self.say(type_faults.star_too_many(written, 0, f"{what} is one value here", name, stars, ref.span))
        else:
            return found
        return Unresolved(ref.span)

    def _plain(self, name: str, span: Span, at: At) -> ParamRef | ItemRef | None:
        if (block := at.scope.variables.get(name)) is not None:
            return ItemRef(block.name, self.item_type(block), span)
        if (param := self.names.params.get(name)) is not None:
            return ParamRef(name, param.type, span)
        return None

    def _unknown(self, ref: ast.Ref, at: At) -> Diagnostic:
        name, names, span = ref.name.text, self.names, ref.name.span
        if (block := names.variables.get(name)) is not None:
            if any(scope.block is block for scope in at.left):
                return scope_faults.of_another_loop(f"`{name}`", ref.span, "foreach", block.head)
            return scope_faults.outside_its_loop(name, span, block.head)
        if name in names.secrets:
            return type_faults.secret_outside_env(name, ref.span)
        if ref.field is not None or ref.stars:
            if (written := self.without_root(ref, at.scope)) is not None:
                return faults.unknown_step(name, ref.span, (), written)
            steps = names.readable(at.reader, at.scope, itself=at.turn_over)
            return faults.unknown_step(name, span, names.candidates(steps))
        if (own := at.inputs.get(name)) is not None:
            return scope_faults.own_input(name, span, own.name.span)
        known = names.candidates(names.visible(at.scope), names.steps)
        return faults.unknown_name(name, span, known, constants.meant(ref, "bool"))

    def without_root(self, ref: ast.Ref, scope: Scope) -> tuple[str, ...] | None:
        """`params.n`, `steps.fit` and their like: how that is written here."""
        names, field_ = self.names, "" if ref.field is None else ref.field.text
        if ref.name.text not in _ROOTS:
            return None
        if field_ in names.visible(scope):
            return (field_,)
        if (declared := names.steps.get(field_)) is not None:
            return tuple(f"{field_}.{output}" for output in declared.outputs) or None
        return tuple(names.with_output(field_)) or None

    # --- outputs ------------------------------------------------------------------------------------------------------

    def _output(self, ref: ast.Ref, declared: Declared, at: At) -> Value:
        step = ref.name.text
        unresolved = Unresolved(ref.span)
        if ref.field is None:
            self.say(faults.step_without_output(step, ref.span, tuple(declared.outputs)))
            return unresolved
        output = declared.outputs.get(ref.field.text)
        if step in self.names.ambiguous and (
            output is None
            or len(ref.stars) != self._due(declared, output, at)
            or any(scope.block and isinstance(scope.block.node, ast.If) for scope in declared.scope.beyond(at.scope))
        ):
            return unresolved  # it may mean the other one of that name
        if output is None:
            known = tuple(declared.outputs)
            self.say(faults.unknown_output(step, ref.field.text, ref.field.span, declared.span, known))
            return unresolved
        if declared.scope.final and not at.scope.final:
            self.say(scope_faults.runs_last(step, ref.span, declared.span))
            return unresolved
        beyond = declared.scope.beyond(at.scope)
        if (running := at.running(beyond)) is not None:
            written = f"`{step}{'[*]' * len(ref.stars)}.{output.name}`"
            self.say(scope_faults.of_another_loop(written, ref.span, running.word, running.head))
            return unresolved
        if len(ref.stars) != self._due(declared, output, at):
            self.say(_wrong_stars(ref, output, beyond, at))
            return unresolved
        type_ = ListOf(output.type) if output.each else output.type
        return through(beyond, OutputRef(step, output.name, output.each, type_, ref.span), ref.span)

    def _due(self, declared: Declared, output: Output, at: At) -> int:
        """How many stars are due."""
        return fans(declared.scope.beyond(at.scope)) + output.each

    # --- what has a word before its dot -------------------------------------------------------------------------------

    def own(self, ref: ast.OwnRef, at: At) -> Value:
        """`run.x`, `out.x`, `secret.x` in the scope of the flow."""
        name = ref.name.text
        text = f"{ref.root}.{name}"
        if ref.root == "secret":
            self.say(self.secret(ref))
        elif ref.root == "run" and name in RUN_VALUES:
            if at.scope.final:
                return RunValue(name, STRING, ref.span)
            self.say(scope_faults.only_in_finally(text, ref.span))
        elif ref.root == "run" and name != "id":
            self.say(faults.unknown_run_value(name, ref.name.span, final=at.scope.final))
        else:
            self.say(faults.only_in_bodies(text, ref.span))
        return Unresolved(ref.span)

    def secret(self, ref: ast.OwnRef) -> Diagnostic:
        """What is wrong with a secret outside of `env`: that it is unknown, or that it stands here."""
        return self.unknown_secret(ref) or type_faults.secret_outside_env(ref.name.text, ref.span)

    def unknown_secret(self, ref: ast.OwnRef) -> Diagnostic | None:
        name, secrets = ref.name.text, self.names.secrets
        if name in secrets:
            return None
        return scope_faults.unknown_secret(name, ref.name.span, self.names.candidates(secrets))


def _wrong_stars(ref: ast.Ref, output: Output, beyond: Sequence[Scope], at: At) -> Diagnostic:
    loops = [(scope.variable, scope.block.head) for scope in beyond if scope.variable and scope.block]
    step, given, due = ref.name.text, len(ref.stars), len(loops) + output.each
    written, fixed = (f"{step}{'[*]' * count}.{output.name}" for count in (given, due))
    if given > due:
        runs = f"`{step}` runs once per {listed(name for name, _ in loops)}" if loops else ""
        nodes = "every node has one value" if output.each else ""
        why = ", and ".join(filter(None, (runs, nodes))) or f"`{fixed}` is one value here"
        return type_faults.star_too_many(written, due, why, fixed, ref.stars[due].to(ref.stars[-1]), ref.span)
    joined: Type = output.type
    for _ in range(due):
        joined = ListOf(joined)
    if given >= len(loops):
        return type_faults.star_for_nodes(step, written, fixed, output.span, output.type, joined, ref.span)
    note = None
    if at.single:
        note = "one value is needed here: let a step make it of the list"
    elif at.turn_over:
        note = "`previous` reads when the turn is over, after all items"
    collected = [name for name, _ in loops[:given]]
    missing = loops[given:]
    return type_faults.star_missing(
        step, written, fixed, missing, output.type, joined, ref.span, note, collected=collected
    )
