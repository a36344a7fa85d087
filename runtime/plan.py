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

PLAN_VERSION = 2

# The name under which the plan lies in the code bundle; the leading dot keeps it apart from the user's files.
PLAN_FILE = ".flowc-plan.json"


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of the flow. `type` is written as in the language, for instance `list[string]`."""

    name: str
    type: str
    required: bool
    default: Json


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret lives: Kubernetes `name/key`, Secrets Manager `name:key` or `ssm:/path`, a variable here."""

    name: str
    argo: str | None
    sfn: str | None
    local: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """Five POSIX cron fields, and an IANA time zone."""

    cron: str
    zone: str


@dataclass(frozen=True, slots=True)
class TargetSettings:
    """The settings of `on target { … }` that hold here; `values` is an object, in the order of the target's table."""

    target: str
    values: Json


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


@dataclass(frozen=True, slots=True)
class SecretRef:
    """The value of the secret of this name; in the environment only."""

    kind: ClassVar[str] = "secret"
    name: str


@dataclass(frozen=True, slots=True)
class Format:
    """The texts of all parts, one behind the other."""

    kind: ClassVar[str] = "format"
    parts: tuple[Operand, ...]


Operand: TypeAlias = Const | InRef | OutRef | RunId | SecretRef | Format


# --- values: what an input, a condition, a list or a gang's size comes from ---


@dataclass(frozen=True, slots=True)
class FromParam:
    """The run's parameter of this name."""

    kind: ClassVar[str] = "param"
    name: str


@dataclass(frozen=True, slots=True)
class FromItem:
    """The item of the fan-out `block` whose index the path has."""

    kind: ClassVar[str] = "item"
    block: str


@dataclass(frozen=True, slots=True)
class FromRun:
    """`id`, `status` or `failed_step` of the run; the last two are known in `finally` only."""

    kind: ClassVar[str] = "run"
    name: str


@dataclass(frozen=True, slots=True)
class FromStep:
    """An output of another step, found through that step's commit.

    `each`: the list of the values of all nodes, in node order.
    """

    kind: ClassVar[str] = "step"
    step: str
    output: str
    each: bool = False


@dataclass(frozen=True, slots=True)
class Gather:
    """The list of `value` over all indexes of the fan-out `block`, in their order."""

    kind: ClassVar[str] = "gather"
    block: str
    value: Value


@dataclass(frozen=True, slots=True)
class LastTurn:
    """`value` in the last turn of the loop `block`."""

    kind: ClassVar[str] = "last_turn"
    block: str
    value: Value


@dataclass(frozen=True, slots=True)
class Previous:
    """`value` in the turn before this one of the loop `block`; in its first turn `first`, on the path as it is."""

    kind: ClassVar[str] = "previous"
    block: str
    value: Value
    first: Value


@dataclass(frozen=True, slots=True)
class Either:
    """The first that is present.

    A `FromStep` is absent where an arm around its step was not taken, or where its step (which has `allow_failure`) or
    one like it on the way has failed; a value is absent where any part of it is, but for a `Gather`, whose items must
    all be there, and for an `Either` of which one argument is.
    """

    kind: ClassVar[str] = "either"
    args: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Not:
    kind: ClassVar[str] = "not"
    operand: Value


@dataclass(frozen=True, slots=True)
class Logic:
    """`word` is "and" or "or"; from the left, as far as needed."""

    kind: ClassVar[str] = "logic"
    word: str
    operands: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """`sign` is one of == != < <= > >=; numbers by IEEE, ints exactly."""

    kind: ClassVar[str] = "compare"
    sign: str
    left: Value
    right: Value


@dataclass(frozen=True, slots=True)
class Text:
    """The texts of all parts, which are scalars, one behind the other."""

    kind: ClassVar[str] = "text"
    parts: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class MakeList:
    kind: ClassVar[str] = "list"
    items: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Member:
    name: str
    value: Value


@dataclass(frozen=True, slots=True)
class MakeObject:
    kind: ClassVar[str] = "object"
    members: tuple[Member, ...]


Value: TypeAlias = (
    Const
    | FromParam
    | FromItem
    | FromRun
    | FromStep
    | Gather
    | LastTurn
    | Previous
    | Either
    | Not
    | Logic
    | Compare
    | Text
    | MakeList
    | MakeObject
)


# --- control values ---


@dataclass(frozen=True, slots=True)
class Decided:
    """The control value `control` in the commit of `task`, a step or a decision."""

    task: str
    control: str


@dataclass(frozen=True, slots=True)
class Items:
    """The indexes of a fan-out's list: [0, …, n-1]."""

    kind: ClassVar[str] = "items"
    name: str
    value: Value


@dataclass(frozen=True, slots=True)
class Choice:
    """The number of the first condition that holds; where none does, their count: the last `else`, or no arm."""

    kind: ClassVar[str] = "choice"
    name: str
    conditions: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Ends:
    """Whether a loop's turn is the last: `value`."""

    kind: ClassVar[str] = "ends"
    name: str
    value: Value


@dataclass(frozen=True, slots=True)
class Size:
    """The number of a gang's nodes; less than 1 or more than flowc allows fails the task that computes it."""

    kind: ClassVar[str] = "size"
    name: str
    value: Value


Control: TypeAlias = Items | Choice | Ends | Size


# --- steps ---


@dataclass(frozen=True, slots=True)
class Input:
    """`type` is what `value` is read as; an int may become a float."""

    name: str
    type: str
    value: Value


@dataclass(frozen=True, slots=True)
class Output:
    """`each`: one value per node of the gang."""

    name: str
    type: str
    each: bool = False


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


@dataclass(frozen=True, slots=True)
class DeepSpeed:
    """`deepspeed { … }`: `launcher` is "torchrun", "pdsh" or "openmpi"; `config` a JSON file of the bundle."""

    kind: ClassVar[str] = "deepspeed"
    procs_per_node: int
    launcher: str
    config: str | None


@dataclass(frozen=True, slots=True)
class TensorFlow:
    """`tensorflow { … }`: TF_CONFIG on every node, node 0 as `chief` where asked."""

    kind: ClassVar[str] = "tensorflow"
    port: int | None
    chief: bool


@dataclass(frozen=True, slots=True)
class Ray:
    """`ray { … }`: a cluster over all nodes; the body is the driver, on node 0. `object_store_memory` in bytes."""

    kind: ClassVar[str] = "ray"
    port: int | None
    dashboard: bool
    object_store_memory: int | None


@dataclass(frozen=True, slots=True)
class Mpi:
    """`mpi { … }`: mpirun from node 0; `implementation` is "openmpi" or "mpich", `args` go to mpirun."""

    kind: ClassVar[str] = "mpi"
    procs_per_node: int
    implementation: str
    args: tuple[str, ...]


Framework: TypeAlias = Plain | Torchrun | DeepSpeed | TensorFlow | Ray | Mpi


@dataclass(frozen=True, slots=True)
class Gang:
    """`parallel(nodes)`: nodes that start together and can reach each other.

    `nodes` is None where the number is a control value, `decided`. `main` is node 0's settings, where it has its own.
    """

    nodes: int | None
    framework: Framework
    decided: Decided | None = None
    main: Settings | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Resolved settings: cpu in cores per node, memory and shm in bytes per node, times in seconds.

    `timeout` is per attempt from the start of the body (None: no limit). `start_timeout` bounds the wait for all
    nodes of a gang, from each node's own start. `retry_wait` doubles with every retry. `allow_failure`: the run goes on
    when all attempts have failed. `cache`: equal earlier outputs are taken instead of running.
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
    allow_failure: bool = False
    cache: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `line` is 1-based.

    `needs` names the nodes of the same region that must be over first, in their order there. `controls` are the control
    values that this step computes when its body is done.
    """

    kind: ClassVar[str] = "step"
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
    on: tuple[TargetSettings, ...] = ()
    controls: tuple[Control, ...] = ()

    @property
    def nodes(self) -> int:
        """The number of nodes where it is fixed; 1 without a gang."""
        return 1 if self.gang is None else self.gang.nodes or 1


# --- what holds steps ---


@dataclass(frozen=True, slots=True)
class Decision:
    """A small task that computes control values that no step can; `begin` those of parameters alone."""

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
    """A whole flow. Nodes stand in declaration order, decisions first; `timeout` is the flow's own, in seconds."""

    flow: str
    source: str
    timeout: int | None
    params: tuple[Param, ...]
    nodes: tuple[Node, ...]
    finals: tuple[Step, ...] = ()
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
    def steps(self) -> tuple[Step, ...]:
        """All steps, those in blocks and in `finally` too, in declaration order."""
        return tuple(node for node, _ in self._index.values() if isinstance(node, Step))

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
    if version != PLAN_VERSION:
        raise PlanError(f"the plan has version {version!r}, this runtime reads version {PLAN_VERSION}")
    plan = decode(Plan, data, "plan")
    assert isinstance(plan, Plan)
    return plan
