"""Between the PascalCase of Step Functions and the casing of a service's API, led by botocore's shapes.

Step Functions spells every member of a service's API with a capital first letter, all the way down, and leaves the
keys of maps (Batch `Parameters`, `Tags`) alone. `to_api` refuses what Step Functions refuses: a member that the API
does not have, or one in the API's own casing. `to_states` gives JSON values only.
"""

from __future__ import annotations

import datetime
import functools
import json
from collections.abc import Mapping
from typing import Any

from botocore import xform_name
from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.response import StreamingBody

from .batch_rules import service_model


class UnknownMemberError(ValueError):
    """A parameter that the API does not have; the path is in the message."""


def pascal(name: str) -> str:
    return name[:1].upper() + name[1:]


@functools.cache
def operation_named(service: str, snake_case: str) -> str:
    """`submit_job` -> `SubmitJob`."""
    for name in service_model(service).operation_names:
        if xform_name(name) == snake_case:
            return str(name)
    raise UnknownMemberError(f"{service} has no operation {snake_case}")


def to_api(value: Any, shape: Shape | None, path: str = "$") -> Any:
    """A copy of `value` in the API's casing; types are left for botocore's validator to judge."""
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        members = {pascal(name): (name, member) for name, member in shape.members.items()}
        unknown = [key for key in value if key not in members]
        if unknown:
            raise UnknownMemberError(f"{path} has no member {', '.join(map(repr, unknown))}; it has {sorted(members)}")
        return {members[key][0]: to_api(item, members[key][1], f"{path}.{key}") for key, item in value.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [to_api(item, shape.member, f"{path}[{index}]") for index, item in enumerate(value)]
    if isinstance(shape, MapShape) and isinstance(value, Mapping):
        return {key: to_api(item, shape.value, f"{path}.{key}") for key, item in value.items()}
    if shape is not None and shape.type_name == "blob":
        # A blob is the JSON text of the value; a string gets its quotes too.
        return json.dumps(value, separators=(",", ":")).encode()
    return value


def to_states(value: Any, shape: Shape | None) -> Any:
    """A copy of an answer as Step Functions shows it. A streamed body becomes its text."""
    if isinstance(value, StreamingBody):
        return value.read().decode()
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        return {pascal(name): to_states(value[name], member) for name, member in shape.members.items() if name in value}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [to_states(item, shape.member) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, Mapping):
        return {key: to_states(item, shape.value) for key, item in value.items()}
    return value
