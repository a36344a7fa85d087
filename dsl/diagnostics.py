"""Diagnostics are data: what is wrong, where, and what to do about it.

Gives `Diagnostic` and its parts; there is one constructor per code in the `faults` modules, and the renderers are in
`flowc.compiler.render`. Codes are stable and never reused: F01xx syntax, F02xx names and graph, F03xx types, F04xx
settings, F05xx bodies and frameworks, F06xx the code bundle, F1xxx Argo, F2xxx Step Functions and Batch, F3xxx the
local engine.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .spans import Span

Severity: TypeAlias = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Label:
    """A second place that explains the first."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace what stands at `span` by `text`."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """Edits that remove the fault; `title` says in a few words what they do.

    `certain`: what was written can have meant nothing else, so that `flowc check --fix` may put it right unasked. A
    name that is near is a guess, and so is a unit that was left out: an editor offers these, nobody applies them.
    """

    title: str
    edits: tuple[Edit, ...]
    certain: bool = False


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """`message` is one line; `label` stands under the span; `help` is one remedy or reason per element.

    `span` is None where no place in the file is to blame.
    """

    code: str
    severity: Severity
    message: str
    span: Span | None = None
    label: str = ""
    related: tuple[Label, ...] = ()
    help: tuple[str, ...] = ()
    fix: Fix | None = None


def replace(span: Span, text: str, *, certain: bool = False) -> Fix:
    """The fix that puts `text` in the place of `span`."""
    return Fix(f"replace by `{text}`" if text else "remove", (Edit(span, text),), certain)


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    return any(diagnostic.severity == "error" for diagnostic in diagnostics)


def in_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sorted by place, those without a place last; of two exactly equal ones only the first."""
    unique = dict.fromkeys(diagnostics)
    return tuple(sorted(unique, key=lambda item: (item.span is None, item.span or Span(0, 0), item.code)))
