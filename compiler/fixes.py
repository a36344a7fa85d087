"""fixes: applies those fixes of diagnostics that are certain, until none is left.

Takes a source and a function that checks a text; gives the fixed text, how many mistakes it put right and what is still
wrong. Works in rounds, since a fix may bring to light what was hidden behind it: all fixes of a round that do not touch
each other are applied at once, and the text between them is left as it is, line ends included. A round after which more
is wrong than before is undone and ends the work. Nothing is written here but by `write`.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flowc.dsl.diagnostics import Diagnostic, Edit, Fix
from flowc.dsl.spans import Source

from .inputs import Refused, read_source
from .rewrite import rewrite

_WORD = re.compile(r"\w\w")

# Of a mistake's own a round rarely needs a second one. This is for the case that two fixes undo each other.
MOST_ROUNDS = 10

Check = Callable[[Source], tuple[Diagnostic, ...]]


@dataclass(frozen=True, slots=True)
class Fixed:
    """`diagnostics` are those of `after`. `stopped`: the last round was undone, since it made things worse."""

    before: Source
    after: Source
    applied: int
    diagnostics: tuple[Diagnostic, ...]
    stopped: bool = False


def fix(source: Source, check: Check) -> Fixed:
    before, applied = source, 0
    diagnostics = check(source)
    for _ in range(MOST_ROUNDS):
        certain = (item.fix for item in diagnostics if item.fix is not None and item.fix.certain)
        chosen = compatible(one for one in certain if not any(_glues(source.text, edit) for edit in one.edits))
        if not chosen:
            break
        after = Source(source.path, apply(source.text, [edit for one in chosen for edit in one.edits]))
        found = check(after)
        if is_worse(diagnostics, found):
            return Fixed(before, source, applied, diagnostics, stopped=True)
        source, diagnostics, applied = after, found, applied + len(chosen)
    return Fixed(before, source, applied, diagnostics)


def compatible(fixes: Iterable[Fix]) -> list[Fix]:
    """Those that do not touch each other; of two that do, the first."""
    taken: list[Edit] = []
    chosen = []
    for one in fixes:
        if all(_apart(edit, other) for edit in one.edits for other in taken):
            chosen.append(one)
            taken += one.edits
    return chosen


def _apart(edit: Edit, other: Edit) -> bool:
    # Side by side is too near: `a` and `b` put next to each other may be read as `ab`.
    return edit.span.end < other.span.start or other.span.end < edit.span.start


def _glues(text: str, edit: Edit) -> bool:
    """Whether the new text would become one word with what stands beside it: `!done` is not `notdone`."""
    start, end = edit.span
    first, last = text[start - 1 : start] + edit.text[:1], edit.text[-1:] + text[end : end + 1]
    return any(len(pair) == 2 and _WORD.fullmatch(pair) is not None for pair in (first, last))


def apply(text: str, edits: Iterable[Edit]) -> str:
    """The text with every edit made; they must not overlap."""
    parts = []
    end = 0
    for edit in sorted(edits, key=lambda edit: edit.span):
        parts += [text[end : edit.span.start], edit.text]
        end = edit.span.end
    return "".join([*parts, text[end:]])


def is_worse(before: Sequence[Diagnostic], after: Sequence[Diagnostic]) -> bool:
    """More errors than there were, among those that could be seen.

    Where nothing but the syntax is wrong, names and types may not have been looked at yet: what comes to light there is
    no fault of the fix.
    """
    old, new = ([item.code for item in items if item.severity == "error"] for items in (before, after))
    if all(code.startswith("F01") for code in old):
        new = [code for code in new if code.startswith("F01")]
    return len(new) > len(old)


def write(fixed: Fixed) -> None:
    """Put the fixed text into the file, unless somebody else has changed it in between."""
    path = fixed.before.path
    if read_source(path) != fixed.before:
        raise Refused(f"{path} was changed while it was being fixed", "try again")
    marked = Path(path).read_bytes().startswith(codecs.BOM_UTF8)
    rewrite(path, (codecs.BOM_UTF8 if marked else b"") + fixed.after.text.encode())


def fix_file(path: str, check: Check, *, dry: bool) -> Fixed:
    """Fix a file in its place or, if `dry`, only tell what would become of it."""
    fixed = fix(read_source(path), check)
    if fixed.applied and not dry:
        write(fixed)
    return fixed


def told(fixed: Fixed, *, dry: bool) -> tuple[str, ...]:
    """What was done, for people."""
    path, count = fixed.before.path, fixed.applied
    lines = []
    if count:
        lines.append(f"{'would fix' if dry else 'fixed'} {count} mistake{'s' if count > 1 else ''} in {path}")
    if fixed.stopped:
        lines.append(f"{path}: further fixes were left out, since more would be wrong after them than before")
    return tuple(lines)
