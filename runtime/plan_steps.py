"""The plan's steps: what one runs, what goes in and comes out, on how many nodes, under which settings.

Also what is said once per flow (parameters, secrets, schedules) and the control values that a task computes. Sizes are
bytes, durations are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from .plan_codec import Json
from .plan_values import Operand, Value

# The largest gang. Each node has a connection to node 0.
MOST_NODES = 10_000

# --- the flow ---


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
    """The number of a gang's nodes.

    A number that no gang can have does not fail the task that computes it, since the gang may stand in an arm that is
    never taken: the control value is then 1, and that node says what is wrong and fails before its body starts.
    """

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
