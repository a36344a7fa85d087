"""plan_schema: the plan's JSON as a JSON Schema and as the tables of its page, both from the plan's own dataclasses.

`schema()` gives the schema, as in `docs/plan.schema.json`; `reference()` the tables of `docs/plan.md`. Run as a module
it writes both files anew (`python -m flowc.compiler.plan_schema`); a test compares them. Nothing else uses it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from flowc.runtime import plan
from flowc.runtime.plan import Json

# The unions, which have names of their own, with what their members have in common.
_UNIONS = {
    "Node": "What a region holds.",
    "Value": "What an input or a control value is computed from, read on a path of instance indexes.",
    "Operand": "What stands in argv or in the environment.",
    "Control": "What an engine has to know, computed by a task and kept in its commit.",
    "Body": "What a step runs.",
    "Framework": "How a gang's processes are started.",
}
# Told apart by where they stand; everything else of the plan has a `kind`.
_MARKS = ("<!-- made by `python -m flowc.compiler.plan_schema`: change the dataclasses instead -->", "<!-- end -->")


def schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12."""
    top = _object(plan.Plan)
    version = {"const": plan.PLAN_VERSION, "description": "The version of this format."}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"flowc plan, version {plan.PLAN_VERSION}",
        **top,
        "properties": {"version": version, **top["properties"]},
        "required": ["version", *top["required"]],
        "$defs": dict(_definitions()),
    }


def _definitions() -> Iterator[tuple[str, Any]]:
    for name, doc in _UNIONS.items():
        kinds = get_args(getattr(plan, name))
        yield name, {"description": doc, "oneOf": [_ref(kind) for kind in kinds]}
    for cls in _classes():
        yield cls.__name__, _object(cls)


def _classes() -> list[type]:
    """Every class that the plan's text can hold, without the plan itself, in the order in which they come up."""
    found: dict[type, None] = {}
    left: list[Any] = [plan.Plan]
    while left:
        hint = left.pop(0)
        if is_dataclass(hint) and isinstance(hint, type) and hint not in found:
            found[hint] = None
            left += _members(hint).values()
        else:
            left += get_args(hint) if hint != _JSON else ()
    return [cls for cls in found if cls is not plan.Plan]


def _members(cls: type) -> dict[str, Any]:
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in fields(cls)}


def _object(cls: type) -> dict[str, Any]:
    kind = {"kind": {"const": cls.kind}} if hasattr(cls, "kind") else {}
    members = {name: _type(hint) for name, hint in _members(cls).items()}
    doc = _doc(cls)
    return {
        **({"description": doc} if doc else {}),
        "type": "object",
        "properties": kind | members,
        "required": [*kind, *members],
        "additionalProperties": False,
    }


_SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean"}


class _Any:
    value: Json


_JSON = get_type_hints(_Any)["value"]


def _type(hint: Any) -> dict[str, Any]:
    if hint == _JSON:
        return {}
    if hint in _SCALARS:
        return {"type": _SCALARS[hint]}
    if (name := _union(hint)) is not None:
        return {"$ref": f"#/$defs/{name}"}
    if get_origin(hint) is tuple:
        return {"type": "array", "items": _type(get_args(hint)[0])}
    if get_origin(hint) in (Union, UnionType):
        options = [option for option in get_args(hint) if option is not NoneType]
        assert len(options) == 1, "a union without a name"
        return {"anyOf": [_type(options[0]), {"type": "null"}]}
    return _ref(hint)


def _ref(cls: type) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{cls.__name__}"}


def _union(hint: Any) -> str | None:
    return next((name for name in _UNIONS if hint == getattr(plan, name)), None)


def _doc(cls: type) -> str:
    """A class's own text; Python makes one where there is none."""
    doc = cls.__doc__ or ""
    return "" if doc.startswith(f"{cls.__name__}(") else re.sub(r"\s+", " ", doc).strip()


# --- the page ---------------------------------------------------------------------------------------------------------


def reference() -> str:
    """A part per union, and one for what has no union: each class with its members."""
    parts = [f"### {plan.Plan.__name__}\n\n{_doc(plan.Plan)}\n\n{_table(plan.Plan, 'version')}"]
    in_unions = {kind for name in _UNIONS for kind in get_args(getattr(plan, name))}
    for name, doc in _UNIONS.items():
        kinds = get_args(getattr(plan, name))
        parts.append(f"### {name}\n\n{doc}\n\n" + "\n\n".join(_entry(kind) for kind in kinds))
    rest = [cls for cls in _classes() if cls not in in_unions]
    parts.append("### Parts of these\n\n" + "\n\n".join(_entry(cls) for cls in rest))
    return "\n\n".join(parts) + "\n"


def _entry(cls: type) -> str:
    """`kind`, or the class's name, then its text and members."""
    name = f"`{cls.kind}`" if hasattr(cls, "kind") else cls.__name__
    return "\n\n".join(filter(None, (f"**{name}**", _doc(cls), _table(cls))))


def _table(cls: type, *before: str) -> str:
    rows = [(name, "int") for name in before] + [(name, _shown(hint)) for name, hint in _members(cls).items()]
    if not rows:
        return ""
    lines = "\n".join(f"| `{name}` | {type_} |" for name, type_ in rows)
    return f"| member | type |\n|---|---|\n{lines}"


def _shown(hint: Any) -> str:
    if hint == _JSON:
        return "any JSON"
    if (name := _union(hint)) is not None:
        return name
    if get_origin(hint) is tuple:
        return f"list of {_shown(get_args(hint)[0])}"
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(_shown(option) for option in get_args(hint))
    if hint is NoneType:
        return "null"
    names = {str: "string"}
    return names.get(hint, str(hint.__name__))


def page(text: str) -> str:
    """The text of a page with its generated part made anew."""
    begin, end = _MARKS
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n\n{reference()}\n{end}{after}"


def schema_text() -> str:
    return json.dumps(schema(), indent=2) + "\n"


if __name__ == "__main__":
    docs = Path(__file__).resolve().parents[1] / "docs"
    (docs / "plan.schema.json").write_text(schema_text())
    (docs / "plan.md").write_text(page((docs / "plan.md").read_text()))
