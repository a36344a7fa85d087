"""Where things stand in a generated program, and what can be said about them from somewhere else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from tests.fuzz.tree import Region

Path: TypeAlias = tuple[Region, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """An expression with its type; `reads` are the steps that it waits for. `simple`: stands without parentheses."""

    type: str
    tokens: tuple[str, ...]
    reads: frozenset[str] = frozenset()
    simple: bool = True


@dataclass(frozen=True, slots=True)
class Output:
    """`type` is one value's, without the list that `each` makes of it. `shaky`: the step may fail."""

    step: str
    name: str
    type: str
    each: bool
    path: Path
    shaky: bool


@dataclass(frozen=True, slots=True)
class Cond:
    """An `if` with `else`, whose arms are `arms`."""

    path: Path
    arms: tuple[Region, ...]


def reference(output: Output, stars: int) -> tuple[str, ...]:
    return (f"«{output.step}»", *("[", "*", "]") * stars, ".", f"«{output.name}»")


def shared(one: Path, other: Path) -> int:
    """How many regions two paths begin with in common."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (left, right) in pairs if left != right), min(len(one), len(other)))


def divided(one: Path, other: Path) -> bool:
    """Whether the paths lie in two arms of the same `if`."""
    place = shared(one, other)
    return place < min(len(one), len(other)) and one[place].owner == other[place].owner


def is_certain(output: Output, path: Path) -> bool:
    """Whether the output is always there for a reader at `path`."""
    return not output.shaky and all(region.kind != "arm" for region in output.path[shared(output.path, path) :])
