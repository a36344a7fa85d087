"""schedules: when a flow starts by itself.

Takes the `schedule` lines of a flow; gives `Schedule`s, with diagnostics. The time is five fields as POSIX has them for
`crontab`, in numbers, with steps (`*/15`) besides; the zone is a name of the IANA database, which travels with flowc
so that every machine knows the same zones. Refused is what schedulers read differently: names, `?` and `L`, and a day
of the month together with a day of the week.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from flowc.dsl import ast
from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.spans import Span
from flowc.dsl.suggest import closest

from . import setting_faults as faults
from .model import Schedule

UTC = "UTC"


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One of the five fields. `words` are what other schedulers write for the numbers from `least` on."""

    name: str
    least: int
    most: int
    words: tuple[str, ...] = ()


_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
FIELDS = (
    FieldRow("minute", 0, 59),
    FieldRow("hour", 0, 23),
    FieldRow("day of the month", 1, 31),
    FieldRow("month", 1, 12, tuple(month[:3].lower() for month in _MONTHS)),
    FieldRow("day of the week", 0, 6, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)
_DAY, _MONTH, _WEEKDAY = 2, 3, 4
_LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

_PART = re.compile(r"(\*|[0-9]{1,9})(?:-([0-9]{1,9}))?(?:/([0-9]{1,9}))?")
_WORD = re.compile(r"[A-Za-z]{3,}")
_MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_NOT_HERE = {
    "?": "write `*`",
    "L": "there is no last day; run on day 1, after midnight",
    "W": "there are no working days of a month; `1-5` as the day of the week is Monday to Friday",
    "#": "weeks of a month are not counted; let a step look at the date",
    "H": "write the number itself",
}


def schedules(flow: ast.Flow, say: list[Diagnostic]) -> tuple[Schedule, ...]:
    found: list[Schedule] = []
    for written in flow.schedules:
        cron, zone = _cron(written.cron, say), _zone(written.zone, say)
        if cron is None or zone is None:
            continue
        same = next((one for one in found if (one.cron, one.zone) == (cron, zone)), None)
        if same is None:
            found.append(Schedule(cron, zone, written.cron.span))
        else:
            say.append(faults.same_schedule(written.cron.span, same.span))
    if flow.schedules:
        first = flow.schedules[0].span
        # That a schedule is no place for them is said there.
        used = {name for written in flow.schedules for name in (*_used(written.cron), *_used(written.zone))}
        without = (param.name for param in flow.params if param.default is None and param.name.text not in used)
        say += [faults.schedule_needs_defaults(name.text, name.span, first) for name in without]
    return tuple(found)


def _used(written: ast.String | ast.Template | ast.Bad | None) -> Iterator[str]:
    parts = written.parts if isinstance(written, ast.Template) else ()
    return (part.name.text for part in parts if isinstance(part, ast.Ref))


# --- the time ---------------------------------------------------------------------------------------------------------


def _cron(written: ast.String | ast.Template | ast.Bad, say: list[Diagnostic]) -> str | None:
    """The five fields with one blank between them."""
    if not isinstance(written, ast.String):
        if isinstance(written, ast.Template) and not any(isinstance(part, ast.Bad) for part in written.parts):
            say.append(faults.schedule_not_literal(written.span))
        return None
    before = len(say)
    text = _Text(written)
    words = [(match[0], match.start()) for match in re.finditer(r"\S+", written.value)]
    if len(words) == 1 and words[0][0].startswith("@"):
        meant = _MACROS.get(words[0][0].lower())
        quoted = f'"{meant}"' if meant else None
        say.append(faults.cron_word(words[0][0], written.span, quoted, quoted))
        return None
    if len(words) != len(FIELDS):
        say.append(faults.cron_fields(len(words), written.span, _why_not_five(written.value, len(words))))
        return None
    values = [_field(row, word, text.span(at, word), say) for row, (word, at) in zip(FIELDS, words, strict=True)]
    (day, day_at), (weekday, weekday_at) = words[_DAY], words[_WEEKDAY]
    if len(say) > before:
        return None
    if day != "*" and weekday != "*":
        say.append(faults.cron_both_days(text.span(weekday_at, weekday), text.span(day_at, day)))
    elif (reason := _never(values[_DAY], values[_MONTH])) is not None:
        month, month_at = words[_MONTH]
        say.append(faults.cron_never(reason, text.span(day_at, day).to(text.span(month_at, month))))
    return None if len(say) > before else " ".join(word for word, _ in words)


def fields(cron: str) -> tuple[frozenset[int], ...]:
    """The numbers that each field of a schedule without faults holds."""
    nowhere = Span(0, 0)
    return tuple(_field(row, word, nowhere, []) for row, word in zip(FIELDS, cron.split(" "), strict=True))


@dataclass(frozen=True, slots=True)
class _Text:
    """Places inside a string; the whole of it where escapes have moved them."""

    written: ast.String

    def span(self, at: int, word: str) -> Span:
        start, end = self.written.span
        if end - start != len(self.written.value) + 2:
            return self.written.span
        return Span(start + 1 + at, start + 1 + at + len(word))


def _why_not_five(text: str, found: int) -> tuple[str, ...]:
    if text.strip().startswith(("cron(", "rate(", "at(")):
        return ("write the five fields alone: AWS's own form knows years, and `?`",)
    return ("there is no field for seconds, and none for years",) if found in (6, 7) else ()


def _field(row: FieldRow, text: str, span: Span, say: list[Diagnostic]) -> frozenset[int]:
    """What the field holds; nothing where it is wrong, which has been said then."""
    if _WORD.search(text):
        meant = _in_numbers(row, text)
        if row.words:
            say.append(faults.cron_word(text, span, meant, meant))
        else:
            say.append(faults.cron_field(row.name, text, span, [f"the {row.name} is a number"]))
        return frozenset()
    values: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None or (match[1] == "*" and match[2]):
            say.append(
                faults.cron_field(row.name, text, span, [hint for sign, hint in _NOT_HERE.items() if sign in part])
            )
            return frozenset()
        if match[3] and match[1] != "*" and not match[2]:
            meant = f"{match[1]}-{row.most}/{match[3]}"
            say.append(faults.cron_field(row.name, text, span, [f"steps have a range: write `{meant}`"]))
            return frozenset()
        first, last = (row.least, row.most) if match[1] == "*" else (int(match[1]), int(match[2] or match[1]))
        step = int(match[3] or 1)
        fault = _bounds(row, first, last, step, part, span, whole=part == text)
        if fault is not None:
            say.append(fault)
            return frozenset()
        values.update(range(first, last + 1, step))
    return frozenset(values)


def _bounds(
    row: FieldRow, first: int, last: int, step: int, part: str, span: Span, *, whole: bool
) -> Diagnostic | None:
    for number in (first, last):
        if not row.least <= number <= row.most:
            # Both are common for Sunday; POSIX has the 0.
            hint = "Sunday is 0" if row.words and row.least == 0 and number == row.most + 1 else None
            return faults.cron_range(row.name, str(number), row.least, row.most, span, hint)
    if not 1 <= step <= row.most:
        return faults.cron_range(f"step of the {row.name}", str(step), 1, row.most, span)
    if first > last:
        fixed = f"{first}-{row.most},{row.least}-{last}" if "/" not in part and row.least < last else None
        if fixed is None and "/" not in part:
            fixed = f"{first}-{row.most},{row.least}"
        return faults.cron_order(row.name, part, span, fixed, whole=whole)
    return None


def _in_numbers(row: FieldRow, text: str) -> str | None:
    """`MON-FRI` as `1-5`, where every word is known."""
    words = _WORD.findall(text)
    if not row.words or any(word[:3].lower() not in row.words for word in words):
        return None
    return _WORD.sub(lambda match: str(row.words.index(match[0][:3].lower()) + row.least), text)


def _never(days: frozenset[int], months: frozenset[int]) -> str | None:
    """Why no month of these has one of these days."""
    first = min(days)
    if any(first <= _LONGEST_MONTHS[month - 1] for month in months):
        return None
    names = [_MONTHS[month - 1] for month in sorted(months)]
    if len(names) == 1:
        return f"{names[0]} has no day {first}"
    return f"none of {', '.join(names[:-1])} and {names[-1]} has a day {first}"


# --- the zone ---------------------------------------------------------------------------------------------------------

# Letters that stand for different times in different countries, or for one half of the year only.
_ABBREVIATION = re.compile(r"[A-Z]{2,5}([0-9][A-Z]{3})?")
_OFFSET = re.compile(r"(?:UTC|GMT|Z)?\s*[+-]?[0-9]{1,2}(?::?[0-9]{2})?", re.IGNORECASE)


def _zone(written: ast.String | ast.Template | ast.Bad | None, say: list[Diagnostic]) -> str | None:
    if written is None:
        return UTC
    if not isinstance(written, ast.String):
        if isinstance(written, ast.Template) and not any(isinstance(part, ast.Bad) for part in written.parts):
            say.append(faults.schedule_not_literal(written.span))
        return None
    name = written.value
    if name == UTC or ("/" in name and name in zones()):
        return name
    say.append(_no_zone(name, written.span))
    return None


def zones() -> frozenset[str]:
    """All names of the IANA database, old ones too."""
    package = find_spec("tzdata")
    assert package is not None
    assert package.origin is not None
    return frozenset((Path(package.origin).parent / "zones").read_text().split())


def _no_zone(name: str, span: Span) -> Diagnostic:
    if name.upper() in (UTC, "ZULU", "Z", "GMT"):
        return faults.unknown_zone(name, span, UTC, ())
    if _ABBREVIATION.fullmatch(name) or _OFFSET.fullmatch(name) or name in zones():
        return faults.zone_without_place(name, span)
    place = "for example `Europe/Paris`; without a zone it is UTC"
    if name.lower() in ("", "local", "localtime", "system"):
        return faults.unknown_zone(name, span, None, (place,))
    wanted = name.strip().replace(" ", "_")
    known = sorted(zone for zone in zones() if "/" in zone)
    if "/" in wanted:
        return faults.unknown_zone(name, span, closest(wanted, known), (place,))
    cities = {zone.rpartition("/")[2]: zone for zone in known}
    return faults.unknown_zone(name, span, cities.get(closest(wanted, cities) or ""), (place,))
