"""Where tokens stand on their lines. It means nothing to the language, but says what was meant in a broken text."""

from __future__ import annotations

import re
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


# No copies of whole lines here: a file may be one line of a megabyte, and these are asked for every brace.
_BLANKS = re.compile(r"[^\S\n]*")
_HEAD = re.compile(r"[^\S\n]*([^\s{]*)(?:[^\S\n]+([^\s{]+))?")


def is_first(source: Source, token: Token) -> bool:
    start = source.line_span(token.line or 1).start
    found = _BLANKS.match(source.text, start)
    return found is not None and found.end() >= (token.start_pos or 0)


def indent(source: Source, token: Token) -> str:
    found = _BLANKS.match(source.text, source.line_span(token.line or 1).start)
    return found[0] if found else ""


def head(source: Source, token: Token) -> str:
    """The construct that a brace after this token belongs to: the first words of its line."""
    found = _HEAD.match(source.text, source.line_span(token.line or 1).start)
    return f"`{' '.join(filter(None, found.groups()))}`" if found else "``"


def line_ends_before(source: Source, last: Token | None, token: Token) -> bool:
    """Whether `=` or `:` ends its line, and the next one begins with a word of the language."""
    ends = last is not None and last.type in ("EQUAL", "COLON") and last.line != token.line
    return ends and token in tables.KEYWORDS and is_first(source, token)
