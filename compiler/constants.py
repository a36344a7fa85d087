"""Literals as typed values, and the types that are written in a flow.

Takes parts of the syntax tree; gives `Constant`s and `Type`s of the model, with diagnostics. The only coercion of the
language is here: an int where a float is wanted.
"""

from __future__ import annotations

from flowc.dsl import ast, tables
from flowc.dsl import faults as syntax_faults
from flowc.dsl.diagnostics import Diagnostic
from flowc.runtime.plan import Json

from . import faults
from .model import BOOL, FLOAT, INT, STRING, UNKNOWN, Artifact, Constant, ListOf, Scalar, Type, Unresolved

_SCALARS: dict[type, Type] = {ast.Int: INT, ast.Float: FLOAT, ast.Bool: BOOL, ast.String: STRING}


def type_of(written: ast.Type, say: list[Diagnostic]) -> Type:
    name = written.name.text
    row = tables.TYPES.get(name)
    if row is None:
        say.append(faults.unknown_type(name, written.name.span))
        return UNKNOWN
    if row.since is None:
        say.append(syntax_faults.not_built(f"the type `{name}`", written.name.span))
        return UNKNOWN
    if name != "list":
        if written.item is not None:
            say.append(faults.no_type_argument(name, written.span))
        return Artifact(name) if row.artifact else Scalar(name)
    if written.item is None:
        say.append(faults.list_of_what(written.span))
        return UNKNOWN
    item = type_of(written.item, say)
    if isinstance(item, Artifact):
        say.append(faults.artifacts_in_list(item, written.item.span))
        return UNKNOWN
    return UNKNOWN if item == UNKNOWN else ListOf(item)


def meant(expr: ast.Expr, kind: str) -> tuple[str, ...]:
    """Help for a bare word where a literal of this kind has to stand: `True`, or text without its quotes."""
    if not isinstance(expr, ast.Ref) or expr.field is not None:
        return ()
    word = expr.name.text
    if kind == "bool" and word.lower() in ("true", "false"):
        return (f"did you mean `{word.lower()}`?",)
    return (f'text stands in double quotes: "{word}"',) if kind == "string" else ()


def constant(expr: ast.Expr, say: list[Diagnostic], wanted: Type | None = None) -> Constant | Unresolved:
    """The value of a literal with its own type or, where that is possible, the wanted one."""
    if isinstance(expr, ast.Bad):
        return Unresolved(expr.span)
    if isinstance(expr, (ast.Size, ast.Duration)):
        say.append(faults.not_a_value(expr.kind, expr.span))
        return Unresolved(expr.span)
    if isinstance(expr, ast.List):
        return _list(expr, say, wanted)
    assert not isinstance(expr, (ast.Ref, ast.OwnRef))
    if isinstance(expr, ast.Int) and wanted == FLOAT:
        return Constant(float(expr.value), FLOAT, expr.span)
    return Constant(expr.value, _SCALARS[type(expr)], expr.span)


def _list(expr: ast.List, say: list[Diagnostic], wanted: Type | None) -> Constant | Unresolved:
    inner = wanted.item if isinstance(wanted, ListOf) else None
    items: list[Constant] = []
    before = len(say)
    for item in expr.items:
        if isinstance(item, (ast.Ref, ast.OwnRef)):
            say.append(syntax_faults.not_built("a reference in a list", item.span))
            continue
        value = constant(item, say, inner)
        if isinstance(value, Constant):
            items.append(value)
    if len(say) > before or len(items) < len(expr.items):
        return Unresolved(expr.span)
    if not items:
        if inner is None:
            say.append(faults.empty_list(expr.span))
            return Unresolved(expr.span)
        return Constant([], ListOf(inner), expr.span)
    type_ = items[0].type
    if inner is None and {known.type for known in items} == {INT, FLOAT}:
        return _list(expr, say, ListOf(FLOAT))
    for other in items[1:]:
        if other.type != type_:
            say.append(faults.mixed_list(_described(type_), _described(other.type), other.span, items[0].span))
            return Unresolved(expr.span)
    values: list[Json] = [known.value for known in items]
    return Constant(values, ListOf(type_), expr.span)


def _described(type_: Type) -> str:
    return f"this is {'an' if str(type_)[0] in 'aeio' else 'a'} {type_}"
