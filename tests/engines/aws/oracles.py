"""Validators that other people wrote, as functions from text to a list of faults (empty: no objection).

`asl_validator` runs npm's asl-validator, installed on first use from the committed lock file; `cfn_lint` runs
cfn-lint in process; `botocore_shape` and `submit_job_blocks` hold parameters against botocore's service models, which
is the only check there is of what stands inside `batch:submitJob`.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import npm

from .batch_rules import service_model, shape_faults
from .conversion import UnknownMemberError, to_api

_HERE = Path(__file__).parent


def asl_validator(text: str) -> list[str]:
    """npm asl-validator with `--json-path`: schema, targets, reachability, JSONPath expressions."""
    program = npm.installed(_HERE) / "node_modules" / ".bin" / "asl-validator"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "machine.asl.json"
        path.write_text(text)
        done = subprocess.run([str(program), "--json-path", str(path)], capture_output=True, text=True, timeout=60)
    if done.returncode == 0:
        return []
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return lines or [f"asl-validator ended with {done.returncode}"]


def cfn_lint(text: str, ignore: tuple[str, ...] = ()) -> list[str]:
    """cfn-lint's errors and warnings, `CODE path: message`, without the codes in `ignore`."""
    from cfnlint.api import lint

    matches = lint(text, regions=["us-east-1"])
    return [
        f"{match.rule.id} {'/'.join(map(str, match.path or ()))}: {match.message}"
        for match in matches
        if match.rule.id not in ignore
    ]


def botocore_shape(service: str, operation: str, params: Any) -> list[str]:
    """Faults of `params` (the API's casing) against the operation's input shape, enumerations included."""
    return shape_faults(service, operation, params)


@dataclass(frozen=True, slots=True)
class SubmitBlock:
    """Parameters of one submitJob task: `request` in the API's casing, computed (`.$`) values as texts."""

    state: str
    resource: str
    request: dict[str, Any]
    faults: list[str]


def submit_job_blocks(asl: Any) -> list[SubmitBlock]:
    """Every `batch:submitJob` block of a definition (text or data), nested states included."""
    definition = json.loads(asl) if isinstance(asl, str) else asl
    shape = service_model().operation_model("SubmitJob").input_shape
    blocks = []
    for name, state in _states(definition):
        resource = str(state.get("Resource", ""))
        if ":batch:submitJob" not in resource:
            continue
        parameters = state.get("Parameters", state.get("Arguments", {}))
        try:
            request = to_api(_with_placeholders(parameters, shape), shape)
            faults = shape_faults("batch", "SubmitJob", request)
        except UnknownMemberError as error:
            request, faults = {}, [str(error)]
        blocks.append(SubmitBlock(name, resource, request, faults))
    return blocks


def _states(node: Any) -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    if isinstance(node, dict):
        if isinstance(node.get("States"), dict):
            found += [(name, state) for name, state in node["States"].items() if isinstance(state, dict)]
        for value in node.values():
            found += _states(value)
    elif isinstance(node, list):
        for value in node:
            found += _states(value)
    return found


def _with_placeholders(value: Any, shape: Any) -> Any:
    """`Name.$` becomes `Name` with a value of the shape's type, since it is not known before it runs."""
    if isinstance(value, list):
        return [_with_placeholders(item, getattr(shape, "member", None)) for item in value]
    if not isinstance(value, dict):
        return value
    result = {}
    for key, item in value.items():
        plain = key.removesuffix(".$")
        members = {name[:1].upper() + name[1:]: member for name, member in getattr(shape, "members", {}).items()}
        inner = members.get(plain, getattr(shape, "value", None))
        result[plain] = _placeholder(inner) if key.endswith(".$") else _with_placeholders(item, inner)
    return result


def _placeholder(shape: Any) -> Any:
    kind = getattr(shape, "type_name", "string")
    if kind == "structure":
        return {
            member[:1].upper() + member[1:]: _placeholder(shape.members[member]) for member in shape.required_members
        }
    return {"integer": 1, "long": 1, "boolean": True, "list": [], "map": {}}.get(kind, "computed")
