"""Where tokens stand on their lines. It means nothing to the language, but says what was meant in a broken text."""

from __future__ import annotations

from dataclasses import dataclass

from lark import Token

from . import tables
from .spans import Source


@dataclass(slots=True)
class Open:
    """An opening brace: the words before it, the pair's indentation, the parser's stack at the innermost block."""

    token: Token
    opens: str
    indent: str
    base: int


@dataclass(slots=True)
class Suspect:
    opened: Open
    closed: Token


def is_first(source: Source, token: Token) -> bool:
    return not source.line_text(token.line or 1)[: (token.column or 1) - 1].strip()


def indent(source: Source, token: Token) -> str:
    line = source.line_text(token.line or 1)
    return line[: len(line) - len(line.lstrip())]


def head(source: Source, token: Token) -> str:
    """The construct that a brace after this token belongs to: the first words of its line."""
    line = source.line_text(token.line or 1)
    return f"`{' '.join(line.partition('{')[0].split()[:2])}`"


def line_ends_before(source: Source, last: Token | None, token: Token) -> bool:
    """Whether `=` or `:` ends its line, and the next one begins with a word of the language."""
    ends = last is not None and last.type in ("EQUAL", "COLON") and last.line != token.line
    return ends and token in tables.KEYWORDS and is_first(source, token)
