"""Values and types: what a flow computes with, as far as the compiler knows it.

Gives the types of the language, the values that stand in the scope of the flow (`in`, `if`, `foreach`, …), the operands
that stand in a body, and `references`: which outputs a value reads. Every value has a type and a place in the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from flowc.dsl import tables
from flowc.dsl.spans import Span
from flowc.runtime.plan import Json

# --- types ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scalar:
    """string, int, float, bool."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Artifact:
    """file, dir."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class ListOf:
    item: Type

    def __str__(self) -> str:
        return f"list[{self.item}]"


@dataclass(frozen=True, slots=True)
class Opaque:
    """json, pickle: values that the language itself does not look into."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class UnknownType:
    """Agrees with everything; a diagnostic exists already."""

    def __str__(self) -> str:
        return "?"


Type: TypeAlias = Scalar | Artifact | ListOf | Opaque | UnknownType

STRING, INT, FLOAT, BOOL = (Scalar(name) for name, row in tables.TYPES.items() if row.scalar)
JSON, PICKLE = Opaque("json"), Opaque("pickle")
UNKNOWN = UnknownType()


# --- values in the scope of the flow ----------------------------------------------------------------------------------
#
# What `in`, `if`, `foreach`, `until` and `parallel` may hold. A value is read in the instance of its reader, the path
# of loop indexes around it. `OutputRef` reads the instance of its step that this path leads to; `Gather`, `LastTurn`
# and `Previous` change the path for what they hold.


@dataclass(frozen=True, slots=True)
class Constant:
    value: Json
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class ParamRef:
    name: str
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class ItemRef:
    """The present item of the enclosing fan-out of this name: a loop variable."""

    name: str
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class OutputRef:
    """Another step's output, in the instance that the path leads to.

    `each`: the values of all nodes, in node order, of an `out each`; its type is a list then.
    """

    step: str
    output: str
    each: bool
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class RunValue:
    """`run.id`, and in `finally` also `run.status` and `run.failed_step`."""

    name: str
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Gather:
    """`[*]`: the list of `value` over all items of the fan-out `block`."""

    block: str
    value: Value
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class LastTurn:
    """`value` in the last turn of the loop `block`: how all is read that stands inside a `repeat`, from outside."""

    block: str
    value: Value
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Previous:
    """`value` at the end of the turn before this one of the enclosing loop `block`; `first` in the first turn."""

    block: str
    value: Value
    first: Value
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Either:
    """The first of `args` that is present."""

    args: tuple[Value, ...]
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Not:
    operand: Value
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Logic:
    """`word` is "and" or "or"; evaluated from the left as far as needed."""

    word: str
    operands: tuple[Value, ...]
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Compare:
    """`sign` is one of == != < <= > >=."""

    sign: str
    left: Value
    right: Value
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Text:
    """A string with `${…}`; texts stand in `parts` as constants."""

    parts: tuple[Value, ...]
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class MakeList:
    """A list that holds references; one of literals only is a `Constant`."""

    items: tuple[Value, ...]
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class MakeObject:
    """An object that holds references; its type is json."""

    members: tuple[tuple[str, Value], ...]
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Something that could not be resolved; a diagnostic exists already."""

    type: ClassVar[Type] = UNKNOWN
    span: Span


Value: TypeAlias = (
    "Constant | ParamRef | ItemRef | OutputRef | RunValue | Gather | LastTurn | Previous | Either | Not | Logic"
    " | Compare | Text | MakeList | MakeObject | Unresolved"
)


def parts(value: Value) -> tuple[Value, ...]:
    """The values directly inside this one."""
    match value:
        case Gather() | LastTurn():
            return (value.value,)
        case Previous():
            return (value.value, value.first)
        case Either():
            return value.args
        case Not():
            return (value.operand,)
        case Logic():
            return value.operands
        case Compare():
            return (value.left, value.right)
        case Text():
            return value.parts
        case MakeList():
            return value.items
        case MakeObject():
            return tuple(member for _, member in value.members)
    return ()


def walk(value: Value) -> Iterator[Value]:
    """The value and all that it holds, in the order of the text."""
    yield value
    for part in parts(value):
        yield from walk(part)


# --- values in the scope of a body ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InputRef:
    """The step's own input of this name."""

    name: str
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class OutputPath:
    """The path to write the step's own output of this name to."""

    name: str
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class SecretRef:
    """`secret.name`, in `env` only."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Format:
    """A string with `${…}` in argv or in the environment; texts stand in `parts` as constants."""

    parts: tuple[Operand, ...]
    span: Span


# What may stand in argv and in the environment. The only `RunValue` here is `run.id`.
Operand: TypeAlias = "Constant | InputRef | OutputPath | RunValue | SecretRef | Format | Unresolved"


# --- what is read -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reference:
    """Why a node waits for a step: it reads `output`, or (None) it says `after`.

    `carried`: the loops whose turn before it reads (`previous`): steps in one of them are waited for in no turn.
    """

    step: str
    output: str | None
    span: Span
    carried: tuple[str, ...] = ()


def references(*values: Value) -> Iterator[Reference]:
    """The outputs that are read, in the order of the text; the same one may come twice."""
    for value in values:
        yield from _references(value, carried=())


def _references(value: Value, *, carried: tuple[str, ...]) -> Iterator[Reference]:
    if isinstance(value, OutputRef):
        yield Reference(value.step, value.output, value.span, carried)
    elif isinstance(value, Previous):
        yield from _references(value.value, carried=(*carried, value.block))
        yield from _references(value.first, carried=carried)
    else:
        for part in parts(value):
            yield from _references(part, carried=carried)
