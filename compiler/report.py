"""report: what was found in some files, shown in the format that was asked for.

Takes sources with their diagnostics, one after the other; writes to one stream. As text each file is shown at once,
with the number of its mistakes, and in the end the command that explains them; the other formats are one document for
all files, written in the end, also when nothing was found. Of a file with more than MOST mistakes (a picture that was
given the wrong name, say) only the first are shown: showing is slower than finding.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from typing import TextIO

from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.spans import Source

FORMATS = ("text", "json", "sarif", "github")

MOST = 1000

# More codes than this in the last line help nobody.
_MOST_CODES = 8


class Report:
    """`colors` is the user's wish: auto, always or never."""

    def __init__(self, stream: TextIO, format_: str = "text", colors: str = "auto") -> None:
        self._stream = stream
        self._format = format_
        self._color = in_color(colors, stream)
        self._found: list[tuple[Source, tuple[Diagnostic, ...]]] = []
        self._has_errors = False

    def add(self, source: Source, diagnostics: Sequence[Diagnostic]) -> None:
        shown = tuple(diagnostics)[:MOST]
        self._found.append((source, shown))
        self._has_errors |= any(item.severity == "error" for item in diagnostics)
        if self._format == "text" and diagnostics:
            self._write(_text(source, shown, _summary(diagnostics), color=self._color))

    def end(self) -> None:
        if self._format != "text":
            self._write(import_module(f"flowc.compiler.render.{self._format}").render(self._found))
            return
        codes = tuple(dict.fromkeys(item.code for _, diagnostics in self._found for item in diagnostics))
        if codes:
            self._write(f"more: flowc explain {' '.join(codes[:_MOST_CODES])}\n")

    @property
    def has_errors(self) -> bool:
        return self._has_errors

    def _write(self, text: str) -> None:
        write(text, self._stream)


def write(text: str, stream: TextIO) -> None:
    """What the stream's encoding lacks becomes a question mark."""
    if isinstance(stream.encoding, str) and not stream.encoding.lower().startswith("utf"):
        text = text.encode(stream.encoding, errors="replace").decode(stream.encoding)
    stream.write(text)
    stream.flush()


def _text(source: Source, diagnostics: Sequence[Diagnostic], summary: str, *, color: bool) -> str:
    from .render import text

    rendered = text.render(diagnostics, source, color=color)
    return f"{rendered}\n{summary}\n" if summary else rendered


def _summary(diagnostics: Sequence[Diagnostic]) -> str:
    counts = ", ".join(filter(None, (_counted(diagnostics, severity) for severity in ("error", "warning"))))
    return f"{counts}; the first {MOST} are shown" if len(diagnostics) > MOST else counts


def _counted(diagnostics: Sequence[Diagnostic], severity: str) -> str:
    count = sum(1 for item in diagnostics if item.severity == severity)
    return f"{count} {severity}{'s' if count > 1 else ''}" if count else ""


def in_color(wish: str, stream: TextIO) -> bool:
    if wish != "auto":
        return wish == "always"
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()
