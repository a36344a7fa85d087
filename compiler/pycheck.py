"""Does the function that a step calls fit the step? The file is parsed, never imported.

Takes a step with a `call` and the flow's folder; gives diagnostics: no such file, a syntax error in it, no such
function, a class or a value in its place, parameters that no `in` supplies, inputs that the function does not take,
async functions and generators. A module that does not lie in the folder is the image's business and is not looked at; a
decorated function, an imported name or one that is the result of a call (`partial(…)`) is there, but its parameters are
its own affair.
"""

from __future__ import annotations

import ast
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.spans import Span
from flowc.dsl.suggest import closest

from . import body_faults as faults
from .model import Call, Step

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class _Module:
    """What a file defines at its top level: functions by name, what is none, and names that it gets in other ways.

    `no_functions` has a word for what it is, and the line.
    """

    functions: dict[str, _Function]
    no_functions: dict[str, tuple[str, int]]
    others: frozenset[str]
    is_open: bool


class PythonFiles:
    """The Python files of a flow's folder; each is read once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[str, _Module | tuple[int | None, str]] = {}

    def check_call(self, step: Step, call: Call) -> Iterator[Diagnostic]:
        path = self._find(call)
        if path is None:
            return
        if problem := self.place(path, call.span):
            yield problem
            return
        module = self._module(path)
        if isinstance(module, tuple):
            yield faults.python_syntax(path, *module, call.span)
            return
        function = module.functions.get(call.function)
        if function is not None:
            yield from _check_function(step, call, path, function)
        elif call.function in module.no_functions:
            what, line = module.no_functions[call.function]
            yield faults.not_a_function(call.function, what, call.span, f"{path}, line {line}")
        elif call.function not in module.others and not module.is_open:
            known = tuple(name for name, function in module.functions.items() if _returns(function))
            yield faults.function_missing(path, call.function, call.span, known)

    def place(self, path: str, span: Span) -> Diagnostic | None:
        """What is wrong with the place of a file that has to travel with the flow."""
        pure = PurePosixPath(path)
        if pure.is_absolute() or os.path.normpath(pure).startswith(".."):
            return faults.path_leaves_folder(path, span)
        if self.is_file(path):
            return None
        return faults.file_missing(path, span, self.like("*.py"))

    def like(self, pattern: str) -> Iterator[str]:
        """Names to suggest: what lies in the folder and one level below it."""
        for each in (pattern, f"*/{pattern}"):
            for found in sorted(self.folder.glob(each))[:200]:
                yield found.relative_to(self.folder).as_posix()

    def is_file(self, path: str) -> bool:
        # Path.is_file raises for a name that is too long, or in a folder that is closed.
        return os.path.isfile(self.folder / path)  # noqa: PTH113

    def _find(self, call: Call) -> str | None:
        """The file of a target, from the flow's folder; None for a module that does not lie there."""
        if call.target.endswith(".py"):
            return call.target
        stem = call.target.replace(".", "/")
        return next((path for path in (f"{stem}.py", f"{stem}/__init__.py") if self.is_file(path)), None)

    def _module(self, path: str) -> _Module | tuple[int | None, str]:
        if path not in self._read:
            self._read[path] = _parse(self.folder / path)
        return self._read[path]


# --- reading a file ---------------------------------------------------------------------------------------------------


def _parse(path: Path) -> _Module | tuple[int | None, str]:
    """What the file defines, or the line and the reason why it cannot be told."""
    try:
        content = path.read_bytes()
        with warnings.catch_warnings():
            # Doubtful escapes in somebody's string are not our subject.
            warnings.simplefilter("ignore")
            tree = ast.parse(content, str(path))
    except SyntaxError as error:
        return error.lineno, error.msg
    except OSError as error:
        return None, (error.strerror or str(error)).lower()
    except (ValueError, RecursionError, MemoryError) as error:
        return None, str(error) or "cannot be parsed"
    functions: dict[str, _Function] = {}
    no_functions: dict[str, tuple[str, int]] = {}
    others: set[str] = set()
    is_open = False
    for statement in _statements(tree.body):
        if isinstance(statement, _Function):
            functions[statement.name] = statement
        elif isinstance(statement, (ast.Import, ast.ImportFrom)):
            names = {(alias.asname or alias.name).partition(".")[0] for alias in statement.names}
            others |= names
            is_open = is_open or "*" in names
        elif isinstance(statement, ast.ClassDef):
            no_functions[statement.name] = "a class", statement.lineno
        else:
            values = _values_of(statement)
            no_functions |= dict.fromkeys(values, ("a value", statement.lineno))
            names = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and _is_set(node)}
            others |= names.difference(values)
    # Defined in two ways: which of them it is only running can tell.
    twice = (functions.keys() & no_functions.keys()) | (others & (functions.keys() | no_functions.keys()))
    others |= twice
    for name in twice:
        functions.pop(name, None)
        no_functions.pop(name, None)
    return _Module(functions, no_functions, frozenset(others), is_open or "__getattr__" in functions)


# What is written out cannot be called; a name or the result of a call may be.
_VALUES = (ast.Constant, ast.JoinedStr, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.ListComp, ast.SetComp, ast.DictComp)


def _values_of(statement: ast.stmt) -> tuple[str, ...]:
    """The names that a statement gives to something that is certainly no function."""
    match statement:
        case ast.Assign(targets=targets, value=value) if isinstance(value, _VALUES):
            return tuple(target.id for target in targets if isinstance(target, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name), value=value) if isinstance(value, _VALUES):
            return (name,)
    return ()


def _is_set(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Store)


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, those of its top-level conditions included."""
    for statement in body:
        if isinstance(statement, (ast.If, ast.Try, ast.With, ast.For, ast.While)):
            for field in ("body", "orelse", "finalbody"):
                yield from _statements(getattr(statement, field, []))
            for handler in getattr(statement, "handlers", []):
                yield from _statements(handler.body)
        else:
            yield statement


# --- comparing --------------------------------------------------------------------------------------------------------


def _check_function(step: Step, call: Call, path: str, function: _Function) -> Iterator[Diagnostic]:
    if function.decorator_list:
        return
    place = f"{path}, line {function.lineno}"
    if isinstance(function, ast.AsyncFunctionDef):
        yield faults.async_function(function.name, call.span, place)
    elif not _returns(function):
        yield faults.generator(function.name, call.span, place)
    yield from _check_parameters(step, call, function, place)


def _returns(function: _Function) -> bool:
    """Neither an async function nor a generator."""
    yields = any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in _own_nodes(function))
    return not yields and isinstance(function, ast.FunctionDef)


def _own_nodes(function: _Function) -> Iterator[ast.AST]:
    """What is in a function, but for what is in functions and classes inside it."""
    left: list[ast.AST] = [*function.body]
    while left:
        node = left.pop()
        yield node
        if not isinstance(node, (*_FUNCTIONS, ast.Lambda, ast.ClassDef)):
            left += ast.iter_child_nodes(node)


def _check_parameters(step: Step, call: Call, function: _Function, place: str) -> Iterator[Diagnostic]:
    arguments, name = function.args, function.name
    inputs = [item.name for item in step.inputs]
    positional = [argument.arg for argument in arguments.posonlyargs]
    plain = [argument.arg for argument in arguments.args]
    # Defaults belong to the last of all positional parameters.
    without_default = [*positional, *plain][: len(positional) + len(plain) - len(arguments.defaults)]
    needed = [parameter for parameter in plain if parameter in without_default]
    needed += [a.arg for a, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if default is None]
    taken = [*plain, *(argument.arg for argument in arguments.kwonlyargs)]
    for parameter in positional:
        if parameter in without_default:
            yield faults.positional_parameter(parameter, name, call.span, place)
    missing = [parameter for parameter in needed if parameter not in inputs]
    spare = [item for item in step.inputs if item.name not in (*taken, *positional)]
    if arguments.kwarg is not None:
        spare = []
    for item in spare:
        # A misspelt name is one mistake: the parameter that it was meant for is not reported as well.
        meant = closest(item.name, missing)
        missing = [parameter for parameter in missing if parameter != meant]
        yield faults.input_without_parameter(name, item.name, item.span, call.span, place, meant)
    for parameter in missing:
        yield faults.parameter_without_input(parameter, name, call.span, place)
