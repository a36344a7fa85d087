"""Where tokens stand on their lines. It means nothing to the language, but says what was meant in a broken text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lark import Token

from . import tables
from .spans import Source


@dataclass(slots=True)
class Open:
    """An opening brace: the words before it, the pair's indentation, the parser's stack at the innermost block.

    `is_block`: not an object.
    """

    token: Token
    opens: str
    indent: str
    is_block: bool
    base: int


@dataclass(slots=True)
class Suspect:
    opened: Open
    closed: Token


# Lines may be as long as the file: nothing here copies one.
_BLANKS = re.compile(r"[^\S\n]*")
_LONGEST_HEAD = 200


def is_first(source: Source, token: Token) -> bool:
    start = source.line_span(token.line or 1).start
    found = _BLANKS.match(source.text, start)
    return found is not None and found.end() >= (token.start_pos or 0)


def is_adjacent(first: Token, second: Token) -> bool:
    return first.end_pos == second.start_pos


def indent(source: Source, token: Token) -> str:
    found = _BLANKS.match(source.text, source.line_span(token.line or 1).start)
    return found[0] if found else ""


def head(source: Source, token: Token) -> str:
    """The construct that a brace after this token belongs to: the first words of its line."""
    start, end = source.line_span(token.line or 1)
    line = source.text[start : min(end, start + _LONGEST_HEAD)]
    return f"`{' '.join(line.partition('{')[0].split()[:2])}`"


_UNFINISHED = {"EQUAL", "COLON", "AND", "OR", "NOT", "EQ", "NE", "LE", "GE", "LANGLE", "RANGLE", "UNTIL", "MAX"}


def line_ends_before(source: Source, last: Token | None, token: Token) -> bool:
    """Whether a line ends where a value is due, and the next one begins with a word of the language."""
    ends = last is not None and last.type in _UNFINISHED and last.line != token.line
    return ends and token in tables.KEYWORDS and is_first(source, token)
