"""Workflow commands of GitHub: what its runner reads back is what was meant.

The reader here follows the runner: a command is one line, properties are cut at `,` and at the first `=`, and each part
is unescaped, `%25` last.
"""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from flowc.compiler.render import github
from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.spans import Source, Span


def read(line: str) -> tuple[str, dict[str, str], str]:
    """A command's name, properties and message."""
    found = re.fullmatch(r"::(\w+) ([^\r\n]*?)::([^\r\n]*)", line)
    assert found, line
    properties = dict(each.partition("=")[::2] for each in found[2].split(","))
    unescaped = {name: unescape(unescape_property(value)) for name, value in properties.items()}
    return found[1], unescaped, unescape(found[3])


def unescape_property(text: str) -> str:
    return text.replace("%3A", ":").replace("%2C", ",")


def unescape(text: str) -> str:
    return text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


def commands(source: Source, *diagnostics: Diagnostic) -> list[str]:
    text = github.render([(source, diagnostics)])
    return text.removesuffix("\n").split("\n") if text else []


def test_a_command() -> None:
    source = Source("flows/x.flow", "one\ntwo bad\n")
    item = Diagnostic("F0203", "error", "no `bad`: 100%, really", Span(8, 11), "here", help=("do this", "or that"))
    (line,) = commands(source, item)
    assert line == (
        "::error file=flows/x.flow,line=2,col=5,endLine=2,endColumn=8,title=F0203::"
        "no `bad`: 100%25, really%0Ahelp: do this%0Ahelp: or that"
    )


def test_severities() -> None:
    items = [Diagnostic("F0000", severity, "m") for severity in ("error", "warning", "note")]
    assert commands(Source("x.flow", ""), *items) == [
        "::error file=x.flow,title=F0000::m",
        "::warning file=x.flow,title=F0000::m",
        "::notice file=x.flow,title=F0000::m",
    ]


def test_several_lines_have_no_columns() -> None:
    (line,) = commands(Source("x.flow", "one\ntwo\n"), Diagnostic("F0000", "error", "m", Span(1, 6)))
    assert line == "::error file=x.flow,line=1,endLine=2,title=F0000::m"


def test_nothing_is_nothing() -> None:
    assert github.render([(Source("x.flow", ""), ())]) == ""


# What a terminal must not get is replaced before; everything else arrives.
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp"], include_characters="\n\t%,:"))


@given(path=TEXT.filter(bool), message=TEXT, helps=st.lists(TEXT))
def test_what_is_read_is_what_was_meant(path: str, message: str, helps: list[str]) -> None:
    item = Diagnostic("F0000", "error", message, Span(0, 1), help=tuple(helps))
    (line,) = commands(Source(path, "xyz"), item)
    name, properties, text = read(line)
    assert name == "error"
    assert properties == {
        "file": path,
        "line": "1",
        "col": "1",
        "endLine": "1",
        "endColumn": "2",
        "title": "F0000",
    }
    assert text == "\n".join([message, *(f"help: {each}" for each in helps)])


@given(st.text())
def test_escaped_text_holds_nothing_that_ends_a_part(text: str) -> None:
    assert not set("\r\n") & set(github.escape(text))
    assert not set("\r\n:,") & set(github.escape_property(text))
    assert unescape(github.escape(text)) == text
    assert unescape(unescape_property(github.escape_property(text))) == text


def test_a_hostile_file_starts_no_command_of_its_own() -> None:
    source = Source("x\n::set-env name=A::b", "x")
    (line,) = commands(source, Diagnostic("F0000", "error", "a\r\n::error::b\x1b[31m"))
    assert "\x1b" not in line
    assert line.startswith("::error file=x%0A%3A%3Aset-env name=A%3A%3Ab,title=F0000::a")
