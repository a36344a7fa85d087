"""One mistake in a program that has none: what there is to say about it is known.

Each function gives the program with the mistake, or None where it has no place for one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeAlias

from tests.fuzz.tree import MARK, Block, Chain, Item, Line, Program

Mistake: TypeAlias = Callable[[Program, random.Random], Program | None]

NOBODY = "nobody_at_all"


def _places(item: Item, wanted: Callable[[tuple[str, ...], int], bool]) -> Iterator[tuple[Item, str, int]]:
    """Tokens that are wanted: the item, the part of it, the place there."""
    parts: list[tuple[str, tuple[str, ...]]] = []
    if isinstance(item, Line):
        parts = [("tokens", item.tokens)]
    elif isinstance(item, Block):
        parts = [("head", item.head), ("tail", item.tail)]
    for part, tokens in parts:
        yield from ((item, part, place) for place in range(len(tokens)) if wanted(tokens, place))
    for inner in item.arms if isinstance(item, Chain) else item.items if isinstance(item, Block) else ():
        yield from _places(inner, wanted)


def _with(item: Item, old: Item, new: Item | None) -> Item | None:
    """The tree with one item exchanged, or taken out."""
    if item is old:
        return new
    if isinstance(item, Chain):
        return Chain(tuple(arm for old_arm in item.arms if isinstance(arm := _with(old_arm, old, new), Block)))
    if isinstance(item, Block):
        return replace(item, items=tuple(kept for inner in item.items if (kept := _with(inner, old, new)) is not None))
    return item


def _exchanged(program: Program, item: Item, part: str, place: int, *new: str, count: int = 1) -> Program:
    tokens = list(getattr(item, part))
    tokens[place : place + count] = new
    tree = _with(program.tree, item, _filled(item, part, tuple(tokens)))
    assert isinstance(tree, Block)
    return replace(program, tree=tree)


def _filled(item: Item, part: str, tokens: tuple[str, ...]) -> Item:
    match item:
        case Line():
            return replace(item, tokens=tokens)
        case Block():
            return replace(item, head=tokens) if part == "head" else replace(item, tail=tokens)
    return item


def _is_read(tokens: tuple[str, ...], place: int) -> bool:
    """Whether a name is read here in the scope of the flow; what is read in bodies is read nowhere else."""
    if not MARK.fullmatch(tokens[place]) or tokens[place - 1] in (".", "foreach", "step", "param", "secret", "flow"):
        return False
    return tokens[0] in ("in", "foreach", "if", "else", "until", "after", "step") and place > 1


def misnamed(program: Program, rng: random.Random) -> Program | None:
    """A reference to something that does not exist."""
    places = list(_places(program.tree, _is_read))
    return _exchanged(program, *rng.choice(places), NOBODY) if places else None


def without_output(program: Program, rng: random.Random) -> Program | None:
    """A reference to an output that its step does not have."""

    def wanted(tokens: tuple[str, ...], place: int) -> bool:
        is_field = place > 2 and tokens[place - 1] == "." and bool(MARK.fullmatch(tokens[place]))
        return is_field and tokens[place - 2] not in ("secret", "out")

    places = list(_places(program.tree, wanted))
    return _exchanged(program, *rng.choice(places), NOBODY) if places else None


def mistyped(program: Program, rng: random.Random) -> Program | None:
    """A type that does not exist."""

    def wanted(tokens: tuple[str, ...], place: int) -> bool:
        return tokens[0] in ("param", "out") and place == len(tokens) - 1 and tokens[place - 1] == ":"

    places = list(_places(program.tree, wanted))
    return _exchanged(program, *rng.choice(places), NOBODY) if places else None


def misset(program: Program, rng: random.Random) -> Program | None:
    """A setting that does not exist."""

    def wanted(tokens: tuple[str, ...], place: int) -> bool:
        return place == 0 and len(tokens) > 2 and tokens[1] == "=" and tokens[0] not in ("argo", "sfn", "local")

    places = list(_places(program.tree, wanted))
    return _exchanged(program, *rng.choice(places), NOBODY) if places else None


def unstarred(program: Program, rng: random.Random) -> Program | None:
    """A reference out of a loop, or to the nodes of a gang, without its star."""
    places = list(_places(program.tree, _is_starred))
    if not places:
        return None
    item, part, place = rng.choice(places)
    return _exchanged(program, item, part, place + 1, count=3)


def starred(program: Program, rng: random.Random) -> Program | None:
    """A reference with a star too many."""

    def wanted(tokens: tuple[str, ...], place: int) -> bool:
        return _is_read(tokens, place) and tokens[place + 1 : place + 2] in ((".",), ("[",))

    places = list(_places(program.tree, wanted))
    if not places:
        return None
    item, part, place = rng.choice(places)
    return _exchanged(program, item, part, place + 1, "[", "*", "]", count=0)


def _is_starred(tokens: tuple[str, ...], place: int) -> bool:
    return _is_read(tokens, place) and tokens[place + 1 : place + 3] == ("[", "*")


# With the beginnings of the codes that may answer it.
MISTAKES: tuple[tuple[str, Mistake], ...] = (
    ("F0201 F0202", misnamed),
    ("F0203", without_output),
    ("F0301", mistyped),
    ("F0401", misset),
    ("F03", unstarred),
    ("F03", starred),
)
