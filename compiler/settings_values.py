"""Values of settings: what is written on the right of `=`, against one row of a table.

Takes an expression of the syntax tree and a `SettingRow`; gives the value as JSON holds it (sizes in bytes, durations
in seconds), or None where it cannot be used, which has been said then.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from flowc.dsl import ast, tables
from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.spans import Span
from flowc.dsl.tables import SettingRow
from flowc.runtime.plan import Json

from . import setting_faults as faults

_LITERALS: dict[str, tuple[type, ...]] = {
    "int": (ast.Int,),
    "number": (ast.Int, ast.Float),
    "size": (ast.Size,),
    "duration": (ast.Duration,),
    "string": (ast.String,),
    "bool": (ast.Bool,),
    "word": (ast.String,),
    "strings": (ast.List,),
    "texts": (ast.Object,),
    "numbers": (ast.Object,),
    "object": (ast.Object,),
    "objects": (ast.List,),
}
# What lists and objects hold.
_TEXT, _NUMBER = SettingRow("", "string", None, ""), SettingRow("", "int", None, "")
_ITEM = {"strings": _TEXT, "texts": _TEXT, "numbers": _NUMBER}


def checked(row: SettingRow, expr: ast.Expr, say: list[Diagnostic]) -> Json:
    """The value; None where there is none to be used."""
    what = f"`{row.name}`"
    if not _is_kind(row, what, expr, say):
        return None
    match expr:
        case ast.String() if row.kind == "word":
            return _word(row, expr, say)
        case ast.String():
            return _text(row, what, expr, say)
        case ast.Bool():
            return expr.value
        case ast.Size():
            return expr.bytes if _in_range(row, what, expr.bytes, expr, say) else None
        case ast.Duration():
            return expr.seconds if _in_range(row, what, expr.seconds, expr, say) else None
        case ast.Int() | ast.Float():
            if not _in_range(row, what, expr.value, expr, say):
                return None
            return float(expr.value) if row.kind == "number" else expr.value
        case ast.List() if row.kind == "objects":
            return _objects(row, expr, say)
        case ast.List():
            return _strings(row, expr, say)
        case ast.Object() if row.kind == "object":
            return _object(row, expr, say)
        case ast.Object():
            return _map(row, expr, say)
    return None


def _is_kind(row: SettingRow, what: str, expr: ast.Expr, say: list[Diagnostic]) -> bool:
    if isinstance(expr, ast.Bad) or (
        isinstance(expr, ast.Template) and any(isinstance(p, ast.Bad) for p in expr.parts)
    ):
        return False
    if isinstance(expr, _LITERALS[row.kind]):
        return True
    if isinstance(expr, (ast.Int, ast.Float, ast.Bool, ast.String, ast.Size, ast.Duration, ast.List, ast.Object)):
        fixed, certain = _meant(row, expr)
        say.append(faults.wrong_kind(row, what, expr.kind, expr.span, fixed, certain=certain))
    elif row.kind == "bool" and (word := _bool(_bare(expr))) is not None:
        say.append(faults.wrong_kind(row, what, f"`{_bare(expr)}`", expr.span, word, certain=True))
    else:
        say.append(faults.not_a_literal(what, expr.span, _unquoted(row, expr)))
    return False


def _in_range(row: SettingRow, what: str, amount: float, expr: ast.Expr, say: list[Diagnostic]) -> bool:
    if row.among and amount not in row.among:
        say.append(faults.not_among(row, faults.shown_amount(row.kind, amount), expr.span))
        return False
    if (row.least is not None and amount < row.least) or (row.most is not None and amount > row.most):
        say.append(faults.out_of_range(row, what, amount, expr.span))
        return False
    return True


# --- texts ------------------------------------------------------------------------------------------------------------


def _word(row: SettingRow, expr: ast.String, say: list[Diagnostic]) -> Json:
    if expr.value in row.words:
        return expr.value
    say.append(faults.not_a_word(row.name, expr.value, row.words, expr.span))
    return None


def _text(row: SettingRow, what: str, expr: ast.String, say: list[Diagnostic]) -> str | None:
    if row.name == "image" and not expr.value.strip():
        say.append(faults.empty_image(expr.span))
        return None
    for text, instead in row.elsewhere:
        if expr.value == text and row.kind == "strings":
            say.append(faults.said_elsewhere(text, instead, expr.span))
            return None
    if row.rule is not None and not tables.fits(row.rule, expr.value):
        say.append(faults.bad_text(what, expr.value, row.rule, expr.span))
        return None
    return expr.value


# --- lists and objects ------------------------------------------------------------------------------------------------


def _strings(row: SettingRow, expr: ast.List, say: list[Diagnostic]) -> Json:
    before = len(say)
    texts: list[Json] = []
    what = f"each element of `{row.name}`"
    for item in expr.items:
        if _is_kind(_TEXT, what, item, say):
            assert isinstance(item, ast.String)
            texts.append(_text(row, what, item, say))
    # Options of a program may come twice, names may not.
    if row.rule != "word":
        _no_twin(row.name, [item for item in expr.items if isinstance(item, ast.String)], say)
    return None if len(say) > before or _damaged(expr) else texts


def _no_twin(name: str, items: Sequence[ast.String], say: list[Diagnostic]) -> None:
    first: dict[str, ast.String] = {}
    for item in items:
        known = first.setdefault(item.value, item)
        if known is not item:
            say.append(faults.listed_twice(name, item.value, item.span, known.span))


def _map(row: SettingRow, expr: ast.Object, say: list[Diagnostic]) -> Json:
    before = len(say)
    values: dict[str, Json] = {}
    for member in expr.members:
        key = member.name.text
        instead = dict(row.elsewhere).get(key)
        if instead is not None:
            say.append(faults.said_elsewhere(key, instead, member.name.span))
        elif row.words and key not in row.words:
            say.append(faults.not_a_word(row.name, key, row.words, member.name.span, key=True))
        elif row.key_rule is not None and not tables.fits(row.key_rule, key):
            say.append(faults.bad_text(f"each name in `{row.name}`", key, row.key_rule, member.name.span))
        elif _is_kind(_ITEM[row.kind], f"`{key}`", member.value, say):
            match member.value:
                case ast.String() as text:
                    values[key] = _text(row, f"`{key}`", text, say)
                case ast.Int() as number if _in_range(row, f"`{key}`", number.value, number, say):
                    values[key] = number.value
    if row.kind == "texts" and row.most is not None and len(values) > row.most:
        say.append(faults.too_many_members(row.name, len(values), int(row.most), expr.span))
    return None if len(say) > before or _damaged(expr) else values


def _objects(row: SettingRow, expr: ast.List, say: list[Diagnostic]) -> Json:
    before = len(say)
    objects: list[Json] = []
    paths: list[ast.String] = []
    for item in expr.items:
        if isinstance(item, ast.Bad):
            continue
        if not isinstance(item, ast.Object):
            say.append(faults.wrong_kind(row, f"`{row.name}`", f"{item.kind} in it", item.span, None))
            continue
        objects.append(_object(row, item, say))
        paths += [m.value for m in item.members if m.name.text == "path" and isinstance(m.value, ast.String)]
    _no_twin(row.name, paths, say)
    return None if len(say) > before or _damaged(expr) else objects


def _object(row: SettingRow, expr: ast.Object, say: list[Diagnostic]) -> Json:
    before = len(say)
    rows = {member.name: member for member in row.members}
    values: dict[str, Json] = {}
    for member in expr.members:
        known = rows.get(member.name.text)
        if known is None:
            say.append(faults.unknown_member(row, member.name.text, member.name.span))
        else:
            values[known.name] = checked(known, member.value, say)
    written = {member.name.text for member in expr.members}
    if len(say) == before and not _damaged(expr):
        missing = (known for known in row.members if known.required and known.name not in written)
        say += [faults.member_missing(row.name, known, expr.span) for known in missing]
        one_of = [member for member in expr.members if member.name.text in row.one_of]
        if row.one_of and len(one_of) != 1:
            places = tuple(member.name.span for member in one_of)
            say.append(faults.not_one_of(row.name, row.one_of, expr.span, places))
        _agree(row, values, expr, say)
    return None if len(say) > before or _damaged(expr) else {name: values[name] for name in rows if name in values}


def _agree(row: SettingRow, values: dict[str, Json], expr: ast.Object, say: list[Diagnostic]) -> None:
    """What the platforms refuse in members that are right each for itself."""

    def contradicts(name: str, message: str, remedy: str) -> None:
        span = next(member.span for member in expr.members if member.name.text == name)
        say.append(faults.contradiction(message, span, remedy))

    if row.name == "tolerations":
        exists = values.get("operator", "Equal") == "Exists"
        if exists and "value" in values:
            contradicts("value", "a toleration with the operator `Exists` has no value", "leave out one of the two")
        if not exists and "key" not in values:
            say.append(
                faults.contradiction(
                    "a toleration of every key has the operator `Exists`",
                    expr.span,
                    'add `operator = "Exists"`, or say the `key`',
                )
            )
        if "stay" in values and values.get("effect") != "NoExecute":
            contradicts("stay", "only the effect `NoExecute` has a `stay`", 'add `effect = "NoExecute"`')
    elif row.name == "security_context" and values.get("non_root") and values.get("user") == 0:
        contradicts("user", "user 0 is root, which `non_root` refuses", "name another user")
    elif row.name == "volumes" and "access_point" in values and "efs" not in values:
        contradicts("access_point", "an access point belongs to an EFS file system", "add `efs`")


def _damaged(expr: ast.List | ast.Object) -> bool:
    """Something in it could not be read."""
    parts = expr.items if isinstance(expr, ast.List) else tuple(member.value for member in expr.members)
    return any(
        isinstance(part, ast.Bad) or (isinstance(part, (ast.List, ast.Object)) and _damaged(part)) for part in parts
    )


# --- what may have been meant -----------------------------------------------------------------------------------------


_BOOLS = dict.fromkeys(("true", "yes", "on"), "true") | dict.fromkeys(("false", "no", "off"), "false")
_Meant = tuple[str | None, bool]
_NOTHING: _Meant = None, False


def _meant(row: SettingRow, expr: ast.Expr) -> _Meant:
    """A value of the right kind that the writer may have meant, and whether it can have been no other."""
    match expr:
        case ast.Int() if expr.value > 0 and row.kind in ("size", "duration"):
            return f"{expr.value}GiB" if row.kind == "size" else f"{expr.value}s", False
        case ast.Int() if expr.value in (0, 1) and row.kind == "bool":
            return ("true" if expr.value else "false"), False
        case ast.Float() if expr.value == int(expr.value) and row.kind == "int":
            return str(int(expr.value)), True
        case ast.Bool() | ast.Int() if row is _TEXT:
            return f'"{str(expr.value).lower()}"', True
        case ast.Duration():
            return _millicores(row, expr)
        case ast.String() if row.kind == "strings" and '"' not in expr.value and "\\" not in expr.value:
            return f'["{expr.value}"]', True
        case ast.String() if row.kind == "bool":
            return _bool(expr.value), True
        case ast.String() if row.kind in ("int", "number", "size", "duration"):
            return _quoted_amount(row, expr)
    return _NOTHING


def _bool(word: str) -> str | None:
    return _BOOLS.get(word.lower())


def _millicores(row: SettingRow, expr: ast.Duration) -> _Meant:
    """`500m` is half a core in Kubernetes; the lexer takes it for minutes."""
    minutes = expr.seconds // 60
    # The tree has the seconds alone, but no other unit needs as many characters for them.
    if row.kind != "number" or expr.seconds % 60 or len(f"{minutes}m") != expr.span.end - expr.span.start:
        return _NOTHING
    return f"{minutes / 1000:g}", True


def _quoted_amount(row: SettingRow, expr: ast.String) -> _Meant:
    """A number with or without a unit, in quotes, which may have a blank or a unit of others in them."""
    from flowc.dsl import literals

    text = re.sub(r"^([0-9.]+)\s+(?=[A-Za-z]+$)", r"\1", expr.value.strip())
    certain = True
    node, fault = literals.number(text, Span(0, len(text)))
    if fault is not None and fault.fix is not None:
        certain, text = fault.fix.certain, fault.fix.edits[0].text
        node, _ = literals.number(text, Span(0, len(text)))
    if isinstance(node, ast.Duration) and row.kind == "number":
        return _millicores(row, node)
    return (text, certain) if isinstance(node, _LITERALS[row.kind]) else _NOTHING


def _bare(expr: ast.Expr) -> str:
    """A word that stands alone; empty if it is anything else."""
    return expr.name.text if isinstance(expr, ast.Ref) and expr.field is None and not expr.stars else ""


def _unquoted(row: SettingRow, expr: ast.Expr) -> tuple[str, ...]:
    """Help for text without its quotes where a literal has to stand."""
    word = _bare(expr)
    return (f'text stands in double quotes: "{word}"',) if word and row.kind in ("string", "word") else ()


def form_of(name: str, value: ast.Expr) -> str | None:
    """How the language writes what is a setting elsewhere; None if it is none."""
    form = tables.FORMS.get(name)
    if form is None:
        return None
    text, example = form
    values = value.items if isinstance(value, ast.List) and "after" in text else (value,)
    shown = [_reference(item) for item in values]
    return text.format(value=", ".join(filter(None, shown)) if shown and all(shown) else example)


def _reference(value: ast.Expr) -> str:
    match value:
        case ast.Int():
            return str(value.value)
        case ast.Ref():
            return value.name.text + (f".{value.field.text}" if value.field else "")
        case ast.String() if re.fullmatch(r"[a-z][a-z0-9_]*", value.value):
            return value.value
    return ""
