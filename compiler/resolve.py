"""resolve: what every name stands for.

Takes the syntax tree; gives the `Model`, always, and diagnostics: unknown and duplicate names, what each scope may see,
types of all values, settings. Two scopes: `in`, `if`, `foreach`, `until` and `parallel` see the flow (parameters, loop
variables around them, steps); a body and its environment see the step's own inputs, `out.x` and `run.id`. What cannot
be resolved becomes `Unresolved` and is not complained about again.

`resolve_names` declares, `resolve_refs` and `resolve_values` read the scope of the flow, `resolve_bodies` that of a
body; here they are put together, region by region.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flowc.dsl import ast, tables
from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.parse import without_collector
from flowc.dsl.spans import Span

from . import body_faults, constants, faults, scope_faults, settings, type_faults
from .model import Arm, Branch, EnvVar, FanOut, Gang, Input, Loop, Model, Node, Origin, OriginWord, Region, Step
from .resolve_bodies import Bodies, Own
from .resolve_names import Names, Scope, declare
from .resolve_refs import At
from .resolve_values import Values
from .values import ItemRef, ParamRef, Unresolved, Value

# The most turns of a loop, and the most items at a time.
MOST_TURNS = 10_000
MOST_AT_A_TIME = 10_000


def resolve(file: ast.File) -> tuple[Model, tuple[Diagnostic, ...]]:
    with without_collector():
        return _resolve(file)


def _resolve(file: ast.File) -> tuple[Model, tuple[Diagnostic, ...]]:
    say: list[Diagnostic] = []
    flow = file.flow
    secrets = settings.secrets(flow, say)
    names = declare(flow, secrets, say)
    resolver = _Resolver(file, names, say)
    given = settings.of_flow(flow, say)
    if not flow.nodes:
        say.append(faults.no_steps(flow.name.text, flow.name.span))
    model = Model(
        source=file.source,
        name=flow.name.text,
        doc=flow.doc,
        params=tuple(names.params.values()),
        secrets=tuple(names.secrets.values()),
        schedules=settings.schedules(flow, say),
        timeout=given.timeout,
        on=given.on,
        region=resolver.region("", flow.nodes, names.root),
        finals=resolver.finals(flow.finals),
        span=flow.name.span,
    )
    return model, tuple(say)


class _Resolver:
    def __init__(self, file: ast.File, names: Names, say: list[Diagnostic]) -> None:
        self.source = file.source
        self.names = names
        self.diagnostics = say
        self.say = say.append
        self.values = Values(file.source, names, say)
        self.bodies = Bodies(names, self.values.refs, say)
        self.defaults = settings.defaults(file.flow, say)
        self.default_env = self.bodies.default_env(file.flow.defaults)
        self.default_origins = self.origins(
            self.default_env, file.flow.defaults[0].env if file.flow.defaults else (), "defaults"
        )

    # --- regions ------------------------------------------------------------------------------------------------------

    def region(self, name: str, nodes: Sequence[ast.Node], scope: Scope) -> Region:
        """The nodes of a region; a step whose name is taken is resolved, and left out."""
        resolved = [self.node(node, scope) for node in nodes]
        return Region(name, tuple(node for node in resolved if node is not None))

    def finals(self, finals: Sequence[ast.Finally]) -> Region:
        for block in finals:
            if block is not finals[0]:
                self.say(scope_faults.finally_twice(block.span, finals[0].span))
            elif not block.steps:
                self.say(scope_faults.empty_block("finally", block.span))
        return self.region("finally", [step for block in finals for step in block.steps], self.names.finals)

    def node(self, node: ast.Node, scope: Scope) -> Node | None:
        match node:
            case ast.Step():
                step = self.step(node, scope)
                return step if self.names.steps[step.name].span == step.span else None
            case ast.Foreach():
                return self.foreach(node)
            case ast.If():
                return self.branch(node, scope)
            case ast.Repeat():
                return self.loop(node)

    def foreach(self, node: ast.Foreach) -> FanOut:
        block = self.names.blocks[node.span]
        items = self.values.items(block)
        return FanOut(
            name=block.name,
            doc=node.doc,
            line=self.line(node.span),
            items=items,
            item=self.values.item_type(block),
            limit=None if node.limit is None else self.limit("foreach", node.limit, MOST_AT_A_TIME),
            region=self.region(block.name, node.nodes, self.names.scopes[node.span]),
            span=node.name.span,
        )

    def branch(self, node: ast.If, scope: Scope) -> Branch:
        name = self.names.blocks[node.span].name
        arms = []
        for number, arm in enumerate(node.arms):
            condition = None if arm.condition is None else self.values.condition(arm.condition, At(scope))
            region = self.region(f"{name}/{number}", arm.nodes, self.names.scopes[arm.span])
            arms.append(Arm(condition, region, arm.span))
        return Branch(name, node.doc, self.line(node.span), tuple(arms), node.span)

    def loop(self, node: ast.Repeat) -> Loop:
        name, scope = self.names.blocks[node.span].name, self.names.scopes[node.span]
        return Loop(
            name=name,
            doc=node.doc,
            line=self.line(node.span),
            limit=self.limit("repeat", node.limit, MOST_TURNS) or 1,
            region=self.region(name, node.nodes, scope),
            until=self.values.condition(node.until, At(scope)),
            span=node.span,
        )

    def limit(self, word: str, expr: ast.Expr, most: int) -> int | None:
        """What `max` says; anything else than a whole number was found in the syntax."""
        if not isinstance(expr, ast.Int):
            return None
        if not 1 <= expr.value <= most:
            self.say(type_faults.limit_out_of_range(word, expr.value, 1, most, expr.span))
            return None
        return expr.value

    def line(self, span: Span) -> int:
        return self.source.position(span.start).line

    # --- steps --------------------------------------------------------------------------------------------------------

    def step(self, step: ast.Step, scope: Scope) -> Step:
        declared = self.names.declared[step.name.span]
        at = At(scope, {item.name.text: item for item in step.inputs}, reader=step.name.text)
        own = Own(step, self.inputs(step, at), declared.outputs)
        given = settings.of_step(step, self.defaults, self.diagnostics)
        gang = None
        if step.parallel is not None:
            nodes = self.nodes(step.parallel.count, at)
            gang = Gang(nodes, given.framework, given.block, given.main, step.parallel.span)
        env = self.bodies.env(own)
        names = {item.name for item in env}
        inherited = tuple(item for item in self.default_env if item.name not in names)
        return Step(
            name=step.name.text,
            doc=step.doc,
            line=self.line(step.span),
            inputs=tuple(own.inputs.values()),
            outputs=tuple(declared.outputs.values()),
            after=self.after(step, scope),
            env=(*inherited, *env),
            body=self.bodies.body(own),
            gang=gang,
            settings=given.settings,
            on=given.on,
            origins=(
                *given.origins,
                *(self.default_origins[item.name] for item in inherited),
                *self.origins(env, step.env, "step").values(),
            ),
            span=step.name.span,
        )

    def origins(self, env: Sequence[EnvVar], written: Sequence[ast.Env], word: OriginWord) -> Mapping[str, Origin]:
        texts = {item.name.span: self.source.text[slice(*item.value.span)] for item in written}
        return {item.name: Origin(f"env.{item.name}", texts[item.span], word, item.span) for item in env}

    def inputs(self, step: ast.Step, at: At) -> dict[str, Input]:
        inputs: dict[str, Input] = {}
        for item in step.inputs:
            name = item.name.text
            if item.value is None:
                value = self.values.refs.short_form(item.name, at)
            else:
                value = self.values.value(item.value, at)
            if name in inputs:
                self.say(faults.declared_twice("the input", name, item.name.span, inputs[name].span))
                continue
            self.shadowed(item.name, value, at.scope)
            inputs[name] = Input(name, value.type, value, item.name.span)
        return inputs

    def shadowed(self, name: ast.Name, value: Value, scope: Scope) -> None:
        """An input that is named like what can be seen there has to be it."""
        if isinstance(value, Unresolved):
            return
        block, param = scope.variables.get(name.text), self.names.params.get(name.text)
        if block is not None and not (isinstance(value, ItemRef) and value.name == block.name):
            assert isinstance(block.node, ast.Foreach)
            self.say(faults.input_shadows(name.text, name.span, "loop variable", block.node.name.span))
        elif block is None and param is not None and not (isinstance(value, ParamRef) and value.name == name.text):
            self.say(faults.input_shadows(name.text, name.span, "parameter", param.span))

    def nodes(self, count: ast.Expr, at: At) -> int | Value:
        """The size of a gang: a number, or a value of type int."""
        if constants.not_literal(count) is not None:
            return self.values.count(count, at)
        if isinstance(count, ast.Int) and 1 <= count.value <= tables.MOST_NODES:
            return count.value
        if not isinstance(count, ast.Bad):
            found = str(count.value) if isinstance(count, ast.Int) else count.kind
            self.say(body_faults.nodes_out_of_range(found, count.span))
        return 1

    def after(self, step: ast.Step, scope: Scope) -> tuple[tuple[str, Span], ...]:
        known: dict[str, Span] = {}
        for name in step.after:
            if name.text in known:
                self.say(faults.declared_twice("the step", name.text, name.span, known[name.text]))
            elif (declared := self.names.steps.get(name.text)) is None:
                if not self.names.misnamed(name.text):
                    self.say(self.no_step(name, step, scope))
            elif declared.scope.final and not scope.final:
                self.say(scope_faults.runs_last(name.text, name.span, declared.span))
            else:
                known[name.text] = name.span
        return tuple(known.items())

    def no_step(self, name: ast.Name, reader: ast.Step, scope: Scope) -> Diagnostic:
        """What is wrong with a name in `after`."""
        names, text = self.names, name.text
        if (param := names.params.get(text)) is not None:
            return scope_faults.not_a_step(text, "parameter", name.span, param.span)
        if (block := names.variables.get(text)) is not None and isinstance(block.node, ast.Foreach):
            return scope_faults.not_a_step(text, "loop variable", name.span, block.node.name.span)
        if (secret := names.secrets.get(text)) is not None:
            return scope_faults.not_a_step(text, "secret", name.span, secret.span)
        return faults.unknown_step(
            text, name.span, names.candidates(names.readable(reader.name.text, scope, itself=False))
        )
