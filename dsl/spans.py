"""Places in a source text.

Takes a path and the text; gives `Source` with its line table, `Span` (half open, code-point offsets into the text) and
`Position` (line and column, both counted from 1, the column in code points). Whoever needs display columns or UTF-16
units converts from these; nothing else in flowc counts lines.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple


class Span(NamedTuple):
    """`start` is inside, `end` is not. A named tuple and not a dataclass: a large file makes a hundred thousand."""

    start: int
    end: int

    def to(self, other: Span) -> Span:
        """From the start of this one to the end of the other."""
        return Span(self.start, other.end)


class Position(NamedTuple):
    line: int
    column: int


# No slots: the line table is made on demand and kept.
@dataclass(frozen=True)
class Source:
    """A file's name as the user gave it, and its text."""

    path: str
    text: str

    @cached_property
    def _line_starts(self) -> list[int]:
        starts = [0]
        at = self.text.find("\n")
        while at >= 0:
            starts.append(at + 1)
            at = self.text.find("\n", at + 1)
        return starts

    @property
    def line_count(self) -> int:
        return len(self._line_starts)

    def position(self, offset: int) -> Position:
        line = bisect_right(self._line_starts, offset)
        return Position(line, offset - self._line_starts[line - 1] + 1)

    def line_span(self, line: int) -> Span:
        """A line without its end (`\\n` or `\\r\\n`); lines count from 1."""
        start = self._line_starts[line - 1]
        end = self._line_starts[line] - 1 if line < len(self._line_starts) else len(self.text)
        if end > start and self.text[end - 1] == "\r":
            end -= 1
        return Span(start, end)

    def line_text(self, line: int) -> str:
        return self.text[slice(*self.line_span(line))]
