"""Bodies: does a step's command, script or call make sense, and does it fit its framework?

Takes a step and the files of its folder; gives diagnostics. Under torchrun and DeepSpeed a command begins with a Python
file or `-m`, elsewhere with a program. A shell script fits where flowc itself starts one process per node or rank:
plain gangs, TensorFlow, MPI. `run python` and `call` fit everywhere, since flowc starts Python for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowc.dsl.diagnostics import Diagnostic

from . import body_faults as faults
from .model import Argv, Call, Script, Step
from .pycheck import PythonFiles
from .values import Constant, InputRef, ListOf, Operand, OutputPath, RunValue, Unresolved

_PYTHON = re.compile(r"(.*/)?python[0-9.]*")
_STARTS_PYTHON = ("torchrun", "deepspeed")
_NO_SHELL = (*_STARTS_PYTHON, "ray")
# Types of which no value is the name of a program.
_NO_PROGRAM = ("int", "float", "bool", "dir", "json", "pickle")


def body(step: Step, files: PythonFiles) -> Iterator[Diagnostic]:
    framework = step.gang.block[0] if step.gang and step.gang.block and step.gang.framework else None
    match step.body:
        case Argv(items=()):
            yield faults.empty_command(step.body.span)
        case Argv() if framework in _STARTS_PYTHON:
            yield from _python_command(framework, step.body, files)
        case Argv():
            yield from _command(step, step.body, files)
        case Script():
            if not step.body.text.strip():
                yield faults.empty_script(step.body.span)
            elif framework in _NO_SHELL and step.body.language == "bash":
                yield faults.no_shell(framework, step.body.span)
        case Call():
            yield from files.check_call(step, step.body)


def _command(step: Step, command: Argv, files: PythonFiles) -> Iterator[Diagnostic]:
    unknown_framework = step.gang is not None and step.gang.framework is None
    program = command.items[0]
    if isinstance(program, Unresolved) or unknown_framework:
        return
    if (fault := _no_program(program)) is not None:
        yield fault
    elif isinstance(program, Constant) and _PYTHON.fullmatch(str(program.value)) and len(command.items) > 1:
        yield from _python_file(command.items[1], files)


def _python_command(framework: str, command: Argv, files: PythonFiles) -> Iterator[Diagnostic]:
    program = command.items[0]
    if isinstance(program, Constant):
        text = program.value if isinstance(program.value, str) else None
        if text is None or not (text.endswith(".py") or text == "-m"):
            yield faults.no_python_program(framework, program.span, text)
        elif text != "-m":
            yield from _python_file(program, files)
        elif len(command.items) == 1:
            yield faults.no_python_program(framework, program.span, text)
    elif (fault := _no_program(program)) is not None:
        yield fault


def _python_file(item: Operand, files: PythonFiles) -> Iterator[Diagnostic]:
    """The working folder is the flow's own, so a relative path leads nowhere else."""
    if isinstance(item, Constant) and isinstance(item.value, str) and item.value.endswith(".py"):
        if item.value.startswith("/"):
            return  # in the image
        if problem := files.place(item.value, item.span):
            yield problem


def _no_program(program: Operand) -> Diagnostic | None:
    match program:
        case Constant(value=str() as text):
            found = None if text.strip() else "an empty string"
        case Constant():
            found = _a(str(program.type))
        case InputRef():
            type_ = program.type.item if isinstance(program.type, ListOf) else program.type
            found = f"the {program.type} `{program.name}`" if str(type_) in _NO_PROGRAM else None
        case OutputPath() | RunValue():
            found = "a value that is made while the step runs"
        case _:
            found = None
    return faults.not_a_program(found, program.span) if found else None


def _a(word: str) -> str:
    return f"an {word}" if word[0] in "aeio" else f"a {word}"
