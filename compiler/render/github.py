"""Diagnostics as workflow commands of GitHub Actions, which show them beside the line in a pull request.

    ::error file=digits.flow,line=12,col=22,endLine=12,endColumn=29,title=F0203::the step `prepare` has no output …

Takes files with their diagnostics; gives a line for each. The runner cuts commands at line ends and properties at `,`
and `:`, so these are escaped in its own way. Columns are left out where a place spans several lines: GitHub accepts
them only on one. Paths should be relative to the repository's root, as the user named them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.spans import Source

from .text import printable

_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}


def render(files: Iterable[tuple[Source, Sequence[Diagnostic]]]) -> str:
    return "".join(f"{_command(item, source)}\n" for source, diagnostics in files for item in diagnostics)


def _command(item: Diagnostic, source: Source) -> str:
    properties = ",".join(f"{name}={escape_property(value)}" for name, value in _properties(item, source))
    message = "\n".join([item.message, *(f"help: {help_}" for help_ in item.help)])
    return f"::{_COMMANDS[item.severity]} {properties}::{escape(printable(message))}"


def _properties(item: Diagnostic, source: Source) -> Iterator[tuple[str, str]]:
    yield "file", printable(source.path)
    if item.span is not None:
        start, end = source.position(item.span.start), source.position(item.span.end)
        yield "line", str(start.line)
        if start.line == end.line:
            yield "col", str(start.column)
        yield "endLine", str(end.line)
        if start.line == end.line:
            yield "endColumn", str(end.column)
    yield "title", item.code


def escape(text: str) -> str:
    """What follows the second `::`."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escape_property(text: str) -> str:
    return escape(text).replace(":", "%3A").replace(",", "%2C")
