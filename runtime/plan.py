"""The plan: what the compiler hands to the runtime and to every back end.

Takes nothing of the compiler; gives frozen dataclasses, `dump(plan)` (canonical JSON text) and `load(text)`.
A plan is target-neutral: per step its body, its inputs and where each value comes from, its outputs, the gang it
runs on and the settings that matter while it runs. It travels inside the code bundle as `plan.json`.

`load` refuses a plan of another version and any plan that has not exactly the known members, with `PlanError`:
a runtime that half understands a plan would give a wrong result instead of a clear failure.

Sizes are bytes, durations are seconds. A float that JSON cannot write (nan, an infinity) stands as the string
"nan", "inf" or "-inf", see `flowc.runtime.values`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import cache
from types import NoneType, UnionType
from typing import Any, ClassVar, TypeAlias, Union, get_args, get_origin, get_type_hints

PLAN_VERSION = 1

# The name under which the plan lies in the code bundle; the leading dot keeps it apart from the user's files.
PLAN_FILE = ".flowc-plan.json"

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


class PlanError(ValueError):
    """The text is no plan this runtime understands; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of the flow. `type` is written as in the language, for instance `list[string]`."""

    name: str
    type: str
    required: bool
    default: Json


# --- operands: what may stand in argv or in the step's environment ---


@dataclass(frozen=True, slots=True)
class Const:
    """A literal of the flow file."""

    kind: ClassVar[str] = "const"
    value: Json


@dataclass(frozen=True, slots=True)
class InRef:
    """The step's input of this name."""

    kind: ClassVar[str] = "in"
    name: str


@dataclass(frozen=True, slots=True)
class OutRef:
    """The path to write the step's output of this name to."""

    kind: ClassVar[str] = "out"
    name: str


@dataclass(frozen=True, slots=True)
class RunId:
    """`run.id`."""

    kind: ClassVar[str] = "run_id"


Operand: TypeAlias = Const | InRef | OutRef | RunId


# --- where an input's value comes from ---


@dataclass(frozen=True, slots=True)
class FromParam:
    """The run's parameter of this name."""

    kind: ClassVar[str] = "param"
    name: str


@dataclass(frozen=True, slots=True)
class FromStep:
    """An output of another step, found through that step's commit."""

    kind: ClassVar[str] = "step"
    step: str
    output: str


Source: TypeAlias = Const | FromParam | FromStep


@dataclass(frozen=True, slots=True)
class Input:
    name: str
    type: str
    source: Source


@dataclass(frozen=True, slots=True)
class Output:
    name: str
    type: str


# --- bodies ---


@dataclass(frozen=True, slots=True)
class Command:
    """`run [argv…]`: no shell; a list operand expands to several arguments."""

    kind: ClassVar[str] = "command"
    argv: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Script:
    """`run bash '''…'''` or `run python '''…'''`: `language` is "bash" or "python"; `text` is verbatim."""

    kind: ClassVar[str] = "script"
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """`call "file.py:function"`: `target` is `path/to/file.py` (in the bundle) or a dotted module name."""

    kind: ClassVar[str] = "call"
    target: str
    function: str


Body: TypeAlias = Command | Script | Call


@dataclass(frozen=True, slots=True)
class EnvVar:
    name: str
    value: Operand


# --- gangs ---


@dataclass(frozen=True, slots=True)
class Torchrun:
    """`torchrun { … }`: `procs_per_node` processes on each node, started by torch's elastic launcher.

    `port` is the port of the c10d rendezvous on node 0; None lets node 0 take 29500 or, where that is taken, any.
    """

    kind: ClassVar[str] = "torchrun"
    procs_per_node: int
    max_restarts: int
    port: int | None


@dataclass(frozen=True, slots=True)
class Plain:
    """A gang without a framework block: the body runs once on every node."""

    kind: ClassVar[str] = "plain"


Framework: TypeAlias = Plain | Torchrun


@dataclass(frozen=True, slots=True)
class Gang:
    """`parallel(nodes)`: nodes that start together and can reach each other."""

    nodes: int
    framework: Framework


@dataclass(frozen=True, slots=True)
class Settings:
    """Resolved settings: cpu in cores per node, memory and shm in bytes per node, times in seconds.

    `timeout` is per attempt from the start of the body (None: no limit). `start_timeout` bounds the wait for all
    nodes of a gang, from each node's own start. `retry_wait` doubles with every retry.
    """

    image: str
    cpu: float
    memory: int
    gpu: int
    shm: int | None
    timeout: int | None
    start_timeout: int
    retries: int
    retry_wait: int


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `needs` names the steps that must have succeeded first, in declaration order. `line` is 1-based."""

    name: str
    line: int
    doc: str
    body: Body
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    env: tuple[EnvVar, ...]
    needs: tuple[str, ...]
    gang: Gang | None
    settings: Settings

    @property
    def nodes(self) -> int:
        return self.gang.nodes if self.gang else 1


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole flow. `steps` stand in declaration order; `timeout` is the flow's own, in seconds."""

    flow: str
    source: str
    timeout: int | None
    params: tuple[Param, ...]
    steps: tuple[Step, ...]

    def step(self, name: str) -> Step:
        for step in self.steps:
            if step.name == name:
                return step
        raise PlanError(f"the plan of flow {self.flow!r} has no step {name!r}")


# --- JSON ---


def dump(plan: Plan) -> str:
    """The plan as canonical JSON: keys in the order of the dataclasses, no spaces, one trailing newline."""
    return json.dumps({"version": PLAN_VERSION, **_encode(plan)}, separators=(",", ":"), ensure_ascii=True) + "\n"


def load(text: str) -> Plan:
    """Read what `dump` wrote; `PlanError` for anything else."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise PlanError(f"the plan is not JSON: {error}") from None
    if not isinstance(data, dict) or "version" not in data:
        raise PlanError("the plan has no version")
    version = data.pop("version")
    if version != PLAN_VERSION:
        raise PlanError(f"the plan has version {version!r}, this runtime reads version {PLAN_VERSION}")
    plan = _decode(Plan, data, "plan")
    assert isinstance(plan, Plan)
    return plan


def _encode(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_encode(item) for item in value]
    if not hasattr(value, "__dataclass_fields__"):
        return value
    tag = {"kind": value.kind} if hasattr(value, "kind") else {}
    return tag | {field.name: _encode(getattr(value, field.name)) for field in fields(value)}


@cache
def _members(cls: type) -> dict[str, Any]:
    """Member names and types of a plan class, without class variables."""
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in fields(cls)}


def _decode(hint: Any, data: Any, where: str) -> Any:
    if hint == _JSON_HINT:
        return data
    origin = get_origin(hint)
    if origin is tuple:
        if not isinstance(data, list):
            raise PlanError(f"{where} should be a list")
        return tuple(_decode(get_args(hint)[0], item, f"{where}[{index}]") for index, item in enumerate(data))
    if origin in (Union, UnionType):
        return _decode_union(get_args(hint), data, where)
    if hasattr(hint, "__dataclass_fields__"):
        return _decode_object(hint, data, where)
    if hint is float and type(data) is int:
        return float(data)
    if type(data) is not hint:
        raise PlanError(f"{where} should be of type {hint.__name__}, not {type(data).__name__}")
    return data


def _decode_union(options: tuple[Any, ...], data: Any, where: str) -> Any:
    if data is None and NoneType in options:
        return None
    options = tuple(option for option in options if option is not NoneType)
    if len(options) == 1:
        return _decode(options[0], data, where)
    kind = data.get("kind") if isinstance(data, dict) else None
    for option in options:
        if option.kind == kind:
            return _decode_object(option, data, where)
    raise PlanError(f"{where} is of the unknown kind {kind!r}")


def _decode_object(cls: type, data: Any, where: str) -> Any:
    if not isinstance(data, dict):
        raise PlanError(f"{where} should be an object")
    members = _members(cls)
    given = {key: value for key, value in data.items() if not (key == "kind" and hasattr(cls, "kind"))}
    if given.keys() != members.keys():
        odd = sorted(given.keys() ^ members.keys())
        raise PlanError(f"{where} has missing or unknown members: {', '.join(odd)}")
    return cls(**{name: _decode(hint, given[name], f"{where}.{name}") for name, hint in members.items()})


_JSON_HINT = get_type_hints(Param)["default"]
