"""Gangs: what needs one, and what its framework cannot do.

Takes a step and the files of its folder; gives diagnostics: `out each` without a gang or under Ray, a DeepSpeed
configuration that is not there, a number of nodes that is none by default. Blocks without `parallel` and numbers that
are written are the business of `settings` and `resolve`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from flowc.dsl import tables
from flowc.dsl.diagnostics import Diagnostic
from flowc.runtime import plan

from . import body_faults as faults
from .model import Gang, Model, Step
from .pycheck import PythonFiles
from .values import ParamRef


def gang(model: Model, step: Step, files: PythonFiles) -> Iterator[Diagnostic]:
    for output in step.outputs:
        if output.each and step.gang is None:
            yield faults.each_without_gang(output.name, step.name, output.span, step.span)
        elif output.each and step.gang and isinstance(step.gang.framework, plan.Ray) and step.gang.block:
            yield faults.each_under_ray(output.name, output.span, step.gang.block[1])
    if step.gang is not None:
        yield from _size(model, step.gang)
        if isinstance(step.gang.framework, plan.DeepSpeed) and step.gang.framework.config is not None:
            yield from _config(step, step.gang.framework.config, files)


def _size(model: Model, gang: Gang) -> Iterator[Diagnostic]:
    """A run may be given another number, so this is a warning."""
    if isinstance(gang.nodes, ParamRef):
        param = next(param for param in model.params if param.name == gang.nodes.name)
        if isinstance(param.default, int) and not (param.required or 1 <= param.default <= tables.MOST_NODES):
            yield faults.default_size(param.name, param.default, gang.nodes.span, param.span)


def _config(step: Step, path: str, files: PythonFiles) -> Iterator[Diagnostic]:
    span = next((origin.span for origin in step.origins if origin.name == "deepspeed.config"), None) or step.span
    if not files.is_file(path):
        yield faults.config_missing(path, span, files.like("*.json"))
    elif (reason := _not_an_object(path, files)) is not None:
        yield faults.config_unreadable(path, reason, span)


def _not_an_object(path: str, files: PythonFiles) -> str | None:
    try:
        content = json.loads((files.folder / path).read_bytes())
    except OSError as error:
        return (error.strerror or str(error)).lower()
    except json.JSONDecodeError as error:
        return f"line {error.lineno}: {error.msg[0].lower()}{error.msg[1:]}"
    except UnicodeDecodeError:
        return "not UTF-8"
    except (ValueError, RecursionError):
        return "cannot be read as JSON"
    return None if isinstance(content, dict) else "not an object"
