"""Programs as trees: printed in many ways, with names that can be exchanged and declarations that can be moved.

A program's tokens hold marks, `«s3»`, in the place of names, also inside strings, scripts and the Python files beside
it; `Program.names` says what each stands for. So one tree gives the same program under other names (`renamed`), in
another order (`shuffled`) and in another layout (`text`, or `programs.written` of its `tokens`).
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

MARK = re.compile(r"«(\w+)»")
# As names are made here: no name is a part of another, so that they can be exchanged in any text.
NAME = re.compile(r"[a-z]+_[a-z][0-9]+z")

_WORDS = ("train", "a", "split_data", "report", "x", "data", "checkpoint", "evaluate_the_model_again", "b", "model")
_OTHER_WORDS = ("other", "zz", "new_word", "q", "thing", "c", "aa_name_that_is_much_longer_than_the_one_before")


@dataclass(frozen=True, slots=True)
class Line:
    tokens: tuple[str, ...]
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """`head { items } tail`."""

    head: tuple[str, ...]
    items: tuple[Item, ...]
    tail: tuple[str, ...] = ()
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Chain:
    """`if … else if … else`: blocks whose order means something."""

    arms: tuple[Block, ...]


Item: TypeAlias = Line | Block | Chain


@dataclass(frozen=True, slots=True)
class Region:
    """What a step stands in. `owner` is the same for the arms of one `if`; `variable` and its type are a loop's."""

    id: str
    kind: str  # foreach, arm, repeat
    owner: str
    variable: str = ""
    item: str = ""


@dataclass(frozen=True, slots=True)
class Program:
    """`steps` maps a step's mark to the regions around it, outermost first.

    `edges` are (a step's mark, who waits for it): the mark of a step, or the owner of a region. `finals` are the steps
    in `finally`. `files` are the Python files beside the program, by path.
    """

    tree: Block
    edition: bool
    names: Mapping[str, str]
    files: Mapping[str, str]
    steps: Mapping[str, tuple[Region, ...]]
    finals: frozenset[str]
    edges: frozenset[tuple[str, str]]

    def named(self, text: str) -> str:
        return MARK.sub(lambda found: self.names[found[1]], text)

    def tokens(self) -> list[str]:
        return [*self._edition(), *map(self.named, _tokens(self.tree))]

    def text(self) -> str:
        """Tidy enough to read, though not as the formatter would have it."""
        first = [" ".join(self._edition())] if self.edition else []
        return self.named("\n".join([*first, *_lines(self.tree, "")]) + "\n")

    def folder(self) -> dict[str, str]:
        """The files beside the program."""
        return {path: self.named(text) for path, text in self.files.items()}

    def _edition(self) -> list[str]:
        return ["edition", "1"] if self.edition else []


def name(mark: str, rng: random.Random, *, other: bool = False) -> str:
    """A name for a mark, of the form of `NAME`."""
    word = rng.choice(_OTHER_WORDS if other else _WORDS).replace("_", "")
    return f"{word}_{mark}z"


def _tokens(item: Item) -> Iterator[str]:
    match item:
        case Line():
            yield from item.tokens
        case Chain():
            for arm in item.arms:
                yield from _tokens(arm)
        case Block():
            yield from item.head
            yield "{"
            for inner in item.items:
                yield from _tokens(inner)
            yield "}"
            yield from item.tail


def _lines(item: Item, indent: str) -> Iterator[str]:
    match item:
        case Line():
            yield from (f"{indent}## {line}" for line in item.doc.splitlines())
            yield indent + " ".join(item.tokens)
        case Chain():
            for arm in item.arms:
                yield from _lines(arm, indent)
        case Block():
            yield from (f"{indent}## {line}" for line in item.doc.splitlines())
            yield f"{indent}{' '.join(item.head)} {{"
            for inner in item.items:
                yield from _lines(inner, indent + "  ")
            yield " ".join((f"{indent}}}", *item.tail))


# --- transformations --------------------------------------------------------------------------------------------------


def renamed(program: Program, kinds: str, rng: random.Random) -> tuple[Program, dict[str, str]]:
    """Other names for marks of these kinds (`s` steps, `p` parameters, …); and the new name of each old one."""
    names = dict(program.names)
    new = {}
    for mark, old in program.names.items():
        if mark[0] in kinds:
            names[mark] = name(mark, rng, other=True)
            new[old] = names[mark]
    return replace(program, names=names), new


def with_names(text: str, new: Mapping[str, str]) -> str:
    """A text in which each name (see `NAME`) is replaced by its new one."""
    return NAME.sub(lambda found: new.get(found[0], found[0]), text)


def shuffled(program: Program, rng: random.Random) -> Program:
    """The declarations of every block in another order; what has an order keeps it."""

    def block(old: Block) -> Block:
        items = [moved(item) for item in old.items]
        rng.shuffle(items)
        return replace(old, items=tuple(items))

    def moved(item: Item) -> Item:
        match item:
            case Block():
                return block(item)
            case Chain():
                return Chain(tuple(map(block, item.arms)))
        return item

    return replace(program, tree=block(program.tree))
