"""Schedules: which are taken, what they mean, and what is said about the others."""

from __future__ import annotations

import calendar
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowc.compiler.model import Schedule
from flowc.compiler.schedules import FIELDS, fields, schedules, zones
from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.parse import parse
from flowc.dsl.spans import Source


def read(lines: str) -> tuple[tuple[Schedule, ...], list[Diagnostic], str]:
    text = f'flow f {{ {lines} step a {{ run ["x"] }} }}'
    file, diagnostics = parse(Source("t.flow", text))
    assert diagnostics == ()
    assert file is not None
    say: list[Diagnostic] = []
    return schedules(file.flow, say), say, text


def taken(cron: str) -> bool:
    found, say, _ = read(f'schedule "{cron}"')
    assert bool(found) != bool(say)
    return bool(found)


@pytest.mark.parametrize(
    ("written", "cron", "zone"),
    [
        ('"30 2 * * 1-5"', "30 2 * * 1-5", "UTC"),
        ('"30 2 * * 1-5" in "Europe/Paris"', "30 2 * * 1-5", "Europe/Paris"),
        ('"  */15   8-18/2 1,15 * *  " in "UTC"', "*/15 8-18/2 1,15 * *", "UTC"),
        ('"0 0 29 2 *" in "America/Argentina/Buenos_Aires"', "0 0 29 2 *", "America/Argentina/Buenos_Aires"),
        ('"0 0 31 * *" in "Etc/GMT-2"', "0 0 31 * *", "Etc/GMT-2"),
        ('"0 0 30 2,3 *" in "US/Pacific"', "0 0 30 2,3 *", "US/Pacific"),
    ],
)
def test_a_schedule_is_taken(written: str, cron: str, zone: str) -> None:
    found, say, _ = read(f"schedule {written}")
    assert say == []
    assert [(one.cron, one.zone) for one in found] == [(cron, zone)]


_OTHER_DAY = "choose a day that one of these months has; `*` in the place of the month means all of them"


@pytest.mark.parametrize(
    ("written", "code", "place", "help_"),
    [
        # not five fields
        ('""', "F0441", '""', 'for example "30 2 * * 1-5": at 2:30 from Monday to Friday'),
        ('"0 0 * *"', "F0441", '"0 0 * *"', 'for example "30 2 * * 1-5": at 2:30 from Monday to Friday'),
        ('"0 0 0 * * *"', "F0441", '"0 0 0 * * *"', "there is no field for seconds, and none for years"),
        (
            '"rate(5 minutes)"',
            "F0441",
            '"rate(5 minutes)"',
            "write the five fields alone: AWS's own form knows years, and `?`",
        ),
        ('"@daily"', "F0445", '"@daily"', 'write `"0 0 * * *"`'),
        ('"@reboot"', "F0445", '"@reboot"', "fields are numbers: months from 1, days of the week from 0 (Sunday)"),
        # a field that cannot be read
        (
            '"x * * * *"',
            "F0442",
            "x",
            "a field is `*`, a number, a range `1-5`, a list `1,3,5`, or steps `*/15` and `8-18/2`",
        ),
        (
            '"1, * * * *"',
            "F0442",
            "1,",
            "a field is `*`, a number, a range `1-5`, a list `1,3,5`, or steps `*/15` and `8-18/2`",
        ),
        (
            '"-1 * * * *"',
            "F0442",
            "-1",
            "a field is `*`, a number, a range `1-5`, a list `1,3,5`, or steps `*/15` and `8-18/2`",
        ),
        ('"5/10 * * * *"', "F0442", "5/10", "steps have a range: write `5-59/10`"),
        ('"* * ? * *"', "F0442", "?", "write `*`"),
        ('"* * L * *"', "F0442", "L", "there is no last day; run on day 1, after midnight"),
        ('"* * * * 1#2"', "F0442", "1#2", "weeks of a month are not counted; let a step look at the date"),
        ('"MON * * * *"', "F0442", "MON", "the minute is a number"),
        # numbers that there are not
        ('"60 * * * *"', "F0443", "60", "write a number from 0 to 59"),
        ('"* 24 * * *"', "F0443", "24", "write a number from 0 to 23"),
        ('"* * 0 * *"', "F0443", "0", "write a number from 1 to 31"),
        ('"* * * 13 *"', "F0443", "13", "write a number from 1 to 12"),
        ('"* * * * 7"', "F0443", "7", "Sunday is 0"),
        ('"*/0 * * * *"', "F0443", "*/0", "write a number from 1 to 59"),
        ('"*/90 * * * *"', "F0443", "*/90", "write a number from 1 to 59"),
        ('"* * * * 5-1"', "F0444", "5-1", "write `5-6,0-1`"),
        ('"* 22-0 * * *"', "F0444", "22-0", "write `22-23,0`"),
        # names
        ('"0 0 * * MON-FRI"', "F0445", "MON-FRI", "write `1-5`"),
        ('"0 0 1 january,Jul *"', "F0445", "january,Jul", "write `1,7`"),
        (
            '"0 0 * * Mittwoch"',
            "F0445",
            "Mittwoch",
            "fields are numbers: months from 1, days of the week from 0 (Sunday)",
        ),
        # days
        (
            '"0 0 1 * 1"',
            "F0446",
            "1",
            "schedulers do not agree whether both have to fit; make two schedules, or one of the fields `*`",
        ),
        ('"0 0 30 2 *"', "F0447", "30 2", _OTHER_DAY),
        ('"0 0 31 4,6 *"', "F0447", "31 4,6", _OTHER_DAY),
        # zones
        ('"0 0 * * *" in "Europe/Pariss"', "F0448", '"Europe/Pariss"', "did you mean `Europe/Paris`?"),
        ('"0 0 * * *" in "europe/paris"', "F0448", '"europe/paris"', "did you mean `Europe/Paris`?"),
        ('"0 0 * * *" in "Paris"', "F0448", '"Paris"', "did you mean `Europe/Paris`?"),
        ('"0 0 * * *" in "New York"', "F0448", '"New York"', "did you mean `America/New_York`?"),
        ('"0 0 * * *" in "utc"', "F0448", '"utc"', "did you mean `UTC`?"),
        ('"0 0 * * *" in "local"', "F0448", '"local"', "for example `Europe/Paris`; without a zone it is UTC"),
        *(
            (f'"0 0 * * *" in "{zone}"', "F0450", f'"{zone}"', None)
            for zone in ("CET", "EST", "PST8PDT", "IST", "UTC+2", "+02:00", "Japan")
        ),
        # references
        (
            '"${n} * * * *"',
            "F0440",
            '"${n} * * * *"',
            "write the text itself: when a flow runs is known when it is compiled",
        ),
        (
            '"0 0 * * *" in "${z}"',
            "F0440",
            '"${z}"',
            "write the text itself: when a flow runs is known when it is compiled",
        ),
    ],
)
def test_a_schedule_is_refused_once_where_it_stands(written: str, code: str, place: str, help_: str | None) -> None:
    found, say, text = read(f"schedule {written}")
    assert found == ()
    (fault,) = say
    assert fault.span is not None
    assert (fault.code, text[slice(*fault.span)]) == (code, place)
    assert help_ is None or (fault.help[0] if fault.help else "") == help_


def test_every_field_with_a_mistake_is_told() -> None:
    _, say, _ = read('schedule "60 24 0 13 7" in "Europe/Pariss"')
    assert [item.code for item in say] == ["F0443"] * 5 + ["F0448"]


def test_places_are_those_of_the_whole_string_where_escapes_moved_them() -> None:
    _, say, text = read('schedule "60\\t* * * *"')
    assert [text[slice(*item.span)] for item in say if item.span] == ['"60\\t* * * *"']


def test_a_fix_makes_a_schedule_that_is_taken() -> None:
    for written in ("0 0 * * MON-FRI", "0 0 * * 5-1", "* 22-0 * * *", "0 0 * DEC *", "@weekly"):
        _, say, text = read(f'schedule "{written}"')
        (fault,) = say
        assert fault.fix is not None
        (edit,) = fault.fix.edits
        fixed = text[: edit.span.start] + edit.text + text[edit.span.end :]
        file, _ = parse(Source("t.flow", fixed))
        assert file is not None
        left: list[Diagnostic] = []
        assert schedules(file.flow, left)
        assert left == []


def test_a_flow_that_starts_by_itself_has_defaults_for_all_parameters() -> None:
    found, say, text = read('param a: int param b: int = 2 param c: string schedule "0 0 * * *" schedule "1 0 * * *"')
    assert len(found) == 2
    assert [(item.code, text[slice(*item.span)]) for item in say if item.span] == [("F0451", "a"), ("F0451", "c")]
    assert read("param a: int")[1] == []


def test_that_a_schedule_is_no_place_for_a_parameter_is_all_that_is_said_about_it() -> None:
    _, say, text = read('param a: string param b: int schedule "${a}"')
    found = [(item.code, text[slice(*item.span)]) for item in say if item.span]
    assert found == [("F0440", '"${a}"'), ("F0451", "b")]


def test_the_same_schedule_twice_is_kept_once() -> None:
    found, say, _ = read('schedule "0 0 * * *" schedule "0  0 * * *" in "UTC" schedule "0 0 * * *" in "Asia/Tokyo"')
    assert len(found) == 2
    assert [(item.code, item.severity) for item in say] == [("F0449", "warning")]


# --- what the fields mean ---------------------------------------------------------------------------------------------


def numbers(least: int, most: int) -> st.SearchStrategy[str]:
    """Fields around and inside the range, of every form."""
    number = st.integers(max(0, least - 1), most + 1).map(str)
    range_ = st.tuples(number, number).map("-".join)
    step = st.tuples(st.one_of(st.just("*"), range_), number).map("/".join)
    return st.lists(st.one_of(number, range_, step, st.just("*")), min_size=1, max_size=3).map(",".join)


def by_hand(text: str, least: int, most: int) -> set[int] | None:
    """What a field holds, number by number; None where the field is wrong."""
    held = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = (f"{least}-{most}" if span == "*" else span).partition("-")
        begin, end, by = int(first), int(last or first), int(step or 1)
        if step and span != "*" and "-" not in span:
            return None
        if not (least <= begin <= end <= most and 1 <= by <= most):
            return None
        held |= {number for number in range(least, most + 1) if begin <= number <= end and (number - begin) % by == 0}
    return held


@given(st.sampled_from(range(5)), st.data())
def test_a_field_holds_what_it_says(place: int, data: st.DataObject) -> None:
    row = FIELDS[place]
    text = data.draw(numbers(row.least, row.most))
    cron = ["*"] * 5
    cron[place] = text
    wanted = by_hand(text, row.least, row.most)
    if place == 2 and wanted is not None:
        assert taken(" ".join(cron))  # with every month some day comes
    assert taken(" ".join(cron)) == (wanted is not None)
    if wanted is not None:
        assert fields(" ".join(cron))[place] == wanted


@given(st.sets(st.integers(1, 31), min_size=1), st.sets(st.integers(1, 12), min_size=1))
def test_a_schedule_is_taken_if_some_year_has_such_a_day(days: set[int], months: set[int]) -> None:
    comes = any(day <= calendar.monthrange(2024, month)[1] for day in days for month in months)
    cron = f"0 0 {','.join(map(str, sorted(days)))} {','.join(map(str, sorted(months)))} *"
    assert taken(cron) == comes


# --- zones ------------------------------------------------------------------------------------------------------------


def test_zones_do_not_depend_on_the_machine() -> None:
    assert {"UTC", "Europe/Paris", "Asia/Kolkata", "Pacific/Auckland"} <= zones()
    assert all(zone == zone.strip() for zone in zones())


def test_a_flow_without_a_zone_reads_no_list_of_zones() -> None:
    program = (
        "import sys; from flowc.compiler.schedules import schedules; from flowc.dsl.parse import parse;"
        "from flowc.dsl.spans import Source;"
        'text = \'flow f { schedule "0 0 * * *" step a { run ["x"] } }\';'
        "assert schedules(parse(Source('t', text))[0].flow, []);"
        "assert not {'tzdata', 'zoneinfo', 'networkx'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
