"""manual: the tables of the language's chapter in the manual, from the tables of the language.

Takes the text of `docs/language.md`; gives it with every table between `<!-- table: NAME -->` and `<!-- end -->` made
anew. Run as a module it writes the file (`python -m flowc.compiler.manual`); a test compares. Nothing else uses it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from flowc.dsl import tables
from flowc.dsl.tables import Kind, SettingRow

from .schedules import FIELDS
from .setting_faults import shown_amount
from .settings_text import shown_default

_PLACE = re.compile(r"(<!-- table: ([a-z. ]+) -->\n).*?(<!-- end -->\n)", re.DOTALL)
_KINDS: dict[Kind, str] = {
    "int": "int",
    "number": "number",
    "size": "size",
    "duration": "duration",
    "string": "string",
    "bool": "bool",
    "strings": "list of strings",
    "texts": "object of strings",
    "numbers": "object of ints",
    "object": "object",
    "objects": "list of objects",
}
_PLACES = {"step": "step", "defaults": "`defaults`", "flow": "flow"}


def filled(text: str) -> str:
    """The chapter with its tables as they are now; `KeyError` for a table that there is not."""
    tables_ = made()
    return _PLACE.sub(lambda place: f"{place[1]}\n{tables_[place[2]]}\n{place[3]}", text)


def made() -> dict[str, str]:
    return {
        "keywords": _wrapped(f"`{word}`" for word in sorted(tables.KEYWORDS)),
        "reserved": _wrapped(f"`{word}`" for word in sorted(tables.RESERVED)),
        "types": _table(("type", "holds"), ((f"`{row.name}`", row.doc) for row in tables.TYPES.values())),
        "units": _table(
            ("unit", "is"),
            (
                *((f"`{unit}`", f"{factor:,} bytes") for unit, factor in tables.SIZE_UNITS.items()),
                *((f"`{unit}`", f"{factor:,} s") for unit, factor in tables.DURATION_UNITS.items()),
            ),
        ),
        "settings": _settings(tables.SETTINGS.values(), with_places=True),
        "main": _wrapped(f"`{name}`" for name in tables.MAIN_SETTINGS),
        "frameworks": _table(
            ("block", "gives", "the body runs"),
            ((f"`{row.name}`", row.doc, row.runs) for row in tables.FRAMEWORKS.values()),
        ),
        **{f"framework {row.name}": _settings(row.settings) for row in tables.FRAMEWORKS.values()},
        **{f"target {row.name}": _settings(row.settings, with_places=True) for row in tables.TARGETS.values()},
        "secrets": _table(
            ("entry", "names", "for example"),
            (
                (
                    f"`{row.name}`",
                    row.doc + (f"; by default {row.otherwise}" if row.otherwise else ""),
                    f"`{row.example}`",
                )
                for row in tables.SECRETS.values()
            ),
        ),
        "cron": _table(("field", "from", "to"), ((row.name, str(row.least), str(row.most)) for row in FIELDS)),
    }


def _settings(rows: Iterable[SettingRow], *, with_places: bool = False) -> str:
    """A table of settings, and one for the members of each that is an object."""
    rows = tuple(rows)
    head = ("setting", *(("in",) if with_places else ()), "value", "default", "meaning")
    text = _table(head, (_cells(row, with_places=with_places) for row in rows))
    for row in rows:
        if row.members:
            subject = f"An object of `{row.name}`" if row.kind == "objects" else f"`{row.name}`"
            one = f", and of {_listed(row.one_of)} exactly one" if row.one_of else ""
            members = _table(("member", "value", "default", "meaning"), (_cells(member) for member in row.members))
            text += f"\n{subject} has these members{one}:\n\n{members}"
    return text


def _cells(row: SettingRow, *, with_places: bool = False) -> tuple[str, ...]:
    if row.required:
        default = "is needed"
    elif row.default is None:
        default = row.otherwise
    else:
        default = f"`{shown_default(row)}`"
    places = (", ".join(_PLACES[place] for place in row.places),) if with_places else ()
    return (f"`{row.name}`", *places, _value(row), default, row.doc)


def _value(row: SettingRow) -> str:
    """What may be written."""
    if row.kind == "word":
        return _listed((f'"{word}"' for word in row.words), word="or")
    text = _KINDS[row.kind]
    if row.among:
        text += f", one of {', '.join(shown_amount(row.kind, amount) for amount in row.among)}"
    elif row.kind in ("int", "number", "size", "duration"):
        text += f", {shown_amount(row.kind, row.least)} to {shown_amount(row.kind, row.most)}"
    elif row.kind == "numbers":
        text += f", each {shown_amount('int', row.least)} to {shown_amount('int', row.most)}"
    if row.words:
        text += f"; its members: {_listed(row.words)}"
    example = row.example or (f'"{tables.RULES[row.rule].example}"' if row.kind == "string" and row.rule else "")
    return f"{text}, such as `{example}`" if example else text


def _listed(words: Iterable[str], *, word: str = "and") -> str:
    """All of them: a manual leaves nothing out."""
    quoted = [f"`{each}`" for each in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} {word} {quoted[-1]}"


def _wrapped(words: Iterable[str]) -> str:
    lines = [""]
    for word in words:
        if len(lines[-1]) + len(word) > 110:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return "\n".join(lines) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "".join(_lines(head, rows))


def _lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |\n"
    yield f"|{'---|' * len(head)}\n"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n"


if __name__ == "__main__":
    page = Path(__file__).resolve().parents[1] / "docs" / "language.md"
    page.write_text(filled(page.read_text()))
