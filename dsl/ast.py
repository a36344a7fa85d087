"""The syntax tree: what was written, with the place of everything a message may point at.

Made by `flowc.dsl.parse`; frozen, tuples throughout. Literals are already values (`2h` is 7200 seconds) but nothing is
looked up: names, types and settings are still words. Constructs that this version does not build are not here; the
names they declare are in `File.hidden`, so that a reference to them is no second mistake. `Bad` stands where a value
was written that could not be understood; whoever meets it says nothing, since the parser already has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from .spans import Source, Span


@dataclass(frozen=True, slots=True)
class Name:
    text: str
    span: Span


# --- values -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Int:
    kind: ClassVar[str] = "an int"
    value: int
    span: Span


@dataclass(frozen=True, slots=True)
class Float:
    kind: ClassVar[str] = "a float"
    value: float
    span: Span


@dataclass(frozen=True, slots=True)
class Bool:
    kind: ClassVar[str] = "a bool"
    value: bool
    span: Span


@dataclass(frozen=True, slots=True)
class String:
    kind: ClassVar[str] = "a string"
    value: str
    span: Span


@dataclass(frozen=True, slots=True)
class Size:
    kind: ClassVar[str] = "a size"
    bytes: int
    span: Span


@dataclass(frozen=True, slots=True)
class Duration:
    kind: ClassVar[str] = "a duration"
    seconds: int
    span: Span


@dataclass(frozen=True, slots=True)
class List:
    kind: ClassVar[str] = "a list"
    items: tuple[Expr, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Bad:
    """Something was written here, and a diagnostic for it exists already."""

    kind: ClassVar[str] = "nothing known"
    span: Span


@dataclass(frozen=True, slots=True)
class Ref:
    """`name` or `name.field`; `stars` is the place of `[*]`, which this version does not build."""

    kind: ClassVar[str] = "a reference"
    name: Name
    field: Name | None
    stars: Span | None
    span: Span


@dataclass(frozen=True, slots=True)
class OwnRef:
    """`out.name`, `run.name` or `secret.name`; `root` is the word before the dot."""

    kind: ClassVar[str] = "a reference"
    root: str
    name: Name
    span: Span


Literal: TypeAlias = "Int | Float | Bool | String | Size | Duration | List"
Expr: TypeAlias = "Literal | Ref | OwnRef | Bad"


@dataclass(frozen=True, slots=True)
class Type:
    """`name` or `name[item]`."""

    name: Name
    item: Type | None
    span: Span


# --- declarations -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Param:
    doc: str
    name: Name
    type: Type
    default: Expr | None
    span: Span


@dataclass(frozen=True, slots=True)
class Setting:
    name: Name
    value: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Env:
    name: Name
    value: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Block:
    """`torchrun { … }`: a framework's name and its settings."""

    name: Name
    settings: tuple[Setting, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Input:
    """`in name = value`; without a value the short form."""

    doc: str
    name: Name
    value: Expr | None
    span: Span


@dataclass(frozen=True, slots=True)
class Output:
    """`out name: type`; `each` is the place of that word, which this version does not build."""

    doc: str
    name: Name
    type: Type
    each: Span | None
    span: Span


@dataclass(frozen=True, slots=True)
class Argv:
    """`run [ … ]`."""

    items: tuple[Expr, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Script:
    """`run language '''text'''`; the text has lost its common indent."""

    language: Name
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Call:
    """`call "target"`; None when the target could not be read."""

    target: String | None
    span: Span


Body: TypeAlias = Argv | Script | Call


@dataclass(frozen=True, slots=True)
class Parallel:
    """`parallel(count)`."""

    count: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Step:
    """`span` is the head, from `step` to before the brace; the lines are in the order of the file within each kind."""

    doc: str
    name: Name
    parallel: Parallel | None
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    after: tuple[Name, ...]
    env: tuple[Env, ...]
    settings: tuple[Setting, ...]
    blocks: tuple[Block, ...]
    bodies: tuple[Body, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Defaults:
    settings: tuple[Setting, ...]
    env: tuple[Env, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Flow:
    doc: str
    name: Name
    params: tuple[Param, ...]
    settings: tuple[Setting, ...]
    defaults: tuple[Defaults, ...]
    steps: tuple[Step, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class File:
    """`damaged`: lines were lost in syntax errors, so that what is missing here says nothing about the program."""

    source: Source
    flow: Flow
    hidden: frozenset[str]
    damaged: bool
