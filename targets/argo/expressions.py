"""Run-time values in documents: Argo's tags, and JSON text that contains them.

Takes parts, literal text or an `Expr`; gives the text of a field. In a field of an Argo template the parts stand side
by side (`as_tags`). In the manifest of a `resource` template, which is JSON text, a value is one expression that
yields a whole JSON literal (`as_json`, `manifest`): Argo quotes simple tags by Go's rules, not by JSON's, and a
value with a control character would break the manifest.

Literal parts come from flowc, never from the user, and hold neither quotes nor braces.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from flowc.targets.yaml_text import Block

_VARIABLE = re.compile(r"[a-z]+(\.[a-z]+)*")


@dataclass(frozen=True, slots=True)
class Expr:
    """An expression in Argo's expression language; it holds no `}}` and only single-quoted literals."""

    text: str


Part: TypeAlias = "str | Expr"


@dataclass(frozen=True, slots=True)
class Value:
    """A string that is known at run time."""

    parts: tuple[Part, ...]


def as_tags(value: Value) -> str:
    """The value in a field of an Argo template."""
    return "".join(part if isinstance(part, str) else _tag(part) for part in value.parts)


def _tag(expr: Expr) -> str:
    return f"{{{{{expr.text}}}}}" if _VARIABLE.fullmatch(expr.text) else f"{{{{={expr.text}}}}}"


def as_json(value: Value) -> str:
    """The value as a JSON string literal that Argo makes."""
    terms = (f"'{part}'" if isinstance(part, str) else part.text for part in value.parts)
    return f"{{{{=toJson({' + '.join(terms)})}}}}"


def manifest(document: object) -> Block:
    """Compact JSON of plain data in which `Value`s may stand; one line of ASCII."""
    return Block(_json(document))


def _json(document: object) -> str:
    if isinstance(document, Value):
        return as_json(document)
    if isinstance(document, Mapping):
        members = (f"{json.dumps(key)}:{_json(item)}" for key, item in document.items())
        return "{" + ",".join(members) + "}"
    if isinstance(document, Sequence) and not isinstance(document, str):
        return "[" + ",".join(_json(item) for item in document) + "]"
    return json.dumps(document)
