"""Diagnostics as text for people: the source line, carets under the place, a second place where one explains the first.

Takes diagnostics, the sources they point into and whether to colour; gives the text. Columns are counted as a terminal
shows them: a tab goes to the next multiple of four, wide characters (CJK, emoji) take two columns, combining ones none.
Control characters of the source are shown as pictures, so that a hostile file cannot write to the terminal.

    error[F0203]: the step `prepare` has no output `dataste`
      --> digits.flow:12:22
       |
     5 |   step prepare {
       |        ------- the step
    ...
    12 |     in  data = prepare.dataste
       |                        ^^^^^^^ unknown output
       = help: did you mean `dataset`?
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.spans import Source, Span

_TAB = 4
# The longest part of a source line that is shown; a file may be one long line.
_WIDEST = 160

_RED, _YELLOW, _BLUE, _CYAN, _BOLD, _PLAIN = "\x1b[31m", "\x1b[33m", "\x1b[34m", "\x1b[36m", "\x1b[1m", "\x1b[0m"
_COLORS = {"error": _RED, "warning": _YELLOW, "note": _CYAN}


def render(diagnostics: Iterable[Diagnostic], source: Source, *, color: bool = False) -> str:
    """One block per diagnostic, with an empty line between; the text ends with a newline unless it is empty."""
    paint = _Paint(color)
    return "\n".join("\n".join(_block(diagnostic, source, paint)) + "\n" for diagnostic in diagnostics)


@dataclass(frozen=True, slots=True)
class _Paint:
    on: bool

    def __call__(self, text: str, *codes: str) -> str:
        return f"{''.join(codes)}{text}{_PLAIN}" if self.on and text else text


@dataclass(frozen=True, slots=True)
class _Mark:
    """A place on one line; `start` and `end` count code points of that line."""

    line: int
    start: int
    end: int
    sign: str
    text: str
    color: str


def _block(diagnostic: Diagnostic, source: Source, paint: _Paint) -> Iterator[str]:
    color = _COLORS[diagnostic.severity]
    head = paint(f"{diagnostic.severity}[{diagnostic.code}]", _BOLD, color)
    yield f"{head}{paint(': ' + _cut(printable(diagnostic.message)), _BOLD)}"
    marks = _marks(diagnostic, source, color)
    width = max((len(str(mark.line)) for mark in marks), default=1)
    if diagnostic.span is None:
        yield f"{' ' * width}{paint('-->', _BLUE)} {printable(source.path)}"
    else:
        line, column = source.position(diagnostic.span.start)
        yield f"{' ' * width}{paint('-->', _BLUE)} {printable(source.path)}:{line}:{column}"
        yield paint(f"{' ' * width} |", _BLUE)
        yield from _excerpt(marks, source, width, paint)
    for help_ in diagnostic.help:
        first, *rest = _cut(printable(help_)).split("\n")
        yield f"{' ' * width} {paint('=', _BLUE)} {paint('help:', _BOLD)} {first}"
        yield from (f"{' ' * width}         {line}" for line in rest)


def _cut(text: str) -> str:
    """Names in messages are the user's, and may be a megabyte long."""
    return text if len(text) <= 400 else f"{text[:400]}…"


def _marks(diagnostic: Diagnostic, source: Source, color: str) -> list[_Mark]:
    if diagnostic.span is None:
        return []
    marks = [_mark(diagnostic.span, "^", diagnostic.label, color, source)]
    marks += [_mark(label.span, "-", label.text, _BLUE, source) for label in diagnostic.related]
    return sorted(marks, key=lambda mark: (mark.line, mark.start, mark.sign))


def _mark(span: Span, sign: str, text: str, color: str, source: Source) -> _Mark:
    line, column = source.position(span.start)
    bounds = source.line_span(line)
    # What goes on over several lines is marked on its first.
    end = min(span.end, bounds.end)
    return _Mark(line, column - 1, max(column, end - bounds.start), sign, printable(text), color)


def _excerpt(marks: list[_Mark], source: Source, width: int, paint: _Paint) -> Iterator[str]:
    gutter = paint(f"{' ' * width} |", _BLUE)
    shown = 0
    for line in dict.fromkeys(mark.line for mark in marks):
        if shown and line > shown + 2:
            yield paint("...", _BLUE)
        elif shown and line == shown + 2:
            yield _source_line(shown + 1, _Line(source.line_text(shown + 1), 0, 0), width, paint)
        here = [mark for mark in marks if mark.line == line]
        text = _Line(source.line_text(line), here[0].start, max(mark.end for mark in here))
        yield _source_line(line, text, width, paint)
        # Each mark on a line of its own: labels of one line would otherwise run into each other.
        for mark in here:
            start, end = text.column(mark.start), text.column(mark.end)
            signs = mark.sign * max(1, end - start)
            label = f" {mark.text}" if mark.text else ""
            yield f"{gutter} {' ' * start}{paint(signs + label, mark.color)}"
        shown = line


def _source_line(line: int, text: _Line, width: int, paint: _Paint) -> str:
    return f"{paint(f'{line:>{width}} |', _BLUE)} {text.shown}".rstrip()


class _Line:
    """A source line as it is shown, and the terminal's column of each of its characters.

    A long line is cut to the part around its marks.
    """

    def __init__(self, text: str, start: int, end: int) -> None:
        first = 0 if end <= _WIDEST else max(0, start - 20)
        cut = text[first : first + _WIDEST]
        self._first = first
        self._columns: list[int] = []
        shown: list[str] = []
        column = 0
        if first:
            shown.append("… ")
            column = 2
        for char in cut:
            self._columns.append(column)
            seen = " " * (_TAB - column % _TAB) if char == "\t" else printable(char)
            shown.append(seen)
            column += _width(seen)
        self._columns.append(column)
        if first + _WIDEST < len(text):
            shown.append(" …")
        self.shown = "".join(shown)

    def column(self, offset: int) -> int:
        return self._columns[min(max(0, offset - self._first), len(self._columns) - 1)]


def _width(text: str) -> int:
    return sum(_char_width(char) for char in text)


def _char_width(char: str) -> int:
    if char.isascii():
        return 1
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


# Direction marks can make a line read as something else than it is.
_HIDDEN = {ord(char): "\ufffd" for char in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\x7f\u2028\u2029\x85"}
_HIDDEN |= {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\n\t"}
_HIDDEN |= dict.fromkeys(range(128, 160), "�")
# What cannot be encoded cannot be shown either.
_HIDDEN |= dict.fromkeys(range(55296, 57344), "�")


def printable(text: str) -> str:
    return text if text.isascii() and text.isprintable() else text.translate(_HIDDEN)
