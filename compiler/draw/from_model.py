"""From the model to the drawing.

Takes a checked model; gives what a picture of it shows. Heads of blocks are the program's own text. Every reference
becomes part of an edge, also those that nothing waits for: values carried from the turn before, and what `finally`
reads. An `until` adds none to its own block, whose head says what it reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowc.compiler import model as models
from flowc.compiler.model import Arm, Branch, FanOut, Loop, Model, Region, Step
from flowc.compiler.values import Gather, OutputRef, Previous, Value, parts
from flowc.dsl.spans import Span

from .drawing import FINALLY, Cluster, Drawing, Edge, EdgeKind, Gang, Item, Node, Output

# What lies between the words of a text that goes over several lines; strings are matched to be left alone.
_BETWEEN = re.compile(r'("(?:\\.|[^"\\\n])*")|(?:\s|#[^\n]*)+')


def draw(model: Model) -> Drawing:
    return Drawing(model.name, model.doc, tuple(_items(model)), _edges(model))


def text(model: Model, span: Span) -> str:
    """A place of the program on one line, without comments; XML knows no control characters, which strings may hold."""
    line = _BETWEEN.sub(lambda match: match[1] or " ", model.source.text[slice(*span)]).strip()
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line)


# --- nodes and clusters -----------------------------------------------------------------------------------------------


def _items(model: Model) -> Iterator[Item]:
    """In the order of the file; a loop, since no depth may be too much."""
    todo: list[tuple[models.Node | tuple[Arm, str], str | None]] = []

    def push(region: Region, parent: str | None) -> None:
        todo.extend((node, parent) for node in reversed(region.nodes))

    push(model.region, None)
    while todo:
        node, parent = todo.pop()
        match node:
            case Step():
                yield _step(model, node, parent)
            case FanOut():
                most = "" if node.limit is None else f", max {node.limit}"
                head = f"foreach {node.name} in {text(model, node.items.span)}{most}"
                yield Cluster(node.region.name, "foreach", head, parent, node.line, node.doc)
                push(node.region, node.region.name)
            case Loop():
                head = f"repeat max {node.limit} until {text(model, node.until.span)}"
                yield Cluster(node.region.name, "repeat", head, parent, node.line, node.doc)
                push(node.region, node.region.name)
            case Branch():
                yield Node(node.name, "choice", parent, node.line, node.doc)
                words = ("if", *("else if" for _ in node.arms[1:]))
                todo.extend(((arm, word), parent) for arm, word in reversed(tuple(zip(node.arms, words, strict=True))))
            case (arm, word):
                head = "else" if arm.condition is None else f"{word} {text(model, arm.condition.span)}"
                yield Cluster(arm.region.name, "arm", head, parent, model.source.position(arm.span.start).line)
                push(arm.region, arm.region.name)
    if model.finals.nodes:
        steps = [_step(model, step, FINALLY) for step in model.finals.nodes if isinstance(step, Step)]
        yield Cluster(FINALLY, "finally", FINALLY, None, steps[0].line)
        yield from steps


def _step(model: Model, step: Step, parent: str | None) -> Node:
    return Node(
        step.name,
        "step",
        parent,
        step.line,
        step.doc,
        None if step.gang is None else _gang(model, step.gang),
        step.settings.allow_failure,
        step.settings.cache,
    )


def _gang(model: Model, gang: models.Gang) -> Gang:
    size = str(gang.nodes) if isinstance(gang.nodes, int) else text(model, gang.nodes.span)
    return Gang(size, None if gang.block is None else gang.block[0])


# --- edges ------------------------------------------------------------------------------------------------------------


def _edges(model: Model) -> tuple[Edge, ...]:
    """One edge for each pair of ends and each kind, in the order of the file."""
    outputs: dict[tuple[str, str, EdgeKind], dict[Output, None]] = {}
    lines: dict[tuple[str, str, EdgeKind], int] = {}
    for source, target, kind, output, line in _reasons(model):
        lines.setdefault((source, target, kind), line)
        outputs.setdefault((source, target, kind), {}).update({} if output is None else {output: None})
    return tuple(Edge(*key, tuple(found), lines[key]) for key, found in outputs.items())


def _reasons(model: Model) -> Iterator[tuple[str, str, EdgeKind, Output | None, int]]:
    for node in model.nodes:
        target = node.region.name if isinstance(node, FanOut | Loop) else node.name
        for value in _values(node):
            for reference, stars, carried in _reads(value):
                around = {place.block.name for place in model.chain(reference.step)}
                if node.name in around:
                    continue
                kind: EdgeKind = "carried" if around & carried else "data"
                line = model.source.position(reference.span.start).line
                yield reference.step, target, kind, Output(reference.output, stars), line
        if isinstance(node, Step):
            for name, span in node.after:
                yield name, target, "after", None, model.source.position(span.start).line
        elif isinstance(node, Branch):
            for arm in node.arms:
                yield node.name, arm.region.name, "choice", None, model.source.position(arm.span.start).line


def _values(node: models.Node) -> Iterator[Value]:
    match node:
        case Step():
            if node.gang is not None and not isinstance(node.gang.nodes, int):
                yield node.gang.nodes
            yield from (item.value for item in node.inputs)
        case FanOut():
            yield node.items
        case Loop():
            yield node.until
        case Branch():
            yield from (arm.condition for arm in node.arms if arm.condition is not None)


def _reads(
    value: Value, stars: int = 0, carried: frozenset[str] = frozenset()
) -> Iterator[tuple[OutputRef, int, frozenset[str]]]:
    """Each output that is read, how many lists it is gathered into, and the loops whose turn before it is read from."""
    match value:
        case OutputRef():
            yield value, stars + value.each, carried
        case Gather():
            yield from _reads(value.value, stars + 1, carried)
        case Previous():
            yield from _reads(value.value, stars, carried | {value.block})
            yield from _reads(value.first, stars, carried)
        case _:
            for part in parts(value):
                yield from _reads(part, stars, carried)
