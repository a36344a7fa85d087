"""The drawing: what a picture of a flow shows, before any format.

Items are nodes (steps, and a `choice` for every `if`) and clusters, the boxes around them. They stand in the order of
the file, a box before what is in it, so that a renderer walks them once, however deep they nest. An edge leads from a
node to a node, or to a cluster where the whole block waits. Ids are the model's names: no two items share one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from typing import Literal, TypeAlias

NodeKind: TypeAlias = Literal["step", "choice"]
ClusterKind: TypeAlias = Literal["foreach", "arm", "repeat", "finally"]
_WIDEST = 80  # characters of a head that are shown

# data: outputs are read. after: order alone. choice: from an `if` to its arms. carried: from the turn before.
EdgeKind: TypeAlias = Literal["data", "after", "choice", "carried"]


@dataclass(frozen=True, slots=True)
class Gang:
    """`size` and `framework` as written: `4` or `workers`, `torchrun` or None."""

    size: str
    framework: str | None

    def __str__(self) -> str:
        times = f"×{self.size}"
        return f"{times} {self.framework}" if self.framework else times


@dataclass(frozen=True, slots=True)
class Node:
    """`parent` is the cluster around it; `line` counts from 1."""

    id: str
    kind: NodeKind
    parent: str | None
    line: int
    doc: str = ""
    gang: Gang | None = None
    allow_failure: bool = False
    cache: bool = False

    @property
    def label(self) -> str:
        return self.id if self.kind == "step" else "if"

    @property
    def marks(self) -> tuple[str, ...]:
        """What is unusual about it, in a word or two each."""
        marks = (str(self.gang or ""), "may fail" if self.allow_failure else "", "cached" if self.cache else "")
        return tuple(filter(None, marks))


@dataclass(frozen=True, slots=True)
class Cluster:
    """`text` is the block's head, `repeat max 5 until eval.loss < 0.1`, as written but on one line."""

    id: str
    kind: ClusterKind
    text: str
    parent: str | None
    line: int
    doc: str = ""

    @property
    def label(self) -> str:
        """The head, cut where it would make the box wider than what is in it ever is."""
        return self.text if len(self.text) <= _WIDEST else f"{self.text[: _WIDEST - 1]}…"


Item: TypeAlias = Node | Cluster


@dataclass(frozen=True, slots=True)
class Output:
    """An output that is read; `stars` counts the lists that it is gathered into."""

    name: str
    stars: int

    def __str__(self) -> str:
        return f"{'[*]' * self.stars}.{self.name}" if self.stars else self.name


@dataclass(frozen=True, slots=True)
class Edge:
    """`line` is that of the first reference that causes it."""

    source: str
    target: str
    kind: EdgeKind
    outputs: tuple[Output, ...]
    line: int

    @property
    def label(self) -> str:
        names = ", ".join(map(str, self.outputs))
        return f"previous {names}" if self.kind == "carried" else names


@dataclass(frozen=True, slots=True)
class Opened:
    """A cluster begins."""

    cluster: Cluster


@dataclass(frozen=True, slots=True)
class Closed:
    """The cluster that was opened last ends."""


# No slots: what is derived is made on demand and kept.
@dataclass(frozen=True)
class Drawing:
    flow: str
    doc: str
    items: tuple[Item, ...]
    edges: tuple[Edge, ...]

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        return tuple(item for item in self.items if isinstance(item, Node))

    @cached_property
    def clusters(self) -> tuple[Cluster, ...]:
        return tuple(item for item in self.items if isinstance(item, Cluster))

    def walk(self) -> Iterator[tuple[int, Opened | Node | Closed]]:
        """Nodes, and where clusters open and close, each with the number of clusters around it."""
        around: list[str] = []
        for item in self.items:
            while around and around[-1] != item.parent:
                around.pop()
                yield len(around), Closed()
            if isinstance(item, Cluster):
                yield len(around), Opened(item)
                around.append(item.id)
            else:
                yield len(around), item
        while around:
            around.pop()
            yield len(around), Closed()

    @cached_property
    def depths(self) -> dict[str, int]:
        """The length of the longest way to an item; to one in a cluster every way leads through the cluster's head."""
        before: dict[str, list[str]] = {item.id: [item.parent] if item.parent else [] for item in self.items}
        for edge in self.edges:
            if edge.kind != "carried":
                before[edge.target].append(edge.source)
        depths: dict[str, int] = {}
        for name in TopologicalSorter(before).static_order():
            depths[name] = 1 + max((depths[other] for other in before[name]), default=-1)
        return depths

    @cached_property
    def entries(self) -> dict[str, str]:
        """The node of each cluster that comes first, for formats whose edges lead to nodes alone."""
        parents = {item.id: item.parent for item in self.items}
        entries: dict[str, str] = {}
        for node in sorted(self.nodes, key=lambda node: self.depths[node.id]):
            cluster = node.parent
            while cluster is not None and cluster not in entries:
                entries[cluster] = node.id
                cluster = parents[cluster]
        return entries

    @cached_property
    def last(self) -> str | None:
        """The node that comes last before `finally`, which is drawn below it; None where there is no `finally`."""
        if not any(cluster.kind == "finally" for cluster in self.clusters):
            return None
        nodes = [node.id for node in self.nodes if node.parent != FINALLY]
        return max(nodes, key=lambda name: self.depths[name], default=None)


# No step and no block can be called that.
FINALLY = "finally"
