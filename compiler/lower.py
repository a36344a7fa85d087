"""lower: the model to the plan.

Takes a `Model` without errors; gives the target-neutral `Plan` that back ends, the local engine and the runtime read.
Decides nothing: every line here only writes down what `resolve` and `check` have found.
"""

from __future__ import annotations

from pathlib import PurePath

from flowc.runtime import plan

from . import model


def lower(flow: model.Model) -> plan.Plan:
    order = {step.name: place for place, step in enumerate(flow.steps)}
    return plan.Plan(
        flow=flow.name,
        source=PurePath(flow.source.path).name,
        timeout=flow.timeout,
        params=tuple(plan.Param(item.name, str(item.type), item.required, item.default) for item in flow.params),
        steps=tuple(_step(step, order) for step in flow.steps),
    )


def _step(step: model.Step, order: dict[str, int]) -> plan.Step:
    needs = {source for source, _ in step.references()}
    return plan.Step(
        name=step.name,
        line=step.line,
        doc=step.doc,
        body=_body(step.body),
        inputs=tuple(plan.Input(item.name, str(item.type), _source(item.value)) for item in step.inputs),
        outputs=tuple(plan.Output(item.name, str(item.type)) for item in step.outputs),
        env=tuple(plan.EnvVar(item.name, _operand(item.value)) for item in step.env),
        needs=tuple(sorted(needs, key=order.__getitem__)),
        gang=_gang(step.gang),
        settings=step.settings,
    )


def _body(body: model.Body | None) -> plan.Body:
    match body:
        case model.Argv():
            return plan.Command(tuple(map(_operand, body.items)))
        case model.Script():
            return plan.Script(body.language, body.text)
        case model.Call():
            return plan.Call(body.target, body.function)
    raise AssertionError("a step without a body was lowered")


def _source(value: model.Value) -> plan.Source:
    match value:
        case model.Constant():
            return plan.Const(value.value)
        case model.ParamRef():
            return plan.FromParam(value.name)
        case model.OutputRef():
            return plan.FromStep(value.step, value.output)
    raise AssertionError("an unresolved input was lowered")


def _operand(value: model.Operand) -> plan.Operand:
    match value:
        case model.Constant():
            return plan.Const(value.value)
        case model.InputRef():
            return plan.InRef(value.name)
        case model.OutputPath():
            return plan.OutRef(value.name)
        case model.RunId():
            return plan.RunId()
    raise AssertionError("an unresolved operand was lowered")


def _gang(gang: model.Gang | None) -> plan.Gang | None:
    if gang is None:
        return None
    assert gang.framework is not None
    return plan.Gang(gang.nodes, gang.framework)
