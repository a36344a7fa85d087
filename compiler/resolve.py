"""resolve: what every name stands for.

Takes the syntax tree; gives the `Model`, always, and diagnostics: unknown and duplicate names, what each scope may see,
settings, types as written. Two scopes: an `in` sees the flow (parameters and steps); a body and its environment see the
step's own inputs, `out.x` and `run.id`. What cannot be resolved becomes `Unresolved` and is not complained about again.
Names in `File.hidden` belong to constructs that this version does not build: they are neither known nor unknown.
"""

from __future__ import annotations

from dataclasses import dataclass

from flowc.dsl import ast, tables
from flowc.dsl import faults as syntax_faults
from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.spans import Span

from . import body_faults, constants, faults, setting_faults, settings
from .model import (
    UNKNOWN,
    Argv,
    Artifact,
    Body,
    Call,
    Constant,
    EnvVar,
    Input,
    InputRef,
    Model,
    Operand,
    Output,
    OutputPath,
    OutputRef,
    Param,
    ParamRef,
    RunId,
    Script,
    Step,
    Type,
    Unresolved,
    Value,
)


def resolve(file: ast.File) -> tuple[Model, tuple[Diagnostic, ...]]:
    say: list[Diagnostic] = []
    scope = _declare(file, say)
    flow = file.flow
    given = settings.given(flow.settings, "flow", say)
    defaults = _defaults(flow, say)
    resolver = _Resolver(file, scope, defaults, say)
    steps = [resolver.step(step) for step in flow.steps]
    unique = {step.span: step for step in steps if scope.steps[step.name].span == step.span}
    if not flow.steps and not file.hidden:
        say.append(faults.no_steps(flow.name.text, flow.name.span))
    timeout = given.get("timeout")
    model = Model(
        source=file.source,
        name=flow.name.text,
        doc=flow.doc,
        params=tuple(scope.params.values()),
        steps=tuple(unique.values()),
        timeout=None if timeout is None else int(timeout),
        span=flow.name.span,
    )
    return model, tuple(say)


# --- what the flow declares -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Declared:
    """A step as its readers see it: its outputs by name; `open` ones exist but cannot be read in this version."""

    span: Span
    outputs: dict[str, Output]
    open: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Scope:
    params: dict[str, Param]
    steps: dict[str, _Declared]
    hidden: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Defaults:
    settings: settings.Given
    env: tuple[EnvVar, ...]


def _declare(file: ast.File, say: list[Diagnostic]) -> _Scope:
    params: dict[str, Param] = {}
    steps: dict[str, _Declared] = {}
    taken: dict[str, tuple[str, Span]] = {}

    def is_free(name: ast.Name, what: str) -> bool:
        if name.text in taken:
            say.append(faults.name_taken(name.text, name.span, *taken[name.text]))
            return False
        taken[name.text] = (what, name.span)
        return True

    for param in file.flow.params:
        resolved = _param(param, say)
        if is_free(param.name, "parameter"):
            params[param.name.text] = resolved
    for step in file.flow.steps:
        outputs = _outputs(step, say)
        is_new = is_free(step.name, "step")
        if is_new or step.name.text not in steps:
            each = frozenset(output.name.text for output in step.outputs if output.each)
            steps[step.name.text] = _Declared(step.name.span, outputs, each)
    return _Scope(params, steps, file.hidden)


def _param(param: ast.Param, say: list[Diagnostic]) -> Param:
    type_ = constants.type_of(param.type, say)
    if isinstance(type_, Artifact):
        say.append(faults.type_of_param(type_, param.type.span))
        type_ = UNKNOWN
    default = None if param.default is None else _default(param.default, type_, param, say)
    value = default.value if isinstance(default, Constant) else None
    return Param(param.name.text, type_, param.default is None, value, param.doc, param.name.span)


def _default(expr: ast.Expr, type_: Type, param: ast.Param, say: list[Diagnostic]) -> Constant | Unresolved:
    if isinstance(expr, (ast.Ref, ast.OwnRef)):
        say.append(setting_faults.default_not_literal(param.name.text, expr.span, constants.meant(expr, str(type_))))
        return Unresolved(expr.span)
    if type_ == UNKNOWN:
        return Unresolved(expr.span)
    value = constants.constant(expr, say, type_)
    if isinstance(value, Constant) and value.type != type_:
        found = f"{expr.kind}" if str(type_).partition("[")[0] != str(value.type).partition("[")[0] else str(value.type)
        say.append(faults.wrong_default(found, type_, expr.span, param.name.span, _fixed(expr, type_)))
        return Unresolved(expr.span)
    return value


def _fixed(expr: ast.Expr, type_: Type) -> str | None:
    """The default as it was probably meant."""
    if str(type_) == "string" and isinstance(expr, (ast.Int, ast.Bool)):
        return f'"{str(expr.value).lower()}"'
    if isinstance(expr, ast.String) and str(type_) in ("int", "float", "bool"):
        from flowc.runtime.values import BadValue, parse_text

        try:
            parse_text(str(type_), expr.value)
        except BadValue:
            return None
        return expr.value
    return None


def _outputs(step: ast.Step, say: list[Diagnostic]) -> dict[str, Output]:
    outputs: dict[str, Output] = {}
    for output in step.outputs:
        name = output.name.text
        type_ = constants.type_of(output.type, say)
        if name in outputs:
            say.append(faults.declared_twice("the output", name, output.name.span, outputs[name].span))
        else:
            outputs[name] = Output(name, type_, output.name.span)
    return outputs


def _defaults(flow: ast.Flow, say: list[Diagnostic]) -> _Defaults:
    given: settings.Given = {}
    env: tuple[EnvVar, ...] = ()
    for block in flow.defaults:
        if block is not flow.defaults[0]:
            say.append(setting_faults.defaults_twice(block.span, flow.defaults[0].span))
            continue
        given = settings.given(block.settings, "defaults", say)
        env = _env(block.env, {item.name.text: _default_value(item, say) for item in block.env}, say)
    return _Defaults(given, env)


def _default_value(item: ast.Env, say: list[Diagnostic]) -> Operand:
    match item.value:
        case ast.OwnRef(root="secret"):
            say.append(syntax_faults.not_built("`secret`", item.value.span))
            return Unresolved(item.value.span)
        case ast.Ref() | ast.OwnRef():
            say.append(setting_faults.env_default_not_literal(item.name.text, item.value.span))
            return Unresolved(item.value.span)
        case ast.List():
            return _listed(item.value, item.name.text, say)
        case literal:
            return constants.constant(literal, say)


def _listed(expr: ast.List, name: str, say: list[Diagnostic]) -> Operand:
    value = constants.constant(expr, say)
    if isinstance(value, Constant):
        say.append(faults.not_for_env(name, value.type, expr.span))
    return Unresolved(expr.span)


def _env(items: tuple[ast.Env, ...], values: dict[str, Operand], say: list[Diagnostic]) -> tuple[EnvVar, ...]:
    variables: dict[str, EnvVar] = {}
    for item in items:
        name = item.name.text
        if name in variables:
            say.append(faults.declared_twice("the variable", name, item.name.span, variables[name].span))
        else:
            variables[name] = EnvVar(name, values[name], item.name.span)
    return tuple(variables.values())


# --- what the steps read ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Own:
    """What a step's body sees."""

    step: ast.Step
    inputs: dict[str, Input]
    outputs: dict[str, Output]


class _Resolver:
    def __init__(self, file: ast.File, scope: _Scope, defaults: _Defaults, say: list[Diagnostic]) -> None:
        self.source = file.source
        self.scope = scope
        self.defaults = defaults
        self.say = say.append
        self.diagnostics = say

    def step(self, step: ast.Step) -> Step:
        # Outputs of a second step of the same name were complained about when they were declared.
        outputs = {o.name.text: Output(o.name.text, constants.type_of(o.type, []), o.name.span) for o in step.outputs}
        own = _Own(step, self.inputs(step), outputs)
        given = settings.given(step.settings, "step", self.diagnostics)
        gpus = given.get("gpu", self.defaults.settings.get("gpu", 0))
        gang = settings.gang(step, int(gpus), self.diagnostics)
        return Step(
            name=step.name.text,
            doc=step.doc,
            line=self.source.position(step.span.start).line,
            inputs=tuple(own.inputs.values()),
            outputs=tuple(outputs.values()),
            after=self.after(step),
            env=self.env(own),
            body=self.body(own),
            gang=gang,
            settings=settings.resolved(given, self.defaults.settings, gang),
            span=step.name.span,
        )

    def inputs(self, step: ast.Step) -> dict[str, Input]:
        inputs: dict[str, Input] = {}
        for item in step.inputs:
            name = item.name.text
            value = self.value(item)
            if name in inputs:
                self.say(faults.declared_twice("the input", name, item.name.span, inputs[name].span))
                continue
            param = self.scope.params.get(name)
            if param and not isinstance(value, Unresolved) and not (isinstance(value, ParamRef) and value.name == name):
                self.say(faults.input_shadows(name, item.name.span, param.span))
            type_ = UNKNOWN if isinstance(value, Unresolved) else value.type
            inputs[name] = Input(name, type_, value, item.name.span)
        return inputs

    def value(self, item: ast.Input) -> Value:
        match item.value:
            case None:
                return self.short_form(item.name)
            case ast.OwnRef(root="secret"):
                return self.secret(item.value)
            case ast.OwnRef():
                text = f"{item.value.root}.{item.value.name.text}"
                self.say(faults.only_in_bodies(text, item.value.span))
                return Unresolved(item.value.span)
            case ast.Ref():
                return self.reference(item.value)
            case literal:
                return constants.constant(literal, self.diagnostics)

    def short_form(self, name: ast.Name) -> Value:
        param = self.scope.params.get(name.text)
        if param:
            return ParamRef(param.name, param.type, name.span)
        if name.text in self.scope.hidden:
            return Unresolved(name.span)
        if name.text in self.scope.steps:
            self.say(faults.step_without_output(name.text, name.span, tuple(self.scope.steps[name.text].outputs)))
            return Unresolved(name.span)
        outputs = [
            f"{step}.{name.text}" for step, declared in self.scope.steps.items() if name.text in declared.outputs
        ]
        self.say(faults.no_such_param(name.text, name.span, tuple(self.scope.params), outputs))
        return Unresolved(name.span)

    def reference(self, ref: ast.Ref) -> Value:
        """A reference in the scope of the flow."""
        name, scope = ref.name.text, self.scope
        unresolved = Unresolved(ref.span)
        if name in scope.hidden:
            return unresolved
        declared = scope.steps.get(name)
        if ref.stars is not None:
            if not (declared and ref.field and ref.field.text in declared.open):
                self.say(syntax_faults.not_built("`[*]`", ref.stars))
            return unresolved
        if declared is not None and name not in scope.params:
            return self.output(ref, declared)
        param = scope.params.get(name)
        if param is None:
            if ref.field:
                self.say(faults.unknown_step(name, ref.name.span, tuple(scope.steps)))
            else:
                self.say(faults.unknown_name(name, ref.name.span, (*scope.params, *scope.steps)))
            return unresolved
        if ref.field:
            self.say(faults.no_fields(f"{name}.{ref.field.text}", f"the parameter `{name}`", ref.field.span))
            return unresolved
        return ParamRef(name, param.type, ref.span)

    def output(self, ref: ast.Ref, declared: _Declared) -> Value:
        step = ref.name.text
        if ref.field is None:
            self.say(faults.step_without_output(step, ref.span, tuple(declared.outputs)))
            return Unresolved(ref.span)
        output = declared.outputs.get(ref.field.text)
        if output is None:
            names = tuple(declared.outputs)
            self.say(faults.unknown_output(step, ref.field.text, ref.field.span, declared.span, names))
            return Unresolved(ref.span)
        if ref.field.text in declared.open:
            return Unresolved(ref.span)
        return OutputRef(step, output.name, output.type, ref.span)

    def secret(self, ref: ast.OwnRef) -> Unresolved:
        if ref.name.text not in self.scope.hidden:
            self.say(syntax_faults.not_built("`secret`", ref.span))
        return Unresolved(ref.span)

    def after(self, step: ast.Step) -> tuple[tuple[str, Span], ...]:
        known: dict[str, Span] = {}
        for name in step.after:
            if name.text in known:
                self.say(faults.declared_twice("the step", name.text, name.span, known[name.text]))
            elif name.text in self.scope.steps:
                known[name.text] = name.span
            elif name.text not in self.scope.hidden:
                self.say(faults.unknown_step(name.text, name.span, tuple(self.scope.steps)))
        return tuple(known.items())

    # --- bodies -------------------------------------------------------------------------------------------------------

    def env(self, own: _Own) -> tuple[EnvVar, ...]:
        values = {item.name.text: self.env_value(item, own) for item in own.step.env}
        variables = {item.name: item for item in (*self.defaults.env, *_env(own.step.env, values, self.diagnostics))}
        return tuple(variables.values())

    def env_value(self, item: ast.Env, own: _Own) -> Operand:
        if isinstance(item.value, ast.List):
            return _listed(item.value, item.name.text, self.diagnostics)
        if isinstance(item.value, ast.OwnRef) and item.value.root == "out":
            # Known only to the process that writes it; the runtime has no place for it in the environment yet.
            self.say(syntax_faults.not_built("`out` in `env`", item.value.span, "pass it in `run [ … ]`"))
            return Unresolved(item.value.span)
        return self.operand(item.value, own)

    def body(self, own: _Own) -> Body | None:
        step = own.step
        if not step.bodies:
            # `command = [ … ]` is an unknown setting already.
            if not any(tables.KEYWORD_ALIASES.get(setting.name.text) == "run" for setting in step.settings):
                self.say(body_faults.no_body(step.name.text, step.name.span))
            return None
        for other in step.bodies[1:]:
            self.say(body_faults.second_body(step.name.text, other.span, step.bodies[0].span))
        resolved = [self.one_body(body, own) for body in step.bodies]
        return resolved[0]

    def one_body(self, body: ast.Body, own: _Own) -> Body | None:
        match body:
            case ast.Argv():
                return Argv(tuple(self.argument(item, own) for item in body.items), body.span)
            case ast.Script():
                if body.language.text not in tables.SCRIPT_LANGUAGES:
                    self.say(body_faults.unknown_language(body.language.text, body.language.span))
                    return None
                return Script(body.language.text, body.text, body.language.span)
            case ast.Call(target=None):
                return None
            case ast.Call(target=ast.String() as target):
                return self.call(target)
        return None

    def call(self, target: ast.String) -> Body | None:
        place, colon, function = target.value.rpartition(":")
        is_module = all(part.isidentifier() for part in place.split("."))
        if not colon or not function.isidentifier() or not (place.endswith(".py") or is_module):
            self.say(body_faults.bad_target(target.value, target.span))
            return None
        return Call(place, function, target.span)

    def argument(self, expr: ast.Expr, own: _Own) -> Operand:
        if isinstance(expr, ast.List):
            self.say(faults.list_in_argv(expr.span))
            return Unresolved(expr.span)
        return self.operand(expr, own)

    def operand(self, expr: ast.Expr, own: _Own) -> Operand:
        """A value in the scope of the body."""
        match expr:
            case ast.OwnRef(root="out"):
                output = own.outputs.get(expr.name.text)
                if output is None:
                    name, known = expr.name.text, tuple(own.outputs)
                    self.say(faults.unknown_own_output(name, own.step.name.text, expr.span, known))
                    return Unresolved(expr.span)
                return OutputPath(output.name, output.type, expr.span)
            case ast.OwnRef(root="secret"):
                return self.secret(expr)
            case ast.OwnRef():
                return self.run_value(expr)
            case ast.Ref():
                return self.own_reference(expr, own)
            case literal:
                return constants.constant(literal, self.diagnostics)

    def run_value(self, ref: ast.OwnRef) -> Operand:
        if ref.name.text == "id":
            return RunId(ref.span)
        if ref.name.text in ("status", "failed_step"):
            self.say(syntax_faults.not_built(f"`run.{ref.name.text}`", ref.span))
        else:
            self.say(faults.unknown_run_value(ref.name.text, ref.name.span))
        return Unresolved(ref.span)

    def own_reference(self, ref: ast.Ref, own: _Own) -> Operand:
        name, step = ref.name.text, own.step.name.text
        found = own.inputs.get(name)
        if found and ref.field is None and ref.stars is None:
            return InputRef(name, found.type, ref.span)
        if found and ref.field is not None:
            self.say(faults.no_fields(f"{name}.{ref.field.text}", f"the input `{name}`", ref.field.span))
        elif name in self.scope.hidden:
            pass
        elif ref.stars is not None:
            self.say(syntax_faults.not_built("`[*]`", ref.stars))
        elif ref.field is not None and name in self.scope.steps:
            line = f"in {ref.field.text} = {name}.{ref.field.text}"
            text = f"{name}.{ref.field.text}"
            self.say(faults.not_visible_in_body(text, step, ref.span, line, ref.field.text))
        else:
            inputs = tuple(own.inputs)
            self.say(faults.not_an_input(name, step, ref.name.span, inputs, param=name in self.scope.params))
        return Unresolved(ref.span)
