"""resolve, first part: what a flow declares, and where.

Takes the syntax tree; gives `Names`: parameters, secrets, steps with their outputs, blocks with their names, and a
`Scope` for every region. Parameters, steps, secrets and loop variables share one set of names; of two declarations of
one name the first in the file is right. What is of another kind is known nevertheless, so that its readers are, too:
`name.output` can only mean a step.

Names of blocks: a `foreach` has that of its variable; `if` and `repeat` are named from the first step inside them by
the alphabet, `if.publish`, and where several of one kind share that step, from the innermost outwards `if2.publish`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from unicodedata import normalize

from flowc.dsl import ast
from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.spans import Span

from . import constants, faults, scope_faults, setting_faults
from .model import Output, Param, Secret
from .values import PICKLE, UNKNOWN, Artifact, Constant, Type

# How many names all suggestions together may be compared with: one takes some ten microseconds.
_MOST_COMPARED = 100_000


_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A block as its readers see it; `outer` is where it stands."""

    node: ast.Foreach | ast.If | ast.Repeat
    name: str
    outer: Scope

    @property
    def variable(self) -> str | None:
        """The loop variable of a `foreach`."""
        return self.node.name.text if isinstance(self.node, ast.Foreach) else None

    @property
    def word(self) -> str:
        """The block's first word."""
        return {ast.Foreach: "foreach", ast.If: "if", ast.Repeat: "repeat"}[type(self.node)]

    @property
    def head(self) -> Span:
        """The place of the first word."""
        start = (self.node.arms[0] if isinstance(self.node, ast.If) else self.node).span.start
        return Span(start, start + len(self.word))


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """A region: `block` is the one it belongs to, None for the flow's own and that of `finally`.

    `around` holds the regions of the blocks around this one, outermost first. `variables` are the loop variables that
    can be read here.
    """

    block: Block | None = None
    around: tuple[Scope, ...] = ()
    variables: Mapping[str, Block] = field(default_factory=dict)
    final: bool = False

    def inner(self, block: Block) -> Scope:
        variables = self.variables
        if isinstance(block.node, ast.Foreach):
            variables = {**variables, block.node.name.text: block}
        return Scope(block, self.way, variables, self.final)

    @property
    def way(self) -> tuple[Scope, ...]:
        """The regions of all blocks around a node that stands here, outermost first."""
        return () if self.block is None else (*self.around, self)

    @property
    def loop(self) -> ast.Repeat | None:
        return self.block.node if self.block and isinstance(self.block.node, ast.Repeat) else None

    @property
    def variable(self) -> str | None:
        """The loop variable, where this is the region of a `foreach`."""
        return None if self.block is None else self.block.variable

    def beyond(self, reader: Scope) -> tuple[Scope, ...]:
        """The regions around what stands here that are not around the reader, outermost first."""
        same = 0
        for own, other in zip(self.way, reader.way, strict=False):
            if own is not other:
                break
            same += 1
        return self.way[same:]


@dataclass(frozen=True, slots=True, eq=False)
class Declared:
    """A step as its readers see it."""

    node: ast.Step
    scope: Scope
    outputs: Mapping[str, Output]

    @property
    def span(self) -> Span:
        return self.node.name.span


@dataclass(frozen=True, slots=True, eq=False)
class Names:
    """All that is declared. `scopes`, `blocks` and `declared` go by the places of heads and of steps' names.

    `ambiguous` are the names that several steps have, `refused` the letters of names that cannot be names.
    """

    params: dict[str, Param]
    secrets: dict[str, Secret]
    steps: dict[str, Declared]
    variables: dict[str, Block]
    scopes: dict[Span, Scope]
    blocks: dict[Span, Block]
    declared: dict[Span, Declared]
    root: Scope
    finals: Scope
    ambiguous: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    _compared: list[int] = field(default_factory=lambda: [0])

    def visible(self, scope: Scope) -> tuple[str, ...]:
        """What a reader there can name without a dot."""
        return (*self.params, *scope.variables)

    def misnamed(self, name: str) -> bool:
        """A name like this was refused where something is declared: `fit_model` is what `fitModel` would be called.

        Steps, parameters and loop variables; that they are not found is no other mistake.
        """
        return _letters(name) in self.refused

    def readable(self, reader: str, scope: Scope, *, itself: bool) -> tuple[str, ...]:
        """The steps that a reader in this region may name, itself only if that makes sense."""
        return tuple(
            name
            for name, declared in self.steps.items()
            if (itself or name != reader) and (scope.final or not declared.scope.final)
        )

    def candidates(self, *names: Iterable[str]) -> tuple[str, ...]:
        """Names to compare a misspelt one with; none, once a broken file has used up what suggestions may cost."""
        if self._compared[0] > _MOST_COMPARED:
            return ()
        found = tuple(name for group in names for name in group)
        self._compared[0] += len(found)
        return found

    def with_output(self, name: str) -> list[str]:
        """The steps that have an output of this name, as references to it."""
        if not self.candidates(self.steps):
            return []
        return [f"{step}.{name}" for step, declared in self.steps.items() if name in declared.outputs]


def declare(flow: ast.Flow, secrets: Iterable[Secret], say: list[Diagnostic]) -> Names:
    return _Declarer(flow, say).names(secrets)


class _Declarer:
    def __init__(self, flow: ast.Flow, say: list[Diagnostic]) -> None:
        self.flow = flow
        self.say = say
        self.block_names = block_names(flow.nodes)
        self.step_names: set[str] = set()
        self.first: dict[str, tuple[str, Span]] = {}
        for name, what in sorted(_names(flow), key=lambda each: each[0].span):
            self.first.setdefault(name.text, (what, name.span))
            if what == "step":
                self.step_names.add(name.text)
        self.found = Names({}, {}, {}, {}, {}, {}, {}, Scope(), Scope(final=True))

    def names(self, secrets: Iterable[Secret]) -> Names:
        flow, found = self.flow, self.found
        for param in flow.params:
            resolved = _param(param, self.say)
            self.is_free(param.name, "parameter")
            first = found.params.setdefault(param.name.text, resolved)
            if first.type != resolved.type:
                found.params[param.name.text] = replace(first, type=UNKNOWN)
        by_span = {secret.span: secret for secret in secrets}
        for block in flow.secrets:
            self.is_free(block.name, "secret")
            if block.name.span in by_span:
                found.secrets.setdefault(block.name.text, by_span[block.name.span])
        self.nodes(flow.nodes, found.root)
        for final in flow.finals:
            self.nodes(final.steps, found.finals)
        declared = (*found.steps, *found.params, *found.variables)
        found.refused.update(_letters(name) for name in declared if not _NAME.fullmatch(name))
        return found

    def is_free(self, name: ast.Name, what: str, *, arms: bool = False) -> bool:
        first = self.first[name.text]
        if first[1] == name.span:
            return True
        self.say.append(faults.name_taken(name.text, name.span, what, *first, arms=arms))
        return False

    def nodes(self, nodes: Sequence[ast.Node], scope: Scope) -> None:
        for node in nodes:
            if isinstance(node, ast.Step):
                self.step(node, scope)
            else:
                self.block(node, scope)

    def step(self, step: ast.Step, scope: Scope) -> None:
        declared = Declared(step, scope, _outputs(step, self.say))
        self.found.declared[step.name.span] = declared
        first = self.found.steps.setdefault(step.name.text, declared)
        self.is_free(step.name, "step", arms=_in_two_arms(first.scope, scope))
        if first is not declared:
            self.found.ambiguous.add(step.name.text)

    def block(self, node: ast.Foreach | ast.If | ast.Repeat, scope: Scope) -> None:
        name = self.block_names.get(node.span, "")
        if isinstance(node, ast.Foreach):
            # No node may have the name of another; what cannot be written stands for what is taken.
            is_free = self.is_free(node.name, "loop variable")
            is_unique = is_free and node.name.text not in self.step_names
            name = node.name.text if is_unique else f"{node.name.text} {node.span.start}"
        block = Block(node, name, scope)
        self.found.blocks[node.span] = block
        if isinstance(node, ast.Foreach):
            self.found.variables.setdefault(node.name.text, block)
        for head, nodes in regions(node):
            inner = scope.inner(block)
            self.found.scopes[head] = inner
            if not nodes:
                self.say.append(_empty(node, head))
            self.nodes(nodes, inner)


def _in_two_arms(one: Scope, other: Scope) -> bool:
    """Regions in, or of, two arms of one `if`."""
    pairs = (
        (first.block, second.block) for first, second in zip(one.way, other.way, strict=False) if first is not second
    )
    first, second = next(pairs, (None, None))
    return first is not None and first is second


def _letters(name: str) -> str:
    return "".join(char for char in normalize("NFKD", name).casefold() if char.isascii() and char.isalnum())


def regions(node: ast.Foreach | ast.If | ast.Repeat) -> Iterator[tuple[Span, tuple[ast.Node, ...]]]:
    """The regions of a block: place of the head, and nodes."""
    if isinstance(node, ast.If):
        yield from ((arm.span, arm.nodes) for arm in node.arms)
    else:
        yield node.span, node.nodes


def _names(flow: ast.Flow) -> Iterator[tuple[ast.Name, str]]:
    """All names that a flow declares, each with what it is."""
    yield from ((param.name, "parameter") for param in flow.params)
    yield from ((secret.name, "secret") for secret in flow.secrets)
    left: list[ast.Node] = [*flow.nodes, *(step for final in flow.finals for step in final.steps)]
    while left:
        node = left.pop()
        if isinstance(node, ast.Step):
            yield node.name, "step"
            continue
        if isinstance(node, ast.Foreach):
            yield node.name, "loop variable"
        left += [inner for _, nodes in regions(node) for inner in nodes]


def _empty(node: ast.Foreach | ast.If | ast.Repeat, head: Span) -> Diagnostic:
    if not isinstance(node, ast.If):
        return scope_faults.empty_block("foreach" if isinstance(node, ast.Foreach) else "repeat", head)
    last = node.arms[-1]
    is_else = head == last.span and last.condition is None
    turn = head == node.arms[0].span and len(node.arms) == 2 and last.condition is None and bool(last.nodes)
    return scope_faults.empty_block("else" if is_else else "if", head, turn=turn)


# --- names of blocks --------------------------------------------------------------------------------------------------


def block_names(nodes: Sequence[ast.Node]) -> dict[Span, str]:
    """The names of all `if`s and `repeat`s, by their places."""
    names: dict[Span, str] = {}
    _name(nodes, names, {})
    return names


def _name(nodes: Sequence[ast.Node], names: dict[Span, str], used: dict[tuple[str, str], int]) -> str | None:
    """Name the blocks among the nodes, innermost first; gives the first step inside by the alphabet."""
    least: str | None = None
    for node in nodes:
        if isinstance(node, ast.Step):
            first: str | None = node.name.text
        else:
            inside = [_name(inner, names, used) for _, inner in regions(node)]
            first = min((step for step in inside if step is not None), default=None)
            if not isinstance(node, ast.Foreach):
                names[node.span] = _numbered("if" if isinstance(node, ast.If) else "repeat", first or "", used)
        least = first if least is None or (first is not None and first < least) else least
    return least


def _numbered(kind: str, step: str, used: dict[tuple[str, str], int]) -> str:
    count = used[kind, step] = used.get((kind, step), 0) + 1
    return f"{kind}.{step}" if count == 1 else f"{kind}{count}.{step}"


# --- parameters and outputs -------------------------------------------------------------------------------------------


def _param(param: ast.Param, say: list[Diagnostic]) -> Param:
    type_ = constants.type_of(param.type, say)
    if isinstance(type_, Artifact) or type_ == PICKLE:
        say.append(faults.type_of_param(type_, param.type.span))
        type_ = UNKNOWN
    value = None if param.default is None else _default(param.default, type_, param, say)
    return Param(
        param.name.text,
        type_,
        param.default is None,
        None if value is None else value.value,
        param.doc,
        param.name.span,
    )


def _default(expr: ast.Expr, type_: Type, param: ast.Param, say: list[Diagnostic]) -> Constant | None:
    if (other := constants.not_literal(expr)) is not None:
        wanted = str(constants.innermost(type_)) if other is not expr else str(type_)
        say.append(
            setting_faults.default_not_literal(
                param.name.text, other.span, constants.meant(other, wanted, default=True)
            )
        )
        return None
    if type_ == UNKNOWN:
        return None
    value = constants.constant(expr, say, type_)
    if not isinstance(value, Constant):
        return None
    if constants.common(value.type, type_) != type_:
        found = expr.kind if str(type_).partition("[")[0] != str(value.type).partition("[")[0] else str(value.type)
        declared = f"{param.name.text}: {value.type}" if constants.is_known(value.type) else None
        say.append(faults.wrong_default(found, type_, expr.span, param.name.span, declared, _fixed(expr, type_)))
        return None
    fitted = constants.fitted(value, type_)
    return fitted if isinstance(fitted, Constant) else None


def _fixed(expr: ast.Expr, type_: Type) -> str | None:
    """The default as it was probably meant."""
    if str(type_) == "string" and isinstance(expr, (ast.Int, ast.Bool)):
        return f'"{str(expr.value).lower()}"'
    if isinstance(expr, ast.String) and str(type_) in ("int", "float", "bool"):
        from flowc.runtime.values import BadValue, parse_text

        try:
            parse_text(str(type_), expr.value)
        except BadValue:
            return None
        return expr.value
    return None


def _outputs(step: ast.Step, say: list[Diagnostic]) -> dict[str, Output]:
    outputs: dict[str, Output] = {}
    for output in step.outputs:
        name = output.name.text
        type_ = constants.type_of(output.type, say)
        if name in outputs:
            say.append(faults.declared_twice("the output", name, output.name.span, outputs[name].span))
        else:
            outputs[name] = Output(name, type_, output.each is not None, output.name.span)
    return outputs
