"""Where tokens stand on their lines. It means nothing to the language, but says what was meant in a broken text."""

from __future__ import annotations

from lark import Token

from .spans import Source


def is_first(source: Source, token: Token) -> bool:
    return not source.line_text(token.line or 1)[: (token.column or 1) - 1].strip()


def indent(source: Source, token: Token) -> str:
    line = source.line_text(token.line or 1)
    return line[: len(line) - len(line.lstrip())]


def head(source: Source, token: Token) -> str:
    """The construct that a brace after this token belongs to: the first words of its line."""
    line = source.line_text(token.line or 1)
    return f"`{' '.join(line.partition('{')[0].split()[:2])}`"
