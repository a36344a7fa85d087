"""What a row of a table of settings says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

# A value of the kind `word` is one of the row's `words`; of the kinds `strings`, `texts` and `numbers` it is a list of
# strings, an object of strings and an object of whole numbers; of the kinds `object` and `objects` it is an object with
# the row's `members`, and a list of such objects.
Kind: TypeAlias = Literal[
    "int",
    "number",
    "size",
    "duration",
    "string",
    "bool",
    "word",
    "strings",
    "texts",
    "numbers",
    "object",
    "objects",
]
Place: TypeAlias = Literal["step", "defaults", "flow"]

KIND_WORDS: dict[Kind, str] = {
    "int": "a whole number, such as `2`",
    "number": "a number, such as `0.5`",
    "size": "a size, such as `16GiB`",
    "duration": "a duration, such as `30s` or `2h`",
    "string": "a string in double quotes",
    "bool": "`true` or `false`",
    "word": "one word in double quotes",
    "strings": 'a list of strings, such as `["a", "b"]`',
    "texts": 'an object of strings, such as `{ name = "value" }`',
    "numbers": "an object of whole numbers, such as `{ name = 2 }`",
    "object": "an object, such as `{ name = 2 }`",
    "objects": "a list of objects, such as `[{ name = 2 }]`",
}
# In a few words.
KIND_NAMES: dict[Kind, str] = {
    "int": "an int",
    "number": "a number",
    "size": "a size",
    "duration": "a duration",
    "string": "a string",
    "bool": "a bool",
    "word": "a string",
    "strings": "a list of strings",
    "texts": "an object of strings",
    "numbers": "an object of whole numbers",
    "object": "an object",
    "objects": "a list of objects",
}


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting, or one member of a setting that is an object. Sizes are in bytes, durations in seconds.

    `default` None means that there is none; `otherwise` says in words what holds then. `places` is empty where the
    table itself is of one place. `least` and `most` bound every number of the value, `words` are its choices or, for an
    object of numbers, its keys. `rule` and `key_rule` name rules for its texts and its keys; `elsewhere` are texts or
    keys that are said otherwise, with how. Of the members in `one_of` exactly one is given.
    """

    name: str
    kind: Kind
    default: int | float | str | bool | None
    doc: str
    places: tuple[Place, ...] = ()
    least: float | None = None
    most: float | None = None
    among: tuple[int, ...] = ()
    words: tuple[str, ...] = ()
    rule: str | None = None
    key_rule: str | None = None
    elsewhere: tuple[tuple[str, str], ...] = ()
    members: tuple[SettingRow, ...] = ()
    one_of: tuple[str, ...] = ()
    required: bool = False
    otherwise: str = ""
    example: str = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TargetRow:
    """`aliases` are what else people call the target."""

    name: str
    title: str
    settings: tuple[SettingRow, ...]
    aliases: tuple[str, ...] = ()

    def setting(self, name: str) -> SettingRow | None:
        return next((row for row in self.settings if row.name == name), None)


class _Row(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def aliases(self) -> tuple[str, ...]: ...


def by_alias(word: str, rows: Iterable[_Row]) -> str | None:
    """The name of the row that goes by `word` elsewhere."""
    return next((row.name for row in rows if word.lower() in row.aliases), None)
