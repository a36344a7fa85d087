"""lower: the model to the plan.

Takes a `Model` without errors; gives the target-neutral `Plan` that back ends, the local engine and the runtime read.
Which task computes which control value is settled in `decisions`; every line here only writes down what has been found.
The nodes of a region keep the order of the file, behind the region's decisions, and `needs` have the same order.
"""

from __future__ import annotations

from pathlib import PurePath

from flowc.dsl import tables
from flowc.runtime import plan

from . import model
from .decisions import Decisions, decisions
from .lower_values import operand, value


def lower(flow: model.Model) -> plan.Plan:
    lowering = _Lowering(flow, decisions(flow))
    return plan.Plan(
        flow=flow.name,
        source=PurePath(flow.source.path).name,
        timeout=flow.timeout,
        params=tuple(plan.Param(item.name, str(item.type), item.required, item.default) for item in flow.params),
        nodes=lowering.region(flow.region),
        finals=lowering.region(flow.finals),
        secrets=tuple(
            plan.Secret(item.name, item.argo, item.sfn, item.local or item.name.upper()) for item in flow.secrets
        ),
        schedules=tuple(plan.Schedule(item.cron, item.zone) for item in flow.schedules),
        on=_on(flow.on),
    )


class _Lowering:
    """One flow; it goes down as deep as blocks are nested, never along a chain of steps."""

    def __init__(self, flow: model.Model, made: Decisions) -> None:
        self._decisions = made
        self._edges = flow.edges_by_region

    def region(self, region: model.Region) -> tuple[plan.Node, ...]:
        tasks = self._decisions.tasks.get(region.name, ())
        places = {name: place for place, name in enumerate(node.name for node in (*tasks, *region.nodes))}
        waits: dict[str, set[str]] = {node.name: set(self._decisions.needs.get(node.name, ())) for node in region.nodes}
        for edge in self._edges.get(region.name, ()):
            waits[edge.target].add(edge.source)
        needs = {name: tuple(sorted(found, key=places.__getitem__)) for name, found in waits.items()}
        ordered = (
            plan.Decision(task.name, tuple(sorted(task.needs, key=places.__getitem__)), task.controls) for task in tasks
        )
        return (*ordered, *(self._node(node, needs[node.name]) for node in region.nodes))

    def _node(self, node: model.Node, needs: tuple[str, ...]) -> plan.Node:
        if isinstance(node, model.Step):
            return self._step(node, needs)
        decided = self._decisions.decided[node.name]
        head = node.name, node.line, node.doc
        match node:
            case model.FanOut():
                inside = self.region(node.region)
                return plan.FanOut(*head, value(node.items), node.limit, decided, needs, inside)
            case model.Branch():
                arms = tuple(plan.Arm(self.region(arm.region)) for arm in node.arms)
                return plan.Branch(*head, decided, node.total, needs, arms)
            case model.Loop():
                return plan.Loop(*head, node.limit, decided, needs, self.region(node.region))

    def _step(self, step: model.Step, needs: tuple[str, ...]) -> plan.Step:
        return plan.Step(
            name=step.name,
            line=step.line,
            doc=step.doc,
            body=_body(step.body),
            inputs=tuple(plan.Input(item.name, str(item.type), value(item.value)) for item in step.inputs),
            outputs=tuple(plan.Output(item.name, str(item.type), item.each) for item in step.outputs),
            env=tuple(plan.EnvVar(item.name, operand(item.value)) for item in step.env),
            needs=needs,
            gang=self._gang(step),
            settings=step.settings,
            on=_on(step.on),
            controls=self._decisions.controls.get(step.name, ()),
        )

    def _gang(self, step: model.Step) -> plan.Gang | None:
        gang = step.gang
        if gang is None:
            return None
        assert gang.framework is not None
        nodes = gang.nodes if isinstance(gang.nodes, int) else None
        return plan.Gang(nodes, gang.framework, self._decisions.decided.get(step.name), gang.main)


def _body(body: model.Body | None) -> plan.Body:
    match body:
        case model.Argv():
            return plan.Command(tuple(map(operand, body.items)))
        case model.Script():
            return plan.Script(body.language, body.text)
        case model.Call():
            return plan.Call(body.target, body.function)
        case None:
            raise AssertionError("a step without a body was lowered")


def _on(settings: tuple[model.TargetSetting, ...]) -> tuple[plan.TargetSettings, ...]:
    """By target, in the order of the tables whatever the order of the file."""
    found: dict[str, dict[str, plan.Json]] = {}
    for target, row in tables.TARGETS.items():
        given = {item.name: item.value for item in settings if item.target == target}
        ordered = {key.name: given[key.name] for key in row.settings if key.name in given}
        assert len(ordered) == len(given), "a setting that no table has"
        if ordered:
            found[target] = ordered
    return tuple(plan.TargetSettings(target, values) for target, values in found.items())
