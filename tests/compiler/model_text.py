"""A model as JSON for people to read: what was resolved, without places in the file.

Values are written as calls (`Gather(region, check.auc): list[float]`), settings as `value (where from)`, what is empty
is left out. Only for golden files: nothing reads it back.
"""

from __future__ import annotations

import json
from typing import Any

from flowc.compiler import model, values


def model_text(of: model.Model) -> str:
    return json.dumps(_flow(of), indent=2, ensure_ascii=False) + "\n"


def _flow(of: model.Model) -> dict[str, Any]:
    return _without_empty(
        {
            "flow": of.name,
            "doc": of.doc,
            "params": [
                f"{item.name}: {item.type}" + ("" if item.required else f" = {json.dumps(item.default)}")
                for item in of.params
            ],
            "secrets": [
                _without_empty({"name": item.name, "argo": item.argo, "sfn": item.sfn, "local": item.local})
                for item in of.secrets
            ],
            "schedules": [f"{item.cron} in {item.zone}" for item in of.schedules],
            "timeout": of.timeout,
            "on": _on(of.on),
            "nodes": _region(of, of.region),
            "finally": _region(of, of.finals),
        }
    )


def _region(of: model.Model, region: model.Region) -> list[Any]:
    waits: dict[str, list[str]] = {}
    for edge in of.edges_by_region.get(region.name, ()):
        why = edge.reference.output or "after"
        waits.setdefault(edge.target, []).append(f"{edge.source} ({edge.reference.step}: {why})")
    return [_without_empty(_node(of, node) | {"waits for": waits.get(node.name, [])}) for node in region.nodes]


def _node(of: model.Model, node: model.Node) -> dict[str, Any]:
    match node:
        case model.Step():
            return _step(node)
        case model.FanOut():
            head = {"foreach": node.name, "item": str(node.item), "items": _value(node.items), "max": node.limit}
            return head | {"doc": node.doc, "nodes": _region(of, node.region)}
        case model.Branch():
            arms = [
                {"if": "else" if arm.condition is None else _value(arm.condition), "nodes": _region(of, arm.region)}
                for arm in node.arms
            ]
            return {"branch": node.name, "doc": node.doc, "arms": arms}
        case model.Loop():
            head = {"repeat": node.name, "max": node.limit, "doc": node.doc}
            return head | {"nodes": _region(of, node.region), "until": _value(node.until)}


def _step(step: model.Step) -> dict[str, Any]:
    gang = step.gang
    return {
        "step": step.name,
        "line": step.line,
        "doc": step.doc,
        "inputs": [f"{item.name}: {item.type} = {_value(item.value)}" for item in step.inputs],
        "outputs": [f"{'each ' if item.each else ''}{item.name}: {item.type}" for item in step.outputs],
        "env": [f"{item.name} = {_operand(item.value)}" for item in step.env],
        "body": _body(step.body),
        "nodes": None if gang is None else gang.nodes if isinstance(gang.nodes, int) else _value(gang.nodes),
        "framework": None if gang is None else str(gang.framework),
        "settings": {item.name: f"{item.value} ({item.origin})" for item in step.origins if item.origin != "built-in"},
    }


def _on(settings: tuple[model.TargetSetting, ...]) -> dict[str, Any]:
    return {f"{item.target}.{item.name}": item.value for item in settings}


def _body(body: model.Body | None) -> Any:
    match body:
        case model.Argv():
            return list(map(_operand, body.items))
        case model.Script():
            return {body.language: body.text}
        case model.Call():
            return f"call {body.target}:{body.function}"
        case None:
            return None


def _operand(operand: values.Operand) -> str:
    match operand:
        case values.Constant():
            return json.dumps(operand.value, ensure_ascii=False)
        case values.InputRef():
            return f"in {operand.name}"
        case values.OutputPath():
            return f"out {operand.name}"
        case values.RunValue():
            return f"run.{operand.name}"
        case values.SecretRef():
            return f"secret.{operand.name}"
        case values.Format():
            return f"Format({', '.join(map(_operand, operand.parts))})"
        case values.Unresolved():
            return "?"


def _value(value: values.Value) -> str:
    return f"{_bare(value)}: {value.type}"


def _bare(value: values.Value) -> str:
    match value:
        case values.Constant():
            return json.dumps(value.value, ensure_ascii=False)
        case values.ParamRef():
            return f"param {value.name}"
        case values.ItemRef():
            return f"item {value.name}"
        case values.RunValue():
            return f"run.{value.name}"
        case values.OutputRef():
            return f"{value.step}{'[each]' if value.each else ''}.{value.output}"
        case values.Gather() | values.LastTurn():
            return f"{type(value).__name__}({value.block}, {_bare(value.value)})"
        case values.Previous():
            return f"Previous({value.block}, {_bare(value.value)}, {_bare(value.first)})"
        case values.MakeObject():
            return f"MakeObject({', '.join(f'{name} = {_bare(member)}' for name, member in value.members)})"
        case values.Compare():
            return f"({_bare(value.left)} {value.sign} {_bare(value.right)})"
        case values.Logic():
            return f"({f' {value.word} '.join(map(_bare, value.operands))})"
    return f"{type(value).__name__}({', '.join(map(_bare, values.parts(value)))})"


def _without_empty(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if value not in (None, "", [], {})}
