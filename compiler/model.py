"""The model: a flow with its names resolved, its types known and its settings filled in.

Made by `resolve`, read by `check`, `lower` and, inside a `Build`, by the back ends. Frozen; nothing is filled in later.
Where a name or a value could not be resolved stands `Unresolved` or the type `UNKNOWN`, which agree with everything, so
that one mistake is reported once; `lower` and the back ends only ever see models without them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from flowc.dsl import tables
from flowc.dsl.spans import Source, Span
from flowc.runtime import plan
from flowc.runtime.plan import Json

if TYPE_CHECKING:
    import networkx

# --- types ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scalar:
    """string, int, float, bool."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Artifact:
    """file, dir."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class ListOf:
    item: Type

    def __str__(self) -> str:
        return f"list[{self.item}]"


@dataclass(frozen=True, slots=True)
class UnknownType:
    """Agrees with everything; a diagnostic exists already."""

    def __str__(self) -> str:
        return "?"


Type: TypeAlias = Scalar | Artifact | ListOf | UnknownType

STRING, INT, FLOAT, BOOL = (Scalar(name) for name, row in tables.TYPES.items() if row.scalar)
UNKNOWN = UnknownType()


# --- values -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Constant:
    value: Json
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class ParamRef:
    name: str
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class OutputRef:
    """Another step's output."""

    step: str
    output: str
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class InputRef:
    """The step's own input of this name."""

    name: str
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class OutputPath:
    """The path to write the step's own output of this name to."""

    name: str
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class RunId:
    span: Span


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Something that could not be resolved; a diagnostic exists already."""

    span: Span


# What an `in` may be, and what may stand in argv and in the environment.
Value: TypeAlias = Constant | ParamRef | OutputRef | Unresolved
Operand: TypeAlias = Constant | InputRef | OutputPath | RunId | Unresolved


# --- the flow ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Param:
    """`default` counts only if not `required`."""

    name: str
    type: Type
    required: bool
    default: Json
    doc: str
    span: Span


@dataclass(frozen=True, slots=True)
class Input:
    name: str
    type: Type
    value: Value
    span: Span


@dataclass(frozen=True, slots=True)
class Output:
    name: str
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class EnvVar:
    name: str
    value: Operand
    span: Span


@dataclass(frozen=True, slots=True)
class Argv:
    items: tuple[Operand, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Script:
    """`span` is the place of the language's name."""

    language: str
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Call:
    """`target` is a path ending in `.py`, or a dotted module; `span` is the place of both together."""

    target: str
    function: str
    span: Span


Body: TypeAlias = Argv | Script | Call


@dataclass(frozen=True, slots=True)
class Gang:
    """`parallel(nodes)`. `framework` is None where the block that was written is not known or not built."""

    nodes: int
    framework: plan.Framework | None
    span: Span


@dataclass(frozen=True, slots=True)
class Reference:
    """Why one step waits for another: it reads `output`, or (None) it says `after`."""

    output: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class Step:
    """`body` is None where none could be read. `after` names steps. `line` counts from 1, `span` is the name's."""

    name: str
    doc: str
    line: int
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    after: tuple[tuple[str, Span], ...]
    env: tuple[EnvVar, ...]
    body: Body | None
    gang: Gang | None
    settings: plan.Settings
    span: Span

    def references(self) -> tuple[tuple[str, Reference], ...]:
        """The steps that this one waits for, with the reason, in the order of the file; a step may come twice."""
        reads = ((item.value.step, item.value) for item in self.inputs if isinstance(item.value, OutputRef))
        return (
            *((step, Reference(value.output, value.span)) for step, value in reads),
            *((step, Reference(None, span)) for step, span in self.after),
        )


# No slots: the graph is made on demand and kept. networkx costs more to import than everything else here.
@dataclass(frozen=True)
class Model:
    """A whole flow; steps in the order of the file, each name once."""

    source: Source
    name: str
    doc: str
    params: tuple[Param, ...]
    steps: tuple[Step, ...]
    timeout: int | None
    span: Span

    @cached_property
    def graph(self) -> networkx.DiGraph[str]:
        """Nodes are the steps' names; an edge leads from a step to one that waits for it.

        The edge's attribute `references` is the tuple of `Reference`s that cause it.
        """
        import networkx

        graph: networkx.DiGraph[str] = networkx.DiGraph(name=self.name)
        graph.add_nodes_from(step.name for step in self.steps)
        for step in self.steps:
            for source, reference in step.references():
                known = graph.edges[source, step.name]["references"] if graph.has_edge(source, step.name) else ()
                graph.add_edge(source, step.name, references=(*known, reference))
        return graph

    @cached_property
    def _steps(self) -> dict[str, Step]:
        return {step.name: step for step in self.steps}

    def step(self, name: str) -> Step:
        return self._steps[name]

    def span_of(self, step: str) -> Span:
        """The place of the step's name."""
        return self._steps[step].span


# --- what back ends take and give -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Build:
    """Everything that a document depends on.

    `source_name` is the file's base name, `source_digest` the sha256 of its text and `bundle_digest` that of the code
    bundle (hex), `store` a URL, `version` flowc's.
    """

    model: Model
    plan: plan.Plan
    source_name: str
    source_digest: str
    bundle_digest: str
    store: str | None
    version: str


@dataclass(frozen=True, slots=True)
class OutFile:
    """A compiled document: its file name and its text."""

    name: str
    text: str
