"""Dataclasses to JSON and back, strictly.

`encode(value)` gives what `json` can write: an object per dataclass with its members in their order, and first a member
`kind` where the class has one. `decode(cls, data)` takes exactly that: no member may be missing or unknown, no type may
differ; `PlanError` says what does.
"""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeAlias, Union, get_args, get_origin, get_type_hints

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


class PlanError(ValueError):
    """The text is no plan this runtime understands; the message says what is wrong with it."""


def encode(value: Any) -> Any:
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    if not hasattr(value, "__dataclass_fields__"):
        return value
    tag = {"kind": value.kind} if hasattr(value, "kind") else {}
    return tag | {field.name: encode(getattr(value, field.name)) for field in fields(value)}


@cache
def _members(cls: type) -> dict[str, Any]:
    """Member names and types of a plan class, without class variables."""
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in fields(cls)}


def decode(hint: Any, data: Any, where: str) -> Any:
    if hint == _JSON_HINT:
        return data
    origin = get_origin(hint)
    if origin is tuple:
        if not isinstance(data, list):
            raise PlanError(f"{where} should be a list")
        return tuple(decode(get_args(hint)[0], item, f"{where}[{index}]") for index, item in enumerate(data))
    if origin in (Union, UnionType):
        return _decode_union(get_args(hint), data, where)
    if hasattr(hint, "__dataclass_fields__"):
        return _decode_object(hint, data, where)
    if hint is float and type(data) is int:
        return float(data)
    if type(data) is not hint:
        raise PlanError(f"{where} should be of type {hint.__name__}, not {type(data).__name__}")
    return data


def _decode_union(options: tuple[Any, ...], data: Any, where: str) -> Any:
    if data is None and NoneType in options:
        return None
    options = tuple(option for option in options if option is not NoneType)
    if len(options) == 1:
        return decode(options[0], data, where)
    kind = data.get("kind") if isinstance(data, dict) else None
    for option in options:
        if option.kind == kind:
            return _decode_object(option, data, where)
    raise PlanError(f"{where} is of the unknown kind {kind!r}")


def _decode_object(cls: type, data: Any, where: str) -> Any:
    if not isinstance(data, dict):
        raise PlanError(f"{where} should be an object")
    members = _members(cls)
    given = {key: value for key, value in data.items() if not (key == "kind" and hasattr(cls, "kind"))}
    if given.keys() != members.keys():
        odd = sorted(given.keys() ^ members.keys())
        raise PlanError(f"{where} has missing or unknown members: {', '.join(odd)}")
    return cls(**{name: decode(hint, given[name], f"{where}.{name}") for name, hint in members.items()})


class _Any:
    value: Json


# What `Json` looks like among the hints of a class.
_JSON_HINT = get_type_hints(_Any)["value"]
