"""check: what is wrong with a flow whose names are resolved.

Takes a `Model` and the folder of the flow file; gives diagnostics: steps that wait for each other, bodies that do not
fit their framework, environments, calls of Python functions. Changes nothing, and passes over what is unresolved.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from flowc.dsl import tables
from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.spans import Span
from flowc.runtime import plan

from . import body_faults, faults, setting_faults
from .model import Argv, Call, Constant, InputRef, ListOf, Model, Script, Step, Unresolved
from .pycheck import PythonFiles

if TYPE_CHECKING:
    import networkx

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PYTHON = re.compile(r"(.*/)?python[0-9.]*")


def check(model: Model, base_dir: Path) -> tuple[Diagnostic, ...]:
    files = PythonFiles(base_dir)
    return (
        *_cycles(model),
        *(diagnostic for step in model.steps for diagnostic in (*_environment(step), *_body(step, files))),
    )


# --- the graph --------------------------------------------------------------------------------------------------------


def _cycles(model: Model) -> Iterator[Diagnostic]:
    place = {step.name: number for number, step in enumerate(model.steps)}
    waits = ((step.name, source) for step in model.steps for source, _ in step.references())
    if all(place[source] < place[step] for step, source in waits):
        return  # every step stands below those it waits for, as most people write: no graph is needed to see it
    import networkx

    waiting = model.graph.reverse()
    for component in networkx.strongly_connected_components(model.graph):
        first = min(component, key=place.__getitem__)
        if len(component) == 1 and not waiting.has_edge(first, first):
            continue
        ring = _shortest_ring(waiting.subgraph(component), first)
        pairs = zip(ring, (*ring[1:], ring[0]), strict=True)
        causes = [model.graph.edges[source, step]["references"][0].span for step, source in pairs]
        yield faults.cycle(ring, causes)


def _shortest_ring(graph: networkx.DiGraph[str], first: str) -> list[str]:
    import networkx

    if graph.has_edge(first, first):
        return [first]
    back = (networkx.shortest_path(graph, successor, first) for successor in graph.successors(first))
    return [first, *min(back, key=len)[:-1]]


# --- steps ------------------------------------------------------------------------------------------------------------


def _environment(step: Step) -> Iterator[Diagnostic]:
    for variable in step.env:
        if not _ENV_NAME.fullmatch(variable.name):
            yield setting_faults.env_name(variable.name, variable.span)
        for prefix in tables.RESERVED_ENV_PREFIXES:
            if variable.name.startswith(prefix):
                yield setting_faults.env_reserved(variable.name, prefix, variable.span)
        if isinstance(variable.value, InputRef) and isinstance(variable.value.type, ListOf):
            yield faults.not_for_env(variable.value.name, variable.value.type, variable.value.span)


def _body(step: Step, files: PythonFiles) -> Iterator[Diagnostic]:
    torchrun = step.gang is not None and isinstance(step.gang.framework, plan.Torchrun)
    match step.body:
        case Argv(items=()):
            yield body_faults.empty_command(step.body.span)
        case Argv():
            yield from (_torchrun_command if torchrun else _command)(step, step.body, files)
        case Script():
            if not step.body.text.strip():
                yield body_faults.empty_script(step.body.span)
            if torchrun and step.body.language == "bash":
                yield body_faults.torchrun_script("a shell script", step.body.span)
        case Call():
            yield from files.check_call(step, step.body)


def _command(step: Step, body: Argv, files: PythonFiles) -> Iterator[Diagnostic]:
    unknown_framework = step.gang is not None and step.gang.framework is None
    program = body.items[0]
    if isinstance(program, Unresolved) or unknown_framework:
        return
    if (fault := _no_program(body)) is not None:
        yield fault
    elif isinstance(program, Constant) and _PYTHON.fullmatch(str(program.value)) and len(body.items) > 1:
        yield from _python_file(body.items[1], files)


def _torchrun_command(step: Step, body: Argv, files: PythonFiles) -> Iterator[Diagnostic]:
    del step
    program = body.items[0]
    if isinstance(program, Unresolved):
        return
    if isinstance(program, Constant):
        text = program.value if isinstance(program.value, str) else None
        if text is None or not (text.endswith(".py") or text == "-m"):
            yield body_faults.torchrun_program(program.span, text)
        elif text != "-m":
            yield from _python_file(program, files)
        elif len(body.items) == 1:
            yield body_faults.torchrun_program(program.span, text)
    elif (fault := _no_program(body)) is not None:
        yield fault


def _python_file(item: object, files: PythonFiles) -> Iterator[Diagnostic]:
    """The working folder is the flow's own, so a relative path leads nowhere else."""
    if isinstance(item, Constant) and isinstance(item.value, str) and item.value.endswith(".py"):
        if item.value.startswith("/"):
            return  # in the image
        if problem := files.place(item.value, item.span):
            yield problem


def _no_program(body: Argv) -> Diagnostic | None:
    program = body.items[0]
    match program:
        case Constant(value=str() as text):
            found = None if text.strip() else "an empty string"
        case Constant():
            found = _a(str(program.type))
        case InputRef():
            is_number = str(program.type) in ("int", "float", "bool")
            found = f"the {program.type} `{program.name}`" if is_number else None
        case _:
            found = "a value that is made while the step runs"
    span: Span = program.span
    return body_faults.not_a_program(found, span) if found else None


def _a(word: str) -> str:
    return f"an {word}" if word[0] in "aeio" else f"a {word}"
