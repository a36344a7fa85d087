"""fmt: flow files in the one layout, in place or shown.

Takes the files named at the prompt, `-` for standard input; gives for each the text as it is and as it should be, or
the diagnostics of a broken one. `rewrite` puts the new text in the place of the old one.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.format import format_source
from flowc.dsl.spans import Source

from .inputs import read
from .rewrite import rewrite as replace_file


@dataclass(frozen=True, slots=True)
class Formatted:
    """`text` is None where the syntax is broken."""

    source: Source
    text: str | None
    diagnostics: tuple[Diagnostic, ...]

    @property
    def changed(self) -> bool:
        return self.text is not None and self.text != self.source.text


def format_file(path: str) -> Formatted:
    source = read(path)
    return Formatted(source, *format_source(source))


def diff(formatted: Formatted) -> str:
    """The change as a unified diff."""
    assert formatted.text is not None
    return unified(formatted.source, formatted.text, "formatted")


def unified(source: Source, text: str, what: str) -> str:
    """What changes from a source to the text, as a patch; `what` was done to it."""
    before, after = (_lines(text) for text in (source.text, text))
    return "".join(_marked(difflib.unified_diff(before, after, source.path, f"{source.path} ({what})")))


def _lines(text: str) -> list[str]:
    # Only at line feeds: everything else may stand within a string.
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def _marked(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def rewrite(formatted: Formatted) -> None:
    assert formatted.text is not None
    replace_file(formatted.source.path, formatted.text.encode())
