"""lint: what is allowed and yet hardly meant.

Takes a `Model` without errors; gives warnings: parameters and inputs that nobody reads, variables in a script that
nobody sets. Where a program may look at its inputs in a way that cannot be seen from here, nothing is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.spans import Span

from . import faults
from .model import Argv, Call, Constant, InputRef, Model, ParamRef, Script, Step

_VARIABLE = re.compile(r"(?<!\\)\$(?:\{[!#]?)?((?:in|out)_[A-Za-z0-9_]+)")
# Whoever runs Python may read `current.inputs`.
_PYTHON = re.compile(r"python|\.py\b|^-m$")


def lint(model: Model) -> tuple[Diagnostic, ...]:
    return (
        *_unused_params(model),
        *(diagnostic for step in model.steps for diagnostic in (*_unused_inputs(step), *_script(model, step))),
    )


def _unused_params(model: Model) -> Iterator[Diagnostic]:
    read = {item.value.name for step in model.steps for item in step.inputs if isinstance(item.value, ParamRef)}
    for param in model.params:
        if param.name not in read:
            yield faults.unused_param(param.name, param.span)


def _unused_inputs(step: Step) -> Iterator[Diagnostic]:
    used = {item.value.name for item in step.env if isinstance(item.value, InputRef)}
    match step.body:
        case Argv():
            texts = [item.value for item in step.body.items if isinstance(item, Constant)]
            if step.gang or any(isinstance(text, str) and _PYTHON.search(text) for text in texts):
                return
            used |= {item.name for item in step.body.items if isinstance(item, InputRef)}
        case Script():
            if step.body.language != "bash" or _PYTHON.search(step.body.text):
                return
            used |= {item.name for item in step.inputs if f"in_{item.name}" in step.body.text}
        case Call() | None:
            return
    for item in step.inputs:
        if item.name not in used:
            yield faults.unused_input(item.name, step.name, item.span)


def _script(model: Model, step: Step) -> Iterator[Diagnostic]:
    body = step.body
    if not isinstance(body, Script) or body.language != "bash":
        return
    known = [f"in_{item.name}" for item in step.inputs] + [f"out_{item.name}" for item in step.outputs]
    own = {item.name for item in step.env}
    for name in dict.fromkeys(_VARIABLE.findall(body.text)):
        if (
            name in known
            or name in own
            or re.search(rf"\b{name}\+?=|\b(for|read|local|declare)\b.*\b{name}\b", body.text)
        ):
            continue
        # The script's text stands in the file behind the language's name, indented differently.
        found = re.compile(rf"\b{name}\b").search(model.source.text, body.span.end)
        start = found.start() if found else body.span.start
        yield faults.unknown_in_script(name, Span(start, start + len(name)), step.name, known)
