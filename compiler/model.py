"""The model: a flow with its names resolved, its types known and its settings filled in.

Made by `resolve`, read by `check`, `lower` and, inside a `Build`, by the back ends. Frozen; nothing is filled in later.
A flow is a hierarchy of regions: the nodes of a region are steps and the blocks `FanOut`, `Branch` and `Loop`, which
hold regions again. Each region has a graph: an edge leads from a node to one that waits for it, lifted to where both
are siblings.

Where a name or a value could not be resolved stands `Unresolved` or the type `UNKNOWN`, which agree with everything, so
that one mistake is reported once; `lower` and the back ends only ever see models without them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

from flowc.dsl.spans import Source, Span
from flowc.runtime import plan
from flowc.runtime.plan import Json

from .values import Operand, Reference, Type, Value, references

if TYPE_CHECKING:
    import networkx

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
class Secret:
    """Where a secret's value lives, as written; None where a target has no entry (local: the name in capitals)."""

    name: str
    argo: str | None
    sfn: str | None
    local: str | None
    doc: str
    span: Span


@dataclass(frozen=True, slots=True)
class Schedule:
    """Five POSIX cron fields, and an IANA time zone."""

    cron: str
    zone: str
    span: Span


@dataclass(frozen=True, slots=True)
class TargetSetting:
    """A setting of `on target { … }`, checked against that target's table. `origin`: as in `Origin`."""

    target: str
    name: str
    value: Json
    origin: OriginWord
    span: Span


@dataclass(frozen=True, slots=True)
class Input:
    name: str
    type: Type
    value: Value
    span: Span


@dataclass(frozen=True, slots=True)
class Output:
    """`type` is that of one value; with `each` every node of the gang has one."""

    name: str
    type: Type
    each: bool
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

OriginWord: TypeAlias = Literal["step", "defaults", "flow", "built-in", "computed"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the value of one setting comes from, the value written as a user would.

    `name` is `cpu`, `torchrun.port`, `main.gpu`, `argo.queue`, `env.PATH`; `span` is the setting's place in the file,
    None for built-in values.
    """

    name: str
    value: str
    origin: OriginWord
    span: Span | None


@dataclass(frozen=True, slots=True)
class Gang:
    """`parallel(nodes)`: a number, or a value of type int that is known when the run comes there.

    `framework` is None where the block that was written is not known. `block` is the framework block's name and place.
    `main` is node 0's settings, whole, where it has a `main` block.
    """

    nodes: int | Value
    framework: plan.Framework | None
    block: tuple[str, Span] | None
    main: plan.Settings | None
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
    on: tuple[TargetSetting, ...]
    origins: tuple[Origin, ...]
    span: Span

    def references(self) -> tuple[Reference, ...]:
        """The steps that this one waits for, with the reason, in the order of the file; a step may come twice."""
        size = () if self.gang is None or isinstance(self.gang.nodes, int) else (self.gang.nodes,)
        return (
            *references(*(item.value for item in self.inputs), *size),
            *(Reference(step, None, span) for step, span in self.after),
        )


@dataclass(frozen=True, slots=True)
class Region:
    """The nodes of one block, or of the flow itself, in the order of the file.

    `name` is that of the block, with the arm's number behind a slash in a branch (`if.publish/0`); "" is the flow's
    own region, "finally" that of its last steps.
    """

    name: str
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class FanOut:
    """`foreach name in items`: the region once per item, at most `limit` at a time.

    The loop variable's name is the block's own. `item` is the type of an item; `span` is the variable's place.
    """

    name: str
    doc: str
    line: int
    items: Value
    item: Type
    limit: int | None
    region: Region
    span: Span

    def references(self) -> tuple[Reference, ...]:
        return tuple(references(self.items))


@dataclass(frozen=True, slots=True)
class Arm:
    """`condition` is None for the last `else`; `span` is the arm's head."""

    condition: Value | None
    region: Region
    span: Span


@dataclass(frozen=True, slots=True)
class Branch:
    """`if … else …`: the region of the first arm whose condition holds, or none.

    The name is made from the steps inside, `if.publish`, since the language gives it none.
    """

    name: str
    doc: str
    line: int
    arms: tuple[Arm, ...]
    span: Span

    @property
    def total(self) -> bool:
        """One of the arms is always taken."""
        return self.arms[-1].condition is None

    def references(self) -> tuple[Reference, ...]:
        return tuple(references(*(arm.condition for arm in self.arms if arm.condition is not None)))


@dataclass(frozen=True, slots=True)
class Loop:
    """`repeat max limit { … } until until`: the region turn by turn. Named like a `Branch`, `repeat.train`.

    `until` is read inside the region, at the end of each turn.
    """

    name: str
    doc: str
    line: int
    limit: int
    region: Region
    until: Value
    span: Span

    def references(self) -> tuple[Reference, ...]:
        return tuple(references(self.until))


Block: TypeAlias = FanOut | Branch | Loop
Node: TypeAlias = Step | FanOut | Branch | Loop


@dataclass(frozen=True, slots=True)
class Place:
    """One block around a node; `arm` is the number of the arm of a `Branch`, 0 elsewhere."""

    block: Block
    arm: int


@dataclass(frozen=True, slots=True)
class Edge:
    """`target` waits for `source`, both in the same region; `reader` is the node that holds the reference."""

    source: str
    target: str
    reader: str
    reference: Reference


def regions_of(node: Node) -> tuple[Region, ...]:
    """The regions directly inside a node, in the order of the file."""
    match node:
        case FanOut() | Loop():
            return (node.region,)
        case Branch():
            return tuple(arm.region for arm in node.arms)
        case Step():
            return ()


# No slots: what is derived is made on demand and kept.
@dataclass(frozen=True)
class Model:
    """A whole flow; nodes in the order of the file, each name once. `finals` is the region of `finally`."""

    source: Source
    name: str
    doc: str
    params: tuple[Param, ...]
    secrets: tuple[Secret, ...]
    schedules: tuple[Schedule, ...]
    timeout: int | None
    on: tuple[TargetSetting, ...]
    region: Region
    finals: Region
    span: Span

    @cached_property
    def _index(self) -> dict[str, tuple[Node, tuple[Place, ...]]]:
        """Every node and the blocks around it, in the order of the file; a loop, since no depth may be too much."""
        index: dict[str, tuple[Node, tuple[Place, ...]]] = {}
        left: list[tuple[Node, tuple[Place, ...]]] = []
        left += [(node, ()) for region in (self.finals, self.region) for node in reversed(region.nodes)]
        while left:
            node, chain = index.setdefault(left[-1][0].name, left.pop())
            for arm, region in reversed(tuple(enumerate(regions_of(node)))):
                assert not isinstance(node, Step)
                left += [(inner, (*chain, Place(node, arm))) for inner in reversed(region.nodes)]
        return index

    def chain(self, node: str) -> tuple[Place, ...]:
        """The blocks around a node, outermost first."""
        return self._index[node][1]

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes of all regions, `finally` included, in the order of the file; a block stands before its nodes."""
        return tuple(node for node, _ in self._index.values())

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """All steps of all regions, `finally` included, in the order of the file."""
        return tuple(node for node in self.nodes if isinstance(node, Step))

    @cached_property
    def final_names(self) -> frozenset[str]:
        return frozenset(node.name for node in self.finals.nodes)

    def node(self, name: str) -> Node:
        return self._index[name][0]

    def step(self, name: str) -> Step:
        step = self.node(name)
        assert isinstance(step, Step)
        return step

    def span_of(self, node: str) -> Span:
        """The place of a node: of a step, its name."""
        return self.node(node).span

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """All edges of all regions, in the order of the references in the file.

        No edges are references out of `finally`, those carried from the turn before, and those of an `until` to its own
        block: what they read is over by the rules of the language. Neither are those between arms of one `if`, of which
        only one is taken.
        """
        return tuple(edge for node in self.nodes for edge in self._edges(node))

    def _edges(self, node: Node) -> Iterator[Edge]:
        for reference in node.references():
            if (node.name in self.final_names) != (reference.step in self.final_names):
                continue
            if any(place.block.name in reference.carried for place in self.chain(reference.step)):
                continue
            source, target = self.lifted(reference.step, node.name)
            if source == target and (source != node.name or isinstance(node, Loop)):
                continue
            yield Edge(source, target, node.name, reference)

    def lifted(self, one: str, other: str) -> tuple[str, str]:
        """The names of the siblings that are, or hold, the two nodes; equal where one node is, or holds, the other."""
        ways = [(*((place.block.name, place.arm) for place in self.chain(name)), (name, -1)) for name in (one, other)]
        for first, second in zip(*ways, strict=False):
            if first != second:
                return first[0], second[0]
        return one, other

    @cached_property
    def edges_by_region(self) -> dict[str, tuple[Edge, ...]]:
        """The edges between the nodes of each region, by the region's name; regions without any are missing."""
        found: dict[str, list[Edge]] = {}
        for edge in self.edges:
            chain = self.chain(edge.source)
            inside = regions_of(chain[-1].block)[chain[-1].arm].name if chain else self._top(edge.source)
            found.setdefault(inside, []).append(edge)
        return {name: tuple(edges) for name, edges in found.items()}

    def _top(self, node: str) -> str:
        return (self.finals if node in self.final_names else self.region).name

    def graph(self, region: Region) -> networkx.DiGraph[str]:
        """Nodes are the names in the region; an edge leads from a node to one that waits for it.

        The edge's attribute `references` is the tuple of `Reference`s that cause it.
        """
        import networkx

        graph: networkx.DiGraph[str] = networkx.DiGraph()
        graph.add_nodes_from(node.name for node in region.nodes)
        for edge in self.edges_by_region.get(region.name, ()):
            ends = edge.source, edge.target
            known = graph.edges[ends]["references"] if graph.has_edge(*ends) else ()
            graph.add_edge(*ends, references=(*known, edge.reference))
        return graph


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
