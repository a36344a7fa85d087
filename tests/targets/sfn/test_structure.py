"""Any DAG as sequences and parallel blocks: order is kept, and nothing is added where nothing has to be."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from flowc.targets.sfn.structure import Leaf, Series, Split, Tree, Wait, structure

Needs = dict[str, list[str]]


def before(tree: Tree) -> set[tuple[str, str]]:
    """All pairs (a, b) where the tree runs a before b."""
    if isinstance(tree, Leaf):
        return set()
    parts = tree.items if isinstance(tree, Series) else tree.branches
    pairs = {pair for part in parts for pair in before(part)}
    if isinstance(tree, Series):
        for number, part in enumerate(parts):
            pairs |= {(a, b) for later in parts[number + 1 :] for a in leaves(part) for b in leaves(later)}
    return pairs


def leaves(tree: Tree) -> list[str]:
    if isinstance(tree, Leaf):
        return [tree.name]
    parts = tree.items if isinstance(tree, Series) else tree.branches
    return [name for part in parts for name in leaves(part)]


def closure(needs: Mapping[str, Sequence[str]]) -> set[tuple[str, str]]:
    """All pairs (a, b) where b needs a, through others or not. Keys stand in topological order."""
    above: dict[str, set[str]] = {}
    for name, direct in needs.items():
        above[name] = set(direct).union(*(above[need] for need in direct))
    return {(need, name) for name, found in above.items() for need in found}


def show(tree: Tree) -> str:
    if isinstance(tree, Leaf):
        return tree.name
    if isinstance(tree, Series):
        return " ".join(show(item) for item in tree.items)
    return "[" + " | ".join(show(branch) for branch in tree.branches) + "]"


def shown(needs: Needs) -> str:
    return show(structure(list(needs), needs).tree)


@st.composite
def dags(draw: st.DrawFn, most: int = 12) -> Needs:
    names = [f"s{number}" for number in range(draw(st.integers(1, most)))]
    return {
        name: draw(st.lists(st.sampled_from(names[:number]), unique=True, max_size=4)) if number else []
        for number, name in enumerate(names)
    }


@st.composite
def series_parallel(draw: st.DrawFn) -> tuple[Needs, set[tuple[str, str]]]:
    """A DAG built by putting parts in series or side by side, with any edges that say the same, in any order."""
    names = [f"s{number}" for number in range(draw(st.integers(1, 14)))]
    parts = [([name], set[tuple[str, str]]()) for name in names]
    while len(parts) > 1:
        (first, order), (second, order2) = parts.pop(draw(st.integers(0, len(parts) - 1))), parts.pop()
        pairs = order | order2
        if draw(st.booleans()):
            pairs |= {(a, b) for a in first for b in second}
        parts.append((first + second, pairs))
    order = parts[0][1]
    implied = {(a, c) for a, b in order for b2, c in order if b == b2}
    kept = {pair for pair in sorted(implied) if draw(st.booleans())} | (order - implied)
    declared = draw(st.permutations(names))
    return {name: [a for a in declared if (a, name) in kept] for name in declared}, order


@given(dags())
def test_every_order_is_kept(needs: Needs) -> None:
    found = structure(list(needs), needs)
    assert sorted(leaves(found.tree)) == sorted(needs)
    assert closure(needs) <= before(found.tree)


@given(dags())
def test_added_waits_are_told(needs: Needs) -> None:
    found = structure(list(needs), needs)
    told = {name: list(direct) for name, direct in needs.items()}
    for wait in found.waits:
        told[wait.step] += wait.others
    ordered = {name: told[name] for name in leaves(found.tree)}
    assert closure(ordered) == before(found.tree)


@given(series_parallel())
def test_series_parallel_graphs_get_no_added_wait(case: tuple[Needs, set[tuple[str, str]]]) -> None:
    needs, order = case
    found = structure(list(needs), needs)
    assert found.waits == ()
    assert before(found.tree) == order


def test_shapes() -> None:
    assert shown({"a": []}) == "a"
    assert shown({"a": [], "b": ["a"], "c": ["b"]}) == "a b c"
    assert shown({"a": [], "b": []}) == "[a | b]"
    assert shown({"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}) == "a [b | c] d"
    assert shown({"a": [], "b": ["a"], "c": ["a"], "d": ["a", "b", "c"], "e": []}) == "[a [b | c] d | e]"
    assert shown({"a": [], "b": [], "c": ["a", "b"], "d": ["a", "b"]}) == "[a | b] [c | d]"


def test_declaration_order_counts_not_the_alphabet() -> None:
    assert shown({"z": [], "a": [], "m": []}) == "[z | a | m]"


def test_steps_may_be_declared_before_what_they_need() -> None:
    assert shown({"c": ["b"], "b": ["a"], "a": []}) == "a b c"


def test_an_n_is_cut_where_it_costs_least() -> None:
    needs: Needs = {"a1": [], "a2": ["a1"], "b1": [], "b2": ["b1"], "c": ["a2"], "d": ["a2", "b2"]}
    found = structure(list(needs), needs)
    assert show(found.tree) == "[a1 a2 | b1 b2] [c | d]"
    assert found.waits == (Wait("c", ("b2",)),)


def test_depth_counts_blocks() -> None:
    needs: Needs = {"a": [], "b": ["a"], "c": ["a"], "d": ["c"], "e": ["c"]}
    found = structure(list(needs), needs)
    assert (show(found.tree), found.depth) == ("a [b | c [d | e]]", 2)


def test_long_chains_take_no_recursion_and_little_time() -> None:
    names = [f"s{number}" for number in range(10_000)]
    needs = {name: names[number - 1 : number] if number else [] for number, name in enumerate(names)}
    started = time.process_time()
    tree = structure(names, needs).tree
    assert time.process_time() - started < 2
    assert isinstance(tree, Series)
    assert len(tree.items) == 10_000


def test_wide_layers_take_little_time() -> None:
    layers = [[f"l{layer}x{number}" for number in range(50)] for layer in range(20)]
    needs: Needs = {name: [] for name in layers[0]}
    for above, layer in itertools.pairwise(layers):
        needs |= {name: list(above) for name in layer}
    started = time.process_time()
    found = structure(list(needs), needs)
    assert time.process_time() - started < 2
    assert (found.waits, found.depth) == ((), 1)
    assert isinstance(found.tree, Series)
    assert all(isinstance(item, Split) for item in found.tree.items)
