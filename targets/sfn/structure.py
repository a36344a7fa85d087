"""structure: any DAG as sequences and parallel blocks, which is all that the Amazon States Language can say.

Takes step names in declaration order and what each one needs; gives a `Structure`: a tree of `Leaf`, `Series` and
`Split`, and the waits that had to be added. Every original order is kept. A DAG that is series-parallel (no four steps
in the shape of an N) gets no added wait at all, in whatever way its edges are written.

A region that falls apart into components is a `Split`. A connected one is cut into a `Series` at every place where
all that follows needs all that comes before. Where there is no such place one cut is made by force, with as few added
waits as a simple search finds, and they are reported. Refuses nothing: `needs` must be acyclic and name only `names`.

Sets of steps are integers used as bit sets, bits in topological order; no recursion, so a chain may be long.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Leaf:
    name: str


@dataclass(frozen=True, slots=True)
class Series:
    """One after the other; at least two items."""

    items: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Split:
    """Side by side; at least two branches, in declaration order of their first steps."""

    branches: tuple[Tree, ...]


Tree: TypeAlias = "Leaf | Series | Split"


@dataclass(frozen=True, slots=True)
class Wait:
    """`step` starts only after `others` too, though it needs nothing of them."""

    step: str
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Structure:
    """`depth` counts parallel blocks inside each other."""

    tree: Tree
    waits: tuple[Wait, ...]
    depth: int


# The search for a cheap forced cut looks at (candidates x steps) pairs; beyond this many it takes the best so far.
_SEARCH_BUDGET = 1_000_000


def structure(names: Sequence[str], needs: Mapping[str, Sequence[str]]) -> Structure:
    """The structure of a DAG with at least one step."""
    return _Decomposition(names, needs).run()


class _Decomposition:
    """Working state. Positions are topological, `order[position]` is an index into `names`."""

    def __init__(self, names: Sequence[str], needs: Mapping[str, Sequence[str]]) -> None:
        self.names = names
        index = {name: number for number, name in enumerate(names)}
        direct = [[index[need] for need in needs[name]] for name in names]
        self.order = _topological(direct)
        position = {number: place for place, number in enumerate(self.order)}
        self.ancestors: list[int] = []
        # Direct predecessors without those that another one implies.
        self.direct: list[list[int]] = []
        for number in self.order:
            preds = sorted({position[need] for need in direct[number]})
            implied = 0
            for pred in preds:
                implied |= self.ancestors[pred]
            self.ancestors.append(implied | _bits(preds))
            self.direct.append([pred for pred in preds if not implied >> pred & 1])
        self.descendants = [0] * len(names)
        self.followers: list[list[int]] = [[] for _ in names]
        for place in range(len(names) - 1, -1, -1):
            for pred in self.direct[place]:
                self.descendants[pred] |= self.descendants[place] | 1 << place
                self.followers[pred].append(place)
        self.waits: dict[int, int] = {}

    def run(self) -> Structure:
        """Regions are taken apart top down, those inside appended to the list; then folded into a tree from the end."""
        regions = [list(range(len(self.names)))]
        parts: list[tuple[str, range]] = []
        for region in regions:
            kind, inside = self._take_apart(region)
            parts.append((kind, range(len(regions), len(regions) + len(inside))))
            regions += inside
        return self._fold(regions, parts)

    def _fold(self, regions: list[list[int]], parts: list[tuple[str, range]]) -> Structure:
        trees: list[Tree | None] = [None] * len(regions)
        depths = [0] * len(regions)
        for place in range(len(regions) - 1, -1, -1):  # children stand after their region
            kind, children = parts[place]
            inner = [tree for child in children if (tree := trees[child]) is not None]
            depths[place] = max((depths[child] for child in children), default=0) + (kind == "split")
            if kind == "leaf":
                trees[place] = Leaf(self.names[self.order[regions[place][0]]])
            elif kind == "split":
                trees[place] = Split(tuple(inner))
            else:
                trees[place] = Series(tuple(_flat(inner)))
        root = trees[0]
        assert root is not None
        waits = tuple(self._named(step, others) for step, others in sorted(self.waits.items()))
        return Structure(root, waits, depths[0])

    def _take_apart(self, region: list[int]) -> tuple[str, list[list[int]]]:
        """What a region (positions, ascending) is, and the regions inside it."""
        if len(region) == 1:
            return "leaf", []
        components = self._components(region)
        if len(components) > 1:
            return "split", components
        pieces = self._series(region)
        if len(pieces) == 1:
            pieces = self._forced(region)
        return "series", pieces

    def _components(self, region: list[int]) -> list[list[int]]:
        """Weakly connected parts, by declaration of their first step."""
        parent = {place: place for place in region}

        def root(place: int) -> int:
            while parent[place] != place:
                parent[place] = parent[parent[place]]
                place = parent[place]
            return place

        for place in region:
            for pred in self.direct[place]:
                if pred in parent:
                    parent[root(place)] = root(pred)
        found: dict[int, list[int]] = {}
        for place in region:
            found.setdefault(root(place), []).append(place)
        return sorted(found.values(), key=lambda part: min(self.order[place] for place in part))

    def _series(self, region: list[int]) -> list[list[int]]:
        """The region cut wherever everything after the cut has everything before it among its ancestors.

        One topological order is enough: if the region is a series at all, its first part is a prefix of every order.
        """
        whole = _bits(region)
        shared = [0] * len(region)  # what this place and all later ones have as common ancestors
        common = whole
        for number in range(len(region) - 1, -1, -1):
            common &= self.ancestors[region[number]]
            shared[number] = common
        pieces: list[list[int]] = [[]]
        before = 0
        for number, place in enumerate(region):
            if number and not before & ~shared[number]:
                pieces.append([])
            pieces[-1].append(place)
            before |= 1 << place
        return pieces

    def _forced(self, region: list[int]) -> list[list[int]]:
        """Two pieces, though some step of the second does not need all of the first; records who waits for what."""
        whole = _bits(region)
        first = min(self._candidates(region, whole), key=lambda prefix: self._cost(region, prefix))
        rest = [place for place in region if not first >> place & 1]
        for place in rest:
            if not self.ancestors[place] & whole & ~first:  # the others of this piece come later anyway
                missing = first & ~self.ancestors[place]
                if missing:
                    self.waits[place] = self.waits.get(place, 0) | missing
        return [[place for place in region if first >> place & 1], rest]

    def _candidates(self, region: list[int], whole: int) -> Iterator[int]:
        """Sets to cut after: all that a join waits for, and all that does not wait for a fork.

        A connected region that is no series has a join. Cuts elsewhere, within chains, would only make steps of
        different chains wait for each other.
        """
        inside = set(region)
        seen = {0, whole}
        for place in region:
            sets = []
            if len(inside.intersection(self.direct[place])) > 1:
                sets.append(self.ancestors[place] & whole)
            if len(inside.intersection(self.followers[place])) > 1:
                sets.append(whole & ~self.descendants[place])
            for prefix in sets:
                if prefix not in seen and len(seen) * len(region) < _SEARCH_BUDGET:
                    seen.add(prefix)
                    yield prefix

    def _cost(self, region: list[int], prefix: int) -> int:
        """Pairs of steps that get an order they do not have."""
        return sum((prefix & ~self.ancestors[place]).bit_count() for place in region if not prefix >> place & 1)

    def _named(self, place: int, others: int) -> Wait:
        last = others
        for other in _places(others):
            last &= ~self.ancestors[other]  # who waits for the last of a chain waits for the chain
        ends = sorted(self.order[other] for other in _places(last))
        return Wait(self.names[self.order[place]], tuple(self.names[number] for number in ends))


def _topological(direct: list[list[int]]) -> list[int]:
    """Indexes in an order that respects `direct`; among those that may come next the first declared one."""
    later: list[list[int]] = [[] for _ in direct]
    missing = [len(set(preds)) for preds in direct]
    for number, preds in enumerate(direct):
        for pred in set(preds):
            later[pred].append(number)
    ready = [number for number, count in enumerate(missing) if not count]
    order: list[int] = []
    while ready:
        number = heapq.heappop(ready)
        order.append(number)
        for follower in later[number]:
            missing[follower] -= 1
            if not missing[follower]:
                heapq.heappush(ready, follower)
    assert len(order) == len(direct), "the steps need each other in a circle"
    return order


def _flat(items: list[Tree]) -> Iterator[Tree]:
    """A series inside a series is one series (a forced cut makes them)."""
    for item in items:
        if isinstance(item, Series):
            yield from item.items
        else:
            yield item


def _bits(places: Iterable[int]) -> int:
    result = 0
    for place in places:
        result |= 1 << place
    return result


def _places(bits: int) -> Iterator[int]:
    while bits:
        low = bits & -bits
        yield low.bit_length() - 1
        bits ^= low
