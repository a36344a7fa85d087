"""The plan: what the compiler hands to the runtime and to every back end.

Takes nothing of the compiler; gives frozen dataclasses, `dump(plan)` (canonical JSON text) and `load(text)`.
A plan is target-neutral: a tree of nodes, per step its body, its inputs and where each value comes from, its outputs,
the gang it runs on and the settings that matter while it runs. It travels inside the code bundle, as PLAN_FILE.

**Instances.** A node inside `FanOut`s and `Loop`s runs many times. An instance is the path of their indexes, outermost
first: the item's place, or the turn, from 0. The flow's own nodes have the empty path.

**Values** are read on a path, at first that of the reader. `FromStep` reads the instance whose path is the beginning of
that path, as long as its step needs. `Gather`, `LastTurn` and `Previous` name a block: they cut the path where that
block stands and add one index of it.

**Control values** are what an engine has to know: an index list, the number of an arm, whether a loop ends, the size of
a gang. The task that computes one writes it into its commit, and `Decided` says which task that is: its instance is
again the beginning of the path.

`load` refuses a plan of another version and any plan that has not exactly the known members, with `PlanError`:
a runtime that half understands a plan would give a wrong result instead of a clear failure.

Sizes are bytes, durations are seconds. A float that JSON cannot write (nan, an infinity) stands as the string
"nan", "inf" or "-inf", see `flowc.runtime.values`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, TypeAlias

from .plan_codec import Json, PlanError, decode, encode
from .plan_steps import (
    MOST_NODES,
    Body,
    Call,
    Choice,
    Command,
    Control,
    Decided,
    DeepSpeed,
    Ends,
    EnvVar,
    Framework,
    Gang,
    Input,
    Items,
    Mpi,
    Output,
    Param,
    Plain,
    Ray,
    Schedule,
    Script,
    Secret,
    Settings,
    Size,
    Step,
    TargetSettings,
    TensorFlow,
    Torchrun,
)
from .plan_values import (
    Compare,
    Const,
    Either,
    Format,
    FromItem,
    FromParam,
    FromRun,
    FromStep,
    Gather,
    InRef,
    LastTurn,
    Logic,
    MakeList,
    MakeObject,
    Member,
    Not,
    Operand,
    OutRef,
    Previous,
    RunId,
    SecretRef,
    Text,
    Value,
)

__all__ = [
    "BEGIN",
    "MOST_NODES",
    "PLAN_FILE",
    "PLAN_VERSION",
    "Arm",
    "Block",
    "Body",
    "Branch",
    "Call",
    "Choice",
    "Command",
    "Compare",
    "Const",
    "Control",
    "Decided",
    "Decision",
    "DeepSpeed",
    "Either",
    "Ends",
    "EnvVar",
    "FanOut",
    "Format",
    "Framework",
    "FromItem",
    "FromParam",
    "FromRun",
    "FromStep",
    "Gang",
    "Gather",
    "InRef",
    "Input",
    "Items",
    "Json",
    "LastTurn",
    "Logic",
    "Loop",
    "MakeList",
    "MakeObject",
    "Member",
    "Mpi",
    "Node",
    "Not",
    "Operand",
    "OutRef",
    "Output",
    "Param",
    "Place",
    "Plain",
    "Plan",
    "PlanError",
    "Previous",
    "Ray",
    "RunId",
    "Schedule",
    "Script",
    "Secret",
    "SecretRef",
    "Settings",
    "Size",
    "Step",
    "TargetSettings",
    "TensorFlow",
    "Text",
    "Torchrun",
    "Value",
    "dump",
    "inside",
    "load",
]

PLAN_VERSION = 2

# The decision on everything that hangs on parameters alone. All others are called `decide.` and their control value,
# and a loop variable may be called `begin`.
BEGIN = "begin.params"

# The name under which the plan lies in the code bundle; the leading dot keeps it apart from the user's files.
PLAN_FILE = ".flowc-plan.json"


# --- what holds steps ---


@dataclass(frozen=True, slots=True)
class Decision:
    """A small task that computes control values that no step can; `begin.params` those of parameters alone."""

    kind: ClassVar[str] = "decision"
    name: str
    needs: tuple[str, ...]
    controls: tuple[Control, ...]


@dataclass(frozen=True, slots=True)
class FanOut:
    """`foreach name in items max limit`: the nodes once per index that was `decided`, at most `limit` at a time."""

    kind: ClassVar[str] = "fan_out"
    name: str
    line: int
    doc: str
    items: Value
    limit: int | None
    decided: Decided
    needs: tuple[str, ...]
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Arm:
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """`if … else …`: the arm whose number was `decided`, if there is one. `total`: there always is."""

    kind: ClassVar[str] = "branch"
    name: str
    line: int
    doc: str
    decided: Decided
    total: bool
    needs: tuple[str, ...]
    arms: tuple[Arm, ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """`repeat max limit`: the nodes turn by turn until the turn was `decided` to be the last, at most `limit` turns."""

    kind: ClassVar[str] = "loop"
    name: str
    line: int
    doc: str
    limit: int
    decided: Decided
    needs: tuple[str, ...]
    nodes: tuple[Node, ...]


Node: TypeAlias = Step | Decision | FanOut | Branch | Loop
Block: TypeAlias = FanOut | Branch | Loop


def inside(node: Node) -> tuple[tuple[Node, ...], ...]:
    """The nodes directly inside a node, by arm; empty for a step or a decision."""
    match node:
        case FanOut() | Loop():
            return (node.nodes,)
        case Branch():
            return tuple(arm.nodes for arm in node.arms)
        case Step() | Decision():
            return ()


@dataclass(frozen=True, slots=True)
class Place:
    """One block around a node; `arm` is the number of the arm of a `Branch`, 0 elsewhere."""

    block: Block
    arm: int


# No slots: what is derived is made on demand and kept.
@dataclass(frozen=True)
class Plan:
    """A whole flow. Nodes stand in declaration order, in each region its decisions first.

    `finals` run last, whatever happened before: steps, and decisions on the size of their gangs. `timeout` is the
    flow's own, in seconds.
    """

    flow: str
    source: str
    timeout: int | None
    params: tuple[Param, ...]
    nodes: tuple[Node, ...]
    finals: tuple[Node, ...] = ()
    secrets: tuple[Secret, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    on: tuple[TargetSettings, ...] = ()

    @cached_property
    def _index(self) -> dict[str, tuple[Node, tuple[Place, ...]]]:
        return {node.name: (node, chain) for node, chain in self._walk()}

    def _walk(self) -> Iterator[tuple[Node, tuple[Place, ...]]]:
        left: list[tuple[Node, tuple[Place, ...]]] = [(node, ()) for node in reversed((*self.nodes, *self.finals))]
        while left:
            node, chain = left.pop()
            yield node, chain
            for arm, nodes in reversed(tuple(enumerate(inside(node)))):
                assert isinstance(node, (FanOut, Branch, Loop))
                left += [(each, (*chain, Place(node, arm))) for each in reversed(nodes)]

    @cached_property
    def all_nodes(self) -> tuple[Node, ...]:
        """All nodes of all regions, those of `finals` last; a block stands before what it holds."""
        return tuple(node for node, _ in self._index.values())

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """All steps, those in blocks and in `finally` too, in declaration order."""
        return tuple(node for node in self.all_nodes if isinstance(node, Step))

    def node(self, name: str) -> Node:
        if name not in self._index:
            raise PlanError(f"the plan of flow {self.flow!r} has no node {name!r}")
        return self._index[name][0]

    def chain(self, name: str) -> tuple[Place, ...]:
        """The blocks around a node, outermost first."""
        return self._index[self.node(name).name][1]

    def depth(self, name: str) -> int:
        """How many indexes an instance of this node has."""
        return sum(1 for place in self.chain(name) if not isinstance(place.block, Branch))

    def is_final(self, name: str) -> bool:
        """Whether a node stands in `finally`."""
        return any(node.name == name for node in self.finals)

    def step(self, name: str) -> Step:
        step = self._index[name][0] if name in self._index else None
        if not isinstance(step, Step):
            raise PlanError(f"the plan of flow {self.flow!r} has no step {name!r}")
        return step


# --- JSON ---


def dump(plan: Plan) -> str:
    """The plan as canonical JSON: keys in the order of the dataclasses, no spaces, one trailing newline."""
    return json.dumps({"version": PLAN_VERSION, **encode(plan)}, separators=(",", ":"), ensure_ascii=True) + "\n"


def load(text: str) -> Plan:
    """Read what `dump` wrote; `PlanError` for anything else."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise PlanError(f"the plan is not JSON: {error}") from None
    if not isinstance(data, dict) or "version" not in data:
        raise PlanError("the plan has no version")
    version = data.pop("version")
    if type(version) is not int or version != PLAN_VERSION:
        raise PlanError(f"the plan has version {version!r}, this runtime reads version {PLAN_VERSION}")
    plan = decode(Plan, data, "plan")
    assert isinstance(plan, Plan)
    return plan
