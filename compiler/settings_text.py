"""Values of settings as a user would write them. Takes a row of a table and a value as JSON; gives text."""

from __future__ import annotations

import re

from flowc.dsl import tables
from flowc.dsl.tables import SettingRow
from flowc.runtime.plan import Json

from .setting_faults import shown_amount

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"})
_BARE = re.compile(r"[a-z][a-z0-9_]*")


def shown(row: SettingRow, value: Json) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return quoted(value)
        case int() | float() if row.kind in ("size", "duration"):
            return shown_amount(row.kind, value)
        case int() | float():
            return str(int(value)) if value == int(value) else repr(value)
        case list():
            return f"[{', '.join(shown(row, item) for item in value)}]"
        case dict():
            rows = {member.name: member for member in row.members}
            members = (f"{_key(name)} = {shown(rows.get(name, row), item)}" for name, item in value.items())
            return f"{{ {'  '.join(members)} }}" if value else "{ }"
    return "none"


def shown_default(row: SettingRow) -> str:
    """What holds where nothing is written, as in the manual."""
    return row.otherwise if row.default is None else shown(row, row.default)


def quoted(text: str) -> str:
    return '"' + text.translate(_ESCAPES).replace("${", "\\${") + '"'


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) and name not in tables.KEYWORDS | tables.RESERVED else quoted(name)
