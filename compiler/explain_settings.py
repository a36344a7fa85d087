"""explain_settings: each setting of one step, its value, and where that comes from.

Takes the model and the name of a step; gives a table or JSON. Values stand as a user would write them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from flowc.dsl import tables
from flowc.dsl.spans import Source
from flowc.dsl.suggest import did_you_mean, listed

from .inputs import Refused
from .model import Model, Origin, OriginWord, Step

JSON_VERSION = 1

_COMPUTED = {"image": "computed from the framework", "procs_per_node": "computed from `gpu`"}
_WORDS: dict[OriginWord, str] = {"step": "line {}", "defaults": "`defaults`, line {}", "flow": "the flow, line {}"}


@dataclass(frozen=True, slots=True)
class Row:
    """`line` counts from 1; None where nothing is written. `source` says where the value comes from, in words."""

    name: str
    value: str
    origin: OriginWord
    line: int | None
    source: str


def explained(model: Model, name: str, *, as_json: bool) -> str:
    """The settings of the step of this name, as text; `Refused` where there is no such step."""
    step = next((step for step in model.steps if step.name == name), None)
    if step is None:
        names = [step.name for step in model.steps]
        remedies = did_you_mean(name, names) or (f"the steps: {listed(names)}",)
        raise Refused(f"the flow {model.name!r} has no step {name!r}", *remedies)
    found = rows(model, step)
    return json_text(step, found) if as_json else table(found)


def rows(model: Model, step: Step) -> tuple[Row, ...]:
    """Settings first, then the framework's, those of `main`, of `on` blocks, and the environment."""
    origins = sorted(step.origins, key=_rank)
    return tuple(_row(model.source, origin) for origin in origins)


def _rank(origin: Origin) -> int:
    prefix, dot, _ = origin.name.partition(".")
    if not dot:
        return 0
    if prefix in tables.FRAMEWORKS:
        return 1
    return 2 if prefix == "main" else 4 if prefix == "env" else 3


def _row(source: Source, origin: Origin) -> Row:
    line = None if origin.span is None else source.position(origin.span.start).line
    if origin.origin == "computed":
        words = _COMPUTED[origin.name.rpartition(".")[2]]
    else:
        words = _WORDS.get(origin.origin, origin.origin).format(line)
    return Row(origin.name, origin.value, origin.origin, line, words)


def table(rows: Iterable[Row]) -> str:
    cells = [("setting", "value", "from"), *((row.name, row.value, row.source) for row in rows)]
    names, values = (max(len(row[column]) for row in cells) for column in (0, 1))
    return "".join(f"{name:<{names}}  {value:<{values}}  {source}\n" for name, value, source in cells)


def json_text(step: Step, rows: Iterable[Row]) -> str:
    """`line` is null where nothing is written; `origin` is one of step, defaults, flow, built-in, computed."""
    settings = [{"name": row.name, "value": row.value, "origin": row.origin, "line": row.line} for row in rows]
    document = {"version": JSON_VERSION, "step": step.name, "settings": settings}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
