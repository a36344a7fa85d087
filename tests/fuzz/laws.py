"""What is compared in programs: syntax trees without places, plans without order, edges as they should be.

Everything here takes what the compiler has made and the generated program that it was made from.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from flowc.compiler.driver import Checked, check_source
from flowc.compiler.lower import lower
from flowc.compiler.model import Model
from flowc.compiler.render.text import render
from flowc.dsl.diagnostics import has_errors
from flowc.dsl.spans import Source, Span
from flowc.runtime import plan as plans
from tests.fuzz.tree import Program, with_names

Edges: TypeAlias = set[tuple[str, str]]


@contextmanager
def laid_down(program: Program) -> Iterator[Path]:
    """A folder with the files that the program calls."""
    with tempfile.TemporaryDirectory() as folder:
        for path, text in program.folder().items():
            place = Path(folder, path)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        yield Path(folder)


def checked(program: Program, text: str | None = None) -> Checked:
    with laid_down(program) as folder:
        return check_source(Source("generated.flow", program.text() if text is None else text), folder)


def model_of(program: Program, text: str | None = None) -> Model:
    """Of a program without mistakes."""
    text = program.text() if text is None else text
    found = checked(program, text)
    assert not has_errors(found.diagnostics), f"{text}\n{render(found.diagnostics, Source('generated.flow', text))}"
    assert found.model is not None
    return found.model


def plan_of(program: Program, text: str | None = None) -> plans.Plan:
    return lower(model_of(program, text))


def bare(value: Any) -> Any:
    """A syntax tree without places and source."""
    if isinstance(value, (Span, Source)):
        return None
    if isinstance(value, tuple):
        return [bare(item) for item in value]
    if dataclasses.is_dataclass(value):
        return type(value).__name__, [bare(getattr(value, part.name)) for part in dataclasses.fields(value)]
    return value


# --- edges ------------------------------------------------------------------------------------------------------------


def expected_edges(program: Program, model: Model) -> Edges:
    """What the references of the program say, lifted to siblings; steps and blocks by their names in the model."""
    inside = {region.owner: step for step, path in program.steps.items() for region in path}

    def way(node: str) -> list[tuple[str, str]]:
        """From the outside in: the blocks around a step or block, each with the arm, and itself."""
        step = inside.get(node, node)
        path = program.steps.get(step, ())
        end = next((place for place, region in enumerate(path) if region.owner == node), len(path))
        chain = [place.block.name for place in model.chain(program.names[step])]
        last = program.names[step] if node not in inside else chain[end]
        return [(chain[place], path[place].id) for place in range(end)] + [(last, "")]

    edges = set()
    for source, reader in program.edges:
        for one, other in zip(way(source), way(reader), strict=False):
            if one[0] != other[0]:
                edges.add((one[0], other[0]))
            if one != other:
                break
    return edges


def closure(needs: Mapping[str, Sequence[str]]) -> Edges:
    """Who is over before whom, in a region."""
    edges: Edges = set()
    for node in needs:
        left, seen = list(needs[node]), set[str]()
        while left:
            name = left.pop()
            if name not in seen:
                seen.add(name)
                left += needs.get(name, ())
        edges |= {(name, node) for name in seen}
    return edges


def regions(plan: plans.Plan) -> Iterator[tuple[plans.Node, ...]]:
    """The nodes of every region of a plan."""
    left: list[tuple[plans.Node, ...]] = [plan.nodes, plan.finals]
    while left:
        nodes = left.pop()
        yield nodes
        left += [inner for node in nodes for inner in plans.inside(node)]


# --- plans ------------------------------------------------------------------------------------------------------------

# Lists whose order is that of the file.
_UNORDERED = {
    "params",
    "steps",
    "nodes",
    "finals",
    "secrets",
    "schedules",
    "inputs",
    "outputs",
    "env",
    "needs",
    "controls",
}


def unordered(plan: plans.Plan) -> Any:
    """A plan as JSON, with everything in one order that has none in the language, and without lines."""
    return _unordered(json.loads(plans.dump(plan)))


def _unordered(value: Any) -> Any:
    if isinstance(value, list):
        return [_unordered(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: _unordered(item) for key, item in value.items() if key != "line"}
    for key in found.keys() & _UNORDERED:
        if isinstance(found[key], list):
            found[key] = sorted(found[key], key=json.dumps)
    return found


def exchanged(plan: plans.Plan, names: Mapping[str, str], before: Model, after: Model) -> Any:
    """A plan as JSON under other names. Blocks without a name are named for what is in them, which may change."""
    pairs = zip(before.nodes, after.nodes, strict=True)
    blocks = {old.name: new.name for old, new in pairs if "." in old.name}
    blocks |= {f"decide.{old}": f"decide.{new}" for old, new in blocks.items()}

    def other(value: Any) -> Any:
        if isinstance(value, list):
            return [other(item) for item in value]
        if isinstance(value, dict):
            return {key: other(item) for key, item in value.items()}
        if isinstance(value, str):
            return blocks[value] if value in blocks else with_names(value, names)
        return value

    return other(json.loads(plans.dump(plan)))
