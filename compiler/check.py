"""check: what is wrong with a flow whose names are resolved.

Takes a `Model` and the folder of the flow file; gives diagnostics. The graph is looked at in `check_graph`, values that
may be absent in `presence`, bodies and gangs in `check_bodies`; here is what concerns a step as a whole.
Changes nothing, and passes over what is unresolved.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from flowc.dsl import tables
from flowc.dsl.diagnostics import Diagnostic

from . import body_faults, setting_faults
from .check_bodies import body
from .check_gangs import gang
from .check_graph import graph
from .model import Model, Step
from .presence import presence
from .pycheck import PythonFiles

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check(model: Model, base_dir: Path) -> tuple[Diagnostic, ...]:
    files = PythonFiles(base_dir)
    return (
        *graph(model),
        *presence(model),
        *(
            diagnostic
            for step in model.steps
            for diagnostic in (*_environment(step), *_cache(step), *body(step, files), *gang(model, step, files))
        ),
    )


def _environment(step: Step) -> Iterator[Diagnostic]:
    for variable in step.env:
        if not _ENV_NAME.fullmatch(variable.name):
            yield setting_faults.env_name(variable.name, variable.span)
        for prefix in tables.RESERVED_ENV_PREFIXES:
            if variable.name.startswith(prefix):
                yield setting_faults.env_reserved(variable.name, prefix, variable.span)
        for what, prefix, values in (("input", "in_", step.inputs), ("output", "out_", step.outputs)):
            if (value := next((each for each in values if prefix + each.name == variable.name), None)) is not None:
                yield body_faults.env_of_a_value(variable.name, what, value.name, variable.span, value.span)


def _cache(step: Step) -> Iterator[Diagnostic]:
    """In `defaults` it means the steps that have outputs."""
    if step.settings.cache and not step.outputs:
        for origin in step.origins:
            if origin.name == "cache" and origin.origin == "step" and origin.span is not None:
                yield body_faults.nothing_to_cache(step.name, origin.span)
