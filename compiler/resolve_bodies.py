"""resolve, fourth part: bodies and environments.

Takes a step's body and `env` lines; gives `Operand`s, and diagnostics. Both see only the step's own inputs, `out.x` and
`run.id`, the environment also `secret.x`; `defaults` sets variables to literals and secrets. A body takes values as
they are: expressions stand in `in`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from flowc.dsl import ast, tables
from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.spans import Span

from . import body_faults, constants, faults, scope_faults, setting_faults, type_faults
from .model import Argv, Body, Call, EnvVar, Input, Output, Script
from .resolve_names import Names
from .resolve_refs import RUN_VALUES, References
from .values import (
    JSON,
    PICKLE,
    STRING,
    Artifact,
    Constant,
    Format,
    InputRef,
    Operand,
    OutputPath,
    RunValue,
    Scalar,
    SecretRef,
    Unresolved,
)

# What a value becomes decides what fits: arguments of a command, a variable, or a piece of a string in either.
_Place: TypeAlias = Literal["argv", "env", "text"]


@dataclass(frozen=True, slots=True)
class Own:
    """What a step's body sees. `is_python`: it is known to be Python, so that it can have pickles."""

    step: ast.Step
    inputs: Mapping[str, Input]
    outputs: Mapping[str, Output]

    @property
    def is_python(self) -> bool:
        """The body can have pickles; also where there is none that says otherwise."""
        body = self.step.bodies[0] if self.step.bodies else None
        return not isinstance(body, ast.Argv) and not (isinstance(body, ast.Script) and body.language.text == "bash")


class Bodies:
    def __init__(self, names: Names, references: References, say: list[Diagnostic]) -> None:
        self.names = names
        self.references = references
        self.diagnostics = say
        self.say = say.append

    # --- the environment ----------------------------------------------------------------------------------------------

    def env(self, own: Own) -> tuple[EnvVar, ...]:
        """The variables that the step itself sets."""
        return self._variables(own.step.env, lambda item: self._operand(item.value, own, "env", item.name.text))

    def default_env(self, blocks: Sequence[ast.Defaults]) -> tuple[EnvVar, ...]:
        """The variables of `defaults`; a second such block is none."""
        return self._variables(blocks[0].env, self._default) if blocks else ()

    def _variables(self, items: Sequence[ast.Env], value: Callable[[ast.Env], Operand]) -> tuple[EnvVar, ...]:
        variables: dict[str, EnvVar] = {}
        for item in items:
            name, resolved = item.name.text, value(item)
            if name in variables:
                self.say(faults.declared_twice("the variable", name, item.name.span, variables[name].span))
            else:
                variables[name] = EnvVar(name, resolved, item.name.span)
        return tuple(variables.values())

    def _default(self, item: ast.Env) -> Operand:
        expr = item.value
        if isinstance(expr, ast.OwnRef) and expr.root == "secret":
            return self._secret(expr)
        if isinstance(expr, (ast.List, ast.Object)):
            return self._not_for_env(expr, item.name.text)
        if constants.not_literal(expr) is not None:
            self.say(setting_faults.env_default_not_literal(item.name.text, expr.span))
            return Unresolved(expr.span)
        return constants.constant(expr, self.diagnostics)

    def _not_for_env(self, expr: ast.List | ast.Object, name: str) -> Operand:
        if isinstance(expr, ast.Object):
            self.say(faults.not_for_env(name, JSON, expr.span))
        elif constants.not_literal(expr) is not None:
            self.say(faults.not_for_env(name, None, expr.span))
        else:
            value = constants.constant(expr, self.diagnostics)
            if isinstance(value, Constant):
                type_ = value.type if constants.is_known(value.type) else None
                self.say(faults.not_for_env(name, type_, expr.span))
        return Unresolved(expr.span)

    def _secret(self, ref: ast.OwnRef) -> Operand:
        if (unknown := self.references.unknown_secret(ref)) is not None:
            self.say(unknown)
            return Unresolved(ref.span)
        return SecretRef(ref.name.text, ref.span)

    # --- bodies -------------------------------------------------------------------------------------------------------

    def body(self, own: Own) -> Body | None:
        step = own.step
        if not step.bodies:
            # `command = [ … ]` is an unknown setting already.
            if not any(tables.KEYWORD_ALIASES.get(setting.name.text) == "run" for setting in step.settings):
                self.say(body_faults.no_body(step.name.text, step.name.span))
            return None
        for other in step.bodies[1:]:
            self.say(body_faults.second_body(step.name.text, other.span, step.bodies[0].span))
        resolved = [self._one_body(body, own) for body in step.bodies]
        if not own.is_python:
            self._pickles(own, step.bodies[0])
        return resolved[0]

    def _pickles(self, own: Own, body: ast.Body) -> None:
        place = Span(body.span.start, body.span.start + len("run"))
        items: tuple[tuple[str, Input | Output], ...] = (
            *(("input", item) for item in own.inputs.values()),
            *(("output", item) for item in own.outputs.values()),
        )
        for what, item in items:
            if constants.innermost(item.type) == PICKLE:
                self.say(type_faults.pickle_needs_python(what, item.name, item.type, item.span, place))

    def _one_body(self, body: ast.Body, own: Own) -> Body | None:
        match body:
            case ast.Argv():
                return Argv(tuple(self._operand(item, own, "argv", "x") for item in body.items), body.span)
            case ast.Script():
                if body.language.text not in tables.SCRIPT_LANGUAGES:
                    self.say(body_faults.unknown_language(body.language.text, body.language.span))
                    return None
                return Script(body.language.text, body.text, body.language.span)
            case ast.Call(target=ast.String() as target):
                return self._call(target)
        return None

    def _call(self, target: ast.String) -> Body | None:
        place, colon, function = target.value.rpartition(":")
        is_module = all(part.isidentifier() for part in place.split("."))
        if not colon or not function.isidentifier() or not (place.endswith(".py") or is_module):
            self.say(body_faults.bad_target(target.value, target.span))
            return None
        return Call(place, function, target.span)

    # --- operands -----------------------------------------------------------------------------------------------------

    def _operand(self, expr: ast.Expr, own: Own, place: _Place, name: str) -> Operand:
        """`name` is that of the variable, or of an input that the value could be."""
        match expr:
            case ast.Ref():
                return self._input(expr, own, place)
            case ast.OwnRef(root="out"):
                return self._output(expr, own)
            case ast.OwnRef(root="secret"):
                if place == "env":
                    return self._secret(expr)
                self.say(self.references.secret(expr))
            case ast.OwnRef():
                return self._run_value(expr, own)
            case ast.Template():
                parts = (
                    self._operand(part, own, "text", name)
                    if not isinstance(part, str)
                    else Constant(part, STRING, expr.span)
                    for part in expr.parts
                )
                return Format(tuple(parts), expr.span)
            case ast.List() | ast.Object():
                if place == "env":
                    return self._not_for_env(expr, name)
                self.say(faults.list_in_argv(expr.span, is_object=isinstance(expr, ast.Object)))
            case ast.Either() | ast.Previous() | ast.Not() | ast.Logic() | ast.Compare():
                what = {ast.Either: "`either`", ast.Previous: "`previous`"}.get(type(expr), "a condition")
                where = "a command" if place == "argv" else "`env`"
                self.say(type_faults.expression_in_body(what, name.lower(), where, expr.span))
            case _:
                return constants.constant(expr, self.diagnostics)
        return Unresolved(expr.span)

    def _output(self, ref: ast.OwnRef, own: Own) -> Operand:
        output = own.outputs.get(ref.name.text)
        if output is None:
            name, known = ref.name.text, tuple(own.outputs)
            self.say(faults.unknown_own_output(name, own.step.name.text, ref.span, known))
            return Unresolved(ref.span)
        return OutputPath(output.name, output.type, ref.span)

    def _run_value(self, ref: ast.OwnRef, own: Own) -> Operand:
        name = ref.name.text
        if name == "id":
            return RunValue(name, STRING, ref.span)
        if name in RUN_VALUES:
            body = name if self.names.declared[own.step.name.span].scope.final else None
            self.say(scope_faults.only_in_finally(f"run.{name}", ref.span, body=body))
        else:
            self.say(faults.unknown_run_value(name, ref.name.span))
        return Unresolved(ref.span)

    def _input(self, ref: ast.Ref, own: Own, place: _Place) -> Operand:
        name = ref.name.text
        found = own.inputs.get(name)
        if found is None or ref.field is not None or ref.stars:
            self.say(self._unknown(ref, own, found, place))
            return Unresolved(ref.span)
        inner = constants.innermost(found.type)
        if inner == PICKLE and not own.is_python:
            return Unresolved(ref.span)  # said where the input is declared
        fits = isinstance(found.type, (Scalar, Artifact)) or not constants.is_known(found.type)
        if not fits and place == "env":
            self.say(faults.not_for_env(name, found.type, ref.span))
            return Unresolved(ref.span)
        if not fits and place == "text":
            self.say(type_faults.not_a_text(f"`{name}`", found.type, ref.span))
            return Unresolved(ref.span)
        return InputRef(name, found.type, ref.span)

    def _unknown(self, ref: ast.Ref, own: Own, found: Input | None, place: _Place) -> Diagnostic:
        name, step = ref.name.text, own.step.name.text
        field = None if ref.field is None else ref.field.text
        if field is not None and name == step and field in own.outputs:
            return scope_faults.own_output_in_body(field, ref.span)
        if found is not None and ref.field is not None:
            is_json = found.type == JSON
            return faults.no_fields(f"{name}.{field}", f"the input `{name}`", ref.field.span, json=is_json)
        if found is not None:
            text, stars = name + "[*]" * len(ref.stars), ref.stars[0].to(ref.stars[-1])
            return type_faults.star_too_many(text, 0, f"`{name}` is the whole input", name, stars, ref.span)
        if field is not None and name in self.names.steps:
            text = f"{name}{'[*]' * len(ref.stars)}.{field}"
            return faults.not_visible_in_body(text, step, ref.span, f"in {field} = {text}", field)
        scope = self.names.declared[own.step.name.span].scope
        written = self.references.without_root(ref, scope) if field is not None else None
        if written is not None and field in own.inputs:
            return faults.not_an_input(name, step, ref.span, (), param=False, written=field)
        if written is not None and field is not None and written == (field,):
            return faults.not_visible_in_body(f"{name}.{field}", step, ref.span, f"in {field}", field)
        is_visible = name in self.names.params or name in scope.variables
        secret = None
        if name in self.names.secrets and field is None:
            secret = f"secret.{name}" if place == "env" else f"env {name.upper()} = secret.{name}"
        return faults.not_an_input(name, step, ref.name.span, tuple(own.inputs), param=is_visible, secret=secret)
