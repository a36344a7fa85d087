"""Values by declared type: between text, JSON and Python.

Types are written as in the language: `string int float bool json file dir pickle list[T]`. Three forms of a value
exist: *text* (argv, environment, what a script writes), *JSON* (the store, the plan) and the *Python* value that
`current` shows. The only coercion is int to float. JSON has no nan and no infinities, so those floats stand as the
strings "nan", "inf" and "-inf" in JSON; a `json` value is JSON already and holds none. Errors: `BadValue` with a
message that fits after "…: " and names the type.

`file`, `dir` and `pickle` have no value of their own here: they are blobs, see `flowc.runtime.artifacts`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from flowc.runtime.plan import Json

_INT = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE)
_SCALARS = ("string", "int", "float", "bool")


class BadValue(ValueError):
    """A value that is not of its declared type; the message says what was expected and what is there."""


def is_artifact(type_: str) -> bool:
    """A file or folder of the user's: its value is its path."""
    return type_ in ("file", "dir")


def is_blob(type_: str) -> bool:
    """What lies in the store as an object of its own: artifacts, and Python values as pickles."""
    return type_ in ("file", "dir", "pickle")


def items_type(type_: str) -> str | None:
    """`T` of `list[T]`, None for anything else."""
    return type_[5:-1] if type_.startswith("list[") and type_.endswith("]") else None


def leaf_type(type_: str) -> str:
    """The type inside all lists: `int` of `list[list[int]]`, and of `int`."""
    while (inner := items_type(type_)) is not None:
        type_ = inner
    return type_


def parse_text(type_: str, text: str) -> Any:
    """The Python value of a text; lists and json are JSON text. `BadValue` when the text is not of the type."""
    if type_ == "string":
        return text
    stripped = text.strip()
    if type_ == "int" and _INT.fullmatch(stripped):
        try:
            return int(stripped)
        except ValueError:  # beyond the number of digits that Python converts, 4300 by default
            raise BadValue(f"expected int, found {len(stripped)} digits") from None
    if type_ == "float" and _FLOAT.fullmatch(stripped):
        return float(stripped)
    if type_ == "bool" and stripped in ("true", "false"):
        return stripped == "true"
    if type_ == "json" or items_type(type_) is not None:
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            raise BadValue(f"expected {type_} as JSON, found {_shown(text)}") from None
        return from_json(type_, data)
    raise BadValue(f"expected {_EXPECTED.get(type_, type_)}, found {_shown(text)}")


_EXPECTED = {
    "int": "int (a whole number such as 3)",
    "float": "float (a number such as 0.5)",
    "bool": "bool (true or false)",
}


def to_text(type_: str, value: Any) -> str:
    """How a value looks in argv and in the environment: the inverse of `parse_text`."""
    if type_ == "string":
        return str(value)
    if type_ == "bool":
        return "true" if value else "false"
    if type_ == "float":
        return repr(float(value))
    if type_ == "int":
        return str(value)
    return json.dumps(to_json(type_, value), ensure_ascii=False, separators=(",", ":"))


def to_json(type_: str, value: Any) -> Json:
    """The JSON form of a Python value; `BadValue` when the value is not of the type.

    Numbers of other libraries (numpy, torch) are taken by their `item()`, since that is what training code has at hand.
    """
    inner = items_type(type_)
    if inner is not None:
        if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
            raise BadValue(f"expected {type_}, found {_kind(value)}")
        return [to_json(inner, item) for item in value]
    if type_ == "json":
        return _plain(value)
    if type_ not in _SCALARS:
        raise BadValue(f"a value of type {type_} has no JSON form")
    if not isinstance(value, (str, bool, int, float)) and hasattr(value, "item"):
        value = value.item()
    if type_ == "string" and isinstance(value, str):
        return value
    if type_ == "bool" and isinstance(value, bool):
        return value
    if type_ == "int" and isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if type_ == "float" and isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            raise BadValue(f"expected {type_}, found a whole number that no float can hold") from None
        return number if math.isfinite(number) else repr(number)
    raise BadValue(f"expected {type_}, found {_kind(value)} {_shown(value)}")


def _plain(value: Any) -> Json:
    """A Python value as JSON; tuples and other libraries' arrays are lists. What JSON does not have is refused."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise BadValue(f"expected json, found an object with the key {_shown(key)}; JSON's keys are strings")
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, float):
        if not math.isfinite(value):
            raise BadValue(f"expected json, found {value!r}, which JSON does not have")
        return value
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    raise BadValue(f"expected json, found {_kind(value)}")


def from_json(type_: str, data: Any) -> Any:
    """The Python value of a JSON form; `BadValue` when it is not of the type."""
    inner = items_type(type_)
    if inner is not None:
        if not isinstance(data, list):
            raise BadValue(f"expected {type_}, found {_kind(data)}")
        return [from_json(inner, item) for item in data]
    if type_ == "float" and data in ("nan", "inf", "-inf"):
        return float(data)
    converted = to_json(type_, data)
    if type_ == "json":
        return converted
    return float(data) if type_ == "float" and isinstance(converted, (int, float)) else data


def _kind(value: Any) -> str:
    names = {"str": "string", "NoneType": "nothing", "dict": "an object", "list": "a list"}
    return names.get(type(value).__name__, type(value).__name__)


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
