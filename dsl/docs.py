"""Documentation comments: the `##` lines directly above a declaration.

Takes the source and the declaration's first token; gives the text without its signs, empty where there is none.
"""

from __future__ import annotations

from lark import Token

from .places import is_first
from .spans import Source


def doc_above(source: Source, token: Token) -> str:
    line = token.line or 1
    if not is_first(source, token):
        return ""
    lines: list[str] = []
    while line > 1:
        line -= 1
        text = source.line_text(line).strip()
        # `'''` ends a script whose last line only looks like a comment.
        if not text.startswith("##") or text.startswith("###") or text.endswith("'''"):
            break
        lines.append(text[2:].removeprefix(" "))
    return "\n".join(reversed(lines))
