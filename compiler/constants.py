"""Literals as typed values, and the types that are written in a flow.

Takes parts of the syntax tree; gives `Constant`s and `Type`s, with diagnostics. The only coercions of the language are
here: an int where a float is wanted, and any literal where json is.

A list of literals without elements is of type list[?] as long as nothing says what it would hold; who asked for the
value looks for `vague` ones at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flowc.dsl import ast, tables
from flowc.dsl.diagnostics import Diagnostic
from flowc.runtime.plan import Json

from . import faults
from .values import (
    BOOL,
    FLOAT,
    INT,
    JSON,
    PICKLE,
    STRING,
    UNKNOWN,
    Artifact,
    Constant,
    ListOf,
    Scalar,
    Type,
    UnknownType,
    Unresolved,
    Value,
    parts,
)

_SCALARS: dict[type, Type] = {ast.Int: INT, ast.Float: FLOAT, ast.Bool: BOOL, ast.String: STRING}
_OPAQUE = {str(JSON): JSON, str(PICKLE): PICKLE}

# --- types ------------------------------------------------------------------------------------------------------------


def _meant(written: ast.Type) -> str:
    name = written.name.text
    name = name if name in tables.TYPES else tables.by_alias(name, tuple(tables.TYPES.values())) or "string"
    return name if name != "list" else f"list[{_meant(written.item) if written.item else 'string'}]"


def type_of(written: ast.Type, say: list[Diagnostic]) -> Type:
    name = written.name.text
    row = tables.TYPES.get(name)
    if row is None:
        of = None if written.item is None else _meant(written.item)
        say.append(faults.unknown_type(name, of, written.span))
        return UNKNOWN
    if name != "list":
        if written.item is not None:
            say.append(faults.no_type_argument(name, written.span))
        return _OPAQUE.get(name) or (Artifact(name) if row.artifact else Scalar(name))
    if written.item is None:
        say.append(faults.list_of_what(written.span))
        return UNKNOWN
    item = type_of(written.item, say)
    if isinstance(item, Artifact) or item == PICKLE:
        say.append(faults.not_in_a_list(item, written.item.span))
        return UNKNOWN
    return UNKNOWN if item == UNKNOWN else ListOf(item)


def is_known(type_: Type) -> bool:
    while isinstance(type_, ListOf):
        type_ = type_.item
    return type_ != UNKNOWN


def innermost(type_: Type) -> Type:
    """What a list of lists holds at last."""
    while isinstance(type_, ListOf):
        type_ = type_.item
    return type_


def common(one: Type, other: Type) -> Type | None:
    """The type that two values have together, if there is one."""
    if isinstance(one, UnknownType) or isinstance(other, UnknownType):
        return other if isinstance(one, UnknownType) else one
    if isinstance(one, ListOf) and isinstance(other, ListOf):
        item = common(one.item, other.item)
        return None if item is None else ListOf(item)
    if one == other:
        return one
    return FLOAT if {one, other} == {INT, FLOAT} else None


def agreed(values: Sequence[Value]) -> Type | tuple[Value, Value]:
    """The type that all values have together, or the first two that have none.

    A literal beside a json value is json.
    """
    known = [value for value in values if value.type != UNKNOWN]
    if any(value.type == JSON for value in known):
        known = [value for value in known if not isinstance(value, Constant)]
    type_: Type = UNKNOWN
    for value in known:
        together = common(type_, value.type)
        if together is None:
            return next(other for other in known if common(other.type, value.type) is None), value
        type_ = together
    return JSON if not known and any(value.type == JSON for value in values) else type_


def fitted(value: Value, type_: Type) -> Value:
    """A literal as a value of the type that was agreed on."""
    if not isinstance(value, Constant) or type_ == UNKNOWN:
        return value
    return Constant(_fitted(value.value, type_), type_, value.span)


def _fitted(value: Json, type_: Type) -> Json:
    if isinstance(type_, ListOf) and isinstance(value, list):
        return [_fitted(item, type_.item) for item in value]
    return float(value) if type_ == FLOAT and isinstance(value, int) else value


def vague(value: Value) -> Iterator[Constant]:
    """The empty lists inside of which nothing says what they would hold."""
    if isinstance(value, Constant) and not is_known(value.type):
        yield value
    if not is_known(value.type):
        for part in parts(value):
            yield from vague(part)


# --- literals ---------------------------------------------------------------------------------------------------------


def expressions(expr: ast.Expr) -> tuple[ast.Expr, ...]:
    """What stands directly inside an expression, in the order of the text."""
    match expr:
        case ast.List():
            return expr.items
        case ast.Object():
            return tuple(member.value for member in expr.members)
        case ast.Template():
            return tuple(part for part in expr.parts if not isinstance(part, str))
        case ast.Either():
            return expr.args
        case ast.Previous():
            return (expr.value, expr.first)
        case ast.Not():
            return (expr.operand,)
        case ast.Logic():
            return expr.operands
        case ast.Compare():
            return (expr.left, expr.right)
    return ()


def not_literal(expr: ast.Expr) -> ast.Expr | None:
    """The first part of an expression that is no literal."""
    if isinstance(expr, (ast.List, ast.Object)):
        return next((found for part in expressions(expr) if (found := not_literal(part)) is not None), None)
    is_literal = isinstance(expr, (ast.Int, ast.Float, ast.Bool, ast.String, ast.Size, ast.Duration, ast.Bad))
    return None if is_literal else expr


_NULL = ("nil", "none", "null", "undefined")
_NO_NUMBER = ("inf", "infinity", "nan")


def meant(expr: ast.Expr, kind: str, *, default: bool = False) -> tuple[str, ...]:
    """Help for a bare word where a literal of this kind has to stand: `True`, `None`, or text without its quotes.

    `default`: it is that of a parameter.
    """
    if not isinstance(expr, ast.Ref) or expr.field is not None or expr.stars:
        return ()
    word = expr.name.text
    if word.lower() in _NULL:
        if not default:
            return ('there is no null: write a value, an empty one for instance, as `""` or `[]`',)
        empty = "[]" if kind.startswith("list[") else {"string": '""', "json": "{}"}.get(kind)
        or_empty = f", or write an empty value: `{empty}`" if empty else ""
        return (f"there is no null: leave the default out, then every run gives a value{or_empty}",)
    if word.lower() in _NO_NUMBER:
        return (f"numbers are finite, there is no `{word}`: write a number",)
    if kind in ("bool", "json") and word.lower() in ("true", "false"):
        return (f"did you mean `{word.lower()}`?",)
    return (f'text stands in double quotes: "{word}"',) if kind in ("string", "json") else ()


def constant(expr: ast.Expr, say: list[Diagnostic], wanted: Type | None = None) -> Constant | Unresolved:
    """The value of a literal with its own type or, where that is possible, the wanted one."""
    match expr:
        case ast.Size() | ast.Duration():
            say.append(faults.not_a_value(expr.kind, expr.span))
            return Unresolved(expr.span)
        case ast.List():
            return _list(expr, say, wanted)
        case ast.Object():
            return _object(expr, say)
        case ast.Int() if wanted == FLOAT:
            return Constant(float(expr.value), FLOAT, expr.span)
        case ast.Int() | ast.Float() | ast.Bool() | ast.String():
            return Constant(expr.value, wanted if wanted == JSON else _SCALARS[type(expr)], expr.span)
    return Unresolved(expr.span)


def _list(expr: ast.List, say: list[Diagnostic], wanted: Type | None) -> Constant | Unresolved:
    inner = JSON if wanted == JSON else wanted.item if isinstance(wanted, ListOf) else None
    found = [constant(item, say, inner) for item in expr.items]
    items = [item for item in found if isinstance(item, Constant)]
    if len(items) < len(found):
        return Unresolved(expr.span)
    if wanted == JSON:
        values: list[Json] = [item.value for item in items]
        return Constant(values, JSON, expr.span)
    type_ = agreed(items) if items else inner or UNKNOWN
    if isinstance(type_, tuple):
        say.append(mixed(*type_))
        return Unresolved(expr.span)
    if inner is not None and not is_known(type_):
        type_ = common(type_, inner) or type_
    values = [_fitted(item.value, type_) for item in items]
    return Constant(values, ListOf(type_), expr.span)


def mixed(first: Value, second: Value) -> Diagnostic:
    return faults.mixed_list(described(first.type), described(second.type), second.span, first.span)


def _object(expr: ast.Object, say: list[Diagnostic]) -> Constant | Unresolved:
    found = [(member.name.text, constant(member.value, say, JSON)) for member in expr.members]
    values = {name: value.value for name, value in found if isinstance(value, Constant)}
    return Constant(values, JSON, expr.span) if len(values) == len(found) else Unresolved(expr.span)


def described(type_: Type) -> str:
    return f"this is {a(type_)}"


def a(type_: Type) -> str:
    """The type with its article."""
    return str(type_) if type_ == JSON else f"{'an' if str(type_)[0] in 'aeio' else 'a'} {type_}"
