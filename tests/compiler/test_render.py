"""Diagnostics as text: carets stand under the place whatever the line holds."""

from __future__ import annotations

import pytest

from flowc.compiler.render import text
from flowc.dsl.diagnostics import Diagnostic, Label
from flowc.dsl.spans import Source, Span


def rendered(line: str, marked: str, *, color: bool = False) -> list[str]:
    start = line.index(marked)
    diagnostic = Diagnostic("F0000", "error", "wrong", Span(start, start + len(marked)), "here")
    return text.render([diagnostic], Source("x.flow", line), color=color).split("\n")


@pytest.mark.parametrize(
    ("line", "shown", "marks"),
    [
        ("a bad c", "a bad c", "  ^^^ here"),
        ("\tbad", "    bad", "    ^^^ here"),
        ("ab\tbad", "ab  bad", "    ^^^ here"),
        ("漢字 bad", "漢字 bad", "     ^^^ here"),
        ("🚀 bad", "🚀 bad", "   ^^^ here"),
        ("e\u0301 bad", "e\u0301 bad", "  ^^^ here"),
        ("\x1b[31m bad", "␛[31m bad", "      ^^^ here"),
        ("\u202e bad", "\ufffd bad", "  ^^^ here"),
    ],
)
def test_carets_stand_under_the_place(line: str, shown: str, marks: str) -> None:
    lines = rendered(line, "bad")
    assert lines[3] == f"1 | {shown}"
    assert lines[4] == f"  | {marks}"


def test_a_wide_mark_is_as_wide_as_its_text() -> None:
    assert rendered("a 漢字 b", "漢字")[4] == "  |   ^^^^ here"


def test_a_long_line_is_cut_around_the_mark() -> None:
    lines = rendered("x" * 5000 + " bad " + "y" * 5000, "bad")
    assert len(lines[3]) < 200
    assert lines[3].index("bad") == lines[4].index("^^^")


def test_colour_changes_nothing_else() -> None:
    plain, colored = ("\n".join(rendered("a bad c", "bad", color=color)) for color in (False, True))
    for code in ("\x1b[31m", "\x1b[34m", "\x1b[1m", "\x1b[0m"):
        assert code in colored
        colored = colored.replace(code, "")
    assert colored == plain


def test_a_diagnostic_without_a_place() -> None:
    shown = text.render([Diagnostic("F0000", "warning", "odd", help=("do this", "or that"))], Source("x.flow", ""))
    assert shown == "warning[F0000]: odd\n --> x.flow\n  = help: do this\n  = help: or that\n"


def test_a_second_place() -> None:
    source = Source("x.flow", "one\ntwo\nthree\nfour\nfive\n")
    diagnostic = Diagnostic("F0000", "error", "wrong", Span(19, 23), "this", (Label(Span(0, 3), "because of this"),))
    assert text.render([diagnostic], source) == (
        "error[F0000]: wrong\n --> x.flow:5:1\n  |\n1 | one\n  | --- because of this\n...\n5 | five\n  | ^^^^ this\n"
    )
