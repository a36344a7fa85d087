"""The syntax tree: what was written, with the place of everything a message may point at.

Made by `flowc.dsl.parse`; frozen, tuples throughout. Literals are already values (`2h` is 7200 seconds) but nothing is
looked up: names, types and settings are still words. `Bad` stands where a value was written that could not be
understood; whoever meets it says nothing, since the parser already has.
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
class Member:
    """`name = value` in an object; the name may have been written as a string."""

    name: Name
    value: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Object:
    kind: ClassVar[str] = "an object"
    members: tuple[Member, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Template:
    """A string with `${…}`: verbatim texts and references, in their order; no two texts stand side by side."""

    kind: ClassVar[str] = "a string"
    parts: tuple[str | Ref | OwnRef | Bad, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Ref:
    """`name` or `name.field`, with one place in `stars` for each `[*]` between them."""

    kind: ClassVar[str] = "a reference"
    name: Name
    field: Name | None
    stars: tuple[Span, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class OwnRef:
    """`out.name`, `run.name` or `secret.name`; `root` is the word before the dot."""

    kind: ClassVar[str] = "a reference"
    root: str
    name: Name
    span: Span


@dataclass(frozen=True, slots=True)
class Either:
    """`either(args…)`, with one place in `stars` for each `[*]` behind it; `keyword` is the word's place."""

    kind: ClassVar[str] = "an expression"
    args: tuple[Expr, ...]
    stars: tuple[Span, ...]
    keyword: Span
    span: Span


@dataclass(frozen=True, slots=True)
class Previous:
    """`previous(value, first)`; `keyword` is the word's place."""

    kind: ClassVar[str] = "an expression"
    value: Expr
    first: Expr
    keyword: Span
    span: Span


@dataclass(frozen=True, slots=True)
class Not:
    kind: ClassVar[str] = "a condition"
    operand: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Logic:
    """`a and b and …` or `a or b or …`: two or more operands under one `word`."""

    kind: ClassVar[str] = "a condition"
    word: str
    operands: tuple[Expr, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Compare:
    """`left sign right`, with the sign as written: == != < <= > >=."""

    kind: ClassVar[str] = "a condition"
    sign: str
    left: Expr
    right: Expr
    sign_span: Span
    span: Span


Literal: TypeAlias = "Int | Float | Bool | String | Size | Duration | List | Object"
Expr: TypeAlias = "Literal | Template | Ref | OwnRef | Either | Previous | Not | Logic | Compare | Bad"


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
    """`torchrun { … }`, `on argo { … }`, `secret hub { … }`: a name and settings; `span` is that of the name.

    Also `main { … }`, whose name is that word.
    """

    doc: str
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
    """`out name: type`; `each` is the place of that word."""

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
    main: tuple[Block, ...]
    on: tuple[Block, ...]
    bodies: tuple[Body, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Foreach:
    """`foreach name in items max limit { nodes }`; `span` is the head."""

    doc: str
    name: Name
    items: Expr
    limit: Expr | None
    nodes: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Arm:
    """One block of an `if`; `condition` is None for the last `else`. `span` is the head, from `if` or `else`."""

    condition: Expr | None
    nodes: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class If:
    """`if … { … } else if … { … } else { … }`: its arms in their order, at least one."""

    doc: str
    arms: tuple[Arm, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Repeat:
    """`repeat max limit { nodes } until until`; `span` is the head."""

    doc: str
    limit: Expr
    nodes: tuple[Node, ...]
    until: Expr
    span: Span


Node: TypeAlias = "Step | Foreach | If | Repeat"


@dataclass(frozen=True, slots=True)
class Defaults:
    settings: tuple[Setting, ...]
    env: tuple[Env, ...]
    on: tuple[Block, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Schedule:
    """`schedule "cron" in "zone"`; a text that could not be read is `Bad`."""

    cron: String | Template | Bad
    zone: String | Template | Bad | None
    span: Span


@dataclass(frozen=True, slots=True)
class Finally:
    steps: tuple[Step, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Flow:
    """What a file declares, each kind in the order of the file; `nodes` are steps, loops and conditions together."""

    doc: str
    name: Name
    params: tuple[Param, ...]
    secrets: tuple[Block, ...]
    schedules: tuple[Schedule, ...]
    settings: tuple[Setting, ...]
    defaults: tuple[Defaults, ...]
    on: tuple[Block, ...]
    nodes: tuple[Node, ...]
    finals: tuple[Finally, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class File:
    """`damaged`: lines were lost in syntax errors, so that what is missing here says nothing about the program."""

    source: Source
    edition: int
    flow: Flow
    damaged: bool
