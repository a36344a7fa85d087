"""What a run leaves behind, and the values that steps make up in it.

`plan_run` writes a `Record`, `tree_meaning` reads it: the two share nothing else. Files, directories and pickles are
`Handle`s, equal when the same step made them in the same place.
"""

from __future__ import annotations

import random
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Path: TypeAlias = "tuple[int, ...]"
# A step and the indexes of the loops around it, outermost first.
Instance: TypeAlias = "tuple[str, Path]"


class Violation(AssertionError):
    """Something happened in a run that the language does not allow."""


@dataclass(frozen=True, slots=True)
class Handle:
    type: str
    maker: Hashable


@dataclass(frozen=True, slots=True)
class Record:
    """`outputs` has what succeeded, an `out each` as a tuple with one value per node; `run` is the status and such."""

    params: dict[str, Any]
    run: dict[str, str]
    inputs: dict[Instance, dict[str, Any]] = field(default_factory=dict)
    outputs: dict[Instance, dict[str, Any]] = field(default_factory=dict)
    sizes: dict[Instance, int] = field(default_factory=dict)
    failed: set[Instance] = field(default_factory=set)


_MADE: dict[str, tuple[Any, ...]] = {
    "int": (-1, 0, 1, 1, 2, 2, 3),
    "float": (-1.0, 0.0, 0.5, 1.0, 2.0, 3.5),
    "bool": (False, True),
    "string": ("", "a", "b", "main", "x y"),
    "json": (None, 1, "x", [1], {"a": 1}, True),
}
_LENGTHS = (0, 1, 2, 2, 3)


def item_of(type_: str) -> str | None:
    return type_.removeprefix("list[")[:-1] if type_.startswith("list[") else None


def make(type_: str, rng: random.Random, maker: Hashable) -> Any:
    """Some value of a type; few different ones, so that comparisons come out both ways."""
    if item := item_of(type_):
        return [make(item, rng, (maker, place)) for place in range(rng.choice(_LENGTHS))]
    return rng.choice(_MADE[type_]) if type_ in _MADE else Handle(type_, maker)


def fits(value: Any, type_: str) -> bool:
    """Whether a value is of a type; an int is a float too."""
    if item := item_of(type_):
        return type(value) is list and all(fits(each, item) for each in value)
    match type_:
        case "int":
            return type(value) is int
        case "float":
            return type(value) in (int, float)
        case "bool":
            return type(value) is bool
        case "string":
            return type(value) is str
        case "json":
            return _is_json(value)
        case _:
            return isinstance(value, Handle) and value.type == type_


def _is_json(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(each) for key, each in value.items())
    return value is None or type(value) in (int, float, str, bool)
