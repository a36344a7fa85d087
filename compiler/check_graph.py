"""The graph: no step and no block may wait for itself, whichever way round.

Takes a `Model`; gives diagnostics. Each region has a graph of its own, so a ring is told by the siblings in it, with
the references that make it. Rings that share a node are one diagnostic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from flowc.dsl.diagnostics import Diagnostic, Label

from . import graph_faults as faults
from .model import Edge, Loop, Model, Region, regions_of

if TYPE_CHECKING:
    import networkx


def graph(model: Model) -> Iterator[Diagnostic]:
    place = {node.name: number for number, node in enumerate(model.nodes)}
    regions: dict[str, Region] = {}
    for region, edges in model.edges_by_region.items():
        yield from (_itself(model, edge) for edge in _first_of_each(edges))
        others = [edge for edge in edges if edge.source != edge.target]
        # Most people write every step below those it waits for: no graph is needed to see it.
        if any(place[edge.source] > place[edge.target] for edge in others) and _has_ring(others):
            regions = regions or _regions(model)
            yield from _rings(model, regions[region], place)


def _first_of_each(edges: Sequence[Edge]) -> Iterator[Edge]:
    """Of the edges from a node to itself one per node."""
    known = set()
    for edge in edges:
        if edge.source == edge.target and edge.source not in known:
            known.add(edge.source)
            yield edge


def _itself(model: Model, edge: Edge) -> Diagnostic:
    node, reference = model.node(edge.target), edge.reference
    loops = [each.block for each in model.chain(edge.target) if isinstance(each.block, Loop)]
    read = None if reference.output is None else f"{reference.step}.{reference.output}"
    return faults.waits_for_itself(node, reference.step, read, reference.span, loops[-1] if loops else None)


def _regions(model: Model) -> dict[str, Region]:
    inner = (region for node in model.nodes for region in regions_of(node))
    return {region.name: region for region in (model.region, model.finals, *inner)}


# --- rings ------------------------------------------------------------------------------------------------------------


def _has_ring(edges: Sequence[Edge]) -> bool:
    """Sooner said than by networkx, which takes longer to load than most flows to check."""
    from graphlib import CycleError, TopologicalSorter

    waits: dict[str, list[str]] = {}
    for edge in edges:
        waits.setdefault(edge.target, []).append(edge.source)
    try:
        TopologicalSorter(waits).prepare()
    except CycleError:
        return True
    return False


def _rings(model: Model, region: Region, place: dict[str, int]) -> Iterator[Diagnostic]:
    import networkx

    graph = model.graph(region)
    because: dict[tuple[str, str], Edge] = {}
    for edge in model.edges_by_region[region.name]:
        because.setdefault((edge.source, edge.target), edge)
    for component in networkx.strongly_connected_components(graph):
        if len(component) > 1:
            ring = _shortest_ring(graph, component, min(component, key=place.__getitem__))
            edges = [because[source, node] for node, source in zip(ring, (*ring[1:], ring[0]), strict=True)]
            names = [faults.called(model.node(name)) for name in ring]
            yield faults.cycle(names, [_cause(model, edge) for edge in edges], _of_a_turn(model, edges))


def _shortest_ring(graph: networkx.DiGraph[str], component: set[str], first: str) -> list[str]:
    """From `first` along those that each one waits for, and back to it."""
    came_from: dict[str, str] = {}
    at = [first]
    while at:
        following = []
        for name in at:
            for source in graph.predecessors(name):
                if source == first and name != first:
                    ring = [name]
                    while ring[-1] != first:
                        ring.append(came_from[ring[-1]])
                    return ring[::-1]
                if source in component and source not in came_from and source != first:
                    came_from[source] = name
                    following.append(source)
        at = following
    raise AssertionError(f"{first} is in no ring")


def _of_a_turn(model: Model, edges: Sequence[Edge]) -> str | None:
    """The first output that is read from one step to another in a turn of a loop: the turn before may be meant."""
    for edge in edges:
        reader, step, output = edge.reader, edge.reference.step, edge.reference.output
        in_loop = any(isinstance(place.block, Loop) for place in model.chain(edge.target))
        if in_loop and output is not None and (reader, step) == (edge.target, edge.source):
            return f"{step}.{output}"
    return None


def _cause(model: Model, edge: Edge) -> Label:
    """Why the one waits for the other, with the steps that are inside blocks."""
    waiting, source = faults.called(model.node(edge.target)), faults.called(model.node(edge.source))
    reader = faults.called(model.node(edge.reader))
    subject = waiting if edge.reader == edge.target else f"{reader} in {waiting}"
    thing = source if edge.reference.step == edge.source else f"`{edge.reference.step}` in {source}"
    return Label(edge.reference.span, f"{subject} waits for {thing}")
