"""The plan's operands and values: what stands in a body, and what inputs and control values are computed from.

An operand (`Operand`) is text for argv or for the step's environment, made from what the step itself has. A value
(`Value`) is read in the scope of the flow, on a path of instance indexes, see `flowc.runtime.plan`. Each class has a
`kind`, by which a union's members are told apart in JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from .plan_codec import Json

# --- operands: what may stand in argv or in the step's environment ---


@dataclass(frozen=True, slots=True)
class Const:
    """A literal of the flow file."""

    kind: ClassVar[str] = "const"
    value: Json


@dataclass(frozen=True, slots=True)
class InRef:
    """The step's input of this name."""

    kind: ClassVar[str] = "in"
    name: str


@dataclass(frozen=True, slots=True)
class OutRef:
    """The path to write the step's output of this name to."""

    kind: ClassVar[str] = "out"
    name: str


@dataclass(frozen=True, slots=True)
class RunId:
    """`run.id`."""

    kind: ClassVar[str] = "run_id"


@dataclass(frozen=True, slots=True)
class SecretRef:
    """The value of the secret of this name; in the environment only."""

    kind: ClassVar[str] = "secret"
    name: str


@dataclass(frozen=True, slots=True)
class Format:
    """The texts of all parts, one behind the other."""

    kind: ClassVar[str] = "format"
    parts: tuple[Operand, ...]


Operand: TypeAlias = Const | InRef | OutRef | RunId | SecretRef | Format


# --- values: what an input, a condition, a list or a gang's size comes from ---


@dataclass(frozen=True, slots=True)
class FromParam:
    """The run's parameter of this name."""

    kind: ClassVar[str] = "param"
    name: str


@dataclass(frozen=True, slots=True)
class FromItem:
    """The item of the fan-out `block` whose index the path has."""

    kind: ClassVar[str] = "item"
    block: str


@dataclass(frozen=True, slots=True)
class FromRun:
    """`id`, `status` or `failed_step` of the run; the last two are known in `finally` only."""

    kind: ClassVar[str] = "run"
    name: str


@dataclass(frozen=True, slots=True)
class FromStep:
    """An output of another step, found through that step's commit.

    `each`: the list of the values of all nodes, in node order.
    """

    kind: ClassVar[str] = "step"
    step: str
    output: str
    each: bool = False


@dataclass(frozen=True, slots=True)
class Gather:
    """The list of `value` over all indexes of the fan-out `block`, in their order."""

    kind: ClassVar[str] = "gather"
    block: str
    value: Value


@dataclass(frozen=True, slots=True)
class LastTurn:
    """`value` in the last turn of the loop `block`."""

    kind: ClassVar[str] = "last_turn"
    block: str
    value: Value


@dataclass(frozen=True, slots=True)
class Previous:
    """`value` in the turn before this one of the loop `block`; in its first turn `first`, on the path as it is."""

    kind: ClassVar[str] = "previous"
    block: str
    value: Value
    first: Value


@dataclass(frozen=True, slots=True)
class Either:
    """The first that is present.

    A `FromStep` is absent where an arm around its step was not taken, or where its step (which has `allow_failure`) or
    one like it on the way has failed; a value is absent where any part of it is, but for a `Gather`, whose items must
    all be there, and for an `Either` of which one argument is.
    """

    kind: ClassVar[str] = "either"
    args: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Not:
    kind: ClassVar[str] = "not"
    operand: Value


@dataclass(frozen=True, slots=True)
class Logic:
    """`word` is "and" or "or"; from the left, as far as needed."""

    kind: ClassVar[str] = "logic"
    word: str
    operands: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """`sign` is one of == != < <= > >=; numbers by IEEE, ints exactly."""

    kind: ClassVar[str] = "compare"
    sign: str
    left: Value
    right: Value


@dataclass(frozen=True, slots=True)
class Text:
    """The texts of all parts, which are scalars, one behind the other."""

    kind: ClassVar[str] = "text"
    parts: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class MakeList:
    kind: ClassVar[str] = "list"
    items: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Member:
    name: str
    value: Value


@dataclass(frozen=True, slots=True)
class MakeObject:
    kind: ClassVar[str] = "object"
    members: tuple[Member, ...]


Value: TypeAlias = (
    Const
    | FromParam
    | FromItem
    | FromRun
    | FromStep
    | Gather
    | LastTurn
    | Previous
    | Either
    | Not
    | Logic
    | Compare
    | Text
    | MakeList
    | MakeObject
)
